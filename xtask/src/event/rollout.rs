//! What a rollout looks like at one moment: the facts behind a progress line, a live view, and a
//! dashboard of somebody else.

use schemars::JsonSchema;
use serde::Serialize;

/// A rollout, seen whole; each one replaces the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Rollout {
    /// The service.
    pub service: String,
    /// `FAMILY:REVISION` that is being rolled out.
    pub task_definition: String,
    /// ID of the deployment, `ecs-svc/…`; `None`: a change that starts none, such as of the desired count.
    pub deployment: Option<String>,
    /// ARN of the service deployment, once it is known.
    pub service_deployment: Option<String>,
    /// Of the service deployment, in AWS's word (`IN_PROGRESS`); `None`: not read.
    pub status: Option<String>,
    /// Tasks of this deployment; `None`: the service does not list it, not yet or not any more.
    pub counts: Option<Counts>,
    /// Deployments of the service beside this one that still have tasks.
    pub others: Vec<Other>,
    /// What the circuit breaker has counted; `None`: it is off, or not read.
    pub breaker: Option<Breaker>,
    /// The tasks of this deployment, oldest first, those that stopped lately too; `None`: not read.
    pub tasks: Option<Vec<Task>>,
}

/// How many tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// There should be.
    pub desired: i32,
    /// Run.
    pub running: i32,
    /// Are starting.
    pub pending: i32,
    /// Have failed to start or to stay healthy, as ECS counts it.
    pub failed: i32,
}

/// A deployment beside the one that is rolled out: the old revision, or what is rolled back to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Other {
    /// `FAMILY:REVISION`.
    pub task_definition: String,
    /// Its tasks.
    pub counts: Counts,
}

/// The deployment circuit breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Breaker {
    /// Failures that it counted.
    pub failures: i32,
    /// As many trip it.
    pub threshold: i32,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Task {
    /// Its ID.
    pub id: String,
    /// Where it is in its life, in AWS's word (`PROVISIONING` … `STOPPED`).
    pub status: String,
    /// Where it is to be: `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// `HEALTHY`, `UNHEALTHY`; `None`: it has no health check, or none has answered.
    pub health: Option<String>,
    /// Why it stopped, in AWS's words.
    pub stopped_reason: Option<String>,
    /// Containers that ended, or did not start.
    pub containers: Vec<Container>,
}

/// A container that ended, or did not start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Container {
    /// Its name.
    pub name: String,
    /// If it ran.
    pub exit_code: Option<i32>,
    /// In AWS's words.
    pub reason: Option<String>,
}

impl Rollout {
    /// Whether it is being taken back, or was.
    #[must_use]
    pub fn rolls_back(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status.starts_with("ROLLBACK_"))
    }
}

impl Task {
    /// Whether it is over.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.status == "STOPPED"
    }

    /// Why it stopped, if that is not just ECS making room.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        let reason = self.stopped_reason.as_deref().filter(|_| self.stopped())?;
        // Source: Amazon ECS Developer Guide, "Resolve Amazon ECS stopped task errors".
        (!reason.starts_with("Scaling activity initiated")).then_some(reason)
    }
}

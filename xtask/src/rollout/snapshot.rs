//! What the API shows at one moment, as plain values.

use std::time::Duration;

use aws_sdk_ecs::types as ecs;

/// The service and, once it is found, our service deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// `None`: the service is gone.
    pub(super) service: Option<Service>,
    /// `None`: not found yet, or the API does not tell.
    pub(super) record: Option<Record>,
    /// How long the service has been missing from the answers.
    pub(super) absent: Duration,
}

/// A service, as DescribeServices shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Service {
    /// `ACTIVE`, `DRAINING`, `INACTIVE`.
    pub(super) status: String,
    /// Tasks it should have.
    pub(super) desired: i32,
    /// Tasks that run, of all deployments.
    pub(super) running: i32,
    /// Tasks that are starting, of all deployments.
    pub(super) pending: i32,
    /// Whether a load balancer is before it.
    pub(super) balanced: bool,
    /// Newest first.
    pub(super) deployments: Vec<Deployment>,
}

/// An entry of `service.deployments`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deployment {
    /// `ecs-svc/…`
    pub(super) id: String,
    /// `PRIMARY`, `ACTIVE`, `INACTIVE`.
    pub(super) status: String,
    /// ARN.
    pub(super) task_definition: String,
    /// Milliseconds since 1970.
    pub(super) created_ms: i64,
    /// Tasks it should have.
    pub(super) desired: i32,
    /// Tasks that run.
    pub(super) running: i32,
    /// Tasks that are starting.
    pub(super) pending: i32,
    /// Tasks that failed.
    pub(super) failed: i32,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`.
    pub(super) rollout_state: String,
    /// AWS's words for the state.
    pub(super) reason: String,
}

/// A service deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// One of nine words.
    pub(super) status: String,
    /// AWS's words for it.
    pub(super) reason: String,
    /// Why it was rolled back, once it was.
    pub(super) rollback: Option<String>,
    /// Failures that the circuit breaker counted, and how many trip it; 0 when it is off.
    pub(super) failures: (i32, i32),
}

impl Service {
    /// The deployment that the service is to run now.
    #[must_use]
    pub(super) fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.status == "PRIMARY")
    }
}

/// Reads a service.
pub(super) fn service(service: &ecs::Service) -> Service {
    Service {
        status: service.status().unwrap_or_default().to_owned(),
        desired: service.desired_count(),
        running: service.running_count(),
        pending: service.pending_count(),
        balanced: !service.load_balancers().is_empty(),
        deployments: service.deployments().iter().map(deployment).collect(),
    }
}

fn deployment(deployment: &ecs::Deployment) -> Deployment {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Deployment {
        id: text(deployment.id()),
        status: text(deployment.status()),
        task_definition: text(deployment.task_definition()),
        created_ms: deployment.created_at().and_then(|at| at.to_millis().ok()).unwrap_or_default(),
        desired: deployment.desired_count(),
        running: deployment.running_count(),
        pending: deployment.pending_count(),
        failed: deployment.failed_tasks(),
        rollout_state: text(deployment.rollout_state().map(ecs::DeploymentRolloutState::as_str)),
        reason: text(deployment.rollout_state_reason()),
    }
}

/// Reads a service deployment.
pub(super) fn record(record: &ecs::ServiceDeployment) -> Record {
    let breaker = record.deployment_circuit_breaker();
    Record {
        status: record.status().map(ecs::ServiceDeploymentStatus::as_str).unwrap_or_default().to_owned(),
        reason: record.status_reason().unwrap_or_default().to_owned(),
        rollback: rollback(record),
        failures: breaker.map(|breaker| (breaker.failure_count(), breaker.threshold())).unwrap_or_default(),
    }
}

/// Why it is rolled back, if it is. Of the failures that are rolled back, only a stop that somebody
/// asks for has a time of stopping.
/// Source: Amazon ECS API Reference, ServiceDeployment (`stoppedAt`).
fn rollback(record: &ecs::ServiceDeployment) -> Option<String> {
    let reason = record.rollback()?.reason().unwrap_or_default();
    Some(match record.stopped_at() {
        Some(_) => "another client stopped the rollout".to_owned(),
        None => reason.to_owned(),
    })
}

//! Deployments as `service.deployments` has them, service deployments and
//! service revisions: three views of the same story.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Ecs;
use super::breaker::{CircuitBreaker, DeploymentConfiguration};
use super::launch::is_fargate;
use super::rules::Listing;
use super::service::Service;
use super::task::{Last, Task, without_nulls};
use crate::shared::Shared;

/// `rolloutState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rollout {
    /// Not steady yet.
    InProgress,
    /// Was steady once.
    Completed,
    /// Ended by the circuit breaker or a stop request.
    Failed,
}

/// An entry of `service.deployments`. The first one is `PRIMARY`, the others `ACTIVE`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// `ecs-svc/` and 19 digits.
    pub id: String,
    /// ID of its revision.
    pub revision: String,
    /// State.
    pub rollout: Rollout,
    /// `rolloutStateReason`.
    pub reason: String,
    /// Failures, as the circuit breaker counts them.
    pub failed: u64,
    /// Seconds since 1970.
    pub created_at: f64,
    /// Seconds since 1970.
    pub updated_at: f64,
}

/// A service revision: what a deployment rolls out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// 19 digits, the last part of its ARN.
    pub id: String,
    /// `family:revision`.
    pub definition: String,
    /// The members of a service whose change makes a new revision.
    pub config: Shared<Map<String, Value>>,
    /// Seconds since 1970.
    pub created_at: f64,
}

/// `serviceDeployment.status` (documented).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Made, not begun.
    Pending,
    /// Tasks of the target are started.
    InProgress,
    /// The target is steady.
    Successful,
    /// Somebody asked to stop it.
    StopRequested,
    /// It ended without the target.
    Stopped,
    /// It is to go back.
    RollbackRequested,
    /// It goes back.
    RollbackInProgress,
    /// It is back.
    RollbackSuccessful,
    /// It could not go back.
    RollbackFailed,
}

impl Status {
    /// Whether it goes on.
    pub fn is_open(self) -> bool {
        use Status::{InProgress, Pending, RollbackInProgress, RollbackRequested, StopRequested};
        matches!(self, Pending | InProgress | StopRequested | RollbackRequested | RollbackInProgress)
    }
}

/// Where it goes back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollback {
    /// Why.
    pub reason: String,
    /// Seconds since 1970.
    pub started_at: f64,
    /// Revision ID.
    pub revision: String,
}

/// A service deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceDeployment {
    /// The last part of its ARN.
    pub id: String,
    /// The entry of `service.deployments` that it made.
    pub deployment: String,
    /// Revisions that ran when it began.
    pub sources: Vec<String>,
    /// Revision that it rolls out.
    pub target: String,
    /// Status.
    pub status: Status,
    /// `statusReason`.
    pub reason: Option<String>,
    /// Set once it goes back.
    pub rollback: Option<Rollback>,
    /// Failures counted so far.
    pub failures: u64,
    /// Threshold, of the latest desired count.
    pub threshold: u64,
    /// `deploymentConfiguration` when it began.
    pub configuration: Shared<Value>,
    /// Seconds since 1970, as all of these.
    pub created_at: f64,
    /// Last change.
    pub updated_at: f64,
    /// Begun.
    pub started_at: Option<f64>,
    /// Over.
    pub finished_at: Option<f64>,
    /// A stop was asked for and done.
    pub stopped_at: Option<f64>,
}

impl ServiceDeployment {
    /// The circuit breaker that watches it.
    pub fn breaker(&self) -> CircuitBreaker {
        DeploymentConfiguration::deserialize(&*self.configuration)
            .unwrap_or_default()
            .deployment_circuit_breaker
    }

    /// Changes the status; a closed one is finished.
    pub fn set(&mut self, status: Status, now: f64) {
        self.status = status;
        self.updated_at = now;
        if status == Status::InProgress {
            self.started_at.get_or_insert(now);
        }
        if !status.is_open() {
            self.finished_at.get_or_insert(now);
        }
    }
}

/// Tasks of a deployment or revision, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Wanted.
    pub desired: u64,
    /// Not running yet.
    pub pending: u64,
    /// `RUNNING`, or still on their way out of it.
    pub running: u64,
}

/// Counts tasks. One that is deregistered but was not told to stop still counts as running (assumed).
pub fn count<'a>(tasks: impl Iterator<Item = &'a Task>) -> Counts {
    tasks.fold(Counts::default(), |mut counts, task| {
        counts.desired += u64::from(task.wanted());
        counts.pending += u64::from(task.is_pending() && task.wanted());
        counts.running += u64::from(matches!(task.last, Last::Running | Last::Deactivating));
        counts
    })
}

impl Ecs {
    /// Tasks of one deployment.
    pub fn deployment_tasks<'a>(
        &'a self,
        service: &'a Service,
        deployment: &'a str,
    ) -> impl Iterator<Item = &'a Task> {
        self.tasks_of(&service.cluster, &service.name)
            .filter(move |t| t.started_by.as_deref() == Some(deployment))
    }

    pub(super) fn render_deployment(
        &self,
        service: &Service,
        index: usize,
        deployment: &Deployment,
    ) -> Value {
        let counts = count(self.deployment_tasks(service, &deployment.id));
        let mut out = service.revision(&deployment.revision).map(described).unwrap_or_default();
        let own = json!({
            "id": deployment.id,
            "status": if index == 0 { "PRIMARY" } else { "ACTIVE" },
            "taskDefinition": service
                .revision(&deployment.revision)
                .map(|r| self.place.definition_arn(&r.definition)),
            // Of an old deployment: what is left of it (observed in public outputs of DescribeServices).
            "desiredCount": if index == 0 { service.desired } else { counts.desired },
            "pendingCount": counts.pending,
            "runningCount": counts.running,
            "failedTasks": deployment.failed,
            "createdAt": deployment.created_at,
            "updatedAt": deployment.updated_at,
            "rolloutState": deployment.rollout,
            "rolloutStateReason": self.rules.reasons.then_some(&deployment.reason),
        });
        if let Value::Object(own) = own {
            out.extend(own.into_iter().filter(|(_, value)| !value.is_null()));
        }
        // Members of a service revision that a deployment does not have.
        for member in ["loadBalancers", "serviceRegistries"] {
            out.remove(member);
        }
        Value::Object(out)
    }

    /// The answer's `serviceRevisions[]`.
    pub fn render_revision(&self, service: &Service, revision: &Revision) -> Value {
        let mut out = described(revision);
        let definition = self.definition(&revision.definition);
        let images: Vec<Value> = definition
            .map(super::definition::Definition::containers)
            .unwrap_or_default()
            .into_iter()
            .map(|c| {
                let digest = self
                    .tasks_of(&service.cluster, &service.name)
                    .filter(|t| t.definition == revision.definition)
                    .find_map(|t| t.container(&c.name)?.digest.clone());
                without_nulls(json!({"containerName": c.name, "image": c.image, "imageDigest": digest}))
            })
            .collect();
        let own = json!({
            "serviceRevisionArn": self.revision_arn(service, &revision.id),
            "serviceArn": self.place.service_arn(&service.cluster, &service.name),
            "clusterArn": self.place.cluster_arn(&service.cluster),
            "taskDefinition": self.place.definition_arn(&revision.definition),
            "containerImages": images,
            "guardDutyEnabled": false,
            "createdAt": revision.created_at,
        });
        if let Value::Object(own) = own {
            out.extend(own);
        }
        Value::Object(out)
    }

    /// The answer's `serviceDeployments[]`.
    pub fn render_service_deployment(&self, service: &Service, it: &ServiceDeployment) -> Value {
        let breaker = it.breaker();
        let breaker_status = match (breaker.enable, it.status) {
            (false, _) => "DISABLED",
            _ if it.failures >= it.threshold => "TRIGGERED",
            (_, status) if status.is_open() => "MONITORING",
            _ => "MONITORING_COMPLETE",
        };
        let mut out = self.brief(service, it);
        if let Value::Object(out) = &mut out {
            out.remove("targetServiceRevisionArn");
        }
        let more = json!({
            "updatedAt": it.updated_at,
            "stoppedAt": it.stopped_at,
            "sourceServiceRevisions": it.sources.iter().map(|r| self.revision_counts(service, r, it)).collect::<Value>(),
            "targetServiceRevision": self.revision_counts(service, &it.target, it),
            "deploymentConfiguration": it.configuration,
            "rollback": it.rollback.as_ref().map(|r| json!({
                "reason": if self.rules.reasons { r.reason.as_str() } else { "" },
                "startedAt": r.started_at,
                "serviceRevisionArn": self.revision_arn(service, &r.revision),
            })),
            "deploymentCircuitBreaker": {
                "status": breaker_status, "failureCount": it.failures, "threshold": it.threshold,
            },
            "alarms": super::bake::described(it),
        });
        super::breaker::merge(&mut out, Some(&more));
        without_nulls(out)
    }

    /// What `ListServiceDeployments` lists, in its order.
    pub fn listed<'a>(&self, service: &'a Service, now: f64) -> Vec<&'a ServiceDeployment> {
        let there = |d: &&ServiceDeployment| now - d.created_at >= self.rules.listed_after;
        let mut all: Vec<_> = service.history.iter().filter(there).collect();
        match self.rules.listing {
            Listing::NewestFirst => all.reverse(),
            Listing::OldestFirst => {}
            Listing::ByArn => all.sort_by(|a, b| a.id.cmp(&b.id)),
        }
        all
    }

    /// The entry of `ListServiceDeployments`.
    pub fn brief(&self, service: &Service, it: &ServiceDeployment) -> Value {
        without_nulls(json!({
            "serviceDeploymentArn": self.service_deployment_arn(service, &it.id),
            "serviceArn": self.place.service_arn(&service.cluster, &service.name),
            "clusterArn": self.place.cluster_arn(&service.cluster),
            "targetServiceRevisionArn": self.revision_arn(service, &it.target),
            "createdAt": it.created_at,
            "startedAt": it.started_at,
            "finishedAt": it.finished_at,
            "status": it.status,
            "statusReason": it.reason.as_ref().filter(|_| self.rules.reasons),
        }))
    }

    fn revision_counts(&self, service: &Service, revision: &str, it: &ServiceDeployment) -> Value {
        let entries: Vec<&Deployment> =
            service.deployments.iter().filter(|d| d.revision == revision).collect();
        let tasks = entries.iter().flat_map(|d| self.deployment_tasks(service, &d.id));
        let counts =
            if it.status.is_open() || service.is_current(it) { count(tasks) } else { Counts::default() };
        let primary = service.deployments.first().is_some_and(|d| d.revision == revision);
        let wanted = primary && service.is_current(it);
        json!({
            "arn": self.revision_arn(service, revision),
            // Of what is rolled back from, only what is left of it.
            "requestedTaskCount": if wanted { service.desired } else { counts.desired },
            "runningTaskCount": counts.running,
            "pendingTaskCount": counts.pending,
        })
    }

    /// `…:service-revision/CLUSTER/SERVICE/ID`.
    pub fn revision_arn(&self, service: &Service, id: &str) -> String {
        self.place.arn(&format!("service-revision/{}/{}/{id}", service.cluster, service.name))
    }

    /// `…:service-deployment/CLUSTER/SERVICE/ID`.
    pub fn service_deployment_arn(&self, service: &Service, id: &str) -> String {
        self.place.arn(&format!("service-deployment/{}/{}/{id}", service.cluster, service.name))
    }
}

/// What is described of a revision's configuration: `LATEST` becomes a version, as on AWS.
pub fn described(revision: &Revision) -> Map<String, Value> {
    let mut out = (*revision.config).clone();
    if is_fargate(&revision.config) {
        out.insert("platformVersion".into(), PLATFORM_VERSION.into());
        out.insert("platformFamily".into(), "Linux".into());
    }
    out
}

/// What `LATEST` is (documented: "Fargate platform versions for Linux").
pub const PLATFORM_VERSION: &str = "1.4.0";

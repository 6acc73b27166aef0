//! A service, and how it is described.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Ecs;
use super::breaker::DeploymentConfiguration;
use super::deployment::{Deployment, Revision, Rollout, ServiceDeployment, Status, count, described};
use super::event::Event;
use super::rules::{Current, Rules};
use super::tags::Tag;
use super::task::without_nulls;
use crate::ids::Ids;
use crate::shared::Shared;

/// At most this many events are described (documented: `Service.events`).
const MAX_EVENTS: usize = 100;

/// `Service.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Lifecycle {
    /// In use.
    Active,
    /// Deleted, with tasks left.
    Draining,
    /// Deleted.
    Inactive,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Name.
    pub name: String,
    /// Cluster name.
    pub cluster: String,
    /// Status.
    pub lifecycle: Lifecycle,
    /// Desired count.
    pub desired: u64,
    /// Members that change in place.
    pub settings: Shared<Map<String, Value>>,
    /// Primary first.
    pub deployments: Vec<Deployment>,
    /// Every revision that a deployment or service deployment names.
    pub revisions: Vec<Revision>,
    /// Oldest first.
    pub history: Vec<ServiceDeployment>,
    /// The revision of the last deployment that completed.
    pub last_completed: Option<String>,
    /// Newest first.
    pub events: Vec<Event>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// `clientToken` of the call that made it.
    pub client_token: Option<String>,
    /// Whether the steady state was told.
    pub steady: bool,
    /// Starts that failed in a row, for the throttle.
    pub failures: u32,
    /// Those of them that never ran.
    #[serde(default)]
    pub unstarted: u32,
    /// No start before this.
    pub retry_at: Option<f64>,
    /// When the alarms of the deployment that is steady are watched no more.
    #[serde(default)]
    pub baked_at: Option<f64>,
    /// Whether its tasks of the EC2 launch type run on this machine.
    #[serde(default)]
    pub hosted: bool,
    /// Seconds since 1970.
    pub created_at: f64,
    /// When it became `INACTIVE`.
    pub deleted_at: Option<f64>,
}

impl Service {
    /// `ACTIVE`.
    pub fn is_active(&self) -> bool {
        self.lifecycle == Lifecycle::Active
    }

    /// `INACTIVE`.
    pub fn is_inactive(&self) -> bool {
        self.lifecycle == Lifecycle::Inactive
    }

    /// A revision.
    pub fn revision(&self, id: &str) -> Option<&Revision> {
        self.revisions.iter().find(|r| r.id == id)
    }

    /// What the primary deployment rolls out.
    pub fn current_revision(&self) -> Option<&Revision> {
        self.deployments.first().and_then(|d| self.revision(&d.revision))
    }

    /// Whether a deployment rolls out this task definition.
    pub fn uses(&self, definition: &str) -> bool {
        self.deployments.iter().filter_map(|d| self.revision(&d.revision)).any(|r| r.definition == definition)
    }

    /// Whether this service deployment made, or went back to, the primary deployment.
    pub fn is_current(&self, it: &ServiceDeployment) -> bool {
        self.history.last().is_some_and(|last| last.id == it.id)
    }

    /// Adds an event.
    pub fn tell(&mut self, ids: &mut Ids, message: String, now: f64) {
        self.events.insert(0, Event { id: ids.uuid(), created_at: now, message });
        self.events.truncate(MAX_EVENTS);
    }

    /// Begins a deployment of this revision. The one before is left behind: `ACTIVE`, draining as the
    /// new one comes up. A service deployment that was under way is stopped (observed: kayac/ecspresso#899;
    /// its reason is assumed).
    pub fn deploy(&mut self, ids: &mut Ids, rules: &Rules, revision: Revision, now: f64) {
        for open in
            self.history.iter_mut().filter(|d| d.status.is_open() && d.status != Status::StopRequested)
        {
            open.set(if rules.stop_takes > 0.0 { Status::StopRequested } else { Status::Stopped }, now);
            open.stopped_at = Some(now);
            open.reason =
                Some("Service deployment stopped because a new service deployment was started.".into());
        }
        let mut sources: Vec<String> = self.deployments.iter().map(|d| d.revision.clone()).collect();
        sources.dedup();
        let id = self.start(ids, &revision.id, "ECS deployment {} in progress.", now);
        let breaker = DeploymentConfiguration::of(&self.settings).deployment_circuit_breaker;
        self.history.push(ServiceDeployment {
            id: ids.hex(21),
            deployment: id,
            sources,
            target: revision.id.clone(),
            status: Status::Pending,
            reason: None,
            rollback: None,
            failures: 0,
            threshold: breaker.threshold(self.desired),
            configuration: self
                .settings
                .get("deploymentConfiguration")
                .cloned()
                .unwrap_or_else(|| json!({}))
                .into(),
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
            stopped_at: None,
        });
        self.revisions.push(revision);
        self.start_over();
    }

    /// Another deployment is not steady yet, and starts are not throttled (documented: "Service throttle logic").
    pub(super) fn start_over(&mut self) {
        self.steady = false;
        self.baked_at = None;
        self.failures = 0;
        self.unstarted = 0;
        self.retry_at = None;
    }

    /// Adds a primary deployment; `{}` in the reason is its ID, which is returned.
    pub(super) fn start(&mut self, ids: &mut Ids, revision: &str, reason: &str, now: f64) -> String {
        let id = format!("ecs-svc/{}", ids.digits(19));
        self.deployments.insert(
            0,
            Deployment {
                id: id.clone(),
                revision: revision.to_owned(),
                rollout: Rollout::InProgress,
                reason: reason.replace("{}", &id),
                failed: 0,
                created_at: now,
                updated_at: now,
            },
        );
        id
    }
}

impl Ecs {
    /// The answer's `service`.
    pub fn render_service(&self, service: &Service, tags: bool) -> Value {
        let counts = count(self.tasks_of(&service.cluster, &service.name));
        let revision = service.current_revision();
        let mut out = revision.map(|r| (*r.config).clone()).unwrap_or_default();
        out.extend((*service.settings).clone());
        for list in ["loadBalancers", "serviceRegistries", "placementConstraints", "placementStrategy"] {
            out.entry(list).or_insert_with(|| json!([]));
        }
        // Described of the deployments only.
        for member in ["serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"] {
            out.remove(member);
        }
        if let Some(family) = revision.map(described).and_then(|mut r| r.remove("platformFamily")) {
            out.insert("platformFamily".into(), family);
        }
        let own = json!({
            "serviceArn": self.place.service_arn(&service.cluster, &service.name),
            "serviceName": service.name,
            "clusterArn": self.place.cluster_arn(&service.cluster),
            "status": service.lifecycle,
            "desiredCount": service.desired,
            "runningCount": counts.running,
            "pendingCount": counts.pending,
            "taskDefinition": revision.map(|r| self.place.definition_arn(&r.definition)),
            "deployments": service
                .deployments
                .iter()
                .enumerate()
                .map(|(i, d)| self.render_deployment(service, i, d))
                .collect::<Value>(),
            "roleArn": format!(
                "arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
                crate::cloud::ACCOUNT
            ),
            "events": service.events,
            "createdAt": service.created_at,
            "createdBy": format!("arn:aws:iam::{}:user/local", crate::cloud::ACCOUNT),
            "tags": if tags { json!(service.tags) } else { json!([]) },
            "currentServiceDeployment": self
                .current_service_deployment(service)
                .map(|d| self.service_deployment_arn(service, &d.id)),
            "currentServiceRevisions": self.render_current_revisions(service),
        });
        if let Value::Object(own) = without_nulls(own) {
            out.extend(own);
        }
        Value::Object(out)
    }

    /// `currentServiceDeployment`.
    pub fn current_service_deployment<'a>(&self, service: &'a Service) -> Option<&'a ServiceDeployment> {
        let mut newest = service.history.iter().rev().filter(|_| !service.is_inactive());
        match self.rules.current {
            Current::AtOnce => newest.next(),
            Current::Late => newest.find(|d| d.status != Status::Pending),
            Current::Absent => None,
        }
    }

    fn render_current_revisions(&self, service: &Service) -> Value {
        service
            .deployments
            .iter()
            .enumerate()
            .map(|(i, d)| {
                let counts = count(self.deployment_tasks(service, &d.id));
                json!({
                    "arn": self.revision_arn(service, &d.revision),
                    "requestedTaskCount": if i == 0 { service.desired } else { counts.desired },
                    "runningTaskCount": counts.running,
                    "pendingTaskCount": counts.pending,
                })
            })
            .collect()
    }
}

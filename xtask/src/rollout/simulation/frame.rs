//! What the API would answer at one moment: state to snapshots, without the wire between.

use std::rc::Rc;

use local_aws::state::ecs::Ecs;
use local_aws::state::ecs::deployment::{self, Rollout, ServiceDeployment, Status, count};
use local_aws::state::ecs::service::{Lifecycle, Service};

use super::cloud::{CLUSTER, SERVICE};
use crate::rollout::find::Listed;
use crate::rollout::snapshot;

/// Everything that can be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) service: Option<snapshot::Service>,
    pub(super) archive: Rc<Archive>,
}

/// What is told of service deployments: it changes seldom, so frames share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Archive {
    history: Vec<ServiceDeployment>,
    /// By ARN, oldest first.
    pub(super) records: Vec<(String, snapshot::Record)>,
    /// In the order of the list, too new ones included.
    pub(super) listed: Vec<Listed>,
    /// ARN and definition.
    pub(super) revisions: Vec<(String, String)>,
}

impl Frame {
    /// The frame of this moment; `before` is the one of the moment before.
    pub(super) fn of(ecs: &Ecs, before: Option<&Self>) -> Self {
        let Some(service) = ecs.service(CLUSTER, SERVICE) else {
            return Self::default();
        };
        let known = before.map(|frame| &frame.archive).filter(|archive| archive.history == service.history);
        let archive = known.cloned().unwrap_or_else(|| Rc::new(Archive::of(ecs, service)));
        Self { service: Some(service_of(ecs, service)), archive }
    }
}

impl Archive {
    fn of(ecs: &Ecs, service: &Service) -> Self {
        let arn = |one: &ServiceDeployment| ecs.service_deployment_arn(service, &one.id);
        let listed = |one: &ServiceDeployment| {
            let revision = ecs.revision_arn(service, &one.target);
            Listed { arn: arn(one), revision, created_ms: millis(one.created_at) }
        };
        let revisions = service.revisions.iter();
        Self {
            history: service.history.clone(),
            records: service.history.iter().map(|one| (arn(one), record(ecs, one))).collect(),
            listed: ecs.listed(service, f64::MAX).into_iter().map(listed).collect(),
            revisions: revisions
                .map(|one| (ecs.revision_arn(service, &one.id), ecs.place.definition_arn(&one.definition)))
                .collect(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "times are small here")]
pub(super) fn millis(at: f64) -> i64 {
    (at * 1000.0) as i64
}

fn number(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn service_of(ecs: &Ecs, service: &Service) -> snapshot::Service {
    let counts = count(ecs.tasks_of(CLUSTER, SERVICE));
    snapshot::Service {
        balanced: false,
        status: match service.lifecycle {
            Lifecycle::Active => "ACTIVE",
            Lifecycle::Draining => "DRAINING",
            Lifecycle::Inactive => "INACTIVE",
        }
        .to_owned(),
        desired: number(service.desired),
        running: number(counts.running),
        pending: number(counts.pending),
        deployments: service
            .deployments
            .iter()
            .enumerate()
            .map(|(index, one)| deployment_of(ecs, service, index, one))
            .collect(),
    }
}

fn deployment_of(
    ecs: &Ecs,
    service: &Service,
    index: usize,
    one: &deployment::Deployment,
) -> snapshot::Deployment {
    let counts = count(ecs.deployment_tasks(service, &one.id));
    let definition =
        service.revision(&one.revision).map(|revision| ecs.place.definition_arn(&revision.definition));
    snapshot::Deployment {
        id: one.id.clone(),
        status: if index == 0 { "PRIMARY" } else { "ACTIVE" }.to_owned(),
        task_definition: definition.unwrap_or_default(),
        created_ms: millis(one.created_at),
        desired: number(if index == 0 { service.desired } else { counts.desired }),
        running: number(counts.running),
        pending: number(counts.pending),
        failed: number(one.failed),
        rollout_state: match one.rollout {
            Rollout::InProgress => "IN_PROGRESS",
            Rollout::Completed => "COMPLETED",
            Rollout::Failed => "FAILED",
        }
        .to_owned(),
        reason: if ecs.rules.reasons { one.reason.clone() } else { String::new() },
    }
}

fn record(ecs: &Ecs, one: &ServiceDeployment) -> snapshot::Record {
    let told = |text: &str| if ecs.rules.reasons { text.to_owned() } else { String::new() };
    snapshot::Record {
        status: word(one.status).to_owned(),
        reason: told(one.reason.as_deref().unwrap_or_default()),
        rollback: one.rollback.as_ref().map(|rollback| told(&rollback.reason)),
        failures: (number(one.failures), number(one.threshold)),
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Pending => "PENDING",
        Status::InProgress => "IN_PROGRESS",
        Status::Successful => "SUCCESSFUL",
        Status::StopRequested => "STOP_REQUESTED",
        Status::Stopped => "STOPPED",
        Status::RollbackRequested => "ROLLBACK_REQUESTED",
        Status::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
        Status::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
        Status::RollbackFailed => "ROLLBACK_FAILED",
    }
}

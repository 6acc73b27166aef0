//! What the answers of the API mean for somebody who asks how a service is. Pure.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{Deployment, DeploymentRolloutState, Service, Task, TaskStopCode};
use serde::Serialize;

use crate::live::{Definition, Record, TargetGroup, millis, private_address};
use crate::register::short;

/// What was read of one service.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its cluster.
    pub cluster: &'a str,
    /// `None`: it is not deployed.
    pub service: Option<&'a Service>,
    /// Those that stopped lately, too; the newest first.
    pub tasks: &'a [Task],
    /// The newest first.
    pub rollouts: &'a [Record],
    /// By ARN.
    pub definitions: &'a BTreeMap<String, Definition>,
    /// Task ARN to public address.
    pub addresses: &'a BTreeMap<String, String>,
    /// The target groups that it is behind, as far as they could be read.
    pub target_groups: &'a [TargetGroup],
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// How a service is. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceStatus {
    /// Its name.
    pub service: String,
    /// Its cluster.
    pub cluster: String,
    /// `ACTIVE`, `DRAINING`; `None` if it is not deployed.
    pub status: Option<String>,
    /// Tasks that it should have.
    pub desired: i32,
    /// Tasks that run.
    pub running: i32,
    /// Tasks that are starting.
    pub pending: i32,
    /// Each revision that is deployed or drains, the newest first.
    pub revisions: Vec<Revision>,
    /// Entries of the service's list, the newest first.
    pub deployments: Vec<DeploymentStatus>,
    /// Tasks that are not over, the newest first.
    pub tasks: Vec<TaskStatus>,
    /// The target groups that it is behind.
    pub target_groups: Vec<Targets>,
    /// Tasks that died lately; those that were stopped to make room are not here.
    pub crashed: Vec<Crashed>,
    /// Service deployments, the newest first.
    pub rollouts: Vec<RolloutStatus>,
    /// Service events, the newest first.
    pub events: Vec<ServiceEvent>,
    /// What is probably not as the user wants it.
    pub warnings: Vec<String>,
}

/// A task definition that is deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Revision {
    /// `FAMILY:REVISION`.
    pub task_definition: String,
    /// The commit it was deployed from, if there was one.
    pub git_commit: Option<String>,
    /// Whether the working tree differed from it.
    pub git_dirty: Option<bool>,
    /// In the order of the definition.
    pub images: Vec<Image>,
}

/// What a container runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Image {
    /// Its name.
    pub container: String,
    /// As the definition has it.
    pub image: String,
    /// Of the reference, or else of what the tasks pulled.
    pub digest: Option<String>,
}

/// An entry of the service's list of deployments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeploymentStatus {
    /// `ecs-svc/…`
    pub id: String,
    /// `PRIMARY`, `ACTIVE`.
    pub role: String,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`.
    pub state: String,
    /// AWS's words for it.
    pub reason: String,
    /// `FAMILY:REVISION`.
    pub task_definition: String,
    /// Tasks that it should have.
    pub desired: i32,
    /// Tasks that run.
    pub running: i32,
    /// Tasks that are starting.
    pub pending: i32,
    /// Tasks that failed.
    pub failed: i32,
    /// When.
    pub created_ms: Option<i64>,
}

/// A task that is not over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskStatus {
    /// The last part of its ARN.
    pub id: String,
    /// `FAMILY:REVISION`.
    pub task_definition: String,
    /// `PROVISIONING` … `RUNNING` … `STOPPED`.
    pub state: String,
    /// `HEALTHY`, `UNHEALTHY`; `None` where there is no verdict.
    pub health: Option<String>,
    /// When, if it did.
    pub started_ms: Option<i64>,
    /// In the VPC.
    pub address: Option<String>,
    /// On the internet.
    pub public_address: Option<String>,
}

/// The targets of a target group, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Targets {
    /// Its name.
    pub target_group: String,
    /// Its ARN.
    pub arn: String,
    /// `healthy` and the like, and how many are so.
    pub states: BTreeMap<String, usize>,
    /// Why those are not healthy that are not, each reason once, in AWS's words.
    pub reasons: Vec<String>,
}

/// A task that died.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Crashed {
    /// The last part of its ARN.
    pub id: String,
    /// `FAMILY:REVISION`.
    pub task_definition: String,
    /// When.
    pub stopped_ms: Option<i64>,
    /// AWS's words.
    pub reason: String,
    /// What its containers left: `app: exit code 3`.
    pub containers: Vec<String>,
}

/// A service deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RolloutStatus {
    /// Its ARN.
    pub arn: String,
    /// One of nine words.
    pub status: String,
    /// AWS's words for it.
    pub reason: Option<String>,
    /// `FAMILY:REVISION` that it rolled out.
    pub task_definition: Option<String>,
    /// When.
    pub created_ms: i64,
    /// When, if it is over.
    pub finished_ms: Option<i64>,
}

/// A line of the service's events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceEvent {
    /// When.
    pub at_ms: Option<i64>,
    /// AWS's words.
    pub message: String,
}

/// How many events are worth showing.
const EVENTS: usize = 5;

/// How long ago a task may have died to count as lately.
const LATELY_MS: i64 = 10 * 60 * 1000;

/// The status of one service.
#[must_use]
pub fn status(facts: &Facts<'_>) -> ServiceStatus {
    let mut status = ServiceStatus {
        service: facts.name.to_owned(),
        cluster: facts.cluster.to_owned(),
        ..ServiceStatus::default()
    };
    let Some(service) = facts.service else { return status };
    status.status = service.status().map(str::to_owned);
    (status.desired, status.running, status.pending) =
        (service.desired_count(), service.running_count(), service.pending_count());
    status.deployments = service.deployments().iter().map(deployment).collect();
    status.revisions = revisions(service, facts);
    status.tasks = facts.tasks.iter().filter(|task| !is_over(task)).map(|one| task(one, facts)).collect();
    status.target_groups = facts.target_groups.iter().map(targets).collect();
    status.crashed =
        facts.tasks.iter().filter(|task| crashed_lately(task, facts.now_ms)).map(crashed).collect();
    status.rollouts = facts.rollouts.iter().map(rollout).collect();
    status.events = service.events().iter().take(EVENTS).map(event).collect();
    status.warnings = warnings(&status);
    status
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn revisions(service: &Service, facts: &Facts<'_>) -> Vec<Revision> {
    let mut arns: Vec<&str> = service.deployments().iter().filter_map(Deployment::task_definition).collect();
    let mut seen = std::collections::BTreeSet::new();
    arns.retain(|arn| seen.insert(*arn));
    arns.into_iter().map(|arn| revision(arn, facts)).collect()
}

fn revision(arn: &str, facts: &Facts<'_>) -> Revision {
    let definition = facts.definitions.get(arn);
    let commit = definition.and_then(|definition| definition.commit.as_ref());
    let images = definition.map(|definition| definition.images.as_slice()).unwrap_or_default();
    let image = |(container, image): &(String, String)| Image {
        container: container.clone(),
        image: image.clone(),
        digest: image
            .split_once('@')
            .map(|(_, digest)| digest.to_owned())
            .or_else(|| pulled(arn, container, facts)),
    };
    Revision {
        task_definition: short(arn).to_owned(),
        git_commit: commit.map(|commit| commit.hash.clone()),
        git_dirty: commit.map(|commit| commit.dirty),
        images: images.iter().map(image).collect(),
    }
}

/// The digest that the newest task of the revision pulled for a container.
fn pulled(arn: &str, container: &str, facts: &Facts<'_>) -> Option<String> {
    let tasks = facts.tasks.iter().filter(|task| task.task_definition_arn() == Some(arn));
    let containers = tasks.flat_map(|task| task.containers());
    containers
        .filter(|one| one.name() == Some(container))
        .find_map(|one| one.image_digest())
        .map(str::to_owned)
}

fn deployment(deployment: &Deployment) -> DeploymentStatus {
    DeploymentStatus {
        id: text(deployment.id()),
        role: text(deployment.status()),
        state: text(deployment.rollout_state().map(DeploymentRolloutState::as_str)),
        reason: text(deployment.rollout_state_reason()),
        task_definition: short(deployment.task_definition().unwrap_or_default()).to_owned(),
        desired: deployment.desired_count(),
        running: deployment.running_count(),
        pending: deployment.pending_count(),
        failed: deployment.failed_tasks(),
        created_ms: millis(deployment.created_at()),
    }
}

fn is_over(task: &Task) -> bool {
    task.last_status() == Some("STOPPED")
}

fn task(task: &Task, facts: &Facts<'_>) -> TaskStatus {
    let health = task.health_status().map(aws_sdk_ecs::types::HealthStatus::as_str);
    TaskStatus {
        id: short(task.task_arn().unwrap_or_default()).to_owned(),
        task_definition: short(task.task_definition_arn().unwrap_or_default()).to_owned(),
        state: text(task.last_status()),
        health: health.filter(|health| *health != "UNKNOWN").map(str::to_owned),
        started_ms: millis(task.started_at()),
        address: private_address(task).map(str::to_owned),
        public_address: task.task_arn().and_then(|arn| facts.addresses.get(arn)).cloned(),
    }
}

/// Died by itself: stopped neither by a user nor by the scheduler to make room.
/// Source: Amazon ECS API Reference, Task, `stopCode`.
fn crashed_lately(task: &Task, now_ms: i64) -> bool {
    let died = matches!(
        task.stop_code(),
        Some(TaskStopCode::EssentialContainerExited | TaskStopCode::TaskFailedToStart)
    );
    let stopped = millis(task.stopped_at()).or_else(|| millis(task.stopping_at()));
    died && is_over(task) && stopped.is_some_and(|at| now_ms - at <= LATELY_MS)
}

/// Why a task stopped: what AWS says, and what each container left beside that.
pub(crate) fn crashed(task: &Task) -> Crashed {
    let reason = text(task.stopped_reason());
    let containers = task.containers().iter().filter_map(|container| {
        let code = container.exit_code().map(|code| format!("exit code {code}"));
        let own = container.reason().filter(|own| *own != reason).map(str::to_owned);
        let parts: Vec<String> = code.into_iter().chain(own).collect();
        (!parts.is_empty()).then(|| format!("{}: {}", container.name().unwrap_or_default(), parts.join(", ")))
    });
    Crashed {
        id: short(task.task_arn().unwrap_or_default()).to_owned(),
        task_definition: short(task.task_definition_arn().unwrap_or_default()).to_owned(),
        stopped_ms: millis(task.stopped_at()),
        containers: containers.collect(),
        reason,
    }
}

fn rollout(record: &Record) -> RolloutStatus {
    RolloutStatus {
        arn: record.arn.clone(),
        status: record.status.clone(),
        reason: record.reason.clone(),
        task_definition: record.task_definition.as_deref().map(|arn| short(arn).to_owned()),
        created_ms: record.created_ms,
        finished_ms: record.finished_ms,
    }
}

fn targets(group: &TargetGroup) -> Targets {
    let mut states = BTreeMap::new();
    let mut reasons: Vec<String> = Vec::new();
    for target in &group.targets {
        *states.entry(target.state.clone()).or_insert(0) += 1;
        let told = target.description.iter().chain(&target.reason).next();
        let reason = told.filter(|_| !matches!(target.state.as_str(), "healthy" | "draining" | "initial"));
        reasons.extend(reason.filter(|reason| !reasons.contains(reason)).cloned());
    }
    Targets { target_group: group.name.clone(), arn: group.arn.clone(), states, reasons }
}

fn event(event: &aws_sdk_ecs::types::ServiceEvent) -> ServiceEvent {
    ServiceEvent { at_ms: millis(event.created_at()), message: text(event.message()) }
}

/// ECS calls a deployment COMPLETED once, and nothing that its tasks do later changes that.
fn warnings(status: &ServiceStatus) -> Vec<String> {
    let Some(primary) = status.deployments.iter().find(|deployment| deployment.role == "PRIMARY") else {
        return Vec::new();
    };
    let name = &status.service;
    let definition = &primary.task_definition;
    let crashes: Vec<&Crashed> =
        status.crashed.iter().filter(|task| task.task_definition == *definition).collect();
    let mut warnings = Vec::new();
    let missing = status.running < status.desired;
    if primary.state == "COMPLETED" && (crashes.len() > 1 || missing && !crashes.is_empty()) {
        let last = crashes.first().map(|task| left(task)).unwrap_or_default();
        let tasks = if crashes.len() == 1 { "task" } else { "tasks" };
        warnings.push(format!(
            "`{definition}` is deployed but crashes: {} {tasks} died in the last 10 minutes, {} of {} run; the last: {last}. \
             See `cargo xtask logs {name} --previous`",
            crashes.len(),
            status.running,
            status.desired,
        ));
    } else if primary.state == "COMPLETED" && missing {
        warnings.push(format!("{} of {} tasks run", status.running, status.desired));
    }
    if primary.state == "FAILED" {
        warnings.push(format!("the rollout of `{definition}` failed, and nothing was rolled back"));
    }
    warnings
}

/// Why a task died, in one line.
fn left(task: &Crashed) -> String {
    let containers = task.containers.join("; ");
    if containers.is_empty() { task.reason.clone() } else { format!("{} ({containers})", task.reason) }
}

//! Operations on tasks.

use serde::Deserialize;
use serde_json::{Value, json};

use super::pages::{Page, page};
use super::services::check_network;
use super::{Members, asked, check_count, missing};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ecs::reference::{family_and_revision, name};
use crate::state::ecs::stop::Stop as Reason;
use crate::state::ecs::task::Task;

/// Input of `StopTask`.
#[derive(Debug, Deserialize)]
pub struct Stop {
    cluster: Option<String>,
    task: String,
    reason: Option<String>,
}

/// Input of `ListTasks`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct List {
    cluster: Option<String>,
    family: Option<String>,
    service_name: Option<String>,
    started_by: Option<String>,
    desired_status: Option<String>,
    launch_type: Option<String>,
    container_instance: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Input of `DescribeTasks`.
#[derive(Debug, Deserialize)]
pub struct Describe {
    cluster: Option<String>,
    tasks: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

pub(super) fn run(cloud: &Cloud, input: Members) -> Result<Value, ApiError> {
    let now = cloud.now();
    check_network(cloud, &input)?;
    let mut ecs = cloud.ecs();
    let (_, ids) = ecs.run_task(input, now)?;
    let tasks: Vec<Value> =
        ids.iter().filter_map(|id| ecs.tasks.get(id)).map(|t| ecs.render_task(t, true)).collect();
    drop(ecs);
    cloud.ecs_changed();
    Ok(json!({"tasks": tasks, "failures": []}))
}

pub(super) fn stop(cloud: &Cloud, input: Stop) -> Result<Value, ApiError> {
    let now = cloud.now();
    let mut ecs = cloud.ecs();
    let cluster = ecs.cluster_name(input.cluster.as_deref())?;
    let not_found = || ApiError::new("InvalidParameterException", "The referenced task was not found.");
    let id = ecs.task(&cluster, &input.task).ok_or_else(not_found)?.id.clone();
    ecs.stop(&id, Reason::by_user(input.reason), now);
    let answer = json!({"task": ecs.tasks.get(&id).map(|t| ecs.render_task(t, true))});
    drop(ecs);
    cloud.ecs_changed();
    Ok(answer)
}

/// Tasks that are to run, unless stopped ones are asked for; PENDING is no desired status of any task (documented:
/// `ListTasks.desiredStatus`).
pub(super) fn list(cloud: &Cloud, input: &List) -> Result<Value, ApiError> {
    let ecs = cloud.ecs();
    let cluster = ecs.cluster_name(input.cluster.as_deref())?;
    if let Some(service) = &input.service_name
        && ecs.service_by(&cluster, service).is_none()
    {
        return Err(ApiError::new("ServiceNotFoundException", "Service not found."));
    }
    let desired = input.desired_status.as_deref().unwrap_or("RUNNING");
    let fits = |task: &&Task| {
        task.cluster == cluster
            && desired == if task.wanted() { "RUNNING" } else { "STOPPED" }
            && input.family.as_ref().is_none_or(|f| family_and_revision(&task.definition).0 == f)
            && input.service_name.as_ref().is_none_or(|s| task.service.as_deref() == Some(name(s)))
            && input.started_by.as_ref().is_none_or(|s| task.started_by.as_ref() == Some(s))
            && input.launch_type.as_ref().is_none_or(|l| task.body.get("launchType") == Some(&json!(l)))
            && input.container_instance.is_none() // Fargate has none
    };
    let arns = ecs.tasks.values().filter(fits).map(|t| ecs.place.task_arn(&cluster, &t.id).into()).collect();
    let rest = Page { max_results: input.max_results, next_token: input.next_token.clone() };
    page(arns, "taskArns", &rest)
}

pub(super) fn describe(cloud: &Cloud, input: &Describe) -> Result<Value, ApiError> {
    check_count(("Tasks", "taskIds"), input.tasks.len(), 100)?;
    let ecs = cloud.ecs();
    let cluster = ecs.cluster_name(input.cluster.as_deref())?;
    let mut tasks = Vec::new();
    let mut failures = Vec::new();
    for reference in &input.tasks {
        match ecs.task(&cluster, reference) {
            Some(task) => tasks.push(ecs.render_task(task, asked(&input.include, "TAGS"))),
            None => failures.push(missing(&ecs.place.task_arn(&cluster, name(reference)))),
        }
    }
    Ok(json!({"tasks": tasks, "failures": failures}))
}

//! What a success does not tell: containers that died though their task goes on, and that nothing will
//! look at the program from now on. Best effort: the rollout has succeeded whatever comes of it.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{DesiredStatus, Task};

use super::Watch;
use super::declared::Declared;
use super::snapshot::Snapshot;
use super::verdict::Goal;
use crate::aws::Aws;
use crate::event::Events;
use crate::world::task_definition;

/// Tells what is worth telling of a new revision.
pub(super) async fn tell(aws: &Aws, watch: &Watch<'_>, goal: &Goal, snapshot: &Snapshot, events: &Events) {
    if matches!(goal, Goal::InPlace { .. }) {
        return;
    }
    let (definition, tasks) = tokio::join!(task_definition(aws, &watch.registered.arn), running(aws, watch));
    let Ok(Some(definition)) = definition else { return };
    let declared = Declared::read(&definition);
    let definition = watch.registered.short();
    dead(&declared, &tasks, definition).into_iter().for_each(|text| events.warn(text));
    // A load balancer has a check of its own.
    let balanced = snapshot.service.as_ref().is_some_and(|service| service.balanced);
    if !tasks.is_empty() && !balanced && !declared.is_checked() {
        events.note(unchecked(watch.service));
    }
}

fn unchecked(service: &str) -> String {
    format!(
        "service {service} has no health check: should it crash from now on, `cargo xtask status {service}` tells"
    )
}

/// Containers that failed and are not essential, each once.
fn dead(declared: &Declared, tasks: &[Task], definition: &str) -> Vec<String> {
    let containers = tasks.iter().flat_map(|task| task.containers());
    let failed = containers.filter_map(|one| Some((one.name()?, one.exit_code().filter(|code| *code != 0)?)));
    let optional = |name: &str| declared.container(name).is_some_and(|one| !one.essential);
    let failed: BTreeSet<_> = failed.filter(|(name, _)| optional(name)).collect();
    let text = |(name, code)| {
        format!(
            "`{name}` of {definition} does not run any more: exit code {code}. It is not essential, so the task goes on"
        )
    };
    failed.into_iter().map(text).collect()
}

/// Tasks of the revision that are to run; none if they cannot be read.
async fn running(aws: &Aws, watch: &Watch<'_>) -> Vec<Task> {
    let call = aws.ecs.list_tasks().cluster(watch.cluster).service_name(watch.service);
    let Ok(listed) = call.desired_status(DesiredStatus::Running).send().await else { return Vec::new() };
    if listed.task_arns().is_empty() {
        return Vec::new();
    }
    // One page of ListTasks is what one DescribeTasks takes.
    let arns = listed.task_arns().iter().take(100).cloned().collect();
    let answer = aws.ecs.describe_tasks().cluster(watch.cluster).set_tasks(Some(arns)).send().await;
    let mut tasks = answer.map(|answer| answer.tasks.unwrap_or_default()).unwrap_or_default();
    tasks.retain(|task| task.task_definition_arn() == Some(watch.registered.arn.as_str()));
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::Container;
    use serde_json::json;

    #[test]
    fn what_died_and_was_not_essential_is_told_once() {
        let declared = Declared::read(&json!({ "containerDefinitions": [
            { "name": "app" }, { "name": "side", "essential": false }, { "name": "migrate", "essential": false }
        ] }));
        let ended = |name: &str, code| Container::builder().name(name).exit_code(code).build();
        let task = Task::builder()
            .containers(Container::builder().name("app").build())
            .containers(ended("side", 3))
            .containers(ended("migrate", 0))
            .build();
        let told = dead(&declared, &[task.clone(), task], "web:7");
        insta::assert_snapshot!(told.join("\n"), @"`side` of web:7 does not run any more: exit code 3. It is not essential, so the task goes on");
    }
}

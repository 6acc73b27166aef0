//! What is left of the tasks that failed: why they stopped, in AWS's words.

use aws_sdk_ecs::types::{DesiredStatus, Task};

use super::Watch;
use crate::aws::Aws;
use crate::event::Events;
use crate::register::short;

/// How many ways to fail are worth showing.
const SHOWN: usize = 3;

/// Why tasks of the new revision stopped, and the service's last events. Best effort: a call
/// that fails here must not hide the failure that is being explained.
pub(super) async fn gather(aws: &Aws, watch: &Watch<'_>, events: &Events) -> Option<String> {
    let (tasks, messages) = tokio::join!(
        stopped(aws, watch.cluster, watch.service, &watch.registered.arn),
        service_events(aws, watch)
    );
    if tasks.is_none() {
        events.note("the stopped tasks could not be read");
    }
    let mut lines = causes(&tasks.unwrap_or_default());
    lines.extend(messages.into_iter().map(|message| format!("event: {message}")));
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The service's stopped tasks of this definition, newest first; `None` if they cannot be read.
pub(super) async fn stopped(aws: &Aws, cluster: &str, service: &str, definition: &str) -> Option<Vec<Task>> {
    let call = aws.ecs.list_tasks().cluster(cluster).service_name(service);
    let arns = call.desired_status(DesiredStatus::Stopped).send().await.ok()?;
    if arns.task_arns().is_empty() {
        return Some(Vec::new());
    }
    // One page of ListTasks is what one DescribeTasks takes.
    let arns = arns.task_arns().iter().take(100).cloned().collect();
    let answer = aws.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns)).send().await.ok()?;
    let ours = |task: &&Task| task.task_definition_arn() == Some(definition);
    let mut tasks: Vec<Task> = answer.tasks().iter().filter(ours).cloned().collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(task.created_at().and_then(|at| at.to_millis().ok())));
    Some(tasks)
}

/// One paragraph for each way in which tasks stopped, the newest first; tasks mostly fail alike.
fn causes(tasks: &[Task]) -> Vec<String> {
    let mut ways: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
    for task in tasks {
        let id = short(task.task_arn().unwrap_or_default());
        let way = describe(task);
        match ways.iter_mut().find(|(known, _)| *known == way) {
            Some((_, ids)) => ids.push(id),
            None => ways.push((way, vec![id])),
        }
    }
    ways.iter().take(SHOWN).flat_map(|(way, ids)| titled(way, ids)).collect()
}

fn titled(way: &[String], ids: &[&str]) -> Vec<String> {
    let others = match ids.len() {
        0 | 1 => String::new(),
        2 => " and 1 other".to_owned(),
        many => format!(" and {} others", many - 1),
    };
    let title = format!("task {}{others}:", ids.first().unwrap_or(&""));
    std::iter::once(title).chain(way.iter().map(|line| format!("  {line}"))).collect()
}

/// Why a task stopped, and what its containers say beyond that.
fn describe(task: &Task) -> Vec<String> {
    let stopped = task.stopped_reason().unwrap_or("stopped");
    let mut lines = vec![stopped.to_owned()];
    for container in task.containers() {
        let name = container.name().unwrap_or_default();
        let code = container.exit_code().map(|code| format!("exit code {code}"));
        let reason = container.reason().filter(|reason| *reason != stopped).map(str::to_owned);
        let parts: Vec<String> = code.into_iter().chain(reason).collect();
        if !parts.is_empty() {
            lines.push(format!("container {name}: {}", parts.join(", ")));
        }
    }
    lines
}

async fn service_events(aws: &Aws, watch: &Watch<'_>) -> Vec<String> {
    let answer = aws.ecs.describe_services().cluster(watch.cluster).services(watch.service).send().await;
    let Ok(answer) = answer else { return Vec::new() };
    let service = answer.services().first();
    let events = service.map(|service| service.events()).unwrap_or_default();
    events.iter().take(4).filter_map(|event| event.message()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::Container;

    fn task(id: &str, reason: &str, code: i32) -> Task {
        let container = Container::builder().name("app").exit_code(code).reason(reason).build();
        Task::builder()
            .task_arn(format!("arn:x:task/c/{id}"))
            .stopped_reason(reason)
            .containers(container)
            .build()
    }

    #[test]
    fn tasks_that_fail_alike_are_told_once() {
        let tasks = [
            task("3", "Essential container in task exited", 3),
            task("2", "Essential container in task exited", 3),
        ];
        insta::assert_snapshot!(causes(&tasks).join("\n"), @r"
        task 3 and 1 other:
          Essential container in task exited
          container app: exit code 3
        ");
        assert_eq!(causes(&[tasks[0].clone(), task("1", "other", 4)]).len(), 6);
    }
}

//! What is left of the tasks that failed: why they stopped, in AWS's words.

use aws_sdk_ecs::types::{DesiredStatus, Task};

use super::watch::Watch;
use crate::aws::Aws;
use crate::event::Events;
use crate::register::short;

/// How many tasks are worth showing: they mostly fail alike.
const SHOWN: usize = 3;

/// Why tasks of the new revision stopped, and the service's last events. Best effort: a call
/// that fails here must not hide the failure that is being explained.
pub(super) async fn gather(aws: &Aws, watch: &Watch<'_>, events: &Events) -> Option<String> {
    let (tasks, messages) = tokio::join!(stopped(aws, watch), service_events(aws, watch));
    if tasks.is_none() {
        events.note("the stopped tasks could not be read");
    }
    let mut lines: Vec<String> = Vec::new();
    for task in tasks.unwrap_or_default().iter().take(SHOWN) {
        lines.extend(describe(task));
    }
    lines.extend(messages.into_iter().map(|message| format!("event: {message}")));
    (!lines.is_empty()).then(|| lines.join("\n"))
}

async fn stopped(aws: &Aws, watch: &Watch<'_>) -> Option<Vec<Task>> {
    let call = aws
        .ecs
        .list_tasks()
        .cluster(watch.cluster)
        .service_name(watch.service);
    let arns = call.desired_status(DesiredStatus::Stopped).send().await.ok()?;
    if arns.task_arns().is_empty() {
        return Some(Vec::new());
    }
    let arns = arns.task_arns().iter().take(100).cloned().collect();
    let answer = aws
        .ecs
        .describe_tasks()
        .cluster(watch.cluster)
        .set_tasks(Some(arns))
        .send()
        .await
        .ok()?;
    let ours = |task: &&Task| task.task_definition_arn() == Some(watch.registered.arn.as_str());
    let mut tasks: Vec<Task> = answer.tasks().iter().filter(ours).cloned().collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(task.created_at().and_then(|at| at.to_millis().ok())));
    Some(tasks)
}

fn describe(task: &Task) -> Vec<String> {
    let id = short(task.task_arn().unwrap_or_default());
    let mut lines = vec![format!(
        "task {id}: {}",
        task.stopped_reason().unwrap_or("stopped")
    )];
    for container in task.containers() {
        let name = container.name().unwrap_or_default();
        let code = container.exit_code().map(|code| format!("exit code {code}"));
        let parts: Vec<String> = code
            .into_iter()
            .chain(container.reason().map(str::to_owned))
            .collect();
        if !parts.is_empty() {
            lines.push(format!("  container {name}: {}", parts.join(", ")));
        }
    }
    lines
}

async fn service_events(aws: &Aws, watch: &Watch<'_>) -> Vec<String> {
    let answer = aws
        .ecs
        .describe_services()
        .cluster(watch.cluster)
        .services(watch.service)
        .send()
        .await;
    let Ok(answer) = answer else { return Vec::new() };
    let service = answer.services().first();
    let events = service.map(|service| service.events()).unwrap_or_default();
    events
        .iter()
        .take(4)
        .filter_map(|event| event.message())
        .map(str::to_owned)
        .collect()
}

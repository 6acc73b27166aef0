//! Reads what is left of the tasks that failed. Best effort: a call that fails here must not hide
//! the failure that is being explained.

use aws_sdk_ecs::types::{DesiredStatus, Task};
use serde_json::Value;

use super::Watch;
use super::card::{Card, Log};
use super::declared::Declared;
use crate::aws::Aws;
use crate::event::Events;
use crate::world::task_definition;

/// How many of the last lines of a log are worth showing.
const LINES: i32 = 15;

/// The facts of the failure.
pub(super) async fn gather(aws: &Aws, watch: &Watch<'_>, events: &Events) -> Card {
    let (tasks, messages, definition) = tokio::join!(
        stopped(aws, watch.cluster, watch.service, &watch.registered.arn),
        service_events(aws, watch),
        task_definition(aws, &watch.registered.arn),
    );
    if tasks.is_none() {
        events.note("the stopped tasks could not be read");
    }
    let mut card = Card::new(&tasks.unwrap_or_default(), messages);
    let definition = definition.ok().flatten().unwrap_or_default();
    if let Some((task, container)) = card.to_read() {
        card.log = log(aws, &definition, task, container).await;
    }
    card.explain(Declared::read(&definition));
    card
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

async fn service_events(aws: &Aws, watch: &Watch<'_>) -> Vec<String> {
    let answer = aws.ecs.describe_services().cluster(watch.cluster).services(watch.service).send().await;
    let Ok(answer) = answer else { return Vec::new() };
    let service = answer.services().first();
    let events = service.map(|service| service.events()).unwrap_or_default();
    events.iter().take(4).filter_map(|event| event.message()).map(str::to_owned).collect()
}

/// The end of what a container wrote. The stream's name is `PREFIX/CONTAINER/TASK`.
/// Source: Amazon ECS Developer Guide, "Example Amazon ECS task definition: Route logs to CloudWatch".
async fn log(aws: &Aws, definition: &Value, task: &str, container: &str) -> Option<Log> {
    let containers = definition["containerDefinitions"].as_array()?;
    let found = containers.iter().find(|one| one["name"] == container)?;
    let options = &found["logConfiguration"]["options"];
    let stream = format!("{}/{container}/{task}", options["awslogs-stream-prefix"].as_str()?);
    let call = aws.logs.get_log_events().log_group_name(options["awslogs-group"].as_str()?);
    let answer = call.log_stream_name(stream).limit(LINES).start_from_head(false).send().await.ok()?;
    let lines: Vec<String> =
        answer.events().iter().filter_map(|event| event.message()).map(str::to_owned).collect();
    (!lines.is_empty()).then(|| Log { task: task.to_owned(), container: container.to_owned(), lines })
}

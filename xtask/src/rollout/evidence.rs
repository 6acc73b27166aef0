//! Reads what is left of the tasks that failed. Best effort: a call that fails here must not hide
//! the failure that is being explained.

use aws_sdk_ecs::types::{DesiredStatus, Service, Task};
use serde_json::Value;

use super::card::{Card, Log};
use super::declared::Declared;
use super::{Start, Watch, balanced};
use crate::aws::Aws;
use crate::event::Events;
use crate::live::{self, TargetGroup};
use crate::world::task_definition;

/// How many of the last lines of a log are worth showing.
const LINES: i32 = 15;

/// How many of the service's last events are worth showing.
const EVENTS: usize = 4;

/// The facts of the failure.
pub(super) async fn gather(aws: &Aws, watch: &Watch<'_>, events: &Events) -> Card {
    let (tasks, service, definition) = tokio::join!(
        stopped(aws, watch.cluster, watch.service, &watch.registered.arn),
        service(aws, watch),
        task_definition(aws, &watch.registered.arn),
    );
    if tasks.is_none() {
        events.note("the stopped tasks could not be read");
    }
    let tasks = tasks.unwrap_or_default();
    let messages = service.iter().flat_map(Service::events).take(EVENTS).filter_map(|event| event.message());
    let messages = messages.map(str::to_owned).collect();
    let groups = match &service {
        Some(service) => target_groups(aws, watch, service, &tasks, events).await,
        None => Vec::new(),
    };
    let grace = service.as_ref().and_then(Service::health_check_grace_period_seconds).unwrap_or(0);
    let mut card = Card::new(&tasks, messages, groups);
    let definition = definition.ok().flatten().unwrap_or_default();
    if let Some((task, container)) = card.to_read() {
        card.log = log(aws, &definition, task, container).await;
    }
    card.explain(Declared::read(&definition), grace);
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

async fn service(aws: &Aws, watch: &Watch<'_>) -> Option<Service> {
    let answer = aws.ecs.describe_services().cluster(watch.cluster).services(watch.service).send().await;
    answer.ok()?.services.unwrap_or_default().into_iter().next()
}

/// The service's target groups: their targets now, and those that failed before in this rollout.
async fn target_groups(
    aws: &Aws,
    watch: &Watch<'_>,
    service: &Service,
    tasks: &[Task],
    events: &Events,
) -> Vec<TargetGroup> {
    let (mut groups, problems) = live::target_groups(aws, &live::target_group_arns(service)).await;
    problems.into_iter().for_each(|problem| events.note(problem));
    let began = match watch.start {
        Start::Deployment { created_ms, .. } => created_ms,
        Start::InPlace { .. } => i64::MIN,
    };
    let ours = service
        .events()
        .iter()
        .filter(|event| live::millis(event.created_at()).is_some_and(|at| at >= began));
    let messages: Vec<&str> = ours.filter_map(|event| event.message()).collect();
    balanced::remember(&mut groups, &messages, tasks);
    groups
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

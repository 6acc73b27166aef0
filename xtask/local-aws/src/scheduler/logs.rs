//! The `awslogs` driver: what containers write goes to CloudWatch Logs.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::task::JoinHandle;

use crate::engine::{ContainerId, Engine};
use crate::state::ecs::Ecs;

use super::run::Context;

/// After a container ended, how long its last lines may take.
const DRAIN: Duration = Duration::from_secs(5);

/// Where a container's lines go.
pub(super) struct Target {
    group: String,
    stream: String,
    create_group: bool,
}

/// `None` if its driver is another.
pub(super) fn target(ecs: &Ecs, task: &str, container: &str) -> Option<Target> {
    let definition = ecs.definition(&ecs.tasks.get(task)?.definition)?;
    let container = definition.containers().into_iter().find(|c| c.name == container)?;
    let logs = container.awslogs()?;
    // Documented: "awslogs log driver", `awslogs-stream-prefix`.
    let stream = match logs.option("awslogs-stream-prefix") {
        Some(prefix) => format!("{prefix}/{}/{task}", container.name),
        None => task.to_owned(),
    };
    Some(Target {
        group: logs.option("awslogs-group")?.to_owned(),
        stream,
        create_group: logs.option("awslogs-create-group") == Some("true"),
    })
}

/// Opens the stream before the container starts; `stoppedReason` if the group is not there (observed
/// in public logs, the end of it in older ones).
pub(super) fn open<E: Engine>(context: &Context<E>, task: &str, container: &str) -> Option<String> {
    let target = target(&context.cloud.ecs(), task, container)?;
    context.sink.open(&target.group, &target.stream, target.create_group).err()?;
    let request = context.cloud.ids().uuid();
    Some(format!(
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed \
         to create Cloudwatch log stream: operation error CloudWatch Logs: CreateLogStream, https response error \
         StatusCode: 400, RequestID: {request}, ResourceNotFoundException: The specified log group does not exist. : \
         exit status 1"
    ))
}

/// Follows a container until it ends, from where the stream ends.
pub(super) async fn pump<E: Engine>(context: &Context<E>, id: &ContainerId, target: &Target) {
    if context.sink.open(&target.group, &target.stream, target.create_group).is_err() {
        return;
    }
    let since = context.sink.last_timestamp_ms(&target.group, &target.stream).map(|at| at + 1);
    let Ok(mut lines) = context.engine.logs(id, since).await else {
        return;
    };
    while let Some(line) = lines.next().await {
        context.sink.append(&target.group, &target.stream, &line);
    }
}

/// Lets the last lines arrive before the containers are removed.
pub(super) async fn drain(pumps: Vec<JoinHandle<()>>) {
    for pump in pumps {
        let abort = pump.abort_handle();
        if tokio::time::timeout(DRAIN, pump).await.is_err() {
            abort.abort();
        }
    }
}

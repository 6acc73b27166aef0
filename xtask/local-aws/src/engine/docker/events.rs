//! The engine's event stream, as what became of this instance's containers.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};

use super::{error, observe, rfc3339};
use crate::engine::{ContainerId, EngineError, EngineEvent, Health, Status, labels};

/// The exit code of a process that was killed: 128 + SIGKILL.
const KILLED: i64 = 137;

/// How often, and how far apart, a killed container is asked for the reason.
const REASON_TRIES: u32 = 5;
const REASON_PAUSE: Duration = Duration::from_millis(20);

type Messages = BoxStream<'static, Result<EventMessage, Error>>;

/// Subscribes from the engine's "now" on: nothing that happens after this returns is missed,
/// even if the stream is first polled later. A message that does not parse costs a new
/// subscription, not the stream.
pub(super) async fn subscribe(
    docker: Docker,
    mut filters: HashMap<String, Vec<String>>,
) -> Result<BoxStream<'static, EngineEvent>, EngineError> {
    filters.insert("type".to_owned(), vec!["container".to_owned()]);
    let actions = ["start", "die", "oom", "health_status"].map(str::to_owned);
    filters.insert("event".to_owned(), actions.to_vec());
    let messages = messages(&docker, &filters).await.map_err(|e| error::general(&e))?;
    let events = survivor(docker.clone(), filters, messages);
    Ok(events.filter_map(move |message| translated(docker.clone(), message)).boxed())
}

async fn messages(docker: &Docker, filters: &HashMap<String, Vec<String>>) -> Result<Messages, Error> {
    let now = docker.info().await?.system_time; // the engine's clock, not ours
    let now = now.as_deref().and_then(rfc3339::millis_since_1970);
    // Seconds with a fraction: older engines read no other form that has one.
    let since = now.map(|ms| format!("{}.{:03}", ms / 1000, ms % 1000));
    let options = EventsOptions { since, until: None, filters: Some(filters.clone()) };
    Ok(docker.events(Some(options)).boxed())
}

fn survivor(
    docker: Docker,
    filters: HashMap<String, Vec<String>>,
    start: Messages,
) -> impl Stream<Item = EventMessage> + Send {
    stream::unfold((docker, filters, start), |(docker, filters, mut current)| async move {
        loop {
            match current.next().await? {
                Ok(message) => return Some((message, (docker, filters, current))),
                Err(Error::JsonDataError { .. } | Error::JsonSerdeError { .. }) => {
                    current = messages(&docker, &filters).await.ok()?;
                }
                Err(_) => return None,
            }
        }
    })
}

/// A message that is not about one of a task's containers is none of ours.
async fn translated(docker: Docker, message: EventMessage) -> Option<EngineEvent> {
    let actor = message.actor?;
    let attributes = actor.attributes.unwrap_or_default();
    let id = ContainerId(actor.id?);
    let status = match message.action?.as_str() {
        "health_status: healthy" => Status::Running(Some(Health::Healthy)),
        "health_status: unhealthy" => Status::Running(Some(Health::Unhealthy)),
        "start" => now(&docker, &id).await?,
        "die" => match ended(&docker, &id).await {
            Some(status) => status,
            None => exited(&attributes), // removed already, or started again
        },
        // While it runs it is a process inside that was killed; after its end, the reason of it, which
        // the engine does not add to the state any more.
        "oom" => match now(&docker, &id).await? {
            Status::Exited { code: KILLED, .. } => Status::Exited { code: KILLED, oom_killed: true },
            _ => return None,
        },
        _ => return None,
    };
    Some(EngineEvent {
        id,
        task_id: attributes.get(labels::TASK)?.clone(),
        container: attributes.get(labels::CONTAINER).cloned(),
        status,
    })
}

/// The state after the end. An engine may learn a moment later that a kill was for want of memory:
/// it gets that moment, and should it take longer, the `oom` message tells the end once more.
async fn ended(docker: &Docker, id: &ContainerId) -> Option<Status> {
    for _ in 0..REASON_TRIES {
        match now(docker, id).await.filter(|status| is_end(*status))? {
            Status::Exited { code: KILLED, oom_killed: false } => tokio::time::sleep(REASON_PAUSE).await,
            known => return Some(known),
        }
    }
    now(docker, id).await.filter(|status| is_end(*status))
}

fn is_end(status: Status) -> bool {
    matches!(status, Status::Exited { .. })
}

async fn now(docker: &Docker, id: &ContainerId) -> Option<Status> {
    let found = observe::inspect(docker, id).await.ok()??;
    Some(observe::status(&found.state?))
}

fn exited(attributes: &HashMap<String, String>) -> Status {
    let code = attributes.get("exitCode").and_then(|code| code.parse().ok()).unwrap_or_default();
    Status::Exited { code, oom_killed: false }
}

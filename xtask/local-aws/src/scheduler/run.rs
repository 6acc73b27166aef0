//! Performs the steps: the only callers of the engine.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::cloud::Cloud;
use crate::engine::{ContainerId, Engine, EngineError, Status};
use crate::state::ecs::steps::Step;
use crate::state::ecs::transition::Outcome;
use crate::state::log_sink::LogSink;

use super::{logs, probe, secrets, spec};

/// What every step needs.
pub(super) struct Context<E> {
    pub(super) cloud: Cloud,
    pub(super) engine: Arc<E>,
    pub(super) sink: Arc<dyn LogSink>,
    /// Where new connections may go.
    pub(super) routed: watch::Receiver<BTreeSet<SocketAddr>>,
}

/// A task that new connections still go to after this is stopped all the same.
const DEREGISTER: Duration = Duration::from_secs(5);

/// What a step tells.
#[derive(Debug)]
pub(super) enum Report {
    /// What came of it.
    Outcome(Outcome),
    /// What the engine says of a container.
    Observed(String, Status),
}

pub(super) async fn step<E: Engine>(context: &Context<E>, task: &str, step: &Step) -> Vec<Report> {
    match step {
        Step::Hold => vec![Report::Outcome(hold(context, task).await)],
        Step::Pull(container) => vec![Report::Outcome(pull(context, task, container).await)],
        Step::Start(container) => vec![Report::Outcome(start(context, task, container).await)],
        Step::Probe => {
            probe::until_ready(&context.cloud, task).await.map(Report::Outcome).into_iter().collect()
        }
        Step::Deregister => {
            deregister(context, task).await;
            vec![Report::Outcome(Outcome::Deregistered)]
        }
        Step::Stop(container) => stop(context, task, container).await,
        Step::Remove => {
            retried(|| context.engine.remove_task(task)).await;
            vec![Report::Outcome(Outcome::Removed)]
        }
    }
}

async fn hold<E: Engine>(context: &Context<E>, task: &str) -> Outcome {
    let Some(spec) = spec::holder(&context.cloud.ecs(), task) else {
        return gone(None);
    };
    match context.engine.start_holder(&spec).await {
        Ok(holder) => Outcome::Held(holder),
        Err(error) => {
            let reason = format!(
                "ResourceInitializationError: failed to create the task's network namespace: {error}"
            );
            Outcome::Failed(None, reason)
        }
    }
}

async fn pull<E: Engine>(context: &Context<E>, task: &str, container: &str) -> Outcome {
    let image = {
        let ecs = context.cloud.ecs();
        ecs.tasks.get(task).and_then(|t| t.container(container)).map(|c| c.image.clone())
    };
    let Some(image) = image else {
        return gone(Some(container));
    };
    match context.engine.ensure_image(&image).await {
        Ok(facts) => Outcome::Pulled(container.to_owned(), facts),
        Err(error) => Outcome::Failed(Some(container.to_owned()), pull_reason(&image, &error)),
    }
}

/// Observed: `stoppedReason` of tasks whose image is not there; the reference comes twice. The prefix of the others
/// is documented: "Stopped task error codes".
fn pull_reason(image: &str, error: &EngineError) -> String {
    match error {
        EngineError::ImageNotFound(_) => format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: \
             {image}: not found"
        ),
        error => format!("CannotPullContainerError: {error}"),
    }
}

async fn start<E: Engine>(context: &Context<E>, task: &str, container: &str) -> Outcome {
    let prepared = spec::container(&context.cloud.ecs(), task, container);
    let Some((holder, mut spec, wanted)) = prepared else {
        return gone(Some(container));
    };
    match secrets::resolve(context.cloud.state_dir(), &wanted).await {
        Ok(values) => spec.environment.splice(0..0, values).for_each(drop),
        Err(reason) => return Outcome::Failed(None, reason),
    }
    if let Some(reason) = logs::open(context, task, container) {
        return Outcome::Failed(None, reason);
    }
    match context.engine.start_container(&ContainerId(holder), &spec).await {
        Ok(id) => Outcome::Started(container.to_owned(), id.0),
        Err(error) => {
            Outcome::Failed(Some(container.to_owned()), format!("CannotStartContainerError: {error}"))
        }
    }
}

/// The routes without the task are published already; who serves them says when it follows them.
async fn deregister<E: Engine>(context: &Context<E>, task: &str) {
    let published: Vec<SocketAddr> = {
        let ecs = context.cloud.ecs();
        ecs.tasks.get(task).map(|t| t.published.values().copied().collect()).unwrap_or_default()
    };
    let mut routed = context.routed.clone();
    let left = routed.wait_for(|routed| !published.iter().any(|address| routed.contains(address)));
    // Late, or nobody serves the routes any more: either way there is nothing to wait for.
    tokio::time::timeout(DEREGISTER, left).await.map(drop).unwrap_or_default();
}

/// Stops a container and finds out how it ended.
async fn stop<E: Engine>(context: &Context<E>, task: &str, container: &str) -> Vec<Report> {
    let found = {
        let ecs = context.cloud.ecs();
        let id = ecs.tasks.get(task).and_then(|t| t.container(container)).and_then(|c| c.runtime_id.clone());
        id.map(|id| (ContainerId(id), spec::stop_timeout(&ecs, task, container)))
    };
    if let Some((id, timeout)) = &found {
        retried(|| context.engine.stop(id, *timeout)).await;
        let listed = context.engine.list().await.unwrap_or_default();
        if let Some(seen) = listed.into_iter().find(|o| o.id == *id)
            && let Status::Exited { .. } = seen.status
        {
            return vec![Report::Observed(container.to_owned(), seen.status)];
        }
    }
    vec![Report::Outcome(Outcome::Ended(container.to_owned()))]
}

fn gone(container: Option<&str>) -> Outcome {
    Outcome::Failed(container.map(str::to_owned), "The task definition of the task is gone".into())
}

/// What must be done in the end is tried until it is; the engine may be away for a while.
async fn retried<F: Future<Output = Result<(), EngineError>>>(action: impl Fn() -> F) {
    let mut wait = Duration::from_millis(200);
    while let Err(error) = action().await {
        if matches!(error, EngineError::Gone(_)) {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(10));
    }
}

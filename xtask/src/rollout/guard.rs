//! Stops a rollout whose tasks only crash, instead of waiting for a breaker that does not see it.

use std::time::{Duration, Instant};

use aws_sdk_ecs::types::{StopServiceDeploymentStopType, Task};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;

use super::crash::{self, Death};
use super::look::Looker;
use super::snapshot::Snapshot;
use super::{Watch, evidence};
use crate::aws::{Aws, fault};
use crate::error::Result;

/// Between two looks at the stopped tasks.
const PAUSE: Duration = Duration::from_millis(1500);
/// Such a look lists the tasks and describes them.
const CALLS: u32 = 2;

/// Watches the tasks of one rollout.
pub(super) struct Guard {
    looked: Option<Instant>,
    /// What was found, once the rollout has been asked to stop.
    cause: Option<String>,
    /// How many calls the last check took to read tasks.
    pub(super) calls: u32,
    /// The stopped tasks that it found last.
    pub(super) seen: Vec<Task>,
}

/// What the guard did.
pub(super) enum Guarded {
    /// Nothing.
    Nothing,
    /// It has asked ECS to stop the rollout and roll back.
    Stopped(String),
    /// The tasks only crash, and the rollout cannot be stopped.
    CannotStop(String),
}

impl Guard {
    /// A rollout that has just begun has nothing to look at yet.
    pub(super) fn new() -> Self {
        Self { looked: Some(Instant::now()), cause: None, calls: 0, seen: Vec::new() }
    }

    /// Why the rollout was stopped, if it was.
    pub(super) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Looks at the stopped tasks now and then, and stops the rollout if they die alike too often.
    pub(super) async fn check(
        &mut self,
        aws: &Aws,
        watch: &Watch<'_>,
        looker: &Looker,
        snapshot: &Snapshot,
    ) -> Result<Guarded> {
        self.calls = 0;
        let due = self.looked.is_none_or(|at| at.elapsed() >= PAUSE);
        let (Some(limit), None, true) = (watch.crash_limit, &self.cause, due) else {
            return Ok(Guarded::Nothing);
        };
        let Some(ours) = looker.own_deployment(snapshot).filter(|ours| ours.running < ours.desired) else {
            return Ok(Guarded::Nothing);
        };
        (self.looked, self.calls) = (Some(Instant::now()), CALLS);
        let tasks = evidence::stopped(aws, watch.cluster, watch.service, &watch.registered.arn).await;
        // An earlier rollout of the same definition has left stopped tasks too: each task says
        // which deployment started it.
        let mut tasks = tasks.unwrap_or_default();
        tasks.retain(|task| task.started_by() == Some(ours.id.as_str()));
        self.seen.clone_from(&tasks);
        let Some((death, count)) = crash::looping(&tasks, ours.desired, limit) else {
            return Ok(Guarded::Nothing);
        };
        let cause = words(&death, count);
        self.cause = Some(cause.clone());
        let Some(arn) = looker.pinned() else { return Ok(Guarded::CannotStop(cause)) };
        Ok(match stop(aws, arn).await? {
            Stopped::Yes => Guarded::Stopped(cause),
            Stopped::Refused(_) => Guarded::CannotStop(cause),
        })
    }
}

/// What ECS says to being asked to stop a rollout.
pub(super) enum Stopped {
    /// It stops it, and rolls back.
    Yes,
    /// It cannot; in AWS's words.
    Refused(String),
}

/// Asks ECS to stop the rollout and roll back.
pub(super) async fn stop(aws: &Aws, arn: &str) -> Result<Stopped> {
    let call = aws.ecs.stop_service_deployment().service_deployment_arn(arn);
    match call.stop_type(StopServiceDeploymentStopType::Rollback).send().await {
        Ok(_) => Ok(Stopped::Yes),
        Err(error) if fault::refused(&error) => {
            let reason = error.message().or(error.code()).unwrap_or("no reason given");
            Ok(Stopped::Refused(reason.to_owned()))
        }
        Err(error) => Err(fault("ecs:StopServiceDeployment", arn, error)),
    }
}

fn words(death: &Death, count: usize) -> String {
    match death.exit_code {
        Some(code) => format!("container `{}` exited with code {code} in {count} tasks", death.container),
        None => format!("{count} tasks failed to start: {}", death.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_in_words() {
        let death = |exit_code, reason: &str| Death {
            container: "app".to_owned(),
            exit_code,
            reason: reason.to_owned(),
        };
        assert_eq!(words(&death(Some(3), ""), 3), "container `app` exited with code 3 in 3 tasks");
        assert_eq!(words(&death(None, "no image"), 4), "4 tasks failed to start: no image");
    }
}

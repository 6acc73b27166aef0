//! Watches a rollout, and tells of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::api::Live;
use super::failure::failed;
use super::follow::{End, How, follow};
use super::snapshot::{self, Service, Snapshot};
use super::start::Start;
use super::until::Until;
use super::verdict::Goal;
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::event::{Done, Events, Phase, Running};
use crate::interrupt::Interrupts;
use crate::register::Registered;

/// What to watch.
#[derive(Clone, Debug)]
pub struct Watch<'a> {
    /// Cluster name.
    pub cluster: &'a str,
    /// Service name.
    pub service: &'a str,
    /// What is being rolled out.
    pub registered: &'a Registered,
    /// What the call started.
    pub start: Start,
    /// Service deployments that cannot be ours; `None` if they cannot be listed.
    pub before: Option<BTreeSet<String>>,
    /// How long at most.
    pub timeout: Duration,
    /// How often tasks may die alike before the rollout is stopped; `None` never stops it.
    pub crash_limit: Option<u32>,
    /// When it ends well.
    pub until: Until,
    /// Whether the user wants it rolled back.
    pub interrupts: Interrupts,
}

impl<'a> Watch<'a> {
    /// With everything else as it mostly is.
    #[must_use]
    pub fn new(cluster: &'a str, service: &'a str, registered: &'a Registered, start: Start) -> Self {
        Self {
            cluster,
            service,
            registered,
            start,
            before: Some(BTreeSet::new()),
            timeout: Duration::from_secs(20 * 60),
            crash_limit: None,
            until: Until::default(),
            interrupts: Interrupts::never(),
        }
    }
}

/// How a rollout ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Tasks that run.
    pub running: i32,
    /// What was waited for and has come.
    pub until: Until,
}

/// Watches until the verdict is in.
///
/// # Errors
/// The rollout did not succeed (each way has its [`Kind`](crate::error::Kind)), the time is up,
/// the user interrupted, or a call failed for longer than its retries last.
pub async fn watch(aws: &Aws, watch: &Watch<'_>, events: &Events) -> Result<Watched> {
    let step = events.start(Phase::Rollout, watch.service);
    let mut teller = Teller { told: None };
    let api = Live::new(aws, watch);
    let followed = follow(&api, watch, events, |goal, snapshot| teller.tell(goal, snapshot, &step));
    let End { how, goal, snapshot } = followed.await.map_err(lost_sight)?;
    match how {
        How::Succeeded => Ok(succeeded(watch, &snapshot, step)),
        How::Serves => Ok(serves(watch, &snapshot, step, events)),
        How::Interrupted(halt, verdict) => Err(halt.outcome(watch, &verdict, &goal, &snapshot)),
        How::Failed(verdict) => Err(failed(aws, watch, verdict, &goal, &snapshot, events).await),
    }
}

/// Not to see the rollout does not end it.
fn lost_sight(error: Error) -> Error {
    error.hint("the rollout goes on unwatched: run again to follow it")
}

/// Says what changed, if anything did.
struct Teller {
    told: Option<String>,
}

impl Teller {
    fn tell(&mut self, goal: &Goal, snapshot: &Snapshot, step: &Running) {
        let Some(service) = &snapshot.service else { return };
        let text = progress(goal, service, snapshot.record.as_ref());
        if self.told.as_ref() != Some(&text) {
            step.progress(text.as_str());
            self.told = Some(text);
        }
    }
}

fn progress(goal: &Goal, service: &Service, record: Option<&snapshot::Record>) -> String {
    let Goal::Deployment { id, .. } = goal else {
        return format!("{} of {} tasks run", service.running, service.desired);
    };
    let ours = service.deployments.iter().find(|deployment| deployment.id == *id);
    let mut text = match ours {
        Some(ours) => format!("{} of {} tasks run", ours.running, ours.desired),
        None => "not in the service's list".to_owned(),
    };
    let parts = [
        (ours.map_or(0, |ours| ours.pending), "starting"),
        (ours.map_or(0, |ours| ours.failed), "failed"),
        (
            service.deployments.iter().filter(|other| other.id != *id).map(|other| other.running).sum(),
            "of the old revision",
        ),
    ];
    for (count, what) in parts.iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!(", {count} {what}"));
    }
    if record
        .is_some_and(|record| matches!(record.status.as_str(), "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS"))
    {
        text.push_str(", rolling back");
    }
    text
}

fn succeeded(watch: &Watch<'_>, snapshot: &Snapshot, step: Running) -> Watched {
    let running = snapshot.service.as_ref().map_or(0, |service| service.running);
    let definition = watch.registered.short();
    let message = match running {
        0 => format!("{definition} is deployed, scaled to 0 tasks"),
        1 => format!("{definition} serves, 1 task"),
        many => format!("{definition} serves, {many} tasks"),
    };
    step.finish(Done::Changed, message);
    Watched { running, until: Until::Successful }
}

/// Ends early, and says what can still happen.
fn serves(watch: &Watch<'_>, snapshot: &Snapshot, step: Running, events: &Events) -> Watched {
    let watched = succeeded(watch, snapshot, step);
    events.note(format!(
        "the rollout of {} is not complete: ECS may still roll it back (`cargo xtask status {}` shows it)",
        watch.registered.short(),
        watch.service
    ));
    Watched { until: Until::Serving, ..watched }
}

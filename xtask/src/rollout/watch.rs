//! Watches a rollout, and tells of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::aftermath;
use super::api::Live;
use super::failure::failed;
use super::follow::{Audience, End, How, Moment, follow};
use super::look::Looker;
use super::snapshot::Snapshot;
use super::start::Start;
use super::tasks::Tasks;
use super::tell::Teller;
use super::until::Until;
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
    let api = Live::new(aws, watch);
    let tasks = Tasks::new(events.tasks_wanted());
    let mut viewer = Viewer { api: &api, watch, events, teller: Teller::default(), tasks };
    let followed = follow(&api, watch, events, &mut viewer).await;
    let End { how, goal, snapshot } = followed.map_err(lost_sight)?;
    match how {
        How::Succeeded => {
            let watched = succeeded(watch, &snapshot, step);
            aftermath::tell(aws, watch, &goal, &snapshot, events).await;
            Ok(watched)
        }
        How::Serves => Ok(serves(watch, &snapshot, step, events)),
        How::Interrupted(halt, verdict) => Err(halt.outcome(watch, &verdict, &goal, &snapshot)),
        How::Failed(verdict) => Err(failed(aws, watch, verdict, &goal, &snapshot, events).await),
    }
}

/// Not to see the rollout does not end it.
fn lost_sight(error: Error) -> Error {
    error.hint("the rollout goes on unwatched: run again to follow it")
}

/// Shows the rollout to the user: what each look sees, and the tasks, where somebody wants to see them.
struct Viewer<'a> {
    api: &'a Live<'a>,
    watch: &'a Watch<'a>,
    events: &'a Events,
    teller: Teller,
    tasks: Tasks,
}

impl Audience for Viewer<'_> {
    fn see(&mut self, looker: &Looker, snapshot: &Snapshot) {
        self.teller.tell(self.watch, looker, snapshot, &self.tasks, self.events);
    }

    async fn rest(&mut self, looker: &Looker, snapshot: &Snapshot, moment: Moment) {
        let Some(ours) = looker.own_deployment(snapshot) else { return };
        self.api.learned(|stopped| self.tasks.learn(&ours.id, stopped));
        // No look waits for more than these two calls: a verdict may depend on it.
        if moment.calls <= 2 && self.tasks.due(ours, moment.quiet, moment.now) {
            self.api.look(&mut self.tasks, ours, moment.now).await;
        }
        self.see(looker, snapshot);
    }
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

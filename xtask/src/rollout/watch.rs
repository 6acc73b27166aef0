//! The loop that feeds snapshots to the verdict.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::aftermath;
use super::failure::failed;
use super::guard::{Guard, Guarded};
use super::halt::Halt;
use super::look::Looker;
use super::pace::Pace;
use super::snapshot::Snapshot;
use super::start::Start;
use super::tasks::Tasks;
use super::tell::Teller;
use super::until::{Serving, Until};
use super::verdict::{Verdict, judge};
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
    let began = Instant::now();
    let mut looker = Looker::new(watch);
    let mut pace = Pace::default();
    let (mut teller, mut tasks) = (Teller::default(), Tasks::new(events.tasks_wanted()));
    let mut guard = Guard::new();
    let (mut halt, mut serving) = (Halt::default(), Serving::default());
    loop {
        let snapshot = looker.look(aws, watch, events).await.map_err(lost_sight)?;
        let ours = looker.own_deployment(&snapshot);
        if teller.tell(watch, &looker, &snapshot, &tasks, events) {
            pace.moved(began.elapsed());
        }
        let verdict = match guard.check(aws, watch, &looker, &snapshot).await.map_err(lost_sight)? {
            Guarded::CannotStop(cause) => {
                return Err(failed(aws, watch, Verdict::Failed(cause), &looker.goal, &snapshot, events).await);
            }
            Guarded::Stopped(cause) => {
                events.warn(format!("{cause}: the rollout is stopped and rolled back"));
                Verdict::Continue
            }
            Guarded::Nothing => judge(&looker.goal, &snapshot).because(guard.cause()),
        };
        if watch.interrupts.rolls_back() {
            halt.ask(aws, &looker, events).await.map_err(lost_sight)?;
        }
        let now = began.elapsed();
        let ended = now >= watch.timeout || pace.holds(&verdict, now) || halt.ends(&verdict);
        match verdict {
            verdict if halt.wanted() && (ended || verdict == Verdict::Succeeded) => {
                return Err(halt.outcome(watch, &verdict, &looker.goal, &snapshot));
            }
            Verdict::Succeeded => {
                let watched = succeeded(watch, &snapshot, step);
                aftermath::tell(aws, watch, &looker.goal, &snapshot, events).await;
                return Ok(watched);
            }
            verdict if ended => {
                return Err(failed(aws, watch, verdict, &looker.goal, &snapshot, events).await);
            }
            Verdict::Continue
                if watch.until == Until::Serving && serving.settled(&looker.goal, &snapshot, now) =>
            {
                return Ok(serves(watch, &snapshot, step, events));
            }
            _ => {
                let mut calls = looker.calls + guard.calls;
                if let Some(ours) = ours {
                    tasks.learn(&ours.id, &guard.seen);
                    // No look waits for more than these two calls: a verdict may depend on it.
                    if calls <= 2 && tasks.due(ours, pace.quiet(now), now) {
                        calls += tasks.look(aws, watch.cluster, ours, now).await;
                    }
                    if teller.tell(watch, &looker, &snapshot, &tasks, events) {
                        pace.moved(now);
                    }
                }
                pause(&watch.interrupts, &halt, pace.pause(now, calls)).await;
            }
        }
    }
}

/// An interruption is not kept waiting.
async fn pause(interrupts: &Interrupts, halt: &Halt, pause: Duration) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = interrupts.roll_back(), if !halt.wanted() => {}
    }
}

/// Not to see the rollout does not end it.
fn lost_sight(error: Error) -> Error {
    error.hint("the rollout goes on unwatched: run again to follow it")
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

//! The loop that feeds snapshots to the verdict. The simulation runs this very loop.

use std::time::Duration;

use super::Watch;
use super::api::Api;
use super::guard::Guard;
use super::halt::Halt;
use super::look::Looker;
use super::pace::Pace;
use super::snapshot::Snapshot;
use super::until::{Serving, Until};
use super::verdict::{Goal, Verdict, judge};
use crate::error::Result;
use crate::event::Events;
use crate::interrupt::Interrupts;

/// How it ended, and what was seen last.
#[derive(Debug)]
pub(super) struct End {
    pub(super) how: How,
    pub(super) goal: Goal,
    pub(super) snapshot: Snapshot,
}

/// How a rollout that was followed ended.
#[derive(Debug)]
pub(super) enum How {
    /// It succeeded.
    Succeeded,
    /// The new revision serves alone, which was to be waited for.
    Serves,
    /// It did not succeed; with [`Verdict::Continue`], the time is up.
    Failed(Verdict),
    /// The user wanted it rolled back.
    Interrupted(Halt, Verdict),
}

/// A look at the rollout has been taken, and the next one is still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Time since the watch began.
    pub(super) now: Duration,
    /// How long nothing has moved.
    pub(super) quiet: Duration,
    /// How many calls the look took.
    pub(super) calls: u32,
}

/// Who is shown the rollout; decides nothing.
pub(super) trait Audience {
    /// Is shown every snapshot.
    fn see(&mut self, looker: &Looker, snapshot: &Snapshot);

    /// May look closer before the pause, by calls that are counted.
    async fn rest(&mut self, looker: &Looker, snapshot: &Snapshot, moment: Moment);
}

/// Follows a rollout until the verdict is in.
///
/// # Errors
/// A call failed for longer than its retries last.
pub(super) async fn follow(
    api: &impl Api,
    watch: &Watch<'_>,
    events: &Events,
    audience: &mut impl Audience,
) -> Result<End> {
    let mut looker = Looker::new(watch);
    let (mut pace, mut guard) = (Pace::default(), Guard::default());
    let (mut halt, mut serving) = (Halt::default(), Serving::default());
    loop {
        let snapshot = looker.look(api, events).await?;
        audience.see(&looker, &snapshot);
        pace.saw(&snapshot, api.now());
        let mut verdict = judge(&looker.goal, &snapshot);
        let mut calls = api.calls();
        // At most four calls go out together; a look that searches for the record takes all of them.
        if let (Verdict::Continue, Some(limit), true) = (&verdict, watch.crash_limit, calls <= 2) {
            let moving = pace.moving(api.now());
            guard.check(api, limit, moving, (&looker, &snapshot), events).await?;
        }
        verdict = guard.judge(verdict, &looker, &snapshot);
        if watch.interrupts.rolls_back() {
            halt.ask(api, &looker, events).await?;
        }
        let now = api.now();
        let (held, time_is_up) = (pace.holds(&verdict, now), now >= watch.timeout);
        if time_is_up && !held && verdict.is_doubtful() {
            verdict = Verdict::Continue;
        }
        let ended = time_is_up || held || halt.ends(&verdict);
        let serves = watch.until == Until::Serving && serving.settled(&looker.goal, &snapshot, now);
        let how = match verdict {
            verdict if halt.wanted() && (ended || verdict == Verdict::Succeeded) => {
                How::Interrupted(halt, verdict)
            }
            Verdict::Succeeded => How::Succeeded,
            verdict if ended => How::Failed(verdict),
            Verdict::Continue if serves => How::Serves,
            _ => {
                calls += api.calls();
                let moment = Moment { now, quiet: pace.quiet(now), calls };
                audience.rest(&looker, &snapshot, moment).await;
                calls += api.calls();
                pause(api, &watch.interrupts, &halt, pace.pause(now, calls)).await;
                continue;
            }
        };
        return Ok(End { how, goal: looker.goal, snapshot });
    }
}

/// An interruption is not kept waiting.
async fn pause(api: &impl Api, interrupts: &Interrupts, halt: &Halt, pause: Duration) {
    tokio::select! {
        () = api.sleep(pause) => {}
        () = interrupts.roll_back(), if !halt.wanted() => {}
    }
}

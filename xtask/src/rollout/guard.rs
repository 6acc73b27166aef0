//! Stops a rollout whose tasks only crash, instead of waiting for a breaker that does not see it.

use std::time::Duration;

use super::api::{Api, Stopped};
use super::crash::{self, Death, Ended};
use super::look::Looker;
use super::snapshot::{Deployment, Snapshot};
use super::verdict::{Goal, Verdict};
use crate::error::Result;
use crate::event::Events;

/// Between two looks at the stopped tasks, while things move and while they do not: such a look is two
/// calls more, and a task that dies moves the counts.
const BUSY: Duration = Duration::from_millis(1500);
const IDLE: Duration = Duration::from_secs(8);

/// Watches the tasks of one rollout.
#[derive(Debug, Default)]
pub(super) struct Guard {
    looked: Option<Duration>,
    /// One more death makes it a loop.
    near: bool,
    loops: Option<Loop>,
}

/// A crash loop that was found.
#[derive(Debug)]
struct Loop {
    cause: String,
    /// What ECS says to being asked to stop the rollout; `None`: there is nothing to ask about.
    answer: Option<Stopped>,
}

impl Guard {
    /// Looks at the stopped tasks now and then, and stops the rollout if they die alike too often.
    ///
    /// # Errors
    /// The call that stops it failed for longer than its retries last.
    pub(super) async fn check(
        &mut self,
        api: &impl Api,
        limit: u32,
        moving: bool,
        (looker, snapshot): (&Looker, &Snapshot),
        events: &Events,
    ) -> Result<()> {
        let pause = if moving { BUSY } else { IDLE };
        let Some(ours) = unfinished(looker, snapshot).filter(|_| self.is_due(pause, api.now())) else {
            return Ok(());
        };
        self.looked = Some(api.now());
        let tasks = api.stopped().await.unwrap_or_default();
        self.near = cause(&tasks, ours, limit.saturating_sub(1)).is_some();
        let Some(cause) = cause(&tasks, ours, limit) else { return Ok(()) };
        let answer = match looker.pinned() {
            Some(arn) => Some(api.stop(arn).await?),
            None => None,
        };
        if answer == Some(Stopped::Yes) {
            events.warn(format!("{cause}: the rollout is stopped and rolled back"));
        }
        self.loops = Some(Loop { cause, answer });
        Ok(())
    }

    fn is_due(&self, pause: Duration, now: Duration) -> bool {
        let rested = |at: Duration| now.saturating_sub(at) >= pause;
        self.loops.is_none() && (self.near || self.looked.is_none_or(rested))
    }

    /// What the verdict is, with what is known of the tasks: a rollout that only crashes and cannot be
    /// stopped has failed.
    pub(super) fn judge(&self, verdict: Verdict, looker: &Looker, snapshot: &Snapshot) -> Verdict {
        let Some(Loop { cause, answer }) = &self.loops else { return verdict };
        let goes_on = verdict == Verdict::Continue && unfinished(looker, snapshot).is_some();
        match answer {
            Some(Stopped::Yes) => verdict.because(Some(cause)),
            // There is something to go back to, and the breaker may have gone back: reads may be old.
            _ if goes_on && has_previous(&looker.goal) => Verdict::Doubtful(cause.clone()),
            _ if goes_on => Verdict::Failed(cause.clone()),
            _ => verdict.because(Some(cause)),
        }
    }
}

/// Our deployment, if it is in progress and lacks tasks. While the service deployment is searched for,
/// there is nothing yet that could be stopped.
fn unfinished<'s>(looker: &Looker, snapshot: &'s Snapshot) -> Option<&'s Deployment> {
    let ours = looker.own_deployment(snapshot).filter(|_| !looker.searching())?;
    let record = snapshot.record.as_ref().map(|record| record.status.as_str());
    let in_progress = ours.rollout_state == "IN_PROGRESS"
        && record.is_none_or(|status| matches!(status, "PENDING" | "IN_PROGRESS"));
    (in_progress && ours.running < ours.desired).then_some(ours)
}

fn has_previous(goal: &Goal) -> bool {
    matches!(goal, Goal::Deployment { previous, .. } if !previous.is_empty())
}

/// Why the deployment is to be stopped, in words. An earlier rollout of the same definition has left
/// stopped tasks too: each task says which deployment started it.
fn cause(tasks: &[Ended], ours: &Deployment, limit: u32) -> Option<String> {
    let own = tasks.iter().filter(|task| task.started_by == ours.id);
    let (death, count) = crash::looping(own, ours.desired, limit)?;
    Some(words(&death, count))
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

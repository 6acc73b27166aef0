//! How often to look, and how long a bad verdict has to hold. Pure: time is passed in.
//!
//! Four calls a second at most while things move, one a second when not: every call counts, those of
//! the guard too.

use std::mem::Discriminant;
use std::time::Duration;

use super::snapshot::{Record, Service, Snapshot};
use super::verdict::Verdict;

/// How much of the time one call takes up, while things move and while they do not.
const BUSY: Duration = Duration::from_millis(250);
const IDLE: Duration = Duration::from_secs(1);
/// How long after the last change things count as moving.
pub(super) const MOVING: Duration = Duration::from_secs(10);
/// How long a bad verdict has to hold: service and record are two reads, and either may lag.
const CONFIRMED: Duration = Duration::from_millis(400);
/// The same for a stall, which a rollback that is about to begin looks like.
const STALLED: Duration = Duration::from_millis(2500);
/// The same where two reads contradict each other: as long as one of them may lag.
const DOUBTFUL: Duration = Duration::from_secs(15);

/// Remembers when something moved last, and since when a bad verdict has held.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    moved: Duration,
    seen: Option<(Option<Service>, Option<Record>)>,
    bad: Option<(Discriminant<Verdict>, Duration)>,
}

impl Pace {
    /// Notes whether this look showed something else than the one before.
    pub(super) fn saw(&mut self, snapshot: &Snapshot, now: Duration) {
        let same = self
            .seen
            .as_ref()
            .is_some_and(|(service, record)| (service, record) == (&snapshot.service, &snapshot.record));
        if !same {
            self.seen = Some((snapshot.service.clone(), snapshot.record.clone()));
            self.moved = now;
        }
    }

    /// Whether things move.
    #[must_use]
    pub(super) fn moving(&self, now: Duration) -> bool {
        now.saturating_sub(self.moved) < MOVING
    }

    /// How long nothing has moved.
    #[must_use]
    pub(super) fn quiet(&self, now: Duration) -> Duration {
        now.saturating_sub(self.moved)
    }

    /// How long to wait after a look that took so many calls.
    #[must_use]
    pub(super) fn pause(&self, now: Duration, calls: u32) -> Duration {
        let each = if self.moving(now) { BUSY } else { IDLE };
        each * calls
    }

    /// Whether a verdict that ends the rollout has held for long enough.
    pub(super) fn holds(&mut self, verdict: &Verdict, now: Duration) -> bool {
        let needed = match verdict {
            Verdict::Continue => {
                self.bad = None;
                return false;
            }
            Verdict::Stalled(_) => STALLED,
            Verdict::Doubtful(_) | Verdict::Vanished | Verdict::Rescaled(_) => DOUBTFUL,
            _ => CONFIRMED,
        };
        let kind = std::mem::discriminant(verdict);
        match self.bad {
            Some((held, since)) if held == kind => now.saturating_sub(since) >= needed,
            _ => {
                self.bad = Some((kind, now));
                false
            }
        }
    }
}

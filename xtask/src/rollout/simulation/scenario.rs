//! What happens in one rollout: everything random about it, drawn from its seed.

use local_aws::state::ecs::rules::{Completion, Current, Entry, Leaves, Listing, Rules, Stall, Target};

use super::rng::Rng;
use crate::rollout::Until;

/// How a task of some revision behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// It runs.
    Good,
    /// Its image cannot be pulled.
    NoImage,
    /// Its network cannot be made.
    NoNetwork,
    /// It exits before it serves.
    CrashesAtOnce,
    /// The same, with exit code 0.
    Ends,
    /// The same, with another exit code each time.
    Differs,
    /// It exits some time after it was healthy.
    CrashesLater,
    /// The same, long after.
    CrashesLate,
    /// It is killed for want of memory.
    OutOfMemory,
    /// It never starts.
    Hangs,
    /// It starts late.
    Late,
    /// Its port stays closed.
    Deaf,
    /// Its health check fails; of a task without one, the same as `Deaf`.
    Sick,
}

const BAD: [Behaviour; 11] = [
    Behaviour::NoImage,
    Behaviour::NoNetwork,
    Behaviour::CrashesAtOnce,
    Behaviour::Ends,
    Behaviour::Differs,
    Behaviour::CrashesLater,
    Behaviour::CrashesLate,
    Behaviour::OutOfMemory,
    Behaviour::Hangs,
    Behaviour::Deaf,
    Behaviour::Sick,
];

impl Behaviour {
    /// Soonest and latest end of its container after its start, in seconds.
    pub(super) fn exits(self) -> Option<(f64, f64)> {
        match self {
            Self::CrashesAtOnce | Self::Ends | Self::Differs => Some((0.0, 0.9)),
            Self::OutOfMemory => Some((0.0, 6.0)),
            Self::CrashesLater => Some((1.0, 20.0)),
            Self::CrashesLate => Some((20.0, 60.0)),
            _ => None,
        }
    }
}

/// How the tasks of a revision behave: so many percent of them like that, the others well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mix {
    pub(super) behaviour: Behaviour,
    pub(super) percent: u64,
}

pub(super) const GOOD: Mix = Mix { behaviour: Behaviour::Good, percent: 100 };

/// What this run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Creates the service.
    Create,
    /// Updates a steady service.
    Update,
    /// Deploys again what runs.
    Force,
    /// Updates while somebody's deployment is in progress.
    Supersede,
    /// Follows a rollout that an earlier run started.
    Follow,
    /// Changes the desired count only.
    InPlace,
}

/// What others do meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Deploy another revision.
    Deploy,
    /// Deploy the revision from before.
    DeployOld,
    /// Deploy ours again.
    DeployOurs,
    /// Stop the service deployment in progress.
    StopDeployment,
    /// Delete the service.
    Delete,
    /// Change the desired count.
    Scale(u64),
    /// Kill a task.
    Kill,
}

/// One rollout.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) kind: Kind,
    pub(super) rules: Rules,
    pub(super) desired: u64,
    /// `minimumHealthyPercent`, `maximumPercent`.
    pub(super) percents: (u64, u64),
    /// Circuit breaker: `None` off, else whether it rolls back.
    pub(super) breaker: Option<bool>,
    /// Which of the definitions is ours.
    pub(super) definition: usize,
    pub(super) ours: Mix,
    pub(super) other: Mix,
    /// Seconds after our call, and what.
    pub(super) deeds: Vec<(f64, Deed)>,
    /// The oldest answer there is, in seconds.
    pub(super) stale: f64,
    /// Percent of calls that are answered late, after retries.
    pub(super) faults: u64,
    /// Whether service deployments can be read.
    pub(super) records: bool,
    /// Seconds between the somebody's deployment and our call ([`Kind::Supersede`], [`Kind::Follow`]).
    pub(super) head_start: f64,
    pub(super) timeout: f64,
    /// How often tasks may die alike.
    pub(super) crash_limit: Option<u32>,
    /// Whether the client may stop service deployments.
    pub(super) may_stop: bool,
    /// When the client has seen enough.
    pub(super) until: Until,
}

impl Scenario {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let kind = match rng.below(100) {
            0..15 => Kind::Create,
            15..65 => Kind::Update,
            65..75 => Kind::Force,
            75..87 => Kind::Supersede,
            87..95 => Kind::Follow,
            _ => Kind::InPlace,
        };
        let count = if rng.percent(70) { 0 } else { 1 + rng.below(2) };
        Self {
            kind,
            rules: rules(rng),
            desired: rng.one_of(&[1, 1, 2, 2, 2, 3, 4, 7]),
            percents: rng.one_of(&[(100, 200), (100, 200), (50, 100), (0, 100), (50, 200), (100, 150)]),
            breaker: rng.one_of(&[None, Some(false), Some(true), Some(true)]),
            definition: if matches!(kind, Kind::Force | Kind::InPlace) { 0 } else { rng.one_of(&[1, 2, 3]) },
            ours: if matches!(kind, Kind::Force | Kind::InPlace) { GOOD } else { mix(rng, 60) },
            other: mix(rng, 50),
            deeds: (0..count).map(|_| (rng.between(0.0, 25.0), deed(rng))).collect(),
            stale: rng.one_of(&[0.0, 0.0, 1.0, 3.0, 8.0]),
            faults: rng.one_of(&[0, 0, 2, 10]),
            records: rng.percent(80),
            head_start: rng.between(0.0, 8.0),
            timeout: rng.one_of(&[30.0, 60.0, 90.0]),
            crash_limit: rng.one_of(&[None, Some(3), Some(3), Some(5)]),
            may_stop: rng.percent(95),
            until: if rng.percent(10) { Until::Serving } else { Until::Successful },
        }
    }
}

fn mix(rng: &mut Rng, bad: u64) -> Mix {
    if rng.percent(bad) {
        Mix { behaviour: rng.one_of(&BAD), percent: rng.one_of(&[100, 100, 60, 20]) }
    } else if rng.percent(20) {
        Mix { behaviour: Behaviour::Late, percent: 50 }
    } else {
        GOOD
    }
}

fn deed(rng: &mut Rng) -> Deed {
    match rng.below(8) {
        0 => Deed::Deploy,
        1 => Deed::DeployOld,
        2 => Deed::DeployOurs,
        3 | 4 => Deed::StopDeployment,
        5 => Deed::Delete,
        6 => Deed::Scale(rng.below(6)),
        _ => Deed::Kill,
    }
}

/// Half of the time the rules are the default ones but for a few; else all are drawn.
fn rules(rng: &mut Rng) -> Rules {
    let chance = rng.one_of(&[0, 15, 60]);
    let seconds = |rng: &mut Rng| rng.one_of(&[0.3, 2.0, 5.0]);
    let mut rules = Rules::default();
    if rng.percent(chance) {
        rules.entry = Entry::New;
    }
    if rng.percent(chance) {
        rules.target = Target::Source;
    }
    if rng.percent(chance) {
        rules.rollback_after = seconds(rng);
    }
    rules.requested_first = rng.percent(chance);
    rules.rollback_may_fail = rng.percent(chance);
    if rng.percent(chance) {
        rules.stop_takes = seconds(rng);
    }
    if rng.percent(chance) {
        rules.stall = rng.one_of(&[Stall::Stopped, Stall::RollbackFailed, Stall::InProgress]);
    }
    if rng.percent(chance) {
        rules.leaves = Leaves::WhenDrained;
    }
    if rng.percent(chance) {
        let after = seconds(rng);
        rules.completion = rng.one_of(&[Completion::ServiceFirst(after), Completion::RecordFirst(after)]);
    }
    rules.reasons = !rng.percent(chance);
    if rng.percent(chance) {
        rules.listing = rng.one_of(&[Listing::OldestFirst, Listing::ByArn]);
    }
    if rng.percent(chance) {
        rules.listed_after = rng.one_of(&[0.5, 3.0, 10.0, 45.0]);
    }
    if rng.percent(chance) {
        rules.current = rng.one_of(&[Current::Late, Current::Absent]);
    }
    // From a copy: what is drawn after it stays what it was.
    rules.refuses_stop = rng.clone().percent(chance);
    rules
}

//! What nobody documents: every *assumed* rule of deployments, as a switch.
//!
//! The default is what this control plane does. The simulation (`xtask/src/rollout/simulation/`)
//! runs the client under all the others too: whichever AWS turns out to follow, the verdict holds.

/// The assumed rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Which entry of `service.deployments` a rollback makes PRIMARY.
    pub entry: Entry,
    /// Which revision a rollback goes to.
    pub target: Target,
    /// Seconds between FAILED and the start of the rollback.
    pub rollback_after: f64,
    /// Whether the breaker's rollback shows as `ROLLBACK_REQUESTED` first.
    pub requested_first: bool,
    /// Whether the circuit breaker watches the rollback too and ends it, `ROLLBACK_FAILED`.
    pub rollback_may_fail: bool,
    /// Seconds that a superseded service deployment is `STOP_REQUESTED` before it is `STOPPED`.
    pub stop_takes: f64,
    /// How a deployment that has nothing to go back to ends.
    pub stall: Stall,
    /// When a deployment without tasks, completed once or failed, leaves `service.deployments`.
    pub leaves: Leaves,
    /// Which of the two tells of the steady state first.
    pub completion: Completion,
    /// Whether reasons are told.
    pub reasons: bool,
    /// Order of `ListServiceDeployments`.
    pub listing: Listing,
    /// Seconds until a new service deployment is listed.
    pub listed_after: f64,
    /// `service.currentServiceDeployment`.
    pub current: Current,
    /// Whether a stop is refused where there is nothing to go back to; else the rollback fails.
    pub refuses_stop: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            entry: Entry::OldAgain,
            target: Target::LastCompleted,
            rollback_after: 0.0,
            requested_first: false,
            rollback_may_fail: false,
            stop_takes: 0.0,
            stall: Stall::AsAsked,
            leaves: Leaves::WhenSteady,
            completion: Completion::Together,
            reasons: true,
            listing: Listing::NewestFirst,
            listed_after: 0.0,
            current: Current::AtOnce,
            refuses_stop: false,
        }
    }
}

/// Which entry of `service.deployments` a rollback makes PRIMARY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The old one, if it is still there, with the tasks it has.
    OldAgain,
    /// A new one, with a new ID.
    New,
}

/// Which revision a rollback goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The last one that completed (documented).
    LastCompleted,
    /// The one that was PRIMARY before, completed or not.
    Source,
}

/// How a deployment that has nothing to go back to ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// `ROLLBACK_FAILED` if a rollback was asked for, else `STOPPED`.
    AsAsked,
    /// `STOPPED`.
    Stopped,
    /// `ROLLBACK_FAILED`.
    RollbackFailed,
    /// It stays as it is; only `rolloutState` says FAILED.
    InProgress,
}

/// When a deployment without tasks leaves `service.deployments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// With the steady state of the service.
    WhenSteady,
    /// As soon as its last task is stopped.
    WhenDrained,
}

/// Which of the two tells of the steady state first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Completion {
    /// Both at once.
    Together,
    /// `rolloutState` is COMPLETED; the service deployment follows after so many seconds.
    ServiceFirst(f64),
    /// The service deployment is SUCCESSFUL; `rolloutState` follows after so many seconds.
    RecordFirst(f64),
}

/// Order of `ListServiceDeployments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Newest first (its use in the CLI's examples).
    NewestFirst,
    /// Oldest first.
    OldestFirst,
    /// By ARN, which is random.
    ByArn,
}

/// `service.currentServiceDeployment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Current {
    /// In the answer of the call that starts it.
    AtOnce,
    /// Once it is IN_PROGRESS; the one before until then.
    Late,
    /// Never.
    Absent,
}

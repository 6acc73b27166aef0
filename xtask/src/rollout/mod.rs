//! Watches the service deployment that this run started, until it is truly up or says why not.
//!
//! Words: a *deployment* is an entry of `service.deployments`, with an ID `ecs-svc/…`; a
//! *service deployment* is the record of one rollout, with an ARN. Ours is found once, by
//! [`find`], and then followed by its ARN: "the service is stable" is not "mine is deployed".

mod aftermath;
mod api;
mod balanced;
mod card;
mod cause;
mod crash;
mod declared;
mod evidence;
mod failure;
mod find;
mod follow;
mod guard;
mod halt;
mod look;
mod pace;
#[cfg(test)]
mod simulation;
mod snapshot;
mod start;
mod tasks;
mod tell;
mod until;
mod verdict;
mod watch;

/// What a failure card is made of, to hold the document against it.
#[cfg(test)]
pub(crate) fn card_schema() -> schemars::Schema {
    schemars::schema_for!(card::Card)
}

pub use crash::crashes;
pub use find::known;
pub use start::{Start, primary, start};
pub use until::Until;
pub use watch::{Watch, Watched, watch};

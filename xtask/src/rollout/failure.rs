//! A verdict that is not success, as an error.

use super::card::Card;
use super::snapshot::{Service, Snapshot};
use super::verdict::{Goal, Verdict};
use super::{Watch, evidence};
use crate::aws::Aws;
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::register::short;

/// Makes the error, with what is left of the tasks that failed.
pub(super) async fn failed(
    aws: &Aws,
    watch: &Watch<'_>,
    verdict: Verdict,
    goal: &Goal,
    snapshot: &Snapshot,
    events: &Events,
) -> Error {
    let definition = watch.registered.short();
    let service = watch.service;
    let error = match &verdict {
        Verdict::Vanished => Error::new(
            Kind::RolledBack,
            format!("`{definition}` left service `{service}` without completing: it was rolled back"),
        )
        .hint(serves(goal, snapshot)),
        Verdict::RolledBack(reason) => {
            Error::new(Kind::RolledBack, format!("`{definition}` failed on service `{service}`: {reason}"))
                .hint(format!("rolled back: {}", serves(goal, snapshot)))
        }
        Verdict::Failed(reason) | Verdict::Stalled(reason) | Verdict::Doubtful(reason) => {
            Error::new(Kind::Failed, format!("`{definition}` failed on service `{service}`: {reason}"))
                .hint("nothing was rolled back: fix the cause and deploy again")
        }
        Verdict::Superseded(other) => {
            let other = short(other);
            Error::new(
                Kind::Conflict,
                format!("`{definition}` was superseded by `{other}` on service `{service}`"),
            )
            .hint("another client started a deployment while this one was in progress")
        }
        Verdict::Rescaled(count) => Error::new(
            Kind::Conflict,
            format!("the desired count of service `{service}` was changed to {count} meanwhile"),
        )
        .hint("another client, or autoscaling: leave `desired-count` out of deploy.toml to let it be"),
        Verdict::Gone => Error::new(
            Kind::Conflict,
            format!("service `{service}` was deleted while `{definition}` rolled out"),
        )
        .hint("deploy again to create it"),
        Verdict::Continue | Verdict::Succeeded => {
            let seconds = watch.timeout.as_secs();
            let waited = if seconds.is_multiple_of(60) {
                format!("{} min", seconds / 60)
            } else {
                format!("{seconds} s")
            };
            Error::new(
                Kind::TimedOut,
                format!("`{definition}` is not up on service `{service}` after {waited}"),
            )
            .hint("the rollout goes on: run again to follow it")
            .hint("to wait longer: `deployment.timeout-minutes`, or `--timeout SECONDS`")
        }
    };
    explained(error, &evidence::gather(aws, watch, events).await)
}

/// The error with the facts of the failure: the cause first, what to do about it before all else.
fn explained(mut error: Error, card: &Card) -> Error {
    if card.is_empty() {
        return error;
    }
    if let Some(cause) = &card.cause {
        error = error.caused_by(cause.clone());
    }
    error.hints.splice(0..0, card.next.iter().cloned());
    error.facts = serde_json::to_value(card).ok().map(Box::new);
    error.detail(card.text())
}

/// What serves now, by its name if the service's list says something else than our own deployment: it
/// may lag.
pub(super) fn serves(goal: &Goal, snapshot: &Snapshot) -> String {
    let primary = snapshot.service.as_ref().and_then(Service::primary);
    let ours = |id: &str| matches!(goal, Goal::Deployment { id: ours, .. } if ours == id);
    match primary.filter(|primary| !ours(&primary.id)) {
        Some(primary) => format!("`{}` serves", short(&primary.task_definition)),
        None => "the old revision serves".to_owned(),
    }
}

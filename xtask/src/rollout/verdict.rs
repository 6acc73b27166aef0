//! What a snapshot means for the rollout that is being watched. Pure.
//!
//! Statuses of a service deployment: Amazon ECS API Reference, ServiceDeployment.

use std::collections::BTreeSet;
use std::time::Duration;

use super::snapshot::{Deployment, Record, Service, Snapshot};

/// What is being watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// A deployment of ours, by the ID that the call's answer gave it.
    Deployment {
        /// `ecs-svc/…`
        id: String,
        /// Milliseconds since 1970, by AWS's clock.
        created_ms: i64,
        /// Whether service deployments can be read; if not, the service alone is judged.
        records: bool,
        /// Whether the service's list has shown it; until then, the list may lag.
        seen: bool,
        /// ARNs of what the service ran before: what a rollback goes back to.
        previous: BTreeSet<String>,
    },
    /// A change that starts no deployment, such as of the desired count.
    InPlace {
        /// ARN of what serves and goes on serving.
        task_definition: String,
        /// Tasks there are to be, by the call's answer: a read may lag behind it.
        desired: i32,
    },
}

/// What a snapshot means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not decided yet.
    Continue,
    /// Our revision serves.
    Succeeded,
    /// Ours failed, and what ran before runs again.
    RolledBack(String),
    /// Ours failed, and nothing took its place.
    Failed(String),
    /// It looks as if ours failed and nothing takes its place; a rollback may be about to begin.
    Stalled(String),
    /// Ours failed or was stopped, but another look may show something else: a read that lags, or a
    /// rollback that has not begun.
    Doubtful(String),
    /// Ours was in the service's list, is not any more, and what ran before serves; or an old read.
    Vanished,
    /// Somebody else's deployment took over.
    Superseded(String),
    /// Somebody else changed the desired count; or an old read.
    Rescaled(i32),
    /// The service was deleted.
    Gone,
}

impl Verdict {
    /// Whether it is one that a later look may well overturn.
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(self, Self::Doubtful(_) | Self::Stalled(_) | Self::Vanished | Self::Rescaled(_))
    }

    /// The same, with a cause that is known better than AWS tells it.
    pub(super) fn because(self, cause: Option<&str>) -> Self {
        match (self, cause) {
            (Self::RolledBack(_), Some(cause)) => Self::RolledBack(cause.to_owned()),
            (Self::Failed(_), Some(cause)) => Self::Failed(cause.to_owned()),
            (verdict, _) => verdict,
        }
    }
}

/// How long a service may be missing from the answers before it counts as deleted: reads lag.
const ABSENCE: Duration = Duration::from_secs(30);

/// Judges a snapshot. A verdict other than success is to be confirmed by another look: service
/// and record are two reads, and either may be older than the other.
#[must_use]
pub(super) fn judge(goal: &Goal, snapshot: &Snapshot) -> Verdict {
    let Some(service) = &snapshot.service else {
        return if snapshot.absent < ABSENCE { Verdict::Continue } else { Verdict::Gone };
    };
    if service.status != "ACTIVE" {
        return Verdict::Gone;
    }
    match goal {
        Goal::InPlace { task_definition, desired } => in_place(service, task_definition, *desired),
        Goal::Deployment { id, created_ms, records, seen, previous } => match &snapshot.record {
            Some(record) => by_record(record, service, id, *created_ms),
            None if *records => Verdict::Continue,
            None => by_service(service, id, *created_ms, *seen, previous),
        },
    }
}

fn in_place(service: &Service, task_definition: &str, desired: i32) -> Verdict {
    let Some(primary) = service.primary() else { return Verdict::Continue };
    let counts = service.desired == desired && service.running == desired && service.pending == 0;
    match primary.rollout_state.as_str() {
        _ if primary.task_definition != task_definition => {
            Verdict::Superseded(primary.task_definition.clone())
        }
        "FAILED" => Verdict::Failed(primary.reason.clone()),
        "IN_PROGRESS" => Verdict::Continue,
        _ if counts && service.deployments.len() == 1 => Verdict::Succeeded,
        _ if service.desired != desired => Verdict::Rescaled(service.desired),
        _ => Verdict::Continue,
    }
}

/// The service deployment is the authority; the service only tells who serves now, and may lag.
fn by_record(record: &Record, service: &Service, id: &str, created_ms: i64) -> Verdict {
    let newer = newer_primary(service, id, created_ms);
    match record.status.as_str() {
        "SUCCESSFUL" => match (service.primary(), newer) {
            (Some(primary), _) if primary.id == id => Verdict::Succeeded,
            (_, Some(other)) => Verdict::Superseded(other.task_definition.clone()),
            _ => Verdict::Continue,
        },
        "ROLLBACK_SUCCESSFUL" => Verdict::RolledBack(why(record)),
        "ROLLBACK_FAILED" => Verdict::Failed(why(record)),
        "STOPPED" => match (service.primary(), newer) {
            (_, Some(other)) if record.rollback.is_none() => {
                Verdict::Superseded(other.task_definition.clone())
            }
            (Some(primary), _) if primary.id == id && primary.rollout_state == "IN_PROGRESS" => {
                Verdict::Doubtful(why(record))
            }
            // What ran before ours is an old read: nothing was rolled back.
            (Some(other), _) if other.id != id && record.rollback.is_none() => Verdict::Doubtful(why(record)),
            _ => Verdict::Failed(why(record)),
        },
        // Without anything to roll back to, the deployment stalls.
        // Source: Amazon ECS Developer Guide, "How the deployment circuit breaker detects failures".
        "IN_PROGRESS" | "PENDING" => match service.primary() {
            Some(primary)
                if primary.id == id && primary.rollout_state == "FAILED" && record.rollback.is_none() =>
            {
                stalled(service, primary)
            }
            _ => Verdict::Continue,
        },
        _ => Verdict::Continue,
    }
}

/// Without service deployments (denied, or an endpoint that has none), the list of the
/// service's deployments has to do.
fn by_service(
    service: &Service,
    id: &str,
    created_ms: i64,
    seen: bool,
    previous: &BTreeSet<String>,
) -> Verdict {
    let Some(primary) = service.primary() else { return Verdict::Continue };
    let state = primary.rollout_state.as_str();
    if primary.id == id {
        return match state {
            "COMPLETED" => Verdict::Succeeded,
            "FAILED" => stalled(service, primary),
            _ => Verdict::Continue,
        };
    }
    match newer_primary(service, id, created_ms) {
        Some(newer) if !previous.contains(&newer.task_definition) && !tells_of_rollback(newer) => {
            Verdict::Superseded(newer.task_definition.clone())
        }
        // A rollback starts a deployment of what ran before, or makes the old one PRIMARY again.
        Some(newer) if state == "COMPLETED" => Verdict::RolledBack(newer.reason.clone()),
        None if seen && state == "COMPLETED" => Verdict::Vanished,
        _ => Verdict::Continue,
    }
}

/// With nothing beside it, a deployment that failed has nothing to go back to; otherwise a rollback
/// may be about to begin.
fn stalled(service: &Service, ours: &Deployment) -> Verdict {
    match service.deployments.len() {
        0 | 1 => Verdict::Stalled(ours.reason.clone()),
        _ => Verdict::Doubtful(ours.reason.clone()),
    }
}

/// The words are AWS's, and may change: they only add to what the list shows.
fn tells_of_rollback(deployment: &Deployment) -> bool {
    ["rolled back", "rolling back"].iter().any(|words| deployment.reason.contains(words))
}

/// A PRIMARY deployment that is not ours and came after it. One that came before is a stale read.
fn newer_primary<'s>(service: &'s Service, id: &str, created_ms: i64) -> Option<&'s Deployment> {
    service.primary().filter(|primary| primary.id != id && primary.created_ms >= created_ms)
}

fn why(record: &Record) -> String {
    let rollback = record.rollback.as_deref().unwrap_or_default();
    [rollback, record.reason.as_str()]
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or("no reason given")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "ecs-svc/2";

    fn goal(records: bool) -> Goal {
        Goal::Deployment {
            id: OURS.to_owned(),
            created_ms: 100,
            records,
            seen: false,
            previous: ["td-of-ecs-svc/1".to_owned()].into(),
        }
    }

    fn primary(id: &str, created_ms: i64, state: &str) -> Deployment {
        Deployment {
            id: id.to_owned(),
            status: "PRIMARY".to_owned(),
            task_definition: format!("td-of-{id}"),
            created_ms,
            rollout_state: state.to_owned(),
            reason: format!("{state} it is"),
            ..Deployment::default()
        }
    }

    fn snapshot(deployments: Vec<Deployment>, record: Option<&str>) -> Snapshot {
        let service = Service { status: "ACTIVE".to_owned(), deployments, ..Service::default() };
        let record = record.map(|status| Record { status: status.to_owned(), ..Record::default() });
        Snapshot { service: Some(service), record, ..Snapshot::default() }
    }

    fn verdict(deployments: Vec<Deployment>, record: Option<&str>) -> Verdict {
        judge(&goal(record.is_some()), &snapshot(deployments, record))
    }

    #[test]
    fn success_needs_the_record_and_the_revision_that_serves() {
        assert_eq!(verdict(vec![primary(OURS, 100, "COMPLETED")], Some("SUCCESSFUL")), Verdict::Succeeded);
        assert_eq!(verdict(vec![primary(OURS, 100, "COMPLETED")], Some("IN_PROGRESS")), Verdict::Continue);
    }

    #[test]
    fn a_stale_service_is_waited_for() {
        assert_eq!(
            verdict(vec![primary("ecs-svc/1", 50, "COMPLETED")], Some("SUCCESSFUL")),
            Verdict::Continue
        );
    }

    #[test]
    fn a_later_deployment_took_over() {
        let other = || vec![primary("ecs-svc/3", 200, "IN_PROGRESS")];
        let superseded = Verdict::Superseded("td-of-ecs-svc/3".to_owned());
        assert_eq!(verdict(other(), Some("STOPPED")), superseded);
        assert_eq!(verdict(other(), Some("SUCCESSFUL")), superseded);
    }

    #[test]
    fn a_steady_service_after_a_rollback_is_no_success() {
        let restored = || vec![primary("ecs-svc/3", 200, "COMPLETED")];
        assert!(matches!(verdict(restored(), Some("ROLLBACK_SUCCESSFUL")), Verdict::RolledBack(_)));
        assert_eq!(verdict(restored(), Some("ROLLBACK_IN_PROGRESS")), Verdict::Continue);
    }

    #[test]
    fn a_first_deployment_that_stalls_has_failed() {
        let stalled = vec![primary(OURS, 100, "FAILED")];
        assert_eq!(verdict(stalled, Some("IN_PROGRESS")), Verdict::Stalled("FAILED it is".to_owned()));
    }

    #[test]
    fn unknown_words_decide_nothing() {
        assert_eq!(verdict(vec![primary(OURS, 100, "COMPLETED")], Some("SOMETHING_NEW")), Verdict::Continue);
    }

    #[test]
    fn a_service_that_is_missing_from_an_answer_is_waited_for() {
        let missing = |seconds| Snapshot { absent: Duration::from_secs(seconds), ..Snapshot::default() };
        assert_eq!(judge(&goal(true), &missing(1)), Verdict::Continue);
        assert_eq!(judge(&goal(true), &missing(31)), Verdict::Gone);
    }

    #[test]
    fn a_deleted_service_is_gone() {
        let mut draining = snapshot(Vec::new(), None);
        if let Some(service) = draining.service.as_mut() {
            service.status = "DRAINING".to_owned();
        }
        assert_eq!(judge(&goal(true), &draining), Verdict::Gone);
    }

    #[test]
    fn the_service_alone_decides_only_when_there_is_nothing_else() {
        let done = snapshot(vec![primary(OURS, 100, "COMPLETED")], None);
        assert_eq!(judge(&goal(true), &done), Verdict::Continue);
        assert_eq!(judge(&goal(false), &done), Verdict::Succeeded);
    }

    #[test]
    fn one_that_left_the_list_was_rolled_back_and_one_that_never_came_may_come() {
        let restored = snapshot(vec![primary("ecs-svc/1", 50, "COMPLETED")], None);
        let goal = |now| match goal(false) {
            Goal::Deployment { id, created_ms, records, previous, .. } => {
                Goal::Deployment { id, created_ms, records, previous, seen: now }
            }
            other => other,
        };
        assert_eq!(judge(&goal(false), &restored), Verdict::Continue);
        assert_eq!(judge(&goal(true), &restored), Verdict::Vanished);
    }

    #[test]
    fn an_in_place_change_is_done_when_the_counts_are_what_was_asked_for() {
        let goal = Goal::InPlace { task_definition: "td-of-ecs-svc/1".to_owned(), desired: 3 };
        let scaled = |desired, running| {
            let mut snapshot = snapshot(vec![primary("ecs-svc/1", 50, "COMPLETED")], None);
            if let Some(service) = snapshot.service.as_mut() {
                (service.desired, service.running) = (desired, running);
            }
            snapshot
        };
        assert_eq!(judge(&goal, &scaled(3, 3)), Verdict::Succeeded);
        assert_eq!(judge(&goal, &scaled(3, 1)), Verdict::Continue);
        assert_eq!(judge(&goal, &scaled(1, 1)), Verdict::Rescaled(1), "or a read from before the call");
        let other = snapshot(vec![primary("ecs-svc/9", 50, "COMPLETED")], None);
        assert_eq!(judge(&goal, &other), Verdict::Superseded("td-of-ecs-svc/9".to_owned()));
    }
}

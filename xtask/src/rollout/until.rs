//! The moment before success: the new revision alone takes traffic, while ECS may still roll it back.

use std::time::Duration;

use super::snapshot::{Service, Snapshot};
use super::verdict::Goal;

/// When a run that watches a rollout ends well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// The service deployment is SUCCESSFUL.
    #[default]
    Successful,
    /// All tasks of the new revision run, and none of another.
    Serving,
}

/// How long that has to be so: a task that runs may be one that is about to crash.
const SETTLED: Duration = Duration::from_secs(3);

/// Remembers since when the new revision serves alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Serving {
    since: Option<Duration>,
}

impl Serving {
    /// Whether it has served alone for long enough.
    pub(super) fn settled(&mut self, goal: &Goal, snapshot: &Snapshot, now: Duration) -> bool {
        if !serves_alone(goal, snapshot) {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        now.saturating_sub(since) >= SETTLED
    }
}

/// Old tasks that drain count no more as running: they get no new connections.
/// Source: Amazon ECS Developer Guide, "Amazon ECS task lifecycle" (DEACTIVATING, STOPPING).
fn serves_alone(goal: &Goal, snapshot: &Snapshot) -> bool {
    let Goal::Deployment { id, records, .. } = goal else { return false };
    let Some(service) = &snapshot.service else { return false };
    let going_well = match &snapshot.record {
        Some(record) => matches!(record.status.as_str(), "PENDING" | "IN_PROGRESS"),
        None => !records,
    };
    going_well && service.status == "ACTIVE" && runs_alone(service, id)
}

fn runs_alone(service: &Service, id: &str) -> bool {
    let ours = service.primary().filter(|primary| primary.id == id);
    let complete = ours.is_some_and(|ours| {
        ours.rollout_state != "FAILED"
            && ours.desired == service.desired
            && ours.running == service.desired
            && ours.pending == 0
    });
    complete && service.deployments.iter().all(|other| other.id == id || other.running == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::snapshot::{Deployment, Record};

    fn goal() -> Goal {
        let previous = std::collections::BTreeSet::new();
        Goal::Deployment { id: "ours".to_owned(), created_ms: 0, records: true, seen: true, previous }
    }

    fn deployment(id: &str, running: i32) -> Deployment {
        let status = if id == "ours" { "PRIMARY" } else { "ACTIVE" }.to_owned();
        Deployment { id: id.to_owned(), status, desired: 2, running, ..Deployment::default() }
    }

    fn snapshot(ours: i32, old: i32, record: &str) -> Snapshot {
        let deployments = vec![deployment("ours", ours), deployment("old", old)];
        let service = Service { status: "ACTIVE".to_owned(), desired: 2, deployments, ..Service::default() };
        let record = Record { status: record.to_owned(), ..Record::default() };
        Snapshot { service: Some(service), record: Some(record), ..Snapshot::default() }
    }

    #[test]
    fn the_new_revision_serves_alone_when_all_of_it_runs_and_nothing_else() {
        assert!(serves_alone(&goal(), &snapshot(2, 0, "IN_PROGRESS")));
        assert!(!serves_alone(&goal(), &snapshot(1, 0, "IN_PROGRESS")));
        assert!(!serves_alone(&goal(), &snapshot(2, 1, "IN_PROGRESS")));
        for status in ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "STOPPED", "SOMETHING_NEW"] {
            assert!(!serves_alone(&goal(), &snapshot(2, 0, status)), "{status}");
        }
        let unread = Snapshot { record: None, ..snapshot(2, 0, "") };
        assert!(!serves_alone(&goal(), &unread), "the record is there, but was not read");
    }

    #[test]
    fn it_has_to_last() {
        let mut serving = Serving::default();
        let mut settled = |ours, seconds| {
            serving.settled(&goal(), &snapshot(ours, 0, "IN_PROGRESS"), Duration::from_secs(seconds))
        };
        assert!(!settled(2, 1) && !settled(2, 3) && settled(2, 4));
        assert!(!settled(1, 5) && !settled(2, 6), "a task crashed, another one took its place");
    }
}

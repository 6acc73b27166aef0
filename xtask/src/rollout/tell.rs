//! Tells what the rollout looks like, whenever it looks different than before.

use super::Watch;
use super::look::Looker;
use super::snapshot::{Deployment, Record, Service, Snapshot};
use super::tasks::Tasks;
use super::verdict::Goal;
use crate::event::{Breaker, Counts, Event, Events, Other, Rollout};
use crate::register::short;

/// Remembers what it told last.
#[derive(Debug, Default)]
pub(super) struct Teller {
    told: Option<Rollout>,
}

impl Teller {
    /// Whether there was something to tell.
    pub(super) fn tell(
        &mut self,
        watch: &Watch<'_>,
        looker: &Looker,
        snapshot: &Snapshot,
        tasks: &Tasks,
        events: &Events,
    ) -> bool {
        let Some(service) = &snapshot.service else { return false };
        let mut now = rollout(&looker.goal, service, snapshot.record.as_ref());
        now.service = watch.service.to_owned();
        now.task_definition = watch.registered.short().to_owned();
        now.service_deployment = looker.pinned().map(str::to_owned);
        now.tasks = tasks.all();
        let news = self.told.as_ref() != Some(&now);
        if news {
            events.emit(Event::Rollout(Box::new(now.clone())));
            self.told = Some(now);
        }
        news
    }
}

/// What one look shows.
fn rollout(goal: &Goal, service: &Service, record: Option<&Record>) -> Rollout {
    let breaker = record.map(|record| record.failures).filter(|(_, threshold)| *threshold > 0);
    let seen = Rollout {
        status: record.map(|record| record.status.clone()),
        breaker: breaker.map(|(failures, threshold)| Breaker { failures, threshold }),
        ..Rollout::default()
    };
    match goal {
        Goal::InPlace { .. } => {
            let &Service { desired, running, pending, .. } = service;
            Rollout { counts: Some(Counts { desired, running, pending, failed: 0 }), ..seen }
        }
        Goal::Deployment { id, .. } => {
            let (ours, others): (Vec<_>, Vec<_>) = service.deployments.iter().partition(|one| one.id == *id);
            Rollout {
                deployment: Some(id.clone()),
                counts: ours.first().map(|ours| counts(ours)),
                others: others.into_iter().filter_map(other).collect(),
                ..seen
            }
        }
    }
}

fn counts(deployment: &Deployment) -> Counts {
    let &Deployment { desired, running, pending, failed, .. } = deployment;
    Counts { desired, running, pending, failed }
}

/// A deployment beside ours, if it has tasks.
fn other(deployment: &Deployment) -> Option<Other> {
    let task_definition = short(&deployment.task_definition).to_owned();
    let counts = counts(deployment);
    (counts.running + counts.pending > 0).then_some(Other { task_definition, counts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(id: &str, revision: u32, running: i32) -> Deployment {
        Deployment {
            id: id.to_owned(),
            task_definition: format!("arn:aws:ecs:r:1:task-definition/web:{revision}"),
            desired: 2,
            running,
            ..Deployment::default()
        }
    }

    #[test]
    fn our_own_deployment_and_what_else_has_tasks() {
        let goal = Goal::Deployment {
            id: "ours".to_owned(),
            created_ms: 0,
            records: true,
            seen: true,
            previous: std::collections::BTreeSet::new(),
        };
        let deployments = vec![deployment("ours", 3, 1), deployment("old", 2, 2), deployment("older", 1, 0)];
        let service = Service { deployments, ..Service::default() };
        let record = Record { status: "IN_PROGRESS".to_owned(), failures: (2, 3), ..Record::default() };
        let seen = rollout(&goal, &service, Some(&record));
        assert_eq!(seen.counts.map(|counts| (counts.running, counts.desired)), Some((1, 2)));
        let others: Vec<_> = seen.others.iter().map(|other| other.task_definition.as_str()).collect();
        assert_eq!(others, ["web:2"]);
        assert_eq!(seen.breaker, Some(Breaker { failures: 2, threshold: 3 }));
        let unlisted = rollout(&goal, &Service::default(), None);
        assert_eq!((unlisted.counts, unlisted.breaker, unlisted.status), (None, None, None));
    }

    #[test]
    fn a_change_in_place_counts_the_services_tasks() {
        let goal = Goal::InPlace { task_definition: String::new(), desired: 3 };
        let service = Service { desired: 3, running: 2, pending: 1, ..Service::default() };
        let counts = Counts { desired: 3, running: 2, pending: 1, failed: 0 };
        assert_eq!(rollout(&goal, &service, None), Rollout { counts: Some(counts), ..Rollout::default() });
    }
}

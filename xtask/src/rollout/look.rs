//! One look at the rollout: the calls, and what has to be remembered between them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::snapshot::{self, Record, Service, Snapshot};
use super::start::Start;
use super::verdict::Goal;
use super::{Watch, find};
use crate::aws::{Aws, fault};
use crate::error::Result;
use crate::event::Events;

/// How long our service deployment may be missing from the list before we do without it.
pub(super) const RECORD_PATIENCE: Duration = Duration::from_secs(30);

/// What is remembered between looks.
pub(super) struct Looker {
    pub(super) goal: Goal,
    pinned: Option<String>,
    before: BTreeSet<String>,
    began: Instant,
    last_seen: Instant,
    /// How many calls the last look took, at most.
    pub(super) calls: u32,
}

impl Looker {
    pub(super) fn new(watch: &Watch<'_>) -> Self {
        let task_definition = watch.registered.arn.clone();
        let (goal, pinned) = match &watch.start {
            Start::Deployment { id, created_ms, record, previous } => {
                let records = watch.before.is_some() || record.is_some();
                let goal = Goal::Deployment {
                    id: id.clone(),
                    created_ms: *created_ms,
                    records,
                    seen: false,
                    previous: previous.clone(),
                };
                // One that was there before our call is an old read.
                let old = |arn: &String| watch.before.as_ref().is_some_and(|before| before.contains(arn));
                (goal, record.clone().filter(|arn| !old(arn)))
            }
            Start::InPlace { desired } => (Goal::InPlace { task_definition, desired: *desired }, None),
        };
        let before = watch.before.clone().unwrap_or_default();
        Self { goal, pinned, before, began: Instant::now(), last_seen: Instant::now(), calls: 0 }
    }

    /// ARN of our service deployment, once it is found.
    pub(super) fn pinned(&self) -> Option<&str> {
        self.pinned.as_deref()
    }

    /// Our deployment, in the service's list.
    pub(super) fn own_deployment<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s snapshot::Deployment> {
        let Goal::Deployment { id, .. } = &self.goal else { return None };
        snapshot.service.as_ref()?.deployments.iter().find(|deployment| deployment.id == *id)
    }

    /// Reads service and service deployment at once.
    pub(super) async fn look(&mut self, aws: &Aws, watch: &Watch<'_>, events: &Events) -> Result<Snapshot> {
        let searching = self.pinned.is_none();
        let (service, record) = tokio::try_join!(service(aws, watch), self.record(aws, watch))?;
        self.calls = match record {
            Reading::NotNeeded => 1,
            // List, revisions, and the record that was found.
            _ if searching => 4,
            _ => 2,
        };
        let record = match record {
            Reading::Read(arn, record) => {
                self.pinned = Some(arn);
                record
            }
            Reading::NotYet => {
                if self.began.elapsed() > RECORD_PATIENCE {
                    self.without_records("it is not listed", events);
                }
                None
            }
            Reading::Denied => {
                self.without_records("reading service deployments is denied", events);
                None
            }
            Reading::NotNeeded => None,
        };
        self.note_sight(service.as_ref());
        Ok(Snapshot { service, record, absent: self.last_seen.elapsed() })
    }

    fn without_records(&mut self, why: &str, events: &Events) {
        if let Goal::Deployment { records, .. } = &mut self.goal
            && std::mem::replace(records, false)
        {
            events
                .note(format!("no service deployment to follow ({why}): the service's own words have to do"));
        }
    }

    /// A deployment that was in the service's list once and is not any more has ended.
    fn note_sight(&mut self, service: Option<&Service>) {
        let Some(service) = service else { return };
        self.last_seen = Instant::now();
        if let Goal::Deployment { id, seen, .. } = &mut self.goal {
            *seen |= service.deployments.iter().any(|one| one.id == *id);
        }
    }

    async fn record(&self, aws: &Aws, watch: &Watch<'_>) -> Result<Reading> {
        let Goal::Deployment { records: true, created_ms, .. } = self.goal else {
            return Ok(Reading::NotNeeded);
        };
        let arn = match &self.pinned {
            Some(arn) => arn.clone(),
            None => {
                let definition = &watch.registered.arn;
                match find::ours(aws, watch.cluster, watch.service, &self.before, definition, created_ms)
                    .await?
                {
                    Some(Some(arn)) => arn,
                    Some(None) => return Ok(Reading::NotYet),
                    None => return Ok(Reading::Denied),
                }
            }
        };
        match aws.ecs.describe_service_deployments().service_deployment_arns(&arn).send().await {
            Ok(answer) => Ok(Reading::Read(arn, answer.service_deployments().first().map(snapshot::record))),
            Err(error) if fault::denied(&error) => Ok(Reading::Denied),
            Err(error) => Err(fault("ecs:DescribeServiceDeployments", &arn, error)),
        }
    }
}

/// What came of reading the service deployment.
enum Reading {
    Read(String, Option<Record>),
    NotYet,
    Denied,
    NotNeeded,
}

async fn service(aws: &Aws, watch: &Watch<'_>) -> Result<Option<Service>> {
    let answer = aws.ecs.describe_services().cluster(watch.cluster).services(watch.service).send().await;
    let answer = answer.map_err(|error| fault("ecs:DescribeServices", watch.service, error))?;
    Ok(answer.services().first().map(snapshot::service))
}

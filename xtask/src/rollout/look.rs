//! One look at the rollout: the calls, and what has to be remembered between them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::api::Api;
use super::snapshot::{self, Record, Service, Snapshot};
use super::start::Start;
use super::verdict::Goal;
use super::{Watch, find};
use crate::error::Result;
use crate::event::Events;

/// How long our service deployment may be missing from the list before we do without it: longer than reads lag.
const RECORD_PATIENCE: Duration = Duration::from_secs(30);

/// What is remembered between looks.
pub(super) struct Looker {
    pub(super) goal: Goal,
    pinned: Option<String>,
    before: BTreeSet<String>,
    last_seen: Duration,
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
        Self { goal, pinned, before, last_seen: Duration::ZERO }
    }

    /// ARN of our service deployment, once it is found.
    pub(super) fn pinned(&self) -> Option<&str> {
        self.pinned.as_deref()
    }

    /// Whether our service deployment may yet be found.
    pub(super) fn searching(&self) -> bool {
        self.pinned.is_none() && matches!(self.goal, Goal::Deployment { records: true, .. })
    }

    /// Our deployment, in the service's list.
    pub(super) fn own_deployment<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s snapshot::Deployment> {
        let Goal::Deployment { id, .. } = &self.goal else { return None };
        snapshot.service.as_ref()?.deployments.iter().find(|deployment| deployment.id == *id)
    }

    /// Reads service and service deployment at once.
    pub(super) async fn look(&mut self, api: &impl Api, events: &Events) -> Result<Snapshot> {
        let (service, record) = tokio::try_join!(api.service(), self.record(api))?;
        let record = match record {
            Reading::Read(arn, record) => {
                self.pinned = Some(arn);
                record
            }
            Reading::NotYet => {
                if api.now() > RECORD_PATIENCE {
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
        self.note_sight(service.as_ref(), api.now());
        Ok(Snapshot { service, record, absent: api.now().saturating_sub(self.last_seen) })
    }

    fn without_records(&mut self, why: &str, events: &Events) {
        if let Goal::Deployment { records, .. } = &mut self.goal
            && std::mem::replace(records, false)
        {
            events
                .note(format!("no service deployment to follow ({why}): the service's own words have to do"));
        }
    }

    /// A deployment that was in the service's list once and is not any more has ended; and one that was
    /// never seen there in longer than any read lags was there between two looks.
    fn note_sight(&mut self, service: Option<&Service>, now: Duration) {
        let Some(service) = service else { return };
        self.last_seen = now;
        if let Goal::Deployment { id, seen, .. } = &mut self.goal {
            *seen |= service.deployments.iter().any(|one| one.id == *id) || now > RECORD_PATIENCE;
        }
    }

    async fn record(&self, api: &impl Api) -> Result<Reading> {
        let Goal::Deployment { records: true, created_ms, .. } = self.goal else {
            return Ok(Reading::NotNeeded);
        };
        let arn = match &self.pinned {
            Some(arn) => arn.clone(),
            None => match find::ours(api, &self.before, created_ms).await? {
                Some(Some(arn)) => arn,
                Some(None) => return Ok(Reading::NotYet),
                None => return Ok(Reading::Denied),
            },
        };
        Ok(match api.record(&arn).await? {
            Some(record) => Reading::Read(arn, record),
            None => Reading::Denied,
        })
    }
}

/// What came of reading the service deployment.
enum Reading {
    Read(String, Option<Record>),
    NotYet,
    Denied,
    NotNeeded,
}

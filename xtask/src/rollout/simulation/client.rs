//! The watching client in virtual time: the loop of [`crate::rollout::watch`] around the same pure parts.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cloud::Cloud;
use super::frame::Frame;
use super::rng::Rng;
use super::scenario::Scenario;
use crate::rollout::find::{Listed, SLACK_MS, choose};
use crate::rollout::look::RECORD_PATIENCE;
use crate::rollout::pace::Pace;
use crate::rollout::snapshot::{Record, Snapshot};
use crate::rollout::verdict::{Goal, Verdict, judge};

/// A client.
pub(super) struct Client<'a> {
    pub(super) goal: Goal,
    /// ARN of our definition.
    pub(super) definition: String,
    pub(super) before: Option<BTreeSet<String>>,
    pub(super) scenario: &'a Scenario,
    pub(super) rng: Rng,
    pub(super) began: f64,
    pub(super) last_seen: f64,
    pub(super) pinned: Option<String>,
    pub(super) pace: Pace,
    pub(super) last: Option<Snapshot>,
    /// When each call was sent.
    pub(super) calls: Vec<f64>,
}

/// One call's course.
struct Call {
    /// The moment that the answer is from.
    as_of: f64,
    /// When it is there.
    back: f64,
}

impl Client<'_> {
    /// How long the watch has gone on.
    fn elapsed(&self, now: f64) -> Duration {
        Duration::from_secs_f64((now - self.began).max(0.0))
    }

    /// Looks once, which takes time; `each` sees what happens meanwhile. `None`: go on, after a pause.
    pub(super) fn look(
        &mut self,
        cloud: &mut Cloud,
        each: &mut impl FnMut(&mut Cloud, f64),
    ) -> Option<Verdict> {
        let sent = cloud.now;
        let asked = self.call(sent);
        each(cloud, asked.back);
        let service = cloud.seen_at(asked.as_of).service.clone();
        let record = self.record(cloud, sent, each);
        self.note(service.as_ref());
        if service.is_some() {
            self.last_seen = cloud.now;
        }
        let absent = Duration::from_secs_f64(cloud.now - self.last_seen);
        let snapshot = Snapshot { service, record, absent };
        self.tell(&snapshot, cloud.now);
        let verdict = judge(&self.goal, &snapshot);
        let now = self.elapsed(cloud.now);
        let timed_out = cloud.now - self.began >= self.scenario.timeout;
        if verdict == Verdict::Succeeded || timed_out || self.pace.holds(&verdict, now) {
            return Some(verdict);
        }
        let spent = self.calls.iter().rev().take_while(|at| **at >= sent).count();
        let pause = self.pace.pause(now, u32::try_from(spent).unwrap_or(u32::MAX));
        let next = cloud.now + pause.as_secs_f64();
        each(cloud, next);
        cloud.forget_frames();
        None
    }

    /// An answer takes its time, longer if the call has to be retried, and may be from before the call.
    fn call(&mut self, sent: f64) -> Call {
        self.calls.push(sent);
        let retried = self.rng.percent(self.scenario.faults);
        let back = sent + if retried { self.rng.between(0.5, 12.0) } else { self.rng.between(0.01, 0.2) };
        let stale = if self.rng.percent(50) { self.rng.between(0.0, self.scenario.stale) } else { 0.0 };
        Call { as_of: self.rng.between(sent, back) - stale, back }
    }

    fn record(
        &mut self,
        cloud: &mut Cloud,
        sent: f64,
        each: &mut impl FnMut(&mut Cloud, f64),
    ) -> Option<Record> {
        let Goal::Deployment { records: true, created_ms, .. } = self.goal else {
            return None;
        };
        let mut sent = sent;
        if self.pinned.is_none() {
            self.pinned = self.find(cloud, sent, created_ms, each);
            sent = cloud.now;
        }
        if self.pinned.is_none() && self.elapsed(cloud.now) > RECORD_PATIENCE {
            self.do_without_records();
        }
        let arn = self.pinned.clone()?;
        let asked = self.call(sent);
        each(cloud, asked.back);
        let frame = cloud.seen_at(asked.as_of);
        frame.records.iter().find(|(other, _)| *other == arn).map(|(_, record)| record.clone())
    }

    fn do_without_records(&mut self) {
        if let Goal::Deployment { records, .. } = &mut self.goal {
            *records = false;
        }
    }

    fn find(
        &mut self,
        cloud: &mut Cloud,
        sent: f64,
        created_ms: i64,
        each: &mut impl FnMut(&mut Cloud, f64),
    ) -> Option<String> {
        let before = self.before.clone()?;
        let asked = self.call(sent);
        each(cloud, asked.back);
        let mut fresh = listed(&cloud.seen_at(asked.as_of), asked.as_of, self.scenario.rules.listed_after);
        fresh.retain(|one| one.created_ms > created_ms - SLACK_MS && !before.contains(&one.arn));
        let call = self.call(cloud.now);
        each(cloud, call.back);
        let frame = cloud.seen_at(call.as_of);
        let runs = frame.revisions.iter().filter(|(_, definition)| *definition == self.definition);
        let running = runs.map(|(arn, _)| arn.clone()).collect();
        choose(&fresh, &running, created_ms).map(|one| one.arn.clone())
    }

    fn note(&mut self, service: Option<&crate::rollout::snapshot::Service>) {
        if let Goal::Deployment { id, seen, .. } = &mut self.goal {
            *seen |= service.is_some_and(|service| service.deployments.iter().any(|one| one.id == *id));
        }
    }

    fn tell(&mut self, snapshot: &Snapshot, now: f64) {
        let same = |last: &Snapshot| (&last.service, &last.record) == (&snapshot.service, &snapshot.record);
        if !self.last.as_ref().is_some_and(same) {
            self.last = Some(snapshot.clone());
            self.pace.moved(self.elapsed(now));
        }
    }
}

/// What `ListServiceDeployments` answers.
fn listed(frame: &Frame, at: f64, after: f64) -> Vec<Listed> {
    let there = |one: &&Listed| super::frame::millis(at - after) >= one.created_ms;
    frame.listed.iter().filter(there).cloned().collect()
}

/// What the client knows before its call: ARNs of those that are there.
pub(super) fn known(frame: &Frame, at: f64, after: f64) -> BTreeSet<String> {
    listed(frame, at, after).into_iter().map(|one| one.arn).collect()
}

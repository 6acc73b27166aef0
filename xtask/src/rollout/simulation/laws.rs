//! What must hold, whatever happens.

use std::collections::HashMap;

use aws_sdk_ecs::types::TaskStopCode;
use local_aws::state::ecs::Ecs;
use local_aws::state::ecs::deployment::{Rollout, Status, count};
use local_aws::state::ecs::service::Service;

use super::cloud::{CLUSTER, Cloud, SERVICE};
use super::scenario::{Behaviour, Kind, Scenario};
use super::template::DEFINITIONS;
use crate::rollout::verdict::Verdict;

/// What is so, as only the control plane knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// IDs of our deployment and service deployment, unless the change is in place.
    pub(super) ours: Option<(String, String)>,
    /// The desired count that we asked for.
    pub(super) desired: u64,
    /// The last moment at which ours was what serves, or the counts were as asked.
    pub(super) served: Option<f64>,
    /// The same, by the service's own words.
    pub(super) completed: Option<f64>,
    /// What was last said of our service deployment: a service that is deleted takes it along.
    pub(super) status: Option<Status>,
    /// Ours failed once.
    pub(super) failed: bool,
    /// Since when nothing can change the verdict any more.
    pub(super) decided: Option<f64>,
    /// Others deployed after us.
    pub(super) superseded: bool,
    /// Others asked to stop a service deployment.
    pub(super) stopped: bool,
    /// Others deleted the service.
    pub(super) deleted: bool,
    /// Others did anything at all.
    pub(super) disturbed: bool,
    /// The lowest desired count since our call.
    pub(super) fewest: Option<u64>,
    /// The client stopped ours.
    pub(super) called: bool,
    /// Whether the client waits for that moment.
    pub(super) serving: bool,
    /// The last moment at which all tasks of ours ran, and no others.
    pub(super) alone: Option<f64>,
    /// Though no crash loop was there.
    pub(super) wrongly: Option<String>,
}

impl Truth {
    /// Takes note of the state, which is so until `now`.
    pub(super) fn watch(&mut self, ecs: &Ecs, now: f64) {
        let Some(service) = ecs.service(CLUSTER, SERVICE) else { return };
        self.fewest = self.fewest.min(Some(service.desired)).or(Some(service.desired));
        let Some((deployment, record)) = &self.ours else {
            let counts = count(ecs.tasks_of(CLUSTER, SERVICE));
            if service.desired == self.desired && counts.running == service.desired {
                self.served = Some(now);
                self.decided.get_or_insert(now);
            }
            return;
        };
        let entry = service.deployments.iter().find(|one| one.id == *deployment);
        let status = service.history.iter().find(|one| one.id == *record).map(|one| one.status);
        self.status = status.or(self.status);
        let primary = service.deployments.first().is_some_and(|one| one.id == *deployment);
        if self.serving && primary && alone(ecs, service, deployment) {
            self.alone = Some(now);
        }
        self.failed |= entry.is_some_and(|one| one.rollout == Rollout::Failed);
        self.failed |= status == Some(Status::RollbackFailed);
        if primary && status == Some(Status::Successful) {
            self.served = Some(now);
        }
        if primary && entry.is_some_and(|one| one.rollout == Rollout::Completed) {
            self.completed = Some(now);
        }
        if status.is_some_and(|status| !status.is_open()) || !service.is_active() {
            self.decided.get_or_insert(now);
        }
    }
}

fn alone(ecs: &Ecs, service: &Service, deployment: &str) -> bool {
    let all = count(ecs.tasks_of(CLUSTER, SERVICE)).running;
    let ours = count(ecs.deployment_tasks(service, deployment)).running;
    (ours, all) == (service.desired, service.desired)
}

impl Truth {
    /// The client has stopped its rollout. That is right if tasks of its own deployment died alike as often as
    /// the rule says, each of its own doing: the same container, and exit code or reason.
    pub(super) fn called_early(&mut self, scenario: &Scenario, cloud: &Cloud) {
        self.called = true;
        if !self.loops(scenario, cloud) {
            self.wrongly = Some("stopped, though no tasks died alike often enough".to_owned());
        }
    }

    /// Whether tasks of ours died alike as often as the crash-loop rule says.
    fn loops(&self, scenario: &Scenario, cloud: &Cloud) -> bool {
        let Some(((ours, _), limit)) = self.ours.as_ref().zip(scenario.crash_limit) else { return false };
        let mut alike: HashMap<String, u64> = HashMap::new();
        for (.., task) in cloud.ended.iter().filter(|(.., task)| task.started_by == *ours) {
            let how = match &task.code {
                Some(TaskStopCode::EssentialContainerExited) => {
                    let parts = task.containers.iter().map(|part| (&part.name, part.exit_code));
                    format!("{:?}", parts.collect::<Vec<_>>())
                }
                Some(TaskStopCode::TaskFailedToStart) => task.reason.clone(),
                _ => continue,
            };
            *alike.entry(how).or_default() += 1;
        }
        let most = alike.values().max().copied().unwrap_or_default();
        most >= 3 && most >= u64::from(limit) && most >= self.fewest.unwrap_or_default().div_ceil(2)
    }
}

/// The end of a rollout: what the client says, and when.
pub(super) struct End {
    pub(super) verdict: Verdict,
    /// The client says that ours alone serves, and watches no longer.
    pub(super) serves: bool,
    /// When the last look began.
    pub(super) looked: f64,
    /// When each call was sent, and when things had moved last by then.
    pub(super) calls: Vec<(f64, f64)>,
}

/// Checks everything that must hold.
pub(super) fn check(scenario: &Scenario, truth: &Truth, cloud: &mut Cloud, end: &End) -> Result<(), String> {
    if let Some(broken) = &cloud.broken {
        return Err(broken.clone());
    }
    if let Some(wrongly) = &truth.wrongly {
        return Err(wrongly.clone());
    }
    rate(&end.calls)?;
    verdict(scenario, truth, cloud, end)?;
    old_serves(scenario, truth, cloud, &end.verdict)
}

fn must(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn verdict(scenario: &Scenario, truth: &Truth, cloud: &Cloud, end: &End) -> Result<(), String> {
    if end.serves {
        let alone = truth.alone.is_some_and(|at| at >= end.looked - scenario.stale);
        return must(alone, "serving, but not alone");
    }
    let status = truth.status;
    match &end.verdict {
        Verdict::Succeeded => {
            let by_word = truth.completed.filter(|_| !scenario.records || scenario.rules.listed_after > 20.0);
            let served = truth.served.into_iter().chain(by_word).any(|at| at >= end.looked - scenario.stale);
            must(served, "false success")?;
            must(
                truth.disturbed || truth.served == Some(cloud.now) || by_word == Some(cloud.now),
                "a success that is over, though nobody interfered",
            )
        }
        Verdict::RolledBack(_) | Verdict::Vanished => must(
            truth.superseded
                || matches!(status, Some(Status::RollbackSuccessful | Status::RollbackInProgress)),
            "rolled back, but it was not",
        ),
        Verdict::Failed(_) | Verdict::Stalled(_) | Verdict::Doubtful(_) => {
            let loops = truth.loops(scenario, cloud);
            must(truth.failed || truth.stopped || truth.superseded || loops, "failed, but it did not fail")?;
            // Tasks that die alike are a failure by the rule, even where enough others have come up by luck.
            let serves = truth.served.is_some_and(|at| at >= end.looked && !truth.disturbed);
            must(loops || !serves, "failed, but it serves")?;
            // What comes while the last look is under way, no look shows.
            let rolled_back =
                status == Some(Status::RollbackSuccessful) && truth.decided.is_none_or(|at| at < end.looked);
            must(!rolled_back, "failed, but it was rolled back")
        }
        // With neither records nor reasons, a rollback to what an old read did not show looks like that.
        Verdict::Superseded(_) => must(
            truth.superseded || truth.stopped || in_the_dark(scenario),
            "superseded, but nobody interfered",
        ),
        Verdict::Rescaled(_) => must(truth.disturbed, "rescaled, but nobody interfered"),
        Verdict::Gone => must(truth.deleted, "gone, but nobody deleted it"),
        Verdict::Continue => {
            let patience = 30.0
                + 2.0 * scenario.stale
                + scenario.rules.listed_after.min(30.0)
                + if scenario.faults > 0 { 30.0 } else { 0.0 };
            must(
                truth.decided.is_none_or(|at| end.looked - at < patience)
                    || in_the_dark(scenario)
                    // A rollback of somebody else's deployment that cannot move is none of ours.
                    || (blind(scenario) && truth.superseded),
                "timed out, though it was decided long before",
            )
        }
    }
}

/// Whether service deployments cannot be read, or so late that the client does without.
fn blind(scenario: &Scenario) -> bool {
    !scenario.records || scenario.rules.listed_after > 20.0
}

/// Whether service deployments cannot be read, and what is left, AWS's words and what was there before the
/// call, is missing or old.
fn in_the_dark(scenario: &Scenario) -> bool {
    // Who follows an earlier run's rollout does not know what ran before it.
    blind(scenario) && (!scenario.rules.reasons || scenario.stale > 0.0 || scenario.kind == Kind::Follow)
}

/// How many calls may go out together: a look and the guard's.
const AT_ONCE: f64 = 4.0;
/// How long after a change things count as moving.
const MOVING: f64 = 10.0;

/// Four calls a second; one a second once nothing has moved for ten seconds.
fn rate(calls: &[(f64, f64)]) -> Result<(), String> {
    let (mut all, mut idle) = (AT_ONCE, AT_ONCE + 4.0);
    let Some(&(mut last, _)) = calls.first() else { return Ok(()) };
    for (at, moved) in calls {
        let passed = at - last;
        let busy = (moved + MOVING - last).clamp(0.0, passed);
        all = (all + passed * 4.0).min(AT_ONCE) - 1.0;
        // A pause that begins while things move may end when they do not any more.
        idle = (idle + busy * 4.0 + passed - busy).min(AT_ONCE + 4.0) - 1.0;
        last = *at;
        must(all > -0.01, "more than four calls a second")?;
        must(idle > -0.01, "more than one call a second while nothing moves")?;
    }
    Ok(())
}

/// After a failed update, the old revision serves: enough of it at once, all of it after a rollback.
fn old_serves(
    scenario: &Scenario,
    truth: &Truth,
    cloud: &mut Cloud,
    verdict: &Verdict,
) -> Result<(), String> {
    if truth.disturbed || !matches!(scenario.kind, Kind::Update | Kind::Force | Kind::Follow) {
        return Ok(());
    }
    let dies_late = matches!(
        scenario.ours.behaviour,
        Behaviour::CrashesLater | Behaviour::CrashesLate | Behaviour::OutOfMemory | Behaviour::Sick
    );
    let minimum = (scenario.desired * scenario.percents.0).div_ceil(100);
    if !matches!(verdict, Verdict::Succeeded) && !dies_late {
        must(cloud.healthy(None) >= minimum, "fewer healthy tasks than the minimum after a failure")?;
    }
    if !matches!(verdict, Verdict::RolledBack(_) | Verdict::Vanished) {
        return Ok(());
    }
    let end = cloud.now + 40.0;
    cloud.advance(end, |_, _| {});
    let steady = cloud.service().is_some_and(|service| {
        service.deployments.len() == 1
            && service.deployments.iter().all(|one| one.rollout == Rollout::Completed)
    });
    let all = cloud.healthy(Some(DEFINITIONS[0])) == scenario.desired;
    must(steady && all, "rolled back, but the old revision does not serve")
}

//! How a service moves towards what is desired: the rolling update.
//!
//! [`plan`] decides on numbers alone which tasks are started and stopped;
//! [`reconcile`] counts failures, applies the plan, and tells when a deployment
//! is completed, has failed, or is rolled back.

use super::breaker::DeploymentConfiguration;
use super::deployment::{Rollback, Rollout, Status};
use super::launch::is_fargate;
use super::service::{Lifecycle, Service};
use super::stop::{Stop, StopCode};
use super::task::{HealthStatus, Last};
use super::{Ecs, Timing, event};

/// A task, as the plan sees it: one that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// ID.
    pub id: String,
    /// Whether it belongs to the primary deployment.
    pub primary: bool,
    /// Counts towards the minimum.
    pub healthy: bool,
    /// Its health check failed.
    pub unhealthy: bool,
}

/// A service, as the plan sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Desired count.
    pub desired: u64,
    /// Fewest healthy tasks.
    pub minimum: u64,
    /// Most tasks.
    pub maximum: u64,
    /// The primary deployment is not completed.
    pub in_progress: bool,
    /// Tasks may be started: not throttled, not failed.
    pub may_start: bool,
    /// Every wanted task, oldest first.
    pub tasks: Vec<TaskView>,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// How many tasks of the primary deployment to start.
    pub start: u64,
    /// Tasks that are not needed any more.
    pub stop: Vec<String>,
    /// Tasks that failed their health check.
    pub replace: Vec<String>,
}

/// Never fewer healthy tasks than the minimum by its own doing, never more tasks than the maximum
/// (documented: `DeploymentConfiguration`).
pub fn plan(view: &View) -> Plan {
    let of = |primary: bool| view.tasks.iter().filter(move |t| t.primary == primary);
    let total = |n: usize| n as u64;
    let unhealthy = total(of(true).filter(|t| t.unhealthy).count());
    let good = total(of(true).count()) - unhealthy;
    let healthy_primary = total(of(true).filter(|t| t.healthy).count());
    let mut alive = total(view.tasks.len());
    let mut healthy = total(view.tasks.iter().filter(|t| t.healthy).count());
    let mut plan = Plan::default();

    // Too many of the primary: those that serve nobody yet go first, then the newest (assumed).
    let mut excess: Vec<&TaskView> = of(true).filter(|t| !t.unhealthy).collect();
    excess.reverse();
    excess.sort_by_key(|t| t.healthy);
    for task in excess
        .into_iter()
        .take(usize::try_from(good.saturating_sub(view.desired)).unwrap_or(0))
    {
        plan.stop.push(task.id.clone());
        alive -= 1;
        healthy -= u64::from(task.healthy);
    }

    // Unhealthy ones: at once while a deployment is in progress, which is what its circuit breaker
    // counts; later a replacement comes first, if the maximum has room for it (documented: "How
    // Amazon ECS replaces unhealthy tasks"; the first half is assumed).
    let full = alive >= view.maximum;
    if view.in_progress || full || healthy_primary >= view.desired {
        for task in of(true).filter(|t| t.unhealthy) {
            plan.replace.push(task.id.clone());
            alive -= 1;
        }
    }

    let need = if view.may_start {
        view.desired.saturating_sub(good)
    } else {
        0
    };

    // The old ones: first what is not healthy, then as far as replacements are healthy, or as far as
    // the minimum allows where there is no room to start (documented: `minimumHealthyPercent`; that
    // room is needed before an old task is given up is assumed).
    let mut old: Vec<&TaskView> = of(false).collect();
    old.sort_by_key(|t| t.healthy);
    for task in old {
        let replaced = healthy > view.desired;
        let in_the_way = alive + need > view.maximum && healthy > view.minimum;
        if !task.healthy || replaced || in_the_way {
            plan.stop.push(task.id.clone());
            alive -= 1;
            healthy -= u64::from(task.healthy);
        }
    }

    plan.start = need.min(view.maximum.saturating_sub(alive));
    plan
}

/// One round for one service.
pub(super) fn reconcile(ecs: &mut Ecs, key: &str, now: f64) {
    let Some(mut service) = ecs.services.get(key).filter(|s| !s.is_inactive()).cloned() else {
        return;
    };
    let before = service.clone();
    begin(&mut service, now);
    account(ecs, &mut service, now);
    if service.is_active() {
        judge(ecs, &mut service, now);
    }
    let plan = plan(&view(ecs, &service, now));
    carry_out(ecs, &mut service, &plan, now);
    conclude(ecs, &mut service, now);
    if service != before {
        ecs.touch();
        ecs.services.insert(key.to_owned(), service);
    }
}

/// A pending service deployment begins with the first round; a requested rollback too.
fn begin(service: &mut Service, now: f64) {
    let Some(last) = service.history.last_mut() else {
        return;
    };
    if last.status == Status::Pending {
        last.set(Status::InProgress, now);
    }
}

/// Counts what failed since the last round, and what became healthy.
fn account(ecs: &mut Ecs, service: &mut Service, now: f64) {
    let config = DeploymentConfiguration::of(&service.settings).deployment_circuit_breaker;
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    let timing = ecs.timing.clone();
    let mut impaired = false;
    let tasks = ecs.tasks.values_mut().filter(|t| {
        t.cluster == service.cluster && t.service.as_deref() == Some(&service.name) && !t.counted
    });
    for task in tasks {
        let ours = task.started_by.as_deref() == Some(&primary.id);
        if let Some(stop) = &task.stop {
            task.counted = true;
            let failed = is_failure(stop, task.started_at.is_some());
            primary.failed += u64::from(ours && failed);
            if ours && (failed || stop.code == StopCode::EssentialContainerExited) {
                service.failures += 1;
                service.retry_at = Some(now + wait(&timing, service.failures));
                impaired |= service.failures == 3;
            }
        } else if ours && task.is_healthy() && !task.was_healthy {
            task.was_healthy = true;
            if config.reset_on_healthy_task {
                primary.failed = 0;
            }
        } else if ours
            && task.last == Last::Running
            && task.started_at.is_some_and(|at| now - at > timing.throttle_max)
        {
            service.failures = 0;
        }
    }
    if let Some(last) = service
        .history
        .last_mut()
        .filter(|d| d.status == Status::InProgress)
    {
        last.failures = primary.failed;
        last.threshold = config.threshold(service.desired);
    }
    if impaired {
        service.tell(&mut ecs.ids, event::impaired(&service.name), now);
    }
}

/// What the circuit breaker counts: tasks that never reach RUNNING, and failed health checks. A task
/// that ran and then crashed is not (documented: "How the Amazon ECS deployment circuit breaker
/// detects failures"; observed: a crash loop is not seen).
fn is_failure(stop: &Stop, ran: bool) -> bool {
    match stop.code {
        StopCode::TaskFailedToStart => true,
        StopCode::EssentialContainerExited => !ran,
        StopCode::ServiceSchedulerInitiated => *stop == Stop::unhealthy(),
        StopCode::UserInitiated => false,
    }
}

/// Doubles with each failure up to a limit (documented: "Service throttle logic"; scaled down).
fn wait(timing: &Timing, failures: u32) -> f64 {
    let doubled = timing.throttle * 2f64.powi(i32::try_from(failures.min(30)).unwrap_or(30) - 1);
    doubled.min(timing.throttle_max)
}

/// Fails or rolls back a deployment.
fn judge(ecs: &mut Ecs, service: &mut Service, now: f64) {
    let breaker = DeploymentConfiguration::of(&service.settings).deployment_circuit_breaker;
    let Some(last) = service.history.last() else {
        return;
    };
    let Some(primary) = service.deployments.first() else {
        return;
    };
    let ours = primary.id == last.deployment && primary.rollout == Rollout::InProgress;
    match last.status {
        Status::InProgress if ours && breaker.enable && last.failures >= last.threshold => {
            fail(ecs, service, &Cause::BREAKER, breaker.rollback, now);
        }
        Status::RollbackRequested => fail(ecs, service, &Cause::REQUEST, true, now),
        _ => {}
    }
}

/// Who ends a deployment, in AWS's words.
struct Cause {
    state: &'static str,
    event: &'static str,
    rollback: &'static str,
    rolling_back: &'static str,
}

impl Cause {
    /// Observed: `rolloutStateReason` and events in public threads; `rollback.reason` is assumed.
    const BREAKER: Self = Self {
        state: "ECS deployment circuit breaker: tasks failed to start.",
        event: "tasks failed to start",
        rollback: "Service deployment rolled back because the circuit breaker threshold was exceeded.",
        rolling_back: "ECS deployment circuit breaker: rolling back to deploymentId {}.",
    };
    /// Assumed.
    const REQUEST: Self = Self {
        state: "ECS deployment stopped: rollback requested.",
        event: "rollback requested",
        rollback: "Service deployment rolled back because a stop was requested.",
        rolling_back: "ECS deployment stop requested: rolling back to deploymentId {}.",
    };
}

fn fail(ecs: &mut Ecs, service: &mut Service, cause: &Cause, rollback: bool, now: f64) {
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    let (failed, failed_revision) = (primary.id.clone(), primary.revision.clone());
    primary.rollout = Rollout::Failed;
    primary.reason = cause.state.into();
    primary.updated_at = now;
    service.tell(
        &mut ecs.ids,
        event::failed(&service.name, &failed, cause.event),
        now,
    );
    // The last one that completed (documented); a redeployment of the same revision goes back to it too.
    let target = service.last_completed.clone().filter(|_| rollback);
    let Some(target) = target.filter(|t| *t != failed_revision || service.deployments.len() > 1) else {
        stall(service, cause, rollback, now);
        return;
    };
    let id = back_to(ecs, service, &target, cause, now);
    service.tell(&mut ecs.ids, event::rolling_back(&service.name, &id), now);
    if let Some(last) = service.history.last_mut() {
        last.set(Status::RollbackInProgress, now);
        last.reason = Some(cause.rollback.into());
        last.rollback = Some(Rollback {
            reason: cause.rollback.into(),
            started_at: now,
            revision: target,
        });
    }
    service.failures = 0;
    service.retry_at = None;
}

/// Nothing to go back to: no task is started any more (documented: the deployment is stalled; the
/// statuses are assumed).
fn stall(service: &mut Service, cause: &Cause, rollback: bool, now: f64) {
    if let Some(last) = service.history.last_mut() {
        last.set(
            if rollback {
                Status::RollbackFailed
            } else {
                Status::Stopped
            },
            now,
        );
        last.stopped_at = Some(now);
        last.reason = Some(cause.state.into());
    }
}

/// The deployment of that revision that is still there becomes primary again, with the tasks it has
/// (assumed); if it is gone, a new one is made.
fn back_to(ecs: &mut Ecs, service: &mut Service, target: &str, cause: &Cause, now: f64) -> String {
    let there = service
        .deployments
        .iter()
        .skip(1)
        .position(|d| d.revision == target && d.rollout != Rollout::Failed);
    match there {
        Some(index) => {
            let mut deployment = service.deployments.remove(index + 1);
            deployment.rollout = Rollout::InProgress;
            deployment.reason = cause.rolling_back.replace("{}", &deployment.id);
            deployment.updated_at = now;
            let id = deployment.id.clone();
            service.deployments.insert(0, deployment);
            id
        }
        None => service.start(&mut ecs.ids, target, cause.rolling_back, now),
    }
}

fn view(ecs: &Ecs, service: &Service, now: f64) -> View {
    let config = DeploymentConfiguration::of(&service.settings);
    let primary = service.deployments.first();
    let mut tasks: Vec<_> = ecs
        .tasks_of(&service.cluster, &service.name)
        .filter(|t| t.wanted())
        .collect();
    tasks.sort_by(|a, b| a.created_at.total_cmp(&b.created_at));
    View {
        desired: service.desired,
        minimum: config.minimum(service.desired),
        maximum: config.maximum(service.desired),
        in_progress: primary.is_some_and(|d| d.rollout == Rollout::InProgress),
        may_start: service.is_active()
            && on_fargate(service)
            && primary.is_some_and(|d| d.rollout != Rollout::Failed)
            && service.retry_at.is_none_or(|at| at <= now),
        tasks: tasks
            .into_iter()
            .map(|t| TaskView {
                id: t.id.clone(),
                primary: t.started_by == primary.map(|d| d.id.clone()),
                healthy: t.is_healthy(),
                unhealthy: t.health() == HealthStatus::Unhealthy,
            })
            .collect(),
    }
}

/// Tasks of the EC2 launch type have no instance to run on here.
fn on_fargate(service: &Service) -> bool {
    service.current_revision().is_some_and(|r| is_fargate(&r.config))
}

fn carry_out(ecs: &mut Ecs, service: &mut Service, plan: &Plan, now: f64) {
    let id = service
        .deployments
        .first()
        .map(|d| d.id.clone())
        .unwrap_or_default();
    for task in &plan.replace {
        service.tell(&mut ecs.ids, event::unhealthy(&service.name, task), now);
        ecs.stop(task, Stop::unhealthy(), now);
    }
    for task in &plan.stop {
        ecs.stop(task, Stop::scaling(&id), now);
    }
    let stopped = [plan.replace.clone(), plan.stop.clone()].concat();
    if !stopped.is_empty() {
        service.tell(&mut ecs.ids, event::stopped(&service.name, &stopped), now);
    }
    let started: Vec<String> = (0..plan.start).filter_map(|_| ecs.launch(service, now)).collect();
    if !started.is_empty() {
        service.tell(&mut ecs.ids, event::started(&service.name, &started), now);
    }
    if !stopped.is_empty() || !started.is_empty() {
        service.steady = false;
        if let Some(primary) = service.deployments.first_mut() {
            primary.updated_at = now;
        }
    }
}

/// Steady: all that is desired is healthy, and nothing else is left. Old tasks count until they are
/// stopped (observed: `services-stable` waits out their drain).
fn is_steady(ecs: &Ecs, service: &Service) -> bool {
    let Some(primary) = service.deployments.first() else {
        return false;
    };
    let tasks = || {
        ecs.tasks_of(&service.cluster, &service.name)
            .filter(|t| t.last != Last::Stopped)
    };
    let ours = tasks()
        .filter(|t| t.started_by.as_deref() == Some(&primary.id))
        .count();
    let healthy = tasks().filter(|t| t.is_healthy()).count();
    tasks().count() == ours && ours == healthy && healthy as u64 == service.desired
}

fn conclude(ecs: &mut Ecs, service: &mut Service, now: f64) {
    if service.lifecycle == Lifecycle::Draining {
        return conclude_deletion(ecs, service, now);
    }
    let stalled = service
        .deployments
        .first()
        .is_some_and(|d| d.rollout == Rollout::Failed);
    if service.steady || stalled || !is_steady(ecs, service) {
        return;
    }
    service.steady = true;
    service.failures = 0;
    let name = service.name.clone();
    service.deployments.truncate(1);
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    if primary.rollout == Rollout::InProgress {
        primary.rollout = Rollout::Completed;
        primary.reason = format!("ECS deployment {} completed.", primary.id);
        primary.updated_at = now;
        let (id, revision) = (primary.id.clone(), primary.revision.clone());
        service.last_completed = Some(revision);
        succeed(service, now);
        service.tell(&mut ecs.ids, event::completed(&name, &id), now);
    }
    service.tell(&mut ecs.ids, event::steady(&name), now);
    forget_history(service);
    forget_revisions(service);
}

fn succeed(service: &mut Service, now: f64) {
    let Some(last) = service.history.last_mut() else {
        return;
    };
    match last.status {
        Status::InProgress => last.set(Status::Successful, now),
        Status::RollbackInProgress => last.set(Status::RollbackSuccessful, now),
        _ => {}
    }
}

fn conclude_deletion(ecs: &mut Ecs, service: &mut Service, now: f64) {
    if ecs
        .tasks_of(&service.cluster, &service.name)
        .all(|t| t.last == Last::Stopped)
    {
        service.lifecycle = Lifecycle::Inactive;
        service.deleted_at = Some(now);
        service.deployments.clear();
        for open in service.history.iter_mut().filter(|d| d.status.is_open()) {
            open.set(Status::Stopped, now);
        }
    }
}

/// Service deployments are kept for 90 days on AWS (documented: `ListServiceDeployments`); here the last 50.
fn forget_history(service: &mut Service) {
    let over = service.history.len().saturating_sub(50);
    service.history.drain(..over);
}

fn forget_revisions(service: &mut Service) {
    let named = |id: &String| {
        service.deployments.iter().any(|d| d.revision == *id)
            || service.last_completed.as_ref() == Some(id)
            || service.history.iter().any(|d| {
                d.target == *id
                    || d.sources.contains(id)
                    || d.rollback.as_ref().is_some_and(|r| r.revision == *id)
            })
    };
    let keep: Vec<bool> = service.revisions.iter().map(|r| named(&r.id)).collect();
    let mut keep = keep.into_iter();
    service.revisions.retain(|_| keep.next().unwrap_or(true));
}

//! How a service moves towards what is desired: the rolling update.
//!
//! One round counts what failed ([`super::failure`]), carries out the plan
//! ([`super::plan`]), and tells when the service is steady.

use super::balance::{balance, grace};
use super::breaker::DeploymentConfiguration;
use super::deployment::{Deployment, Rollout, ServiceDeployment, Status};
use super::failure::{is_failure, judge, wait};
use super::launch::is_fargate;
use super::plan::{Plan, TaskView, View, plan};
use super::rules::{Completion, Leaves};
use super::service::{Lifecycle, Service};
use super::stop::{Stop, StopCode};
use super::task::Last;
use super::{Ecs, bake, event};

/// One round for one service.
pub(super) fn reconcile(ecs: &mut Ecs, key: &str, now: f64) {
    let Some(mut service) = ecs.services.get(key).filter(|s| !s.is_inactive()).cloned() else {
        return;
    };
    begin(&mut service, ecs.rules.stop_takes, now);
    balance(ecs, &mut service, now);
    account(ecs, &mut service, now);
    if service.is_active() {
        judge(ecs, &mut service, now);
    }
    let plan = plan(&view(ecs, &service, now));
    carry_out(ecs, &mut service, &plan, now);
    // What was just told to stop is to get no traffic any more.
    balance(ecs, &mut service, now);
    conclude(ecs, &mut service, now);
    if ecs.services.get(key) != Some(&service) {
        ecs.touch();
        ecs.services.insert(key.to_owned(), service);
    }
}

/// A pending service deployment begins with the first round; a superseded one ends.
fn begin(service: &mut Service, stop_takes: f64, now: f64) {
    if let Some(last) = service.history.last_mut().filter(|d| d.status == Status::Pending) {
        last.set(Status::InProgress, now);
    }
    let ended = |d: &&mut ServiceDeployment| {
        d.status == Status::StopRequested && now - d.stopped_at.unwrap_or(now) >= stop_takes
    };
    service.history.iter_mut().filter(ended).for_each(|d| d.set(Status::Stopped, now));
}

/// Counts what failed since the last round, and what became healthy.
fn account(ecs: &mut Ecs, service: &mut Service, now: f64) {
    let config = DeploymentConfiguration::of(&service.settings).deployment_circuit_breaker;
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    let timing = ecs.timing.clone();
    let mut impaired = false;
    let mut not_placed = Vec::new();
    let tasks = ecs.tasks.values_mut().filter(|t| {
        t.cluster == service.cluster && t.service.as_deref() == Some(&service.name) && !t.counted
    });
    for task in tasks {
        let ours = task.started_by.as_deref() == Some(&primary.id);
        if let Some(stop) = &task.stop {
            task.counted = true;
            if stop.code == StopCode::TaskFailedToStart {
                not_placed.push(stop.reason.clone());
            }
            let ran = task.started_at.is_some();
            let failed = is_failure(stop, ran);
            primary.failed += u64::from(ours && failed);
            if ours && (failed && !ran || stop.code == StopCode::EssentialContainerExited) {
                service.failures += 1;
                service.retry_at = Some(now + wait(&timing, service.failures));
            }
            if ours && failed && !ran {
                service.unstarted += 1;
                impaired |= service.unstarted == 3;
            }
        } else if ours && task.is_healthy() && !task.was_healthy {
            task.was_healthy = true;
            service.unstarted = 0;
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
    if let Some(last) = service.history.last_mut().filter(|d| d.status == Status::InProgress) {
        last.failures = primary.failed;
        last.threshold = config.threshold(service.desired);
    }
    for reason in not_placed {
        let message = event::not_placed(&service.name, &reason);
        if !told(service, &message) {
            service.tell(&mut ecs.ids, message, now);
        }
    }
    if impaired {
        service.tell(&mut ecs.ids, event::impaired(&service.name), now);
    }
}

/// Whether the primary deployment has such an event already: duplicates are left out until the cause is resolved
/// (documented: "Service event messages"; that a new deployment is such a resolution is assumed).
fn told(service: &Service, message: &str) -> bool {
    let since = service.deployments.first().map_or(0.0, |d| d.created_at);
    service.events.iter().any(|e| e.created_at >= since && e.message == message)
}

fn view(ecs: &Ecs, service: &Service, now: f64) -> View {
    let config = DeploymentConfiguration::of(&service.settings);
    let primary = service.deployments.first();
    let mut tasks: Vec<_> = ecs.tasks_of(&service.cluster, &service.name).filter(|t| t.wanted()).collect();
    tasks.sort_by(|a, b| a.created_at.total_cmp(&b.created_at));
    View {
        desired: service.desired,
        minimum: config.minimum(service.desired),
        maximum: config.maximum(service.desired),
        in_progress: primary.is_some_and(|d| d.rollout == Rollout::InProgress),
        may_start: service.is_active()
            && is_placed(service)
            && primary.is_some_and(|d| d.rollout != Rollout::Failed)
            && service.retry_at.is_none_or(|at| at <= now),
        tasks: tasks
            .into_iter()
            .map(|t| TaskView {
                id: t.id.clone(),
                primary: t.started_by == primary.map(|d| d.id.clone()),
                healthy: t.is_healthy(),
                unhealthy: t.failed_check(grace(service), now).is_some(),
            })
            .collect(),
    }
}

/// Tasks of a service that is neither on Fargate nor hosted have no instance to run on here.
fn is_placed(service: &Service) -> bool {
    service.hosted || service.current_revision().is_some_and(|r| is_fargate(&r.config))
}

fn carry_out(ecs: &mut Ecs, service: &mut Service, plan: &Plan, now: f64) {
    let id = service.deployments.first().map(|d| d.id.clone()).unwrap_or_default();
    for task in &plan.replace {
        let Some(failed) = ecs.tasks.get(task).and_then(|t| t.failed_check(grace(service), now)) else {
            continue;
        };
        service.tell(&mut ecs.ids, failed.event(&service.name, task), now);
        ecs.stop(task, failed.stop(), now);
    }
    for task in &plan.stop {
        ecs.stop(task, Stop::scaling(&id), now);
    }
    let stopped = plan.replace.iter().chain(&plan.stop).cloned();
    let (ran, pending): (Vec<_>, Vec<_>) = stopped.partition(|id| ecs.ran(id));
    if !ran.is_empty() {
        service.tell(&mut ecs.ids, event::stopped(&service.name, &ran), now);
    }
    if !pending.is_empty() {
        service.tell(&mut ecs.ids, event::stopped_pending(&service.name, pending.len()), now);
    }
    let started: Vec<String> = (0..plan.start).filter_map(|_| ecs.launch(service, now)).collect();
    if !started.is_empty() {
        service.tell(&mut ecs.ids, event::started(&service.name, &started, plan.replace.len()), now);
    }
    if !ran.is_empty() || !pending.is_empty() || !started.is_empty() {
        service.steady = false;
        if let Some(primary) = service.deployments.first_mut() {
            primary.updated_at = now;
        }
    }
}

impl Ecs {
    /// Whether a task got as far as RUNNING.
    fn ran(&self, task: &str) -> bool {
        self.tasks.get(task).is_some_and(|t| t.started_at.is_some())
    }
}

/// Steady: all that is desired is healthy, and nothing else is left. Old tasks count until they are
/// stopped (observed: aws-actions/amazon-ecs-deploy-task-definition#30, `services-stable` waits out their drain).
fn is_steady(ecs: &Ecs, service: &Service) -> bool {
    let Some(primary) = service.deployments.first() else {
        return false;
    };
    let tasks = || ecs.tasks_of(&service.cluster, &service.name).filter(|t| t.last != Last::Stopped);
    let ours = tasks().filter(|t| t.started_by.as_deref() == Some(&primary.id)).count();
    let healthy = tasks().filter(|t| t.is_healthy()).count();
    tasks().count() == ours && ours == healthy && healthy as u64 == service.desired
}

fn conclude(ecs: &mut Ecs, service: &mut Service, now: f64) {
    if service.lifecycle == Lifecycle::Draining {
        return conclude_deletion(ecs, service, now);
    }
    catch_up(ecs, service, now);
    leave(ecs, service);
    let stalled = service.deployments.first().is_some_and(|d| d.rollout == Rollout::Failed);
    let baked = bake::is_over(service, now);
    if service.steady && !baked || stalled || !is_steady(ecs, service) {
        return;
    }
    service.steady = true;
    service.failures = 0;
    service.unstarted = 0;
    let name = service.name.clone();
    service.deployments.truncate(1);
    if bake::goes_on(service, &ecs.timing, now) {
        return service.tell(&mut ecs.ids, event::steady(&name), now);
    }
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    if primary.rollout == Rollout::InProgress {
        let id = primary.id.clone();
        let first = ecs.rules.completion;
        if !matches!(first, Completion::RecordFirst(_)) {
            complete(service, now);
        }
        if !matches!(first, Completion::ServiceFirst(_)) {
            succeed(service, now);
        }
        service.tell(&mut ecs.ids, event::completed(&name, &id), now);
    }
    if !baked {
        service.tell(&mut ecs.ids, event::steady(&name), now);
    }
    forget_history(service);
    forget_revisions(service);
}

fn complete(service: &mut Service, now: f64) {
    if let Some(primary) = service.deployments.first_mut() {
        primary.rollout = Rollout::Completed;
        primary.reason = format!("ECS deployment {} completed.", primary.id);
        primary.updated_at = now;
    }
}

fn succeed(service: &mut Service, now: f64) {
    let Some(last) = service.history.last_mut() else {
        return;
    };
    match last.status {
        Status::InProgress => last.set(Status::Successful, now),
        Status::RollbackInProgress => last.set(Status::RollbackSuccessful, now),
        _ => return,
    }
    service.last_completed = service.deployments.first().map(|d| d.revision.clone());
}

/// The one of `rolloutState` and the service deployment that tells of the steady state later.
fn catch_up(ecs: &Ecs, service: &mut Service, now: f64) {
    let (Some(last), Some(primary)) = (service.history.last(), service.deployments.first()) else {
        return;
    };
    match (ecs.rules.completion, primary.rollout) {
        (Completion::ServiceFirst(after), Rollout::Completed) if now - primary.updated_at >= after => {
            succeed(service, now);
        }
        (Completion::RecordFirst(after), Rollout::InProgress)
            if !last.status.is_open() && now - last.updated_at >= after =>
        {
            complete(service, now);
        }
        _ => {}
    }
}

/// Of those without tasks, what was superseded before it was complete leaves the list (documented: `Deployment.status`,
/// an ACTIVE one "still has running tasks"); when the others do is a rule.
fn leave(ecs: &Ecs, service: &mut Service) {
    let Some(primary) = service.deployments.first().map(|d| d.id.clone()) else {
        return;
    };
    let tasks = || ecs.tasks_of(&service.cluster, &service.name).filter(|t| t.last != Last::Stopped);
    let runs: Vec<String> = tasks().filter_map(|t| t.started_by.clone()).collect();
    let all = ecs.rules.leaves == Leaves::WhenDrained;
    let stays = |d: &Deployment| !all && d.rollout != Rollout::InProgress;
    service.deployments.retain(|d| d.id == primary || runs.contains(&d.id) || stays(d));
}

/// When a rule that takes time is due: after `now`.
pub(super) fn due(ecs: &Ecs, service: &Service, now: f64) -> Option<f64> {
    let lag = match ecs.rules.completion {
        Completion::Together => 0.0,
        Completion::ServiceFirst(after) | Completion::RecordFirst(after) => after,
    };
    let waits = [ecs.rules.stop_takes, ecs.rules.rollback_after, lag];
    let grace = grace(service);
    let graces = (grace > 0.0).then(|| ecs.tasks_of(&service.cluster, &service.name));
    let graces =
        graces.into_iter().flatten().filter(|t| t.wanted()).filter_map(|t| Some(t.started_at? + grace));
    let changed = service.history.iter().map(|d| d.updated_at);
    let changed = changed.chain(service.deployments.first().map(|d| d.updated_at));
    let rules = changed.flat_map(|at| waits.map(|wait| at + wait));
    rules.chain(graces).chain(service.baked_at).filter(|at| *at > now).min_by(f64::total_cmp)
}

/// INACTIVE once every task is STOPPING (documented: `DeleteService`); the service deployments go with the service
/// (documented: "View service history using Amazon ECS service deployments"; that it is now is assumed).
fn conclude_deletion(ecs: &mut Ecs, service: &mut Service, now: f64) {
    if ecs.tasks_of(&service.cluster, &service.name).all(|t| t.last >= Last::Stopping) {
        service.lifecycle = Lifecycle::Inactive;
        service.deleted_at = Some(now);
        service.deployments.clear();
        service.history.clear();
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

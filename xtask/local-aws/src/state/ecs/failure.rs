//! Deployments that fail: what counts as a failure, who ends a deployment, and where it goes back to.

use super::breaker::DeploymentConfiguration;
use super::deployment::{Deployment, Rollback, Rollout, Status};
use super::rules::{Entry, Stall, Target};
use super::service::Service;
use super::stop::{Stop, StopCode};
use super::{Ecs, Timing, event};

/// What the circuit breaker counts: tasks that never reach RUNNING, and failed health checks. A task
/// that ran and then crashed is not (documented: "How the Amazon ECS deployment circuit breaker
/// detects failures"; observed: aws/containers-roadmap#1206, a crash loop is not seen). What AWS does with
/// images that can't be pulled is seen to differ: counted late, or never. Here they count.
pub(super) fn is_failure(stop: &Stop, ran: bool) -> bool {
    match stop.code {
        StopCode::TaskFailedToStart => true,
        StopCode::EssentialContainerExited => !ran,
        StopCode::ServiceSchedulerInitiated => stop.is_unhealthy(),
        StopCode::UserInitiated => false,
    }
}

/// Doubles with each task that does not start, up to a limit (documented: "Service throttle logic"; scaled down). One
/// that ran and then crashed waits here too (assumed; on AWS, where it takes half a minute to start one, it does not),
/// but that is not what the event of the throttle tells.
pub(super) fn wait(timing: &Timing, failures: u32) -> f64 {
    let doubled = timing.throttle * 2f64.powi(i32::try_from(failures.min(30)).unwrap_or(30) - 1);
    doubled.min(timing.throttle_max)
}

/// Fails or rolls back a deployment.
pub(super) fn judge(ecs: &mut Ecs, service: &mut Service, now: f64) {
    let breaker = DeploymentConfiguration::of(&service.settings).deployment_circuit_breaker;
    let (Some(last), Some(primary)) = (service.history.last(), service.deployments.first()) else {
        return;
    };
    let ours = primary.id == last.deployment;
    let tripped = breaker.enable && last.failures >= last.threshold;
    let requested = last.status == Status::RollbackRequested;
    let target = target(ecs, service).filter(|_| requested || breaker.rollback);
    let cause = if tripped { &Cause::BREAKER } else { &Cause::REQUEST };
    match (last.status, primary.rollout) {
        (Status::InProgress | Status::RollbackRequested, Rollout::Failed) if ours => {
            if let Some(target) = target.filter(|_| now - last.updated_at >= ecs.rules.rollback_after) {
                roll_back(ecs, service, target, cause, now);
            }
        }
        (Status::InProgress, Rollout::InProgress) if ours && tripped => {
            if ecs.rules.requested_first && target.is_some() {
                request(service, now);
            } else {
                fail(ecs, service, target, cause, now);
            }
        }
        (Status::RollbackRequested, _) => fail(ecs, service, target, cause, now),
        (Status::RollbackInProgress, Rollout::InProgress)
            if ecs.rules.rollback_may_fail && breaker.enable && primary.failed >= last.threshold =>
        {
            fail(ecs, service, None, cause, now);
        }
        _ => {}
    }
}

fn request(service: &mut Service, now: f64) {
    if let Some(last) = service.history.last_mut() {
        last.set(Status::RollbackRequested, now);
    }
}

/// The revision to go back to (documented: the last one that completed).
fn target(ecs: &Ecs, service: &Service) -> Option<String> {
    let failed = &service.deployments.first()?.revision;
    let source = service.history.last().and_then(|d| d.sources.first()).cloned();
    let target = match ecs.rules.target {
        Target::Source => source.or_else(|| service.last_completed.clone()),
        Target::LastCompleted => service.last_completed.clone(),
    };
    // A redeployment of the same revision goes back to it too.
    target.filter(|t| t != failed || service.deployments.len() > 1)
}

/// Who ends a deployment, in AWS's words.
struct Cause {
    state: &'static str,
    event: &'static str,
    rollback: &'static str,
    rolling_back: &'static str,
}

impl Cause {
    /// Observed: aws/containers-roadmap#1488, fabfuel/ecs-deploy's tests, `DescribeServices` output in public;
    /// the reason is what hashicorp/terraform-provider-aws's tests of services expect.
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

/// Ends the primary deployment; it goes back at once, or later ([`super::rules::Rules::rollback_after`]),
/// or stalls.
fn fail(ecs: &mut Ecs, service: &mut Service, target: Option<String>, cause: &Cause, now: f64) {
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    let failed = primary.id.clone();
    primary.rollout = Rollout::Failed;
    primary.reason = cause.state.into();
    primary.updated_at = now;
    service.tell(&mut ecs.ids, event::failed(&service.name, &failed, cause.event), now);
    match target {
        None => stall(ecs, service, cause, now),
        Some(target) if ecs.rules.rollback_after <= 0.0 => roll_back(ecs, service, target, cause, now),
        Some(_) => {
            if let Some(last) = service.history.last_mut() {
                last.updated_at = now;
            }
        }
    }
}

fn roll_back(ecs: &mut Ecs, service: &mut Service, target: String, cause: &Cause, now: f64) {
    let id = back_to(ecs, service, &target, cause, now);
    service.tell(&mut ecs.ids, event::rolling_back(&service.name, &id), now);
    if let Some(last) = service.history.last_mut() {
        last.set(Status::RollbackInProgress, now);
        last.reason = Some(cause.rollback.into());
        last.rollback = Some(Rollback { reason: cause.rollback.into(), started_at: now, revision: target });
    }
    service.start_over();
}

/// Nothing to go back to: no task is started any more (documented: the deployment is stalled). With a
/// rollback to make, it fails (documented: the log entry `SERVICE_DEPLOYMENT_ROLLBACK_FAILED` in the guide has the
/// reason; observed: hashicorp/terraform-provider-aws's tests of services expect it). Without one, it is
/// stopped (documented: `ServiceDeployment.stoppedAt`).
fn stall(ecs: &Ecs, service: &mut Service, cause: &Cause, now: f64) {
    let breaker = DeploymentConfiguration::of(&service.settings).deployment_circuit_breaker;
    let Some(last) = service.history.last_mut() else {
        return;
    };
    let asked = breaker.rollback || last.status != Status::InProgress;
    let status = match ecs.rules.stall {
        // That a rollback failed is told as such in any case.
        _ if last.status == Status::RollbackInProgress => Status::RollbackFailed,
        Stall::AsAsked if asked => Status::RollbackFailed,
        Stall::AsAsked | Stall::Stopped => Status::Stopped,
        Stall::RollbackFailed => Status::RollbackFailed,
        Stall::InProgress => Status::InProgress,
    };
    last.set(status, now);
    // Documented: `ServiceDeployment.stoppedAt`, without a rollback.
    if status == Status::Stopped {
        last.stopped_at = Some(now);
    }
    let reason = match status {
        Status::RollbackFailed => "No rollback candidate was found to run the rollback.",
        _ => cause.state,
    };
    last.reason = Some(reason.into());
}

/// The deployment of that revision that is still there becomes primary again, with the tasks it has; if it
/// is gone, a new one is made. Observed both ways: in aws/copilot-cli#4838 a maintainer sees the `ACTIVE`
/// deployment promoted, the reporter a new one. The ID in the reason is the primary's own (observed).
fn back_to(ecs: &mut Ecs, service: &mut Service, target: &str, cause: &Cause, now: f64) -> String {
    let again = ecs.rules.entry == Entry::OldAgain;
    let there = |d: &Deployment| again && d.revision == target && d.rollout != Rollout::Failed;
    match service.deployments.iter().skip(1).position(there) {
        Some(index) => {
            let mut deployment = service.deployments.remove(index + 1);
            deployment.rollout = Rollout::InProgress;
            deployment.failed = 0;
            deployment.reason = cause.rolling_back.replace("{}", &deployment.id);
            deployment.updated_at = now;
            let id = deployment.id.clone();
            service.deployments.insert(0, deployment);
            id
        }
        None => service.start(&mut ecs.ids, target, cause.rolling_back, now),
    }
}

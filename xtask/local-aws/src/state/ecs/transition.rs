//! How a task moves from PROVISIONING to STOPPED: what each outcome and each
//! observation of the engine makes of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::stop::Stop;
use super::task::{ContainerStatus, HealthStatus, Last, Task};
use super::{Ecs, Timing, dependency};
use crate::engine::{Holder, ImageFacts, Status};

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The namespace is there.
    Held(Holder),
    /// The image is there.
    Pulled(String, ImageFacts),
    /// The container was started; the engine's ID.
    Started(String, String),
    /// The ports accept connections.
    Ready,
    /// No new connection is made to it any more.
    Deregistered,
    /// The task cannot be started: the reason in AWS's words, and the container it is about.
    Failed(Option<String>, String),
    /// The container ended.
    Ended(String),
    /// Everything is removed.
    Removed,
}

impl Ecs {
    /// Applies the outcome of a step to its task.
    pub fn apply(&mut self, task: &str, outcome: Outcome, now: f64) {
        self.change(task, |task| apply(task, outcome, now));
    }

    /// Applies what the engine says of a container (`None`: it is gone; of the holder if `container` is `None`).
    pub fn observe(&mut self, task: &str, container: Option<&str>, status: Option<Status>, now: f64) {
        self.change(task, |task| match container {
            Some(name) => observe(task, name, status, now),
            None => observe_holder(task, status, now),
        });
    }

    /// Asks a task to stop. The first reason stays.
    pub fn stop(&mut self, task: &str, stop: Stop, now: f64) {
        self.change(task, |task| halt(task, stop, now));
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: f64) {
        let timing = self.timing.clone();
        let due = self.tasks.values().filter(|task| task.last != Last::Stopped && is_due(task, now));
        let ids: Vec<String> = due.map(|task| task.id.clone()).collect();
        for id in ids {
            self.change(&id, |task| tick(task, &timing, now));
        }
    }

    fn change(&mut self, id: &str, f: impl FnOnce(&mut Task)) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        let before = task.clone();
        f(task);
        if *task != before {
            task.version += 1;
            self.generation += 1;
        }
    }
}

fn apply(task: &mut Task, outcome: Outcome, now: f64) {
    match outcome {
        Outcome::Held(holder) => held(task, holder.id.0, holder.published, now),
        Outcome::Pulled(name, facts) => pulled(task, &name, &facts, now),
        Outcome::Started(name, id) => started(task, &name, &id, now),
        Outcome::Ready => task.ready = true,
        Outcome::Failed(container, reason) => failed(task, container, reason, now),
        Outcome::Ended(name) => ended(task, &name, None, now),
        Outcome::Deregistered if task.last == Last::Deactivating => {
            task.last = Last::Stopping;
            settle_stop(task, now);
        }
        Outcome::Deregistered => {}
        // What is left of a stopped task may be removed again.
        Outcome::Removed if task.last == Last::Stopped => {}
        Outcome::Removed => {
            task.last = Last::Stopped;
            task.stopped_at = Some(now);
            task.holder = None;
            task.published.clear();
        }
    }
}

fn held(task: &mut Task, id: String, published: BTreeMap<u16, SocketAddr>, now: f64) {
    task.holder = Some(id);
    task.published = published;
    match task.last {
        Last::Provisioning if task.wanted() => {
            task.last = Last::Pending;
            task.pull_started_at = Some(now);
        }
        Last::Provisioning => task.last = Last::Deprovisioning,
        _ => {}
    }
}

fn pulled(task: &mut Task, name: &str, facts: &ImageFacts, now: f64) {
    for container in task.containers.iter_mut().filter(|c| c.name == name) {
        container.digest = facts.digest.clone();
        if container.status == ContainerStatus::Pending {
            container.status = ContainerStatus::Pulled;
        }
    }
    if task.containers.iter().all(|c| c.status != ContainerStatus::Pending) {
        task.pull_stopped_at.get_or_insert(now);
    }
}

fn started(task: &mut Task, name: &str, id: &str, now: f64) {
    for container in task.containers.iter_mut().filter(|c| c.name == name) {
        container.runtime_id = Some(id.to_owned());
        if container.status < ContainerStatus::Running {
            container.status = ContainerStatus::Running;
            container.started_at = Some(now);
        }
    }
    run_if_started(task, now);
}

/// RUNNING once every container was started, or given up (observed: amazon-ecs-agent's `api/task/task.go`, a task's
/// status is that of the container that is least far).
fn run_if_started(task: &mut Task, now: f64) {
    let all = task.containers.iter().all(|c| c.status >= ContainerStatus::Running);
    if all && task.wanted() && task.is_pending() && task.last != Last::Provisioning {
        task.last = Last::Running;
        task.started_at = Some(now);
    }
}

fn failed(task: &mut Task, container: Option<String>, reason: String, now: f64) {
    if !task.wanted() {
        // It is stopped for another reason. Without a holder there is nothing to wait for.
        if task.last == Last::Provisioning {
            task.last = Last::Deprovisioning;
        }
        return;
    }
    if let Some(name) = container {
        for container in task.containers.iter_mut().filter(|c| c.name == name) {
            container.reason = Some(reason.clone());
        }
    }
    halt(task, Stop::failed_to_start(reason), now);
}

/// A step that is under way when a task is told to stop comes to its end first: PROVISIONING goes on
/// to its holder, which is then removed.
fn halt(task: &mut Task, stop: Stop, now: f64) {
    if task.stop.is_some() {
        return;
    }
    let failed_to_hold =
        task.last == Last::Provisioning && stop.code == super::stop::StopCode::TaskFailedToStart;
    task.stop = Some(stop);
    task.stopping_at = Some(now);
    task.ready = false;
    match task.last {
        Last::Provisioning if failed_to_hold => task.last = Last::Deprovisioning,
        Last::Running => task.last = Last::Deactivating,
        Last::Pending | Last::Activating => task.last = Last::Stopping,
        _ => {}
    }
    settle_stop(task, now);
}

fn ended(task: &mut Task, name: &str, exit: Option<(i64, bool)>, now: f64) {
    let Some(container) = task.containers.iter_mut().find(|c| c.name == name) else {
        return;
    };
    let first = container.status != ContainerStatus::Stopped;
    container.status = ContainerStatus::Stopped;
    if let Some((code, oom_killed)) = exit {
        container.exit_code = Some(code);
        if oom_killed {
            // observed: `DescribeTasks` output in public
            container.reason = Some("OutOfMemoryError: Container killed due to memory usage".into());
        }
    }
    if container.essential && first && task.stop.is_none() {
        task.execution_stopped_at = Some(now);
        run_if_started(task, now);
        halt(task, Stop::essential(), now);
    }
    give_up(task, now);
    run_if_started(task, now);
    settle_stop(task, now);
}

/// Containers that wait in vain never start. A task that needs one of them stops (assumed: code and words, which are
/// those of other tasks that fail to start); else it goes on without.
fn give_up(task: &mut Task, now: f64) {
    while task.wanted() {
        let found = task
            .containers
            .iter()
            .enumerate()
            .find_map(|(at, c)| Some((at, dependency::in_vain(task, c, now)?)));
        let Some((at, reason)) = found else { return };
        let container = &mut task.containers[at];
        container.status = ContainerStatus::Stopped;
        container.exit_code = Some(dependency::GIVEN_UP);
        container.reason = Some(reason);
        if container.essential {
            halt(task, Stop::failed_to_start("Task failed to start"), now);
        }
    }
}

/// STOPPING is over when no container runs.
fn settle_stop(task: &mut Task, now: f64) {
    let runs = task.containers.iter().any(|c| c.status == ContainerStatus::Running);
    // Nobody is to be kept away from a task that has nothing left to connect to.
    if task.last == Last::Deactivating && !runs {
        task.last = Last::Stopping;
    }
    if task.last == Last::Stopping && !runs {
        task.execution_stopped_at.get_or_insert(now);
        for container in &mut task.containers {
            container.status = ContainerStatus::Stopped;
        }
        task.last = Last::Deprovisioning;
    }
}

fn observe(task: &mut Task, name: &str, status: Option<Status>, now: f64) {
    match status {
        Some(Status::Running(health)) => {
            for container in task.containers.iter_mut().filter(|c| c.name == name) {
                container.health = health.map_or(HealthStatus::Unknown, HealthStatus::from);
            }
            // Others wait for it to be healthy, or the task would run by now. A task that nobody watches goes on whatever
            // its health (documented: `HealthCheck`).
            let watched = task.service.is_some();
            if watched && task.last == Last::Pending && task.health() == HealthStatus::Unhealthy {
                halt(task, Stop::unhealthy(), now);
            }
        }
        Some(Status::Exited { code, oom_killed }) => ended(task, name, Some((code, oom_killed)), now),
        Some(Status::Created) => {}
        None => gone(task, name, now),
    }
}

/// The engine does not know a container that runs here: someone removed it.
fn gone(task: &mut Task, name: &str, now: f64) {
    if task.container(name).is_some_and(|c| c.status == ContainerStatus::Running) {
        ended(task, name, None, now);
    }
}

fn observe_holder(task: &mut Task, status: Option<Status>, now: f64) {
    let lost = !matches!(status, Some(Status::Running(_) | Status::Created));
    if lost && task.holder.is_some() && task.wanted() {
        // assumed: the nearest to a lost interface that AWS has
        halt(task, Stop::failed_to_start("Task stopped because its network namespace is gone"), now);
    }
}

/// Whether time alone may change the task now.
fn is_due(task: &Task, now: f64) -> bool {
    task.last == Last::Running && !task.ready || dependency::deadline(task).is_some_and(|at| at <= now)
}

fn tick(task: &mut Task, timing: &Timing, now: f64) {
    if task.wanted() && dependency::deadline(task).is_some_and(|at| at <= now) {
        give_up(task, now);
        run_if_started(task, now);
    }
    if task.last == Last::Running && !task.ready {
        let wait = if task.published.is_empty() { timing.settle } else { timing.port_wait };
        task.ready = task.started_at.is_some_and(|at| now - at >= wait)
            || (task.published.is_empty() && task.has_check() && task.health() == HealthStatus::Healthy);
    }
}

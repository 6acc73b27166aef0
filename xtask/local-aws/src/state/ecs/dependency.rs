//! What containers of a task wait for before they start, and when they wait in vain.
//!
//! Conditions are documented (`ContainerDependency.condition`, `ContainerDefinition.startTimeout`). That a container
//! which waits in vain is given up, and only a task that needs it with it, and in which words: observed
//! (aws/amazon-ecs-agent#3218 and its `dependencygraph/graph.go`; that Fargate does the same is assumed).

use super::container::Dependency;
use super::task::{Container, ContainerStatus, HealthStatus, Task};

/// The exit code of a container that was given up, as if it had got the stop signal.
pub(super) const GIVEN_UP: i64 = 143;

/// Whether all that a container waits for is so.
pub(super) fn are_met(task: &Task, container: &Container) -> bool {
    container.depends_on.iter().all(|dependency| {
        task.container(&dependency.container_name).is_none_or(|other| is_met(other, &dependency.condition))
    })
}

fn is_met(other: &Container, condition: &str) -> bool {
    let stopped = other.status == ContainerStatus::Stopped && !never_ran(other);
    match condition {
        "COMPLETE" => stopped,
        "SUCCESS" => stopped && other.exit_code == Some(0),
        "HEALTHY" => other.health == HealthStatus::Healthy,
        _ => stopped || other.status == ContainerStatus::Running,
    }
}

/// Given up itself.
fn never_ran(container: &Container) -> bool {
    container.status == ContainerStatus::Stopped && container.runtime_id.is_none()
}

/// Why a container that has not started will never start.
pub(super) fn in_vain(task: &Task, container: &Container, now: f64) -> Option<String> {
    if container.status >= ContainerStatus::Running {
        return None;
    }
    container.depends_on.iter().find_map(|dependency| {
        let other = task.container(&dependency.container_name)?;
        let (what, why) = broken(other, dependency, now)?;
        Some(format!(
            "CannotStartContainerError: dependency graph: {what} [{}] for target [{}] {why}",
            shown(other),
            shown(container)
        ))
    })
}

fn broken(other: &Container, dependency: &Dependency, now: f64) -> Option<(&'static str, &'static str)> {
    const UNRESOLVED: &str = "failed to resolve container ordering dependency";
    let stopped = other.status == ContainerStatus::Stopped;
    if !stopped && timeout(other, &dependency.condition).is_some_and(|at| at <= now) {
        return Some(("container ordering dependency", "has timed out."));
    }
    match dependency.condition.as_str() {
        _ if never_ran(other) => Some((UNRESOLVED, "because dependency will never start")),
        "SUCCESS" if stopped && other.exit_code != Some(0) => {
            Some((UNRESOLVED, "as dependency did not exit successfully."))
        }
        _ => None,
    }
}

/// When one that runs has been waited for too long. START is met as soon as it runs.
fn timeout(other: &Container, condition: &str) -> Option<f64> {
    let waits = matches!(condition, "COMPLETE" | "SUCCESS" | "HEALTHY") && !is_met(other, condition);
    Some(other.started_at? + f64::from(other.start_timeout.filter(|_| waits)?))
}

/// When, at the earliest, a wait of this task times out.
pub(super) fn deadline(task: &Task) -> Option<f64> {
    let waiting = task.containers.iter().filter(|c| task.wanted() && c.status < ContainerStatus::Running);
    let waits = waiting.flat_map(|c| &c.depends_on);
    let timeouts = waits.filter_map(|d| timeout(task.container(&d.container_name)?, &d.condition));
    timeouts.min_by(f64::total_cmp)
}

/// A container as the agent prints it.
fn shown(container: &Container) -> String {
    let status = match container.status {
        ContainerStatus::Pending => "NONE",
        ContainerStatus::Pulled => "PULLED",
        ContainerStatus::Running => "RUNNING",
        ContainerStatus::Stopped => "STOPPED",
    };
    let exit = container.exit_code.map(|code| format!(" - Exit: {code}")).unwrap_or_default();
    format!("{}({}) ({status}->RUNNING){exit}", container.name, container.image)
}

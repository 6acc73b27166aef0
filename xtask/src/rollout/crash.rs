//! Tasks that start and die alike: what the circuit breaker does not see, since it counts only
//! tasks that never reach RUNNING and failed health checks.
//! Source: Amazon ECS Developer Guide, "How the Amazon ECS deployment circuit breaker detects failures".

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{Container, Deployment, Task, TaskStopCode};

use super::evidence;
use crate::aws::Aws;
use crate::config::limits::CRASH_LIMIT;

/// A stopped task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// ID of the deployment that started it.
    pub(super) started_by: String,
    /// Why in one word, if it is known yet.
    pub(super) code: Option<TaskStopCode>,
    /// `stoppedReason`.
    pub(super) reason: String,
    /// Its containers.
    pub(super) containers: Vec<Part>,
}

/// A container of a stopped task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    /// Its name.
    pub(super) name: String,
    /// If it ran.
    pub(super) exit_code: Option<i32>,
    /// In AWS's words.
    pub(super) reason: Option<String>,
}

/// How a task died: what is alike in a crash loop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Death {
    /// The container that ended it, as far as it is known.
    pub(super) container: String,
    /// Its exit code, if it ran.
    pub(super) exit_code: Option<i32>,
    /// Why, where no container ran.
    pub(super) reason: String,
}

/// Reads a stopped task.
pub(super) fn ended(task: &Task) -> Ended {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let containers = task.containers().iter();
    Ended {
        started_by: text(task.started_by()),
        code: task.stop_code().cloned(),
        reason: text(task.stopped_reason()),
        containers: containers.map(part).collect(),
    }
}

fn part(container: &Container) -> Part {
    Part {
        name: container.name().unwrap_or_default().to_owned(),
        exit_code: container.exit_code(),
        reason: container.reason().map(str::to_owned),
    }
}

/// The death of a task that counts as a crash: only of its own doing.
fn death(task: &Ended) -> Option<Death> {
    let started = match task.code.as_ref()? {
        TaskStopCode::EssentialContainerExited => true,
        TaskStopCode::TaskFailedToStart => false,
        _ => return None,
    };
    let ended = task.containers.iter().filter_map(|one| Some((one, one.exit_code?)));
    let container = ended.min_by_key(|(one, code)| rank(*code, one.reason.as_deref())).map(|(one, _)| one);
    Some(Death {
        container: container.map(|one| one.name.clone()).unwrap_or_default(),
        exit_code: container.and_then(|one| one.exit_code),
        reason: if started { String::new() } else { task.reason.clone() },
    })
}

/// Which of a task's containers ended it, the least first: the API does not tell. With it, the others are
/// stopped, and end well, or by SIGTERM or SIGKILL.
pub(super) fn rank(code: i32, reason: Option<&str>) -> u8 {
    match code {
        // It waited for the one that did.
        _ if reason.is_some_and(|reason| reason.contains("container ordering dependency")) => 3,
        _ if reason.is_some() => 0, // such as `OutOfMemoryError`, with SIGKILL
        0 => 1,
        137 | 143 => 2,
        _ => 0,
    }
}

/// The death that came so often that the next task will die of it too: `limit` times, in a larger
/// service as often as half its tasks.
pub(super) fn looping<'t>(
    tasks: impl IntoIterator<Item = &'t Ended>,
    desired: i32,
    limit: u32,
) -> Option<(Death, usize)> {
    let half = usize::try_from((desired + 1) / 2).unwrap_or(0);
    let limit = half.max(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut counts: BTreeMap<Death, usize> = BTreeMap::new();
    for death in tasks.into_iter().filter_map(death) {
        *counts.entry(death).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count >= limit).max_by_key(|(_, count)| *count)
}

/// Whether the tasks of a deployment crash again and again. Unreadable tasks do not.
pub async fn crashes(aws: &Aws, cluster: &str, service: &str, deployment: &Deployment) -> bool {
    let definition = deployment.task_definition().unwrap_or_default();
    let tasks = evidence::stopped(aws, cluster, service, definition).await.unwrap_or_default();
    let own = tasks.iter().filter(|task| task.started_by() == deployment.id());
    let own: Vec<Ended> = own.map(ended).collect();
    looping(&own, deployment.desired_count(), CRASH_LIMIT).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::Container;

    fn task(code: TaskStopCode, exit: i32) -> Ended {
        let container = Container::builder().name("app").exit_code(exit).build();
        ended(&Task::builder().stop_code(code).stopped_reason("why").containers(container).build())
    }

    fn crashed(exit: i32) -> Ended {
        task(TaskStopCode::EssentialContainerExited, exit)
    }

    #[test]
    fn three_alike_are_a_loop() {
        let tasks = [crashed(3), crashed(3), crashed(3)];
        let (death, count) = looping(&tasks, 2, 3).expect("a loop");
        assert_eq!((death.container.as_str(), death.exit_code, count), ("app", Some(3), 3));
        assert_eq!(looping(&tasks[..2], 2, 3), None);
    }

    #[test]
    fn deaths_that_differ_are_none() {
        assert_eq!(looping(&[crashed(1), crashed(2), crashed(3)], 2, 3), None);
    }

    #[test]
    fn a_larger_service_needs_more() {
        let tasks = [crashed(3), crashed(3), crashed(3)];
        assert_eq!(looping(&tasks, 8, 3), None);
    }

    #[test]
    fn the_container_that_ended_the_task_is_not_one_that_was_stopped_with_it() {
        let container = |name: &str, code, reason: Option<&str>| {
            Container::builder().name(name).exit_code(code).set_reason(reason.map(str::to_owned)).build()
        };
        let ended_by = |containers: [Container; 2]| {
            let [first, second] = containers;
            let task = Task::builder().stop_code(TaskStopCode::EssentialContainerExited);
            death(&ended(&task.containers(first).containers(second).build())).expect("a death").container
        };
        assert_eq!(ended_by([container("app", 137, None), container("side", 1, None)]), "side");
        assert_eq!(ended_by([container("app", 143, None), container("side", 0, None)]), "side");
        assert_eq!(ended_by([container("app", 0, None), container("side", 3, None)]), "side");
        let memory = Some("OutOfMemoryError: Container killed due to memory usage");
        assert_eq!(ended_by([container("app", 0, None), container("side", 137, memory)]), "side");
    }

    #[test]
    fn tasks_that_others_stop_do_not_count() {
        for code in [
            TaskStopCode::UserInitiated,
            TaskStopCode::ServiceSchedulerInitiated,
            TaskStopCode::SpotInterruption,
        ] {
            assert_eq!(death(&task(code, 137)), None);
        }
    }
}

//! The failure card: what is left of the tasks that failed, what AWS says of it, the last lines
//! they wrote, the likely cause, and the next step. The same facts as text and as JSON.

use aws_sdk_ecs::types::{HealthStatus, Task, TaskStopCode};
use schemars::JsonSchema;
use serde::Serialize;

use super::balanced;
use super::cause::{Cause, Facts, likely};
use super::crash::rank;
use super::declared::Declared;
use crate::live::TargetGroup;
use crate::register::short;

/// The exit code of a program that was killed: 128 + SIGKILL.
const KILLED: i32 = 137;

/// How many ways to fail are worth showing.
const SHOWN: usize = 3;

/// What is known of a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Card {
    /// The likely cause in one sentence.
    pub(super) cause: Option<String>,
    /// What to do, most likely first.
    pub(super) next: Vec<String>,
    /// The ways in which tasks stopped, the newest first; those stopped to make room last.
    pub(super) failures: Vec<Failure>,
    /// The target groups that the service is behind, and their targets.
    pub(super) target_groups: Vec<TargetGroup>,
    /// The last lines that a failed task wrote, if it wrote any.
    pub(super) log: Option<Log>,
    /// The service's last events, the newest first.
    pub(super) events: Vec<String>,
}

/// A way in which tasks stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Failure {
    /// IDs, the newest first.
    pub(super) tasks: Vec<String>,
    /// In AWS's words.
    pub(super) stopped_reason: String,
    /// Containers that ended, are unhealthy, or say why they did not start.
    pub(super) containers: Vec<Ended>,
}

/// A container that ended, or did not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Ended {
    /// Its name.
    pub(super) name: String,
    /// If it ran.
    pub(super) exit_code: Option<i32>,
    /// In AWS's words.
    pub(super) reason: Option<String>,
    /// Whether its health check failed in the end.
    pub(super) unhealthy: bool,
}

/// The last lines of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Log {
    /// The task's ID.
    pub(super) task: String,
    /// The container's name.
    pub(super) container: String,
    /// Oldest first.
    pub(super) lines: Vec<String>,
}

impl Card {
    /// Reads the facts, `tasks` newest first; the cause is found by [`Card::explain`].
    pub(super) fn new(tasks: &[Task], events: Vec<String>, target_groups: Vec<TargetGroup>) -> Self {
        Self { failures: failures(tasks), events, target_groups, ..Self::default() }
    }

    /// Finds the likely cause of the newest failure; `grace` is the service's grace period in seconds.
    pub(super) fn explain(&mut self, declared: Declared, grace: i32) {
        let containers = || self.failures.first().into_iter().flat_map(|failure| &failure.containers);
        let own = containers().filter_map(|one| Some((Some(one.name.as_str()), one.reason.as_deref()?)));
        let of_task = self.failures.first().map(|failure| (None, failure.stopped_reason.as_str()));
        let log = self.log.as_ref().map(|log| log.lines.as_slice());
        let facts = Facts {
            reasons: own.chain(of_task).collect(),
            exit: self.ended(),
            unhealthy: containers().filter(|one| one.unhealthy).map(|one| one.name.as_str()).collect(),
            log: log.unwrap_or_default(),
            events: self.events.iter().map(String::as_str).collect(),
            groups: &self.target_groups,
            grace,
            declared,
        };
        if let Some(Cause { cause, next }) = likely(&facts) {
            (self.cause, self.next) = (Some(cause), next);
        }
    }

    /// The container that ended the newest failed task, and its exit code.
    fn ended(&self) -> Option<(&str, i32)> {
        let (one, code) = self.failures.first()?.ended()?;
        Some((&one.name, code))
    }

    /// The container whose log is worth reading: task and name.
    pub(super) fn to_read(&self) -> Option<(&str, &str)> {
        let task = self.failures.first()?.tasks.first()?;
        Some((task, self.ended()?.0))
    }

    /// Whether there is anything to show.
    pub(super) fn is_empty(&self) -> bool {
        self.failures.is_empty() && self.events.is_empty() && balanced::lines(&self.target_groups).is_empty()
    }

    /// The facts in lines; cause and next step are shown by the error itself.
    pub(super) fn text(&self) -> String {
        let mut lines: Vec<String> = self.failures.iter().take(SHOWN).flat_map(Failure::lines).collect();
        lines.extend(balanced::lines(&self.target_groups));
        if let Some(log) = &self.log {
            lines.push(format!("last lines of {} in task {}:", log.container, log.task));
            lines.extend(log.lines.iter().map(|line| format!("  {line}")));
        }
        lines.extend(self.events.iter().map(|message| format!("event: {message}")));
        lines.join("\n")
    }
}

impl Failure {
    /// The container that ended the task, and its exit code.
    fn ended(&self) -> Option<(&Ended, i32)> {
        let ran = self.containers.iter().filter_map(|one| Some((one, one.exit_code?)));
        ran.min_by_key(|(one, code)| rank(*code, one.reason.as_deref()))
    }

    /// Whether a kill ended the task, and if so, whether its reason is known. A host does not always learn
    /// that it was for want of memory (observed: engines on cgroup v1, of a container that just started):
    /// another task that died alike may tell.
    fn killed(&self) -> Option<bool> {
        let (one, code) = self.ended()?;
        (code == KILLED).then_some(one.reason.is_some())
    }

    fn lines(&self) -> Vec<String> {
        let others = match self.tasks.len() {
            0 | 1 => String::new(),
            2 => " and 1 other".to_owned(),
            many => format!(" and {} others", many - 1),
        };
        let newest = self.tasks.first().map(String::as_str).unwrap_or_default();
        let mut lines = vec![format!("task {newest}{others}:"), format!("  {}", self.stopped_reason)];
        for container in &self.containers {
            let code = container.exit_code.map(|code| format!("exit code {code}"));
            let reason = container.reason.clone().filter(|reason| *reason != self.stopped_reason);
            let parts: Vec<String> = code.into_iter().chain(reason).collect();
            if !parts.is_empty() {
                lines.push(format!("  container {}: {}", container.name, parts.join(", ")));
            }
        }
        lines
    }
}

/// Stopped by the scheduler to make room, as the others are when a rollout is given up: no failure.
/// Source: Amazon ECS API Reference, Task, `stopCode`; the reason of a failed health check has the same code.
fn made_room(task: &Task) -> bool {
    task.stop_code() == Some(&TaskStopCode::ServiceSchedulerInitiated)
        && !task.stopped_reason().is_some_and(|reason| reason.contains("health check"))
}

/// Tasks mostly fail alike: each way once.
fn failures(tasks: &[Task]) -> Vec<Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    for task in tasks.iter().filter(|task| !made_room(task)) {
        let id = short(task.task_arn().unwrap_or_default()).to_owned();
        let stopped_reason = task.stopped_reason().unwrap_or("stopped").to_owned();
        let containers = ended(task);
        let same =
            |known: &&mut Failure| known.stopped_reason == stopped_reason && known.containers == containers;
        match failures.iter_mut().find(same) {
            Some(known) => known.tasks.push(id),
            None => failures.push(Failure { tasks: vec![id], stopped_reason, containers }),
        }
    }
    let explained = failures.iter().any(|failure| failure.killed() == Some(true));
    failures.sort_by_key(|failure| {
        let made_room = failure.stopped_reason.starts_with("Scaling activity");
        (made_room, explained && failure.killed() == Some(false))
    });
    failures
}

fn ended(task: &Task) -> Vec<Ended> {
    let read = |container: &aws_sdk_ecs::types::Container| Ended {
        name: container.name().unwrap_or_default().to_owned(),
        exit_code: container.exit_code(),
        reason: container.reason().map(str::to_owned),
        unhealthy: container.health_status() == Some(&HealthStatus::Unhealthy),
    };
    let matters = |one: &Ended| one.exit_code.is_some() || one.reason.is_some() || one.unhealthy;
    task.containers().iter().map(read).filter(matters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::Container;

    fn task(id: &str, reason: &str, code: i32) -> Task {
        let container = Container::builder().name("app").exit_code(code).build();
        Task::builder()
            .task_arn(format!("arn:x:task/c/{id}"))
            .stopped_reason(reason)
            .containers(container)
            .build()
    }

    #[test]
    fn tasks_that_fail_alike_are_told_once() {
        let exited = "Essential container in task exited";
        let tasks = [task("3", exited, 3), task("2", exited, 3), task("1", exited, 4)];
        let mut card = Card::new(&tasks, vec!["(service web) has started 1 tasks".to_owned()], Vec::new());
        let lines = vec!["starting".to_owned(), "cannot go on".to_owned()];
        card.log = Some(Log { task: "3".to_owned(), container: "app".to_owned(), lines });
        assert_eq!(card.to_read(), Some(("3", "app")));
        card.explain(Declared::default(), 0);
        assert_eq!(card.cause.as_deref(), Some("`app` exited with code 3: cannot go on"));
        insta::assert_snapshot!(card.text(), @r"
        task 3 and 1 other:
          Essential container in task exited
          container app: exit code 3
        task 1:
          Essential container in task exited
          container app: exit code 4
        last lines of app in task 3:
          starting
          cannot go on
        event: (service web) has started 1 tasks
        ");
    }

    #[test]
    fn a_task_behind_a_target_group_tells_more_than_one_that_was_stopped_to_make_room() {
        let failed = "Health checks failed with these codes: [500]";
        let target = crate::live::Target {
            address: Some("10.0.0.5".to_owned()),
            port: Some(80),
            state: "unhealthy".to_owned(),
            reason: Some("Target.ResponseCodeMismatch".to_owned()),
            description: Some(failed.to_owned()),
            ..crate::live::Target::default()
        };
        let group = TargetGroup { targets: vec![target], ..TargetGroup::of("arn:x:1:targetgroup/web/0") };
        let tasks = [
            task("2", "Scaling activity initiated by (deployment ecs-svc/2)", 143),
            task("1", "Task failed ELB health checks in (target-group arn:x:1:targetgroup/web/0)", 143),
        ];
        let mut card = Card::new(&tasks, Vec::new(), vec![group]);
        card.explain(Declared::default(), 0);
        assert_eq!(card.to_read(), Some(("1", "app")));
        insta::assert_snapshot!(card.cause.clone().unwrap_or_default(), @"the load balancer's health check is answered with 500");
        insta::assert_snapshot!(card.text(), @r"
        task 1:
          Task failed ELB health checks in (target-group arn:x:1:targetgroup/web/0)
          container app: exit code 143
        task 2:
          Scaling activity initiated by (deployment ecs-svc/2)
          container app: exit code 143
        target group web:
          10.0.0.5:80 unhealthy: Health checks failed with these codes: [500] (Target.ResponseCodeMismatch)
        ");
    }

    #[test]
    fn of_tasks_that_were_killed_the_one_that_tells_why_is_told_first() {
        let killed = |id: &str, reason: Option<&str>| {
            let container =
                Container::builder().name("app").exit_code(137).set_reason(reason.map(str::to_owned));
            Task::builder().task_arn(format!("arn:x:task/c/{id}")).containers(container.build()).build()
        };
        let tasks = [
            killed("3", None),
            task("2", "exited", 1),
            killed("1", Some("OutOfMemoryError: Container killed")),
        ];
        let mut card = Card::new(&tasks, Vec::new(), Vec::new());
        card.explain(Declared::default(), 0);
        assert_eq!(card.to_read(), Some(("2", "app")), "what ended otherwise keeps its place");
        let mut card = Card::new(&[tasks[0].clone(), tasks[2].clone()], Vec::new(), Vec::new());
        card.explain(Declared::default(), 0);
        assert!(card.cause.expect("it is known").contains("ran out of memory"));
    }

    #[test]
    fn a_task_that_made_room_did_not_fail() {
        let stopped = |reason: &str| {
            let code = TaskStopCode::ServiceSchedulerInitiated;
            Task::builder().stop_code(code).stopped_reason(reason).build()
        };
        let unhealthy = "Task failed container health checks";
        let tasks = [stopped("Scaling activity initiated by (deployment ecs-svc/1)"), stopped(unhealthy)];
        let failures = Card::new(&tasks, Vec::new(), Vec::new()).failures;
        assert_eq!(failures.iter().map(|one| one.stopped_reason.as_str()).collect::<Vec<_>>(), [unhealthy]);
    }

    #[test]
    fn with_nothing_known_there_is_nothing_to_show() {
        assert!(Card::new(&[], Vec::new(), Vec::new()).is_empty());
    }
}

//! The tasks of the rollout that is watched, for those who want to see them. Best effort: what cannot
//! be read is not shown, and decides nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ecs::types as ecs;

use super::pace::MOVING;
use super::snapshot::Deployment;
use crate::aws::Aws;
use crate::event::{Container, Task};
use crate::register::short;

/// Between two looks while things move, and while they do not; a look is two calls.
const PAUSE: Duration = Duration::from_millis(1500);
const IDLE: Duration = Duration::from_secs(10);
/// How many tasks DescribeTasks takes at once, which is a page of ListTasks.
/// Source: Amazon ECS API Reference, DescribeTasks.
const PAGE: usize = 100;

/// What is known of the tasks.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    wanted: bool,
    looked: Option<Duration>,
    /// By creation and ARN.
    known: BTreeMap<(i64, String), Task>,
    read: bool,
}

impl Tasks {
    /// Nothing is read unless somebody wants to see it.
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// The tasks, oldest first; `None`: none were read.
    pub(super) fn all(&self) -> Option<Vec<Task>> {
        self.read.then(|| self.known.values().cloned().collect())
    }

    /// Takes in what was read of tasks of this deployment.
    pub(super) fn learn(&mut self, deployment: &str, tasks: &[ecs::Task]) {
        for task in tasks.iter().filter(|task| task.started_by() == Some(deployment)) {
            let created = task.created_at().and_then(|at| at.to_millis().ok()).unwrap_or_default();
            let key = (created, task.task_arn().unwrap_or_default().to_owned());
            let new = self::task(task);
            // Reads may lag: a task that has stopped stays so.
            let known = self.known.entry(key).or_default();
            if !known.stopped() || new.stopped() {
                *known = new;
            }
            self.read = true;
        }
        while self.known.len() > PAGE {
            let Some(oldest) = self.known.iter().find(|(_, task)| task.stopped()) else { break };
            let key = oldest.0.clone();
            self.known.remove(&key);
        }
    }

    /// Whether another look is worth its calls, when nothing has moved for so long.
    pub(super) fn due(&self, ours: &Deployment, quiet: Duration, now: Duration) -> bool {
        // What is known to run may still turn out healthy or unhealthy.
        let pause = if quiet < MOVING && !self.settled(ours) { PAUSE } else { IDLE };
        let rested = self.looked.is_none_or(|at| now.saturating_sub(at) >= pause);
        // Where all tasks run, the verdict is near, and is not to be kept waiting.
        let patient = !complete(ours) || quiet >= PAUSE;
        self.wanted && rested && patient
    }

    /// Whether all that is to run is known to run.
    fn settled(&self, ours: &Deployment) -> bool {
        let running = self.known.values().filter(|task| task.status == "RUNNING").count();
        let others = self.known.values().any(|task| !task.stopped() && task.status != "RUNNING");
        self.read
            && !others
            && complete(ours)
            && usize::try_from(ours.running).is_ok_and(|counted| counted == running)
    }

    /// Looks; returns how many calls that took.
    pub(super) async fn look(&mut self, aws: &Aws, cluster: &str, ours: &Deployment, now: Duration) -> u32 {
        self.looked = Some(now);
        // It must be the only filter; the tasks of a service carry the deployment's ID.
        // Source: Amazon ECS API Reference, ListTasks and Task, `startedBy`.
        let call = aws.ecs.list_tasks().cluster(cluster).started_by(&ours.id);
        let Ok(answer) = call.send().await else { return 1 };
        let arns = self.open(answer.task_arns());
        if arns.is_empty() {
            return 1;
        }
        let call = aws.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns));
        if let Ok(answer) = call.send().await {
            self.learn(&ours.id, answer.tasks());
        }
        2
    }

    /// Those that are listed, and those that were and are not over yet: the list is of tasks that are to run.
    fn open(&self, listed: &[String]) -> Vec<String> {
        let known = self.known.iter().filter(|(_, task)| !task.stopped()).map(|((_, arn), _)| arn);
        let vanished = known.filter(|arn| !listed.contains(arn));
        vanished.chain(listed).take(PAGE).cloned().collect()
    }
}

fn complete(ours: &Deployment) -> bool {
    (ours.pending, ours.running) == (0, ours.desired)
}

fn task(task: &ecs::Task) -> Task {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let health = task.health_status().map(ecs::HealthStatus::as_str);
    Task {
        id: short(task.task_arn().unwrap_or_default()).to_owned(),
        status: text(task.last_status()),
        desired_status: text(task.desired_status()),
        health: health.filter(|health| *health != "UNKNOWN").map(str::to_owned),
        stopped_reason: task.stopped_reason().map(str::to_owned),
        containers: task
            .containers()
            .iter()
            .filter(|one| one.exit_code().is_some() || one.reason().is_some())
            .map(|one| Container {
                name: text(one.name()),
                exit_code: one.exit_code(),
                reason: one.reason().map(str::to_owned),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::primitives::DateTime;

    const SECOND: Duration = Duration::from_secs(1);

    fn one(id: &str, status: &str, created: i64) -> ecs::Task {
        ecs::Task::builder()
            .task_arn(format!("arn:aws:ecs:r:1:task/c/{id}"))
            .started_by("ecs-svc/2")
            .last_status(status)
            .health_status(ecs::HealthStatus::from("UNKNOWN"))
            .created_at(DateTime::from_secs(created))
            .build()
    }

    fn ours(running: i32, pending: i32) -> Deployment {
        Deployment { id: "ecs-svc/2".to_owned(), desired: 2, running, pending, ..Deployment::default() }
    }

    fn states(tasks: &Tasks) -> Vec<(String, String)> {
        tasks.all().unwrap_or_default().into_iter().map(|task| (task.id, task.status)).collect()
    }

    #[test]
    fn tasks_of_this_deployment_oldest_first() {
        let mut tasks = Tasks::new(true);
        assert_eq!(tasks.all(), None);
        tasks.learn("ecs-svc/2", &[one("b", "PENDING", 2), one("a", "RUNNING", 1)]);
        tasks.learn("ecs-svc/1", &[one("other", "RUNNING", 0)]);
        let pair = |id: &str, status: &str| (id.to_owned(), status.to_owned());
        assert_eq!(states(&tasks), [pair("a", "RUNNING"), pair("b", "PENDING")]);
        tasks.learn("ecs-svc/2", &[one("b", "STOPPED", 2)]);
        tasks.learn("ecs-svc/2", &[one("b", "PENDING", 2)]);
        assert_eq!(states(&tasks)[1], pair("b", "STOPPED"), "an old read");
    }

    #[test]
    fn a_task_that_left_the_list_is_asked_after_until_it_is_over() {
        let mut tasks = Tasks::new(true);
        tasks.learn("ecs-svc/2", &[one("a", "RUNNING", 1), one("b", "STOPPED", 2)]);
        let arn = |id: &str| format!("arn:aws:ecs:r:1:task/c/{id}");
        assert_eq!(tasks.open(&[arn("c")]), [arn("a"), arn("c")]);
    }

    #[test]
    fn looks_are_rare_and_rarer_when_all_run() {
        let mut tasks = Tasks::new(true);
        let due =
            |tasks: &Tasks, ours: &Deployment, quiet, now| tasks.due(ours, quiet * SECOND, now * SECOND);
        assert!(due(&tasks, &ours(0, 2), 0, 1) && !due(&Tasks::new(false), &ours(0, 2), 0, 1));
        tasks.looked = Some(SECOND);
        assert!(!due(&tasks, &ours(0, 2), 0, 2));
        assert!(due(&tasks, &ours(0, 2), 0, 3) && !due(&tasks, &ours(0, 2), 11, 3));
        tasks.learn("ecs-svc/2", &[one("a", "RUNNING", 1), one("b", "ACTIVATING", 2)]);
        assert!(!due(&tasks, &ours(2, 0), 1, 3), "the verdict is near");
        assert!(due(&tasks, &ours(2, 0), 2, 3), "the tasks were read before the counts");
        tasks.learn("ecs-svc/2", &[one("b", "RUNNING", 2)]);
        assert!(!due(&tasks, &ours(2, 0), 2, 3) && due(&tasks, &ours(2, 0), 2, 11));
    }

    #[test]
    fn of_very_many_the_oldest_stopped_are_forgotten() {
        let mut tasks = Tasks::new(true);
        let many: Vec<_> = (0..150).map(|at| one(&format!("{at}"), "STOPPED", at)).collect();
        tasks.learn("ecs-svc/2", &many);
        assert_eq!((states(&tasks).len(), states(&tasks)[0].0.as_str()), (100, "50"));
    }
}

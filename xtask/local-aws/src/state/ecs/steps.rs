//! What tasks need next from the engine. Computed from state alone, so that it
//! is the same after a restart; the scheduler remembers which steps are under way.

use super::task::{ContainerStatus, Last, Task};
use super::{Ecs, Timing, dependency};

/// One thing to do for a task. Two steps of one task may run at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Make the network namespace.
    Hold,
    /// Get the image of a container.
    Pull(String),
    /// Start a container.
    Start(String),
    /// Wait until its ports accept connections.
    Probe,
    /// Wait until no new connection is made to it: the load balancer's deregistration.
    Deregister,
    /// Send the stop signal to a container and wait for its end.
    Stop(String),
    /// Remove everything.
    Remove,
}

impl Ecs {
    /// Everything that is to be done now, by task.
    pub fn steps(&self) -> Vec<(String, Step)> {
        self.tasks
            .values()
            .filter(|task| task.last != Last::Stopped)
            .flat_map(|task| steps(task).into_iter().map(|step| (task.id.clone(), step)))
            .collect()
    }
}

/// What one task needs.
pub fn steps(task: &Task) -> Vec<Step> {
    match task.last {
        Last::Provisioning => vec![Step::Hold],
        Last::Pending | Last::Activating => starts(task),
        Last::Running => {
            let mut out = starts(task); // containers that wait for others
            if !task.ready && !task.published.is_empty() {
                out.push(Step::Probe);
            }
            out
        }
        Last::Deactivating => vec![Step::Deregister],
        Last::Stopped => Vec::new(),
        Last::Stopping => stops(task),
        Last::Deprovisioning => vec![Step::Remove],
    }
}

fn starts(task: &Task) -> Vec<Step> {
    task.containers
        .iter()
        .filter_map(|container| match container.status {
            ContainerStatus::Pending => Some(Step::Pull(container.name.clone())),
            ContainerStatus::Pulled if dependency::are_met(task, container) => {
                Some(Step::Start(container.name.clone()))
            }
            _ => None,
        })
        .collect()
}

/// Containers stop in the reverse order of their start (documented: `ContainerDefinition.dependsOn`).
fn stops(task: &Task) -> Vec<Step> {
    let running = || task.containers.iter().filter(|c| c.status == ContainerStatus::Running);
    let needed = |name: &str| running().any(|c| c.depends_on.iter().any(|o| o.container_name == name));
    running().filter(|c| !needed(&c.name)).map(|c| Step::Stop(c.name.clone())).collect()
}

/// When, after now, time alone changes something: the scheduler sleeps until then at most.
pub fn next_deadline(ecs: &Ecs, now: f64) -> Option<f64> {
    let Timing { settle, port_wait, .. } = ecs.timing;
    let tasks = ecs.tasks.values().filter_map(|task| match task.last {
        Last::Running if !task.ready => {
            task.started_at.map(|at| at + if task.published.is_empty() { settle } else { port_wait })
        }
        _ => None,
    });
    let services = ecs.services.values().filter_map(|s| s.retry_at.filter(|at| *at > now));
    let waits = ecs.tasks.values().filter(|t| t.last != Last::Stopped).filter_map(dependency::deadline);
    let rules = ecs.services.values().filter_map(|s| super::rollout::due(ecs, s, now));
    tasks.chain(waits).chain(services).chain(rules).chain(ecs.next_check()).min_by(f64::total_cmp)
}

//! What runs against what should: after a restart, and now and then.

use std::collections::BTreeSet;

use crate::cloud::Cloud;
use crate::engine::{Observed, Status};
use crate::state::ecs::Ecs;
use crate::state::ecs::stop::Stop;
use crate::state::ecs::task::{ContainerStatus, Last};

/// Task and container of everything that should be there: containers, and holders (`None`).
pub(super) type Expected = Vec<(String, Option<String>)>;

pub(super) fn expected(ecs: &Ecs) -> Expected {
    let mut out = Vec::new();
    for task in ecs.tasks.values().filter(|t| t.last == Last::Running) {
        out.push((task.id.clone(), None));
        for container in task.containers.iter().filter(|c| c.status == ContainerStatus::Running) {
            out.push((task.id.clone(), Some(container.name.clone())));
        }
    }
    out
}

/// Task, container and engine ID of everything that runs.
pub(super) fn running(ecs: &Ecs) -> Vec<(String, String, String)> {
    let tasks = ecs.tasks.values().filter(|t| t.last == Last::Running);
    tasks
        .flat_map(|t| {
            let containers = t.containers.iter().filter(|c| c.status == ContainerStatus::Running);
            containers.filter_map(|c| Some((t.id.clone(), c.name.clone(), c.runtime_id.clone()?)))
        })
        .collect()
}

/// Tells the state what was seen and what was not; the tasks that nobody knows are returned.
pub(super) fn compare(cloud: &Cloud, expected: &Expected, observed: &[Observed]) -> BTreeSet<String> {
    let now = cloud.now();
    let mut ecs = cloud.ecs();
    let mut strangers = BTreeSet::new();
    for seen in observed {
        match ecs.tasks.get(&seen.task_id) {
            Some(task) if task.last != Last::Stopped => {
                ecs.observe(&seen.task_id, seen.container.as_deref(), Some(seen.status), now);
            }
            _ => {
                strangers.insert(seen.task_id.clone());
            }
        }
    }
    for (task, container) in expected {
        let there = observed.iter().any(|o| o.task_id == *task && o.container == *container);
        if !there {
            ecs.observe(task, container.as_deref(), None, now);
        }
    }
    refresh_ports(&mut ecs, observed);
    strangers
}

/// An engine that restarted may publish on other ports.
fn refresh_ports(ecs: &mut Ecs, observed: &[Observed]) {
    let holders = observed.iter().filter(|o| o.container.is_none() && matches!(o.status, Status::Running(_)));
    for holder in holders {
        if let Some(task) = ecs.tasks.get_mut(&holder.task_id)
            && task.last == Last::Running
            && !holder.published.is_empty()
            && task.published != holder.published
        {
            task.published = holder.published.clone();
        }
    }
}

/// A task that was being started when the control plane ended is in a state that nobody saw. The
/// service scheduler makes another one; a task that somebody ran by hand has failed.
pub(super) fn forget_unstarted(cloud: &Cloud) {
    let now = cloud.now();
    let mut ecs = cloud.ecs();
    let unstarted: Vec<(String, bool)> =
        ecs.tasks.values().filter(|t| t.is_pending()).map(|t| (t.id.clone(), t.service.is_some())).collect();
    for (id, of_service) in unstarted {
        if of_service {
            ecs.tasks.remove(&id);
            ecs.touch();
        } else {
            ecs.stop(&id, Stop::failed_to_start("The control plane was restarted"), now);
        }
    }
}

//! Names and labels of everything made on the engine. The labels alone are enough to find
//! what belongs to an instance, whatever became of its state files.

use std::collections::HashMap;

/// The control plane that made it.
pub const INSTANCE: &str = "local-aws.instance";
/// The cluster's name.
pub const CLUSTER: &str = "local-aws.cluster";
/// The task's ID.
pub const TASK: &str = "local-aws.task";
/// The task's group, `service:NAME`; on holders.
pub const GROUP: &str = "local-aws.group";
/// `family:revision`; on holders.
pub const TASK_DEFINITION: &str = "local-aws.task-definition";
/// The container's name in the task definition; a holder has none.
pub const CONTAINER: &str = "local-aws.container";
/// The task's CPU units; on holders, for the containers that join later.
pub const CPU: &str = "local-aws.cpu";
/// The task's memory in MiB; on holders, for the containers that join later.
pub const MEMORY: &str = "local-aws.memory";

/// The network of an instance.
pub(crate) fn network_name(instance: &str) -> String {
    format!("local-aws-{instance}")
}

/// A task's volume.
pub(crate) fn volume_name(instance: &str, task_id: &str, volume: &str) -> String {
    format!("local-aws-{instance}-{task_id}-{volume}")
}

/// A volume that outlives tasks.
pub(crate) fn shared_volume_name(instance: &str, volume: &str) -> String {
    format!("local-aws-{instance}-{volume}")
}

/// A container of a task, or its holder; short enough to read in `docker ps`.
pub(crate) fn container_name(instance: &str, task_id: &str, container: Option<&str>) -> String {
    let short = task_id.get(..12).unwrap_or(task_id);
    match container {
        Some(name) => format!("local-aws-{instance}-{short}-{name}"),
        None => format!("local-aws-{instance}-{short}"),
    }
}

/// Labels that everything of a task carries.
pub(crate) fn of_task(instance: &str, task_id: &str) -> HashMap<String, String> {
    HashMap::from([(INSTANCE.to_owned(), instance.to_owned()), (TASK.to_owned(), task_id.to_owned())])
}

/// Labels of what belongs to no task: it goes with the instance.
pub(crate) fn of_no_task(instance: &str) -> HashMap<String, String> {
    HashMap::from([(INSTANCE.to_owned(), instance.to_owned())])
}

/// The engine's filter for what carries all these labels.
pub(crate) fn filter(labels: &HashMap<String, String>) -> HashMap<String, Vec<String>> {
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    HashMap::from([("label".to_owned(), pairs)])
}

/// The filter for everything of an instance.
pub(crate) fn of_instance(instance: &str) -> HashMap<String, Vec<String>> {
    filter(&of_no_task(instance))
}

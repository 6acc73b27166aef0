//! From a task and its definition to what the engine is asked for.

use std::time::Duration;

use serde_json::Value;

use crate::engine::{ContainerSpec, HealthCheck, HolderSpec, Mount};
use crate::state::ecs::Ecs;
use crate::state::ecs::container::{ContainerDefinition, MountPoint, Secret};
use crate::state::ecs::definition::Definition;
use crate::state::ecs::task::Task;

/// Between the stop signal and the kill, when not said (documented: `ContainerDefinition.stopTimeout`).
const STOP_TIMEOUT: u32 = 30;

fn find<'a>(ecs: &'a Ecs, task: &str) -> Option<(&'a Task, &'a Definition)> {
    let task = ecs.tasks.get(task)?;
    Some((task, ecs.definition(&task.definition)?))
}

/// The task's network namespace.
pub(super) fn holder(ecs: &Ecs, task: &str) -> Option<HolderSpec> {
    let (task, definition) = find(ecs, task)?;
    let mut ports: Vec<u16> =
        definition.containers().iter().flat_map(|c| c.tcp_ports().collect::<Vec<_>>()).collect();
    ports.sort_unstable();
    ports.dedup();
    let address = task.interface.as_ref().map_or("127.0.0.1", |i| i.address.as_str());
    Some(HolderSpec {
        task_id: task.id.clone(),
        cluster: task.cluster.clone(),
        group: task.group.clone(),
        task_definition: task.definition.clone(),
        hostname: format!("ip-{}.{}.compute.internal", address.replace('.', "-"), ecs.place.region),
        ports,
        cpu: task.cpu,
        memory_mib: task.memory,
    })
}

/// A container of the task, the holder that it joins, and the secrets that its environment lacks yet.
pub(super) fn container(ecs: &Ecs, task: &str, name: &str) -> Option<(String, ContainerSpec, Vec<Secret>)> {
    let (task, definition) = find(ecs, task)?;
    let holder = task.holder.clone()?;
    let container = definition.containers().into_iter().find(|c| c.name == name)?;
    let overrides = overrides(task, name);
    let text_list = |member: &str| {
        let list = overrides.get(member)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>())
    };
    let number =
        |member: &str| overrides.get(member).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let linux = container.linux_parameters.clone().unwrap_or_default();
    let spec = ContainerSpec {
        task_id: task.id.clone(),
        cluster: task.cluster.clone(),
        name: container.name.clone(),
        image: container.image.clone(),
        entry_point: container.entry_point.clone().filter(|e| !e.is_empty()),
        command: text_list("command").or_else(|| container.command.clone()).filter(|c| !c.is_empty()),
        environment: environment(&container, &overrides, &ecs.place.region),
        user: container.user.clone(),
        working_directory: container.working_directory.clone(),
        read_only_root: container.readonly_root_filesystem.unwrap_or(false),
        cpu: number("cpu").unwrap_or(container.cpu),
        memory_mib: number("memory").or(container.memory).or(task.memory),
        memory_reservation_mib: number("memoryReservation").or(container.memory_reservation),
        ulimits: container.ulimits.iter().map(|u| (u.name.clone(), u.soft_limit, u.hard_limit)).collect(),
        health_check: health_check(&container),
        stop_timeout: timeout(&container),
        init: linux.init_process_enabled,
        mounts: container.mount_points.iter().map(|point| mount(definition, point)).collect(),
        tmpfs: linux.tmpfs.iter().map(|t| (t.container_path.clone(), t.size)).collect(),
    };
    Some((holder, spec, container.secrets))
}

/// An EFS file system is a volume that all tasks share and that stays until everything is removed; each root
/// directory and access point is one of its own.
fn mount(definition: &Definition, point: &MountPoint) -> Mount {
    let volumes = definition.body.get("volumes").and_then(Value::as_array);
    let volume = volumes.into_iter().flatten().find(|v| v["name"] == point.source_volume.as_str());
    let efs = volume.map(|v| &v["efsVolumeConfiguration"]).filter(|efs| efs.is_object());
    Mount {
        volume: efs.map_or_else(|| point.source_volume.clone(), efs_volume),
        shared: efs.is_some(),
        path: point.container_path.clone(),
        read_only: point.read_only,
    }
}

/// Its ID, and what of it is mounted, in the letters that a volume's name may have.
fn efs_volume(efs: &Value) -> String {
    let root = efs["rootDirectory"].as_str().unwrap_or_default();
    let point = efs["authorizationConfig"]["accessPointId"].as_str().unwrap_or_default();
    let parts = [efs["fileSystemId"].as_str().unwrap_or_default(), point, root];
    let parts = parts.map(|part| part.trim_matches('/').replace('/', "."));
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}

/// The entry of `overrides.containerOverrides` for this container.
fn overrides(task: &Task, name: &str) -> Value {
    let all = task.body.get("overrides").and_then(|o| o["containerOverrides"].as_array());
    all.and_then(|all| all.iter().find(|o| o["name"] == name)).cloned().unwrap_or_default()
}

/// The definition's, then the overrides', then what Fargate sets, which wins (assumed: which of them win; the metadata and credentials endpoints are not served here, so they
/// are not announced).
fn environment(container: &ContainerDefinition, overrides: &Value, region: &str) -> Vec<(String, String)> {
    let own = container.environment.iter().map(|e| (e.name.clone(), e.value.clone()));
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let over = overrides.get("environment").and_then(Value::as_array);
    let over = over.into_iter().flatten().map(|e| (text(&e["name"]), text(&e["value"])));
    let fargate =
        [("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE"), ("AWS_REGION", region), ("AWS_DEFAULT_REGION", region)];
    let fargate = fargate.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut out: Vec<(String, String)> = Vec::new();
    for (name, value) in own.chain(over).chain(fargate) {
        out.retain(|(there, _)| *there != name);
        out.push((name, value));
    }
    out
}

/// Documented: `HealthCheck`'s defaults.
fn health_check(container: &ContainerDefinition) -> Option<HealthCheck> {
    let check = container.health_check.as_ref()?;
    let seconds = |value: Option<u32>, default| Duration::from_secs(value.unwrap_or(default).into());
    Some(HealthCheck {
        command: check.command.clone(),
        interval: seconds(check.interval, 30),
        timeout: seconds(check.timeout, 5),
        retries: check.retries.unwrap_or(3),
        start_period: seconds(check.start_period, 0),
    })
}

fn timeout(container: &ContainerDefinition) -> Duration {
    Duration::from_secs(container.stop_timeout.unwrap_or(STOP_TIMEOUT).into())
}

/// How long a container may take to stop.
pub(super) fn stop_timeout(ecs: &Ecs, task: &str, name: &str) -> Duration {
    let definition = find(ecs, task).map(|(_, d)| d.containers()).unwrap_or_default();
    definition.iter().find(|c| c.name == name).map_or(Duration::from_secs(STOP_TIMEOUT.into()), timeout)
}

#[cfg(test)]
mod tests {
    use super::efs_volume;
    use serde_json::json;

    #[test]
    fn each_root_of_a_file_system_is_a_volume() {
        let name = |efs| efs_volume(&efs);
        assert_eq!(name(json!({"fileSystemId": "fs-1"})), "fs-1");
        assert_eq!(name(json!({"fileSystemId": "fs-1", "rootDirectory": "/"})), "fs-1");
        assert_eq!(name(json!({"fileSystemId": "fs-1", "rootDirectory": "/a/b"})), "fs-1_a.b");
        let point = json!({"fileSystemId": "fs-1", "authorizationConfig": {"accessPointId": "fsap-1"}});
        assert_eq!(name(point), "fs-1_fsap-1");
    }
}

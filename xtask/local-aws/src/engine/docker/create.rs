//! What is asked of the engine for a holder and for a container: pure, from the spec to the
//! request's body.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions,
    PortBinding, ResourcesUlimits,
};

use crate::engine::{
    ContainerId, ContainerSpec, HealthCheck, HolderSpec, Mount as VolumeMount, holder, labels,
};

const MIB: i64 = 1024 * 1024;

/// What a container request needs to know besides its spec.
pub(super) struct Place<'a> {
    /// The control plane's name.
    pub instance: &'a str,
    /// CPUs of the engine.
    pub cpus: u32,
    /// Address on the engine's host that ports are published at.
    pub publish_at: &'a str,
    /// The engine's architecture.
    pub architecture: &'a str,
}

/// The task's limits, kept as labels of its holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TaskLimits {
    /// CPU units.
    pub cpu: Option<u32>,
    /// MiB.
    pub memory_mib: Option<u32>,
}

impl TaskLimits {
    pub(super) fn from_labels(labels: &HashMap<String, String>) -> Self {
        let number = |key: &str| labels.get(key).and_then(|value| value.parse().ok());
        Self { cpu: number(labels::CPU), memory_mib: number(labels::MEMORY) }
    }
}

pub(super) fn holder_body(place: &Place<'_>, spec: &HolderSpec) -> ContainerCreateBody {
    let bind = || PortBinding { host_ip: Some(place.publish_at.to_owned()), host_port: Some("0".to_owned()) };
    let ports = spec.ports.iter().map(|port| (format!("{port}/tcp"), Some(vec![bind()])));
    ContainerCreateBody {
        image: Some(holder::image_name(place.architecture)),
        // The kernel's limit for a host name is 64 bytes.
        hostname: spec.hostname.get(..63).or(Some(&spec.hostname)).map(str::to_owned),
        labels: Some(holder_labels(place, spec)),
        exposed_ports: Some(spec.ports.iter().map(|port| format!("{port}/tcp")).collect()),
        host_config: Some(HostConfig {
            network_mode: Some(labels::network_name(place.instance)),
            port_bindings: Some(ports.collect()),
            readonly_rootfs: Some(true),
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

fn holder_labels(place: &Place<'_>, spec: &HolderSpec) -> HashMap<String, String> {
    let mut all = labels::of_task(place.instance, &spec.task_id);
    let mut set = |key: &str, value: String| all.insert(key.to_owned(), value);
    set(labels::CLUSTER, spec.cluster.clone());
    set(labels::GROUP, spec.group.clone());
    set(labels::TASK_DEFINITION, spec.task_definition.clone());
    if let Some(cpu) = spec.cpu {
        set(labels::CPU, cpu.to_string());
    }
    if let Some(memory) = spec.memory_mib {
        set(labels::MEMORY, memory.to_string());
    }
    all
}

pub(super) fn container_body(
    place: &Place<'_>,
    holder: &ContainerId,
    task: TaskLimits,
    image: &str,
    spec: &ContainerSpec,
) -> ContainerCreateBody {
    let mut all = labels::of_task(place.instance, &spec.task_id);
    all.insert(labels::CLUSTER.to_owned(), spec.cluster.clone());
    all.insert(labels::CONTAINER.to_owned(), spec.name.clone());
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(all),
        env: Some(spec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        // An entry point of its own drops the image's command: the engine's rule, and ECS's.
        entrypoint: non_empty(spec.entry_point.as_ref()),
        cmd: non_empty(spec.command.as_ref()),
        user: spec.user.clone(),
        working_dir: spec.working_directory.clone(),
        healthcheck: Some(health_config(spec.health_check.as_ref())),
        stop_timeout: i64::try_from(spec.stop_timeout.as_secs()).ok(),
        host_config: Some(host_config(place, holder, task, spec)),
        ..ContainerCreateBody::default()
    }
}

/// An empty list means "not set" (assumed: ECS drops empty lists).
fn non_empty(list: Option<&Vec<String>>) -> Option<Vec<String>> {
    list.filter(|list| !list.is_empty()).cloned()
}

fn host_config(
    place: &Place<'_>,
    holder: &ContainerId,
    task: TaskLimits,
    spec: &ContainerSpec,
) -> HostConfig {
    let memory = spec.memory_mib.or(task.memory_mib).map(|mib| i64::from(mib) * MIB);
    HostConfig {
        network_mode: Some(format!("container:{}", holder.0)),
        memory,
        // Equal to `memory`: no swap, so that too much memory ends the container as on Fargate.
        memory_swap: memory,
        memory_reservation: spec.memory_reservation_mib.map(|mib| i64::from(mib) * MIB),
        cpu_shares: cpu_shares(spec.cpu, task),
        nano_cpus: nano_cpus(task, place.cpus),
        ulimits: Some(spec.ulimits.iter().map(ulimit).collect()),
        readonly_rootfs: Some(spec.read_only_root),
        init: spec.init.then_some(true),
        mounts: Some(spec.mounts.iter().map(|mount| volume(place.instance, spec, mount)).collect()),
        tmpfs: Some(spec.tmpfs.iter().map(|(path, mib)| (path.clone(), format!("size={mib}m"))).collect()),
        log_config: Some(log_config()),
        ..HostConfig::default()
    }
}

/// A container's weight against the others. ECS gives a container without CPU units the least
/// weight there is (2), within its task; here all containers share one level, where that could
/// starve it, so it weighs as much as its task.
fn cpu_shares(cpu: u32, task: TaskLimits) -> Option<i64> {
    let units = if cpu > 0 { Some(cpu) } else { task.cpu };
    units.map(|units| i64::from(units.max(2)))
}

/// The task's bound, 1024 units to a CPU. The engine refuses more CPUs than it has, while a
/// task of 4 vCPU should still run on a laptop of 2.
fn nano_cpus(task: TaskLimits, cpus: u32) -> Option<i64> {
    let nano = i64::from(task.cpu?) * 1_000_000_000 / 1024;
    (nano < i64::from(cpus) * 1_000_000_000).then_some(nano)
}

fn ulimit((name, soft, hard): &(String, i64, i64)) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.clone()), soft: Some(*soft), hard: Some(*hard) }
}

/// The engine makes a volume it does not have, with these labels.
fn volume(instance: &str, spec: &ContainerSpec, mount: &VolumeMount) -> Mount {
    let (name, labels) = if mount.shared {
        (labels::shared_volume_name(instance, &mount.volume), labels::of_no_task(instance))
    } else {
        let name = labels::volume_name(instance, &spec.task_id, &mount.volume);
        (name, labels::of_task(instance, &spec.task_id))
    };
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(name),
        target: Some(mount.path.clone()),
        read_only: Some(mount.read_only),
        volume_options: Some(MountVolumeOptions { labels: Some(labels), ..MountVolumeOptions::default() }),
        ..Mount::default()
    }
}

/// Without one of its own a container has none: ECS does not use the image's.
fn health_config(check: Option<&HealthCheck>) -> HealthConfig {
    let nanos = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match check {
        None => HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() },
        Some(check) => HealthConfig {
            test: Some(check.command.clone()),
            interval: Some(nanos(check.interval)),
            timeout: Some(nanos(check.timeout)),
            retries: Some(i64::from(check.retries)),
            start_period: Some(nanos(check.start_period)),
            start_interval: None,
        },
    }
}

/// The engine's files are a buffer for the log pump, not the log: they are bounded.
fn log_config() -> HostConfigLogConfig {
    let options = [("max-size", "16m"), ("max-file", "3")];
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(options.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PLACE: Place<'static> =
        Place { instance: "test", cpus: 2, publish_at: "127.0.0.1", architecture: "amd64" };

    fn body(task: TaskLimits, spec: &ContainerSpec) -> ContainerCreateBody {
        container_body(&PLACE, &ContainerId("abc".to_owned()), task, "app:1", spec)
    }

    fn host(task: TaskLimits, spec: &ContainerSpec) -> HostConfig {
        body(task, spec).host_config.expect("is set")
    }

    #[test]
    fn the_task_bounds_a_container_without_limits_of_its_own() {
        let task = TaskLimits { cpu: Some(256), memory_mib: Some(512) };
        let host = host(task, &ContainerSpec::default());
        assert_eq!(host.memory, Some(512 * MIB));
        assert_eq!(host.memory_swap, host.memory);
        assert_eq!(host.nano_cpus, Some(250_000_000));
        assert_eq!(host.cpu_shares, Some(256));
    }

    #[test]
    fn a_containers_own_limits_win() {
        let task = TaskLimits { cpu: Some(1024), memory_mib: Some(2048) };
        let spec = ContainerSpec { cpu: 128, memory_mib: Some(64), ..ContainerSpec::default() };
        let host = host(task, &spec);
        assert_eq!((host.memory, host.cpu_shares), (Some(64 * MIB), Some(128)));
        assert_eq!(host.nano_cpus, Some(1_000_000_000));
    }

    #[test]
    fn more_cpus_than_the_engine_has_is_no_bound() {
        let task = TaskLimits { cpu: Some(4096), memory_mib: None };
        assert_eq!(host(task, &ContainerSpec::default()).nano_cpus, None);
    }

    #[test]
    fn the_images_health_check_is_off_unless_the_definition_has_one() {
        let none = body(TaskLimits::default(), &ContainerSpec::default()).healthcheck.expect("is set");
        assert_eq!(none.test, Some(vec!["NONE".to_owned()]));
        let check = HealthCheck {
            command: vec!["CMD".to_owned(), "/probe".to_owned()],
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            retries: 3,
            start_period: Duration::ZERO,
        };
        let spec = ContainerSpec { health_check: Some(check), ..ContainerSpec::default() };
        let config = body(TaskLimits::default(), &spec).healthcheck.expect("is set");
        assert_eq!((config.interval, config.retries), (Some(5_000_000_000), Some(3)));
    }

    #[test]
    fn the_holder_carries_what_finds_and_bounds_its_task() {
        let spec = HolderSpec {
            task_id: "0123456789abcdef".to_owned(),
            cluster: "c".to_owned(),
            group: "service:s".to_owned(),
            task_definition: "f:1".to_owned(),
            hostname: "ip-172-31-0-7".to_owned(),
            ports: vec![3000],
            cpu: Some(256),
            memory_mib: Some(512),
        };
        let body = holder_body(&PLACE, &spec);
        let labels = body.labels.expect("is set");
        assert_eq!(labels.get("local-aws.group").map(String::as_str), Some("service:s"));
        assert_eq!(TaskLimits::from_labels(&labels), TaskLimits { cpu: Some(256), memory_mib: Some(512) });
        let host = body.host_config.expect("is set");
        assert_eq!(host.network_mode.as_deref(), Some("local-aws-test"));
        let ports = serde_json::to_string(&host.port_bindings).expect("serialises");
        assert_eq!(ports, r#"{"3000/tcp":[{"HostIp":"127.0.0.1","HostPort":"0"}]}"#);
    }

    #[test]
    fn a_volume_is_its_tasks_unless_it_is_shared() {
        let mount = |shared| VolumeMount {
            volume: "data".to_owned(),
            shared,
            path: "/d".to_owned(),
            read_only: true,
        };
        let spec = ContainerSpec {
            task_id: "0123".to_owned(),
            mounts: vec![mount(false), mount(true)],
            ..ContainerSpec::default()
        };
        let mounts = host(TaskLimits::default(), &spec).mounts.expect("is set");
        let seen: Vec<_> = mounts
            .iter()
            .map(|mount| {
                let labels =
                    mount.volume_options.clone().and_then(|options| options.labels).unwrap_or_default();
                (mount.source.clone().unwrap_or_default(), labels.contains_key(labels::TASK))
            })
            .collect();
        let names = ["local-aws-test-0123-data", "local-aws-test-data"].map(str::to_owned);
        assert_eq!(seen, names.into_iter().zip([true, false]).collect::<Vec<_>>());
    }
}

//! `[service.NAME.container.NAME]`.

use std::collections::BTreeMap;

use super::service::container_image;
use super::{Check, Declared, extra, volume};
use crate::config::limits;
use crate::config::problem::nearest;
use crate::config::raw;
use crate::config::service::{Container, ContainerImage, HealthCheck, Log, Port, Volume};
use crate::config::source::Path;

/// What a container has to fit into.
#[derive(Clone, Copy)]
pub(super) struct InTask<'a> {
    /// MiB of the task, as typed.
    pub(super) memory: Option<i64>,
    pub(super) fargate: bool,
    pub(super) volumes: &'a [Volume],
}

pub(super) fn containers(
    check: &mut Check<'_>,
    at: &Path,
    tables: BTreeMap<String, raw::Container>,
    declared: &Declared,
    task: InTask<'_>,
) -> Vec<Container> {
    let top = at.at("container");
    if tables.is_empty() {
        check.key(
            at,
            "a service needs a container",
            "",
            ["add a table `[service.NAME.container.NAME]`".to_owned()],
        );
    }
    let tables = check.in_order(&top, tables);
    let containers: Vec<_> = tables
        .into_iter()
        .map(|(at, name, table)| container(check, &at, name, table, declared, task))
        .collect();
    if !containers.is_empty() && !containers.iter().any(|container| container.essential) {
        check.key(
            &top,
            "no container is essential",
            "",
            ["a task ends when its last essential container does: leave one `essential`".to_owned()],
        );
    }
    same_ports(check, &top, &containers);
    dependencies(check, &top, &containers);
    containers
}

fn container(
    check: &mut Check<'_>,
    at: &Path,
    name: String,
    table: raw::Container,
    declared: &Declared,
    task: InTask<'_>,
) -> Container {
    check.name(at, &name, "a container name");
    memory(check, at, &table, task);
    let image = match table.image {
        Some(image) => container_image(check, &at.at("image"), image, declared),
        None => {
            check.key(at, "`image` is missing", "here", []);
            ContainerImage::Reference(String::new())
        }
    };
    let ports = ports(check, at, table.port, table.ports);
    if let (Some(memory), Some(task)) = (table.memory, task.memory)
        && memory > task
    {
        check.value(
            &at.at("memory"),
            format!("{memory} MiB is more than the task has"),
            "",
            [format!("the task's `memory` is {task}")],
        );
    }
    for (key, _) in table.secrets.iter().filter(|(key, _)| table.environment.contains_key(*key)) {
        check.key(&at.at("secrets").at(key), format!("`{key}` is in `environment` and in `secrets`"), "", []);
    }
    Container {
        image,
        ports,
        essential: table.essential.unwrap_or(true),
        cpu: check.optional(&at.at("cpu"), table.cpu, 0..=16384),
        memory: check.optional(&at.at("memory"), table.memory, 6..=122_880),
        memory_reservation: check.optional(
            &at.at("memory-reservation"),
            table.memory_reservation,
            6..=122_880,
        ),
        entrypoint: table.entrypoint,
        command: table.command,
        environment: table.environment.into_iter().map(|(key, value)| (key, text(value))).collect(),
        secrets: table.secrets,
        health_check: table.health_check.map(|health| health_check(check, &at.at("health-check"), health)),
        depends_on: table.depends_on.into_iter().map(|(other, condition)| (other, word(condition))).collect(),
        user: table.user,
        working_directory: table.working_directory,
        read_only_root: table.read_only_root,
        ulimits: table.ulimits.into_iter().map(ulimit).collect(),
        stop_timeout: check.optional(&at.at("stop-timeout"), table.stop_timeout, 1..=longest_stop(task)),
        init: table.init,
        mounts: volume::mounts(check, at, table.mounts, task.volumes),
        labels: table.labels,
        log: table.log.map(|log| Log {
            driver: log.driver,
            options: log.options,
            secret_options: log.secret_options,
        }),
        extra: extra::extra(check, at, table.extra, extra::OF_CONTAINER),
        name,
    }
}

/// On EC2, what the task does not limit each container does.
/// Source: observed (sil-org/ecs-deploy#308), "At least one of 'memory' or 'memoryReservation' must be specified."
fn memory(check: &mut Check<'_>, at: &Path, table: &raw::Container, task: InTask<'_>) {
    if !task.fargate && task.memory.is_none() && table.memory.is_none() && table.memory_reservation.is_none()
    {
        let help = "add `memory` or `memory-reservation` here, or `memory` to the service".to_owned();
        check.key(at, "a container on EC2 needs to say its memory", "", [help]);
    }
}

fn longest_stop(task: InTask<'_>) -> i64 {
    if task.fargate { limits::STOP_TIMEOUT_MAX } else { i64::from(i32::MAX) }
}

fn ports(check: &mut Check<'_>, at: &Path, port: Option<i64>, ports: Option<Vec<raw::Port>>) -> Vec<Port> {
    if port.is_some() && ports.is_some() {
        check.key(
            &at.at("ports"),
            "`port` and `ports` exclude each other",
            "",
            ["keep one of them".to_owned()],
        );
    }
    let single = port.into_iter().map(|port| (at.at("port"), raw::Port::Number(port)));
    let several =
        ports.into_iter().flatten().enumerate().map(|(index, port)| (at.at("ports").at(index), port));
    single.chain(several).filter_map(|(at, one)| port_mapping(check, &at, one)).collect()
}

fn port_mapping(check: &mut Check<'_>, at: &Path, port: raw::Port) -> Option<Port> {
    let (number, protocol, name) = match port {
        raw::Port::Number(number) => (number, None, None),
        raw::Port::Full(table) => (table.port, table.protocol, table.name),
    };
    let protocol = if protocol == Some(raw::Protocol::Udp) { "udp" } else { "tcp" };
    Some(Port { number: check.integer(at, number, 1..=65535)?, protocol, name })
}

/// The containers of a task share one network, so no two can listen on one port.
fn same_ports(check: &mut Check<'_>, top: &Path, containers: &[Container]) {
    let mut taken: BTreeMap<(u16, &str), &str> = BTreeMap::new();
    for container in containers {
        for port in &container.ports {
            if let Some(other) = taken.insert((port.number, port.protocol), &container.name) {
                let at = top.at(&container.name);
                let title = format!("port {} is `{other}`'s already", port.number);
                let help =
                    "the containers of a task share one network: each needs ports of its own".to_owned();
                check.value(&at.at("port"), title, "", [help]);
            }
        }
    }
}

fn dependencies(check: &mut Check<'_>, top: &Path, containers: &[Container]) {
    for container in containers {
        for (other, condition) in &container.depends_on {
            let at = top.at(&container.name).at("depends-on").at(other);
            let Some(found) = containers.iter().find(|candidate| candidate.name == *other) else {
                let names = containers.iter().map(|container| container.name.as_str());
                let help = nearest(other, names)
                    .map_or_else(String::new, |meant| format!("did you mean `{meant}`?"));
                check.key(&at, format!("there is no container `{other}`"), "", [help]);
                continue;
            };
            if *condition == "HEALTHY" && found.health_check.is_none() {
                check.key(
                    &at,
                    format!("`{other}` has no health check to wait for"),
                    "",
                    ["give it a `health-check`, or wait for `START`".to_owned()],
                );
            }
            if matches!(*condition, "COMPLETE" | "SUCCESS") && found.essential {
                check.key(
                    &at,
                    format!("`{other}` is essential, so the task ends when it does"),
                    "",
                    [format!("set `essential = false` on `{other}`")],
                );
            }
        }
    }
    if let Some(name) = in_cycle(containers) {
        check.key(&top.at(name).at("depends-on"), "the containers wait for each other in a circle", "", []);
    }
}

/// A container that waits for itself, directly or by way of others.
fn in_cycle(containers: &[Container]) -> Option<&str> {
    let next =
        |name: &str| containers.iter().find(|c| c.name == name).into_iter().flat_map(|c| c.depends_on.keys());
    containers.iter().map(|container| container.name.as_str()).find(|start| {
        let mut seen = std::collections::BTreeSet::new();
        let mut todo: Vec<&String> = next(start).collect();
        while let Some(name) = todo.pop() {
            if name == start {
                return true;
            }
            if seen.insert(name) {
                todo.extend(next(name));
            }
        }
        false
    })
}

/// Ranges from the Amazon ECS API Reference, HealthCheck.
fn health_check(check: &mut Check<'_>, at: &Path, health: raw::HealthCheck) -> HealthCheck {
    let command = match health.command {
        raw::Command::Shell(line) => vec!["CMD-SHELL".to_owned(), line],
        raw::Command::Exec(words) => words,
    };
    if !matches!(command.first().map(String::as_str), Some("CMD" | "CMD-SHELL")) || command.len() < 2 {
        let help =
            "`[\"CMD\", \"/server\", \"--check\"]`, or `[\"CMD-SHELL\", \"…\"]` where the image has a shell"
                .to_owned();
        check.value(&at.at("command"), "a health check begins with `CMD` or `CMD-SHELL`", "", [help]);
    }
    HealthCheck {
        command,
        interval: check.optional(&at.at("interval"), health.interval, 5..=300),
        timeout: check.optional(&at.at("timeout"), health.timeout, 2..=60),
        retries: check.optional(&at.at("retries"), health.retries, 1..=10),
        start_period: check.optional(&at.at("start-period"), health.start_period, 0..=300),
    }
}

fn text(value: raw::Scalar) -> String {
    match value {
        raw::Scalar::Text(text) => text,
        raw::Scalar::Integer(number) => number.to_string(),
        raw::Scalar::Boolean(truth) => truth.to_string(),
        raw::Scalar::Float(number) => number.to_string(),
    }
}

const fn word(condition: raw::Condition) -> &'static str {
    match condition {
        raw::Condition::Start => "START",
        raw::Condition::Complete => "COMPLETE",
        raw::Condition::Success => "SUCCESS",
        raw::Condition::Healthy => "HEALTHY",
    }
}

fn ulimit((name, limit): (String, raw::Ulimit)) -> (String, i64, i64) {
    match limit {
        raw::Ulimit::Both(both) => (name, both, both),
        raw::Ulimit::Apart(table) => (name, table.soft, table.hard),
    }
}

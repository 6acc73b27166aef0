//! `[service.NAME]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::container::containers;
use super::{Check, Declared};
use crate::config::image::{Image, Platform};
use crate::config::limits;
use crate::config::problem::nearest;
use crate::config::raw;
use crate::config::service::{
    CircuitBreaker, Container, ContainerImage, Deployment, Ingress, LogGroup, Security, SecurityGroup,
    Service, Source, Subnets, Threshold,
};
use crate::config::source::Path;

pub(super) fn services(
    check: &mut Check<'_>,
    tables: BTreeMap<String, raw::Service>,
    images: &[Image],
    declared: &Declared,
) -> Vec<Service> {
    let top = Path::default().at("service");
    let tables = check.in_order(&top, tables);
    tables
        .into_iter()
        .filter_map(|(at, name, table)| service(check, &at, name, table, images, declared))
        .collect()
}

fn service(
    check: &mut Check<'_>,
    at: &Path,
    name: String,
    table: raw::Service,
    images: &[Image],
    declared: &Declared,
) -> Option<Service> {
    let (None | Some(raw::LaunchType::Fargate)) = table.launch_type;
    check.name(at, &name, "a service name");
    let family = table.family.unwrap_or_else(|| name.clone());
    check.name(&at.at("family"), &family, "a task definition family");
    let size = size(check, at, table.cpu, table.memory);
    let security = security(check, at, table.security_group, table.security_groups);
    let log_group = log_group(check, at, &name, table.logs);
    let containers = containers(check, at, table.container, declared, table.memory);
    roles(check, at, table.execution_role.as_deref(), &containers);
    let platform = platform(check, at, table.platform, &containers, images);
    let deployment = deployment(check, at, &table.deployment);
    let subnets = subnets(check, at, table.subnets);
    let desired_count = check.optional(&at.at("desired-count"), table.desired_count, 0..=5000);
    let storage_at = at.at("ephemeral-storage");
    let ephemeral_storage = check.optional(&storage_at, table.ephemeral_storage, limits::EPHEMERAL_STORAGE);
    let grace_at = at.at("health-check-grace-period");
    let grace = check.optional(&grace_at, table.health_check_grace_period, 0..=i64::from(i32::MAX));
    let (cpu, memory) = size?;
    Some(Service {
        platform_version: table.platform_version,
        platform,
        cpu,
        memory,
        ephemeral_storage,
        desired_count,
        execution_role: table.execution_role,
        task_role: table.task_role,
        subnets,
        assign_public_ip: table.assign_public_ip,
        security,
        deployment,
        health_check_grace_period: grace,
        log_group,
        tags: table.tags,
        containers,
        family,
        name,
    })
}

/// Source: Amazon ECS Developer Guide, "Task size" for Fargate.
fn size(check: &mut Check<'_>, at: &Path, cpu: i64, memory: i64) -> Option<(u32, u32)> {
    let list = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let (Some(sizes), Ok(cpu)) =
        (u32::try_from(cpu).ok().and_then(limits::fargate_memory), u32::try_from(cpu))
    else {
        let known = list(&limits::fargate_cpus().collect::<Vec<_>>());
        check.value(
            &at.at("cpu"),
            format!("Fargate has no tasks of {cpu} CPU units"),
            "",
            [format!("one of {known} (1024 = 1 vCPU)")],
        );
        return None;
    };
    if let Some(memory) = u32::try_from(memory).ok().filter(|memory| sizes.contains(memory)) {
        return Some((cpu, memory));
    }
    let mut help = vec![format!("with cpu = {cpu}, memory is one of {} (MiB)", list(&sizes))];
    let fitting: Vec<u32> = limits::fargate_cpus()
        .filter(|cpu| {
            limits::fargate_memory(*cpu)
                .is_some_and(|sizes| sizes.iter().any(|size| i64::from(*size) == memory))
        })
        .collect();
    if !fitting.is_empty() {
        help.push(format!("with memory = {memory}, cpu is one of {}", list(&fitting)));
    }
    let span = check.spans.value_at(&at.at("memory"));
    check.push(span, format!("Fargate has no tasks of {cpu} CPU units with {memory} MiB"), "", help);
    None
}

fn security(
    check: &mut Check<'_>,
    at: &Path,
    own: Option<raw::SecurityGroup>,
    existing: Option<Vec<String>>,
) -> Security {
    match (own, existing) {
        (Some(_), Some(_)) => {
            let help = "declare one group, or name existing ones".to_owned();
            check.key(
                &at.at("security-groups"),
                "`security-group` and `security-groups` exclude each other",
                "",
                [help],
            );
            Security::Default
        }
        (Some(group), None) => Security::Own(security_group(check, &at.at("security-group"), group)),
        (None, Some(ids)) => {
            for (index, id) in ids.iter().enumerate().filter(|(_, id)| !id.starts_with("sg-")) {
                let help = "IDs begin with `sg-`".to_owned();
                check.value(
                    &at.at("security-groups").at(index),
                    format!("`{id}` is not a security group's ID"),
                    "",
                    [help],
                );
            }
            Security::Existing(ids)
        }
        (None, None) => Security::Default,
    }
}

fn security_group(check: &mut Check<'_>, at: &Path, group: raw::SecurityGroup) -> SecurityGroup {
    let ingress_at = at.at("ingress");
    let rules = group.ingress.into_iter().enumerate();
    let mut ingress: Vec<_> =
        rules.filter_map(|(index, rule)| ingress_rule(check, &ingress_at.at(index), rule)).collect();
    ingress.sort();
    ingress.dedup();
    if group.name.is_empty() || group.name.len() > 255 || group.name.starts_with("sg-") {
        let help = "1 to 255 characters, not beginning with `sg-`".to_owned();
        check.value(&at.at("name"), "not a security group name", "", [help]);
    }
    let description =
        group.description.unwrap_or_else(|| format!("{}, managed by cargo xtask deploy", group.name));
    SecurityGroup { name: group.name, description, ingress }
}

fn ingress_rule(check: &mut Check<'_>, at: &Path, rule: raw::Ingress) -> Option<Ingress> {
    let (from, to) = match (rule.port, rule.from_port, rule.to_port) {
        (Some(port), None, None) => (port, port),
        (None, Some(from), Some(to)) => (from, to),
        _ => {
            check.value(at, "which ports?", "", ["`port = 443`, or `from-port` and `to-port`".to_owned()]);
            return None;
        }
    };
    let from: u16 = check.integer(at, from, 0..=65535)?;
    let to: u16 = check.integer(at, to, i64::from(from)..=65535)?;
    let source = match (rule.cidr, rule.security_group) {
        (Some(cidr), None) => cidr_source(check, &at.at("cidr"), &cidr)?,
        (None, Some(group)) => Source::Group(group),
        _ => {
            check.value(
                at,
                "from where?",
                "",
                ["`cidr = \"0.0.0.0/0\"` or `security-group = \"sg-…\"`".to_owned()],
            );
            return None;
        }
    };
    let protocol = if rule.protocol == Some(raw::Protocol::Udp) { "udp" } else { "tcp" };
    Some(Ingress { protocol, ports: (from, to), source, description: rule.description })
}

/// As AWS writes it: without the bits that the length leaves out.
/// Source: Amazon EC2 API Reference, AuthorizeSecurityGroupIngress (`100.68.0.18/18` becomes `100.68.0.0/18`).
fn cidr_source(check: &mut Check<'_>, at: &Path, cidr: &str) -> Option<Source> {
    let (address, length) = cidr.split_once('/').unwrap_or((cidr, ""));
    match (address.parse(), length.parse::<u32>()) {
        (Ok(IpAddr::V4(address)), Ok(length @ 0..=32)) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            Some(Source::Ipv4(format!("{}/{length}", Ipv4Addr::from(u32::from(address) & mask))))
        }
        (Ok(IpAddr::V6(address)), Ok(length @ 0..=128)) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            Some(Source::Ipv6(format!("{}/{length}", Ipv6Addr::from(u128::from(address) & mask))))
        }
        _ => {
            let help = "such as `10.0.0.0/16` or `203.0.113.7/32`".to_owned();
            check.value(at, format!("`{cidr}` is not a CIDR block"), "", [help]);
            None
        }
    }
}

fn log_group(check: &mut Check<'_>, at: &Path, service: &str, logs: raw::Logs) -> LogGroup {
    let at = at.at("logs").at("retention-days");
    let retention_days = logs.retention_days.and_then(|days| retention(check, &at, days));
    LogGroup { name: logs.group.unwrap_or_else(|| format!("/ecs/{service}")), retention_days }
}

fn retention(check: &mut Check<'_>, at: &Path, days: i64) -> Option<u32> {
    let allowed = u32::try_from(days).ok().filter(|days| limits::RETENTION_DAYS.contains(days));
    if allowed.is_none() {
        let near = limits::RETENTION_DAYS.iter().min_by_key(|allowed| (i64::from(**allowed) - days).abs());
        let near = near.map(|near| format!("the nearest is {near}")).unwrap_or_default();
        let help = format!("CloudWatch Logs keeps events for {:?} days", limits::RETENTION_DAYS);
        check.value(at, format!("{days} days is not a retention"), "", [near, help]);
    }
    allowed
}

/// Fargate cannot pull from ECR, write to CloudWatch or read secrets without the execution role.
/// Source: Amazon ECS Developer Guide, "Amazon ECS task execution IAM role".
fn roles(check: &mut Check<'_>, at: &Path, role: Option<&str>, containers: &[Container]) {
    let needs = |container: &&Container| {
        let ecr = match &container.image {
            ContainerImage::Built(_) => true,
            ContainerImage::Reference(reference) => reference.contains(".dkr.ecr."),
        };
        ecr || container.log.as_ref().is_none_or(|log| log.driver == "awslogs")
            || !container.secrets.is_empty()
    };
    if role.is_none() && containers.iter().find(needs).is_some() {
        let help =
            "add `execution-role = \"ecsTaskExecutionRole\"`; to make that role once per account:".to_owned();
        check.key(
            at,
            "Fargate needs an execution role to pull from ECR and to write logs",
            "has no `execution-role`",
            [help, role_recipe("ecsTaskExecutionRole")],
        );
    }
}

/// The commands that make the execution role.
/// Source: Amazon ECS Developer Guide, "Amazon ECS task execution IAM role".
#[must_use]
pub fn role_recipe(name: &str) -> String {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    format!(
        "aws iam create-role --role-name {name} --assume-role-policy-document '{trust}'\n\
         aws iam attach-role-policy --role-name {name} --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    )
}

/// A task runs on one architecture, so its built images and its own `platform` agree.
fn platform(
    check: &mut Check<'_>,
    at: &Path,
    declared: Option<raw::PlatformName>,
    containers: &[Container],
    images: &[Image],
) -> Platform {
    let built = |container: &Container| match &container.image {
        ContainerImage::Built(name) => {
            let image = images.iter().find(|image| image.name == *name);
            image.map(|image| (at.at("container").at(&container.name).at("image"), image.platform))
        }
        ContainerImage::Reference(_) => None,
    };
    let own = declared.map(|name| (at.at("platform"), name.into()));
    let mut platforms = own.into_iter().chain(containers.iter().filter_map(built));
    let Some((_, first)) = platforms.next() else { return Platform::default() };
    for (place, other) in platforms.filter(|(_, other)| *other != first) {
        let help = "everything in a task runs on one platform".to_owned();
        check.value(&place, format!("this is for {other}, the rest of the task for {first}"), "", [help]);
    }
    first
}

fn deployment(check: &mut Check<'_>, at: &Path, table: &raw::Deployment) -> Deployment {
    let at = at.at("deployment");
    let minimum: Option<u32> =
        check.optional(&at.at("minimum-healthy-percent"), table.minimum_healthy_percent, 0..=100);
    let maximum: Option<u32> = check.optional(&at.at("maximum-percent"), table.maximum_percent, 100..=200);
    if minimum.unwrap_or(100) == 100 && maximum == Some(100) {
        let help =
            "raise `maximum-percent` above 100, or lower `minimum-healthy-percent` below 100".to_owned();
        check.key(&at, "a rollout could neither start nor stop a task", "", [help]);
    }
    let minutes: u64 =
        check.optional(&at.at("timeout-minutes"), table.timeout_minutes, 1..=1440).unwrap_or(20);
    let crash_limit: u32 =
        check.optional(&at.at("crash-limit"), table.crash_limit, 0..=1000).unwrap_or(limits::CRASH_LIMIT);
    Deployment {
        crash_limit: (crash_limit > 0).then_some(crash_limit),
        minimum_healthy_percent: minimum,
        maximum_percent: maximum,
        circuit_breaker: circuit_breaker(check, &at.at("circuit-breaker"), table.circuit_breaker.as_ref()),
        timeout: Duration::from_secs(minutes * 60),
    }
}

fn circuit_breaker(
    check: &mut Check<'_>,
    at: &Path,
    declared: Option<&raw::CircuitBreaker>,
) -> Option<CircuitBreaker> {
    let table = match declared? {
        raw::CircuitBreaker::Tuned(table) => table,
        raw::CircuitBreaker::Switch(on) => {
            let (enable, rollback) = (*on, *on);
            return Some(CircuitBreaker { enable, rollback, threshold: None, reset_on_healthy_task: None });
        }
    };
    let mut number = |key: &str, value| {
        let declared: Option<u32> = check.optional(&at.at(key), value, 1..=i64::from(i32::MAX));
        declared.map(|value| (key.to_owned(), value))
    };
    let count = number("threshold", table.threshold).map(|(key, value)| (key, Threshold::Count(value)));
    let percent = number("threshold-percent", table.threshold_percent);
    let percent = percent.map(|(key, value)| (key, Threshold::Percent(value)));
    let unbounded = number("threshold-unbounded-percent", table.threshold_unbounded_percent);
    let unbounded = unbounded.map(|(key, value)| (key, Threshold::UnboundedPercent(value)));
    let mut declared = count.into_iter().chain(percent).chain(unbounded);
    let threshold = declared.next().map(|(_, threshold)| threshold);
    if let Some((key, _)) = declared.next() {
        let help = "one of `threshold`, `threshold-percent` and `threshold-unbounded-percent`".to_owned();
        check.key(&at.at(&key), "the threshold is given twice", "", [help]);
    }
    Some(CircuitBreaker {
        enable: true,
        rollback: table.rollback.unwrap_or(true),
        threshold,
        reset_on_healthy_task: table.reset_on_healthy_task,
    })
}

fn subnets(check: &mut Check<'_>, at: &Path, subnets: Option<raw::Subnets>) -> Subnets {
    let at = at.at("subnets");
    match subnets {
        None => Subnets::Default,
        Some(raw::Subnets::Word(word)) if word == "default" => Subnets::Default,
        Some(raw::Subnets::Word(word)) => {
            let help = "`\"default\"`, a list of IDs, or `{ tag = { KEY = \"VALUE\" } }`".to_owned();
            check.value(&at, format!("`{word}` is not a choice of subnets"), "", [help]);
            Subnets::Default
        }
        Some(raw::Subnets::Ids(ids)) => {
            for (index, id) in ids.iter().enumerate().filter(|(_, id)| !id.starts_with("subnet-")) {
                check.value(
                    &at.at(index),
                    format!("`{id}` is not a subnet's ID"),
                    "",
                    ["IDs begin with `subnet-`".to_owned()],
                );
            }
            if ids.is_empty() || ids.len() > 16 {
                check.value(&at, "a service has 1 to 16 subnets", "", []);
            }
            Subnets::Ids(ids)
        }
        Some(raw::Subnets::Tagged(filter)) => Subnets::Tagged(filter.tag),
    }
}

/// What a container's `image` means.
pub(super) fn container_image(
    check: &mut Check<'_>,
    at: &Path,
    image: String,
    declared: &Declared,
) -> ContainerImage {
    if declared.names().any(|name| name == image) {
        return ContainerImage::Built(image);
    }
    if image.contains(['/', ':', '@']) {
        return ContainerImage::Reference(image);
    }
    let names: Vec<&str> = declared.names().collect();
    let help = match nearest(&image, declared.names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => format!("declare it as `[image.{image}]`"),
        None => format!("declare it as `[image.{image}]`; declared: {}", names.join(", ")),
    };
    let reference =
        format!("an image from elsewhere is a reference with a `/`, `:` or `@`, such as `{image}:latest`");
    check.value(at, format!("there is no image `{image}`"), "", [help, reference]);
    ContainerImage::Reference(image)
}

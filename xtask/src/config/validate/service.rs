//! `[service.NAME]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path as FsPath;
use std::time::Duration;

use super::container::{InTask, containers};
use super::size::{self, Size};
use super::{Check, Declared, capacity, existing, extra, given, traffic, volume};
use crate::config::image::{Image, Platform};
use crate::config::limits;
use crate::config::names;
use crate::config::problem::nearest;
use crate::config::raw;
use crate::config::service::{
    Alarms, CircuitBreaker, Container, ContainerImage, Deployment, Ingress, Launch, LogGroup, Security,
    SecurityGroup, Service, Source, Threshold, Volume,
};
use crate::config::source::Path;

/// What services are held against: the images, their names, and the directory of the file.
type Context<'a> = (&'a [Image], &'a Declared, &'a FsPath);

pub(super) fn services(
    check: &mut Check<'_>,
    tables: BTreeMap<String, raw::Service>,
    context: Context<'_>,
) -> Vec<Service> {
    let top = Path::default().at("service");
    let tables = check.in_order(&top, tables);
    let services: Vec<_> =
        tables.into_iter().filter_map(|(at, key, table)| service(check, &at, key, table, context)).collect();
    same_names(check, &top, &services);
    services
}

/// A cluster has one service of a name.
/// Source: Amazon ECS API Reference, CreateService (`serviceName`).
fn same_names(check: &mut Check<'_>, top: &Path, services: &[Service]) {
    for (index, service) in services.iter().enumerate() {
        let earlier = services.iter().take(index).find(|other| other.name == service.name);
        if let Some(other) = earlier {
            let title = format!("`service.{}` has the name `{}` already", other.key, service.name);
            check.value(&top.at(&service.key).at("name"), title, "", []);
        }
    }
}

fn service(
    check: &mut Check<'_>,
    at: &Path,
    key: String,
    mut table: raw::Service,
    context: Context<'_>,
) -> Option<Service> {
    let scoped = check.scoped(&key);
    let name = table.name.take().unwrap_or_else(|| scoped.clone());
    check.name(&at.at("name"), &name, "a service name");
    let launch = capacity::launch(check, at, table.launch_type, table.capacity_providers.take());
    capacity::only_on_fargate(check, at, &table, &launch);
    let volumes = std::mem::take(&mut table.volumes);
    let volumes = volume::volumes(check, at, volumes, table.platform_version.as_deref());
    let task = match table.task_definition.take() {
        Some(file) => of_json(check, at, &file, &mut table, context, &launch),
        None => typed(check, at, &mut table, context, (&launch, &volumes)),
    };
    let given_family = task.as_ref().and_then(|task| task.family.as_ref()).map(|family| check.scoped(family));
    let family = table.family.or(given_family).unwrap_or_else(|| scoped.clone());
    check.name(&at.at("family"), &family, "a task definition family");
    let extra = extra::extra(check, at, table.extra, extra::OF_TASK);
    let security = security(check, at, &scoped, table.security_group, table.security_groups);
    let log_group = log_group(check, at, &scoped, table.logs);
    let deployment = deployment(check, at, &table.deployment);
    let vpc = existing::vpc(check, at, table.vpc);
    let subnets = existing::subnets(check, at, table.subnets, vpc.as_ref());
    let desired_count = check.optional(&at.at("desired-count"), table.desired_count, 0..=5000);
    let storage_at = at.at("ephemeral-storage");
    let ephemeral_storage = check.optional(&storage_at, table.ephemeral_storage, limits::EPHEMERAL_STORAGE);
    // A task definition that has problems of its own says nothing about ports.
    let Task { given, size: (cpu, memory), containers, platform, task_role, .. } = task?;
    let target_groups = traffic::target_groups(check, at, table.target_groups, &containers);
    let registries = traffic::registries(check, at, table.service_registries, &containers);
    let grace = traffic::grace_period(check, at, table.health_check_grace_period, target_groups.as_deref());
    exec(check, at, table.exec, task_role);
    rebalancing(check, at, table.availability_zone_rebalancing, &deployment);
    Some(Service {
        launch,
        platform_version: table.platform_version,
        platform,
        given,
        extra,
        cpu,
        memory,
        ephemeral_storage,
        desired_count,
        execution_role: table.execution_role,
        task_role: table.task_role,
        vpc,
        subnets,
        assign_public_ip: table.assign_public_ip,
        security,
        deployment,
        health_check_grace_period: grace,
        target_groups,
        registries,
        exec: table.exec,
        propagate_tags: table.propagate_tags.map(propagated),
        zone_rebalancing: table.availability_zone_rebalancing,
        log_group,
        tags: table.tags,
        volumes,
        containers,
        family,
        name,
        key,
    })
}

/// What a service says of its task definition.
struct Task {
    given: Option<serde_json::Map<String, serde_json::Value>>,
    family: Option<String>,
    size: Size,
    containers: Vec<Container>,
    platform: Platform,
    /// Whether the program has a role.
    task_role: bool,
}

fn typed(
    check: &mut Check<'_>,
    at: &Path,
    table: &mut raw::Service,
    (images, declared, _): Context<'_>,
    (launch, volumes): (&Launch, &[Volume]),
) -> Option<Task> {
    let size = if launch.is_fargate() {
        size::fargate(check, at, table.cpu, table.memory)
    } else {
        size::ec2(check, at, table.cpu, table.memory)
    };
    let tables = std::mem::take(&mut table.container);
    let task = InTask { memory: table.memory, fargate: launch.is_fargate(), volumes };
    let containers = containers(check, at, tables, declared, task);
    if needs_role(table.execution_role.as_deref(), &containers, launch) {
        no_role(check, at);
    }
    let own = table.platform.map(|name| (at.at("platform"), name.into()));
    let platform = platform(check, at, own, &containers, images);
    let task_role = table.task_role.is_some();
    Some(Task { given: None, family: None, size: size?, containers, platform, task_role })
}

fn of_json(
    check: &mut Check<'_>,
    at: &Path,
    file: &str,
    table: &mut raw::Service,
    context: Context<'_>,
    launch: &Launch,
) -> Option<Task> {
    let given = given::given(check, at, file, table, context, launch)?;
    let place = at.at("task-definition");
    if needs_role(given.execution_role.as_deref(), &given.containers, launch) {
        let help = "`\"executionRoleArn\": \"arn:aws:iam::ACCOUNT:role/ecsTaskExecutionRole\"`".to_owned();
        let title = "Fargate needs an execution role to pull from ECR and to write logs";
        check.value(&place, title, "has no `executionRoleArn`", [help]);
    }
    let platform = platform(check, at, Some((place, given.platform)), &given.containers, context.0);
    let given::Given { body, containers, family, size, task_role, .. } = given;
    Some(Task { given: Some(body), family, size, containers, platform, task_role })
}

fn security(
    check: &mut Check<'_>,
    at: &Path,
    service: &str,
    own: Option<raw::SecurityGroup>,
    existing: Option<raw::SecurityGroups>,
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
        (Some(group), None) => Security::Own(security_group(check, &at.at("security-group"), service, group)),
        (None, Some(groups)) => existing::groups(check, at, groups),
        (None, None) => Security::Default,
    }
}

fn security_group(
    check: &mut Check<'_>,
    at: &Path,
    service: &str,
    group: raw::SecurityGroup,
) -> SecurityGroup {
    let ingress_at = at.at("ingress");
    let rules = group.ingress.into_iter().enumerate();
    let mut ingress: Vec<_> =
        rules.filter_map(|(index, rule)| ingress_rule(check, &ingress_at.at(index), rule)).collect();
    ingress.sort();
    ingress.dedup();
    let name = group.name.unwrap_or_else(|| service.to_owned());
    if name.is_empty() || name.len() > 255 || name.starts_with("sg-") {
        let help = "1 to 255 characters, not beginning with `sg-`".to_owned();
        check.value(&at.at("name"), "not a security group name", "", [help]);
    }
    let description = group.description.unwrap_or_else(|| format!("{name}, managed by cargo xtask deploy"));
    SecurityGroup { name, description, ingress }
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
    LogGroup { name: logs.group.unwrap_or_else(|| names::log_group(service)), retention_days }
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
/// On EC2 the instance's role pulls and writes logs; secrets are read with the task's in either case.
fn needs_role(role: Option<&str>, containers: &[Container], launch: &Launch) -> bool {
    let needs = |container: &&Container| {
        if !launch.is_fargate() {
            return !container.secrets.is_empty();
        }
        let ecr = match &container.image {
            ContainerImage::Built(_) => true,
            ContainerImage::Reference(reference) => reference.contains(".dkr.ecr."),
        };
        ecr || container.log.as_ref().is_none_or(|log| log.driver == "awslogs")
            || !container.secrets.is_empty()
    };
    role.is_none() && containers.iter().any(|container| needs(&container))
}

fn no_role(check: &mut Check<'_>, at: &Path) {
    let help =
        "add `execution-role = \"ecsTaskExecutionRole\"`; to make that role once per account:".to_owned();
    check.key(
        at,
        "Fargate needs an execution role to pull from ECR and to write logs",
        "has no `execution-role`",
        [help, role_recipe("ecsTaskExecutionRole")],
    );
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
    own: Option<(Path, Platform)>,
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
        alarms: alarms(check, &at.at("alarms"), table.alarms.as_ref()),
        // Range: hashicorp/terraform-provider-aws, `bake_time_in_minutes`.
        bake_minutes: check.optional(&at.at("bake-time-minutes"), table.bake_time_minutes, 0..=1440),
        timeout: Duration::from_secs(minutes * 60),
    }
}

fn alarms(check: &mut Check<'_>, at: &Path, declared: Option<&raw::Alarms>) -> Option<Alarms> {
    let (names, rollback) = match declared? {
        raw::Alarms::Names(names) => (names, true),
        raw::Alarms::Tuned(table) => (&table.names, table.rollback.unwrap_or(true)),
    };
    if names.iter().any(String::is_empty) {
        check.value(at, "an alarm has a name", "", []);
    }
    Some(Alarms { names: names.clone(), rollback })
}

const fn propagated(from: raw::PropagateTags) -> &'static str {
    match from {
        raw::PropagateTags::Service => "SERVICE",
        raw::PropagateTags::TaskDefinition => "TASK_DEFINITION",
        raw::PropagateTags::None => "NONE",
    }
}

/// Source: Amazon ECS Developer Guide, "Monitor Amazon ECS containers with ECS Exec" (the SSM agent acts with
/// the task role); CreateService refuses it without one (observed: "a valid taskRoleArn is not being used").
fn exec(check: &mut Check<'_>, at: &Path, exec: Option<bool>, task_role: bool) {
    if exec == Some(true) && !task_role {
        let help =
            "add `task-role`, a role that may do `ssmmessages:CreateControlChannel`, `CreateDataChannel`, \
                    `OpenControlChannel` and `OpenDataChannel`"
                .to_owned();
        check.key(&at.at("exec"), "ECS Exec needs a task role", "", [help]);
    }
}

/// Source: Amazon ECS Developer Guide, "Balancing an Amazon ECS service across Availability Zones".
fn rebalancing(check: &mut Check<'_>, at: &Path, rebalancing: Option<bool>, deployment: &Deployment) {
    if rebalancing == Some(true) && deployment.maximum_percent == Some(100) {
        let help = "raise `deployment.maximum-percent` above 100".to_owned();
        let title = "rebalancing starts a task before it stops one";
        check.key(&at.at("availability-zone-rebalancing"), title, "", [help]);
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

//! Target groups and service registries: what of the task they name has to be there.

use super::Check;
use crate::config::problem::nearest;
use crate::config::raw;
use crate::config::service::{Container, GroupRef, Registry, TargetGroup};
use crate::config::source::Path;

/// Source: Amazon ECS API Reference, CreateService (`loadBalancers`: at most five).
pub(super) fn target_groups(
    check: &mut Check<'_>,
    at: &Path,
    tables: Option<Vec<raw::TargetGroup>>,
    containers: &[Container],
) -> Option<Vec<TargetGroup>> {
    let at = at.at("target-groups");
    let tables = tables?;
    if tables.len() > 5 {
        check.value(&at, "a service has at most 5 target groups", "", []);
    }
    let each = tables.into_iter().enumerate();
    Some(each.filter_map(|(index, table)| target_group(check, &at.at(index), table, containers)).collect())
}

fn target_group(
    check: &mut Check<'_>,
    at: &Path,
    table: raw::TargetGroup,
    containers: &[Container],
) -> Option<TargetGroup> {
    let group = match (table.arn, table.name) {
        (Some(arn), None) if is_target_group(&arn) => Some(GroupRef::Arn(arn)),
        (Some(_), None) => {
            let help = "such as `arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef`";
            check.value(&at.at("arn"), "this is no target group's ARN", "", [help.to_owned()]);
            None
        }
        (None, Some(name)) => Some(GroupRef::Name(name)),
        _ => {
            check.value(at, "which target group?", "", ["`arn` or `name`".to_owned()]);
            None
        }
    };
    let target = target(check, at, table.container, table.port, containers);
    let (container, port) = target?;
    Some(TargetGroup { group: group?, container, port })
}

fn is_target_group(arn: &str) -> bool {
    arn.starts_with("arn:") && arn.contains(":elasticloadbalancing:") && arn.contains(":targetgroup/")
}

/// The container and the port; what is left out has to be clear.
fn target(
    check: &mut Check<'_>,
    at: &Path,
    container: Option<String>,
    port: Option<i64>,
    containers: &[Container],
) -> Option<(String, u16)> {
    let found = match container {
        Some(name) => named(check, at, &name, containers)?,
        None => {
            let mut with_ports = containers.iter().filter(|container| !container.ports.is_empty());
            let (Some(only), None) = (with_ports.next(), with_ports.next()) else {
                let help = "name the `container`, and the `port` if it has several".to_owned();
                check.value(at, "which container?", "", [help]);
                return None;
            };
            only
        }
    };
    let port = the_port(check, at, port, found)?;
    Some((found.name.clone(), port))
}

fn named<'c>(
    check: &mut Check<'_>,
    at: &Path,
    name: &str,
    containers: &'c [Container],
) -> Option<&'c Container> {
    let found = containers.iter().find(|container| container.name == name);
    if found.is_none() {
        let names = || containers.iter().map(|container| container.name.as_str());
        let help = match nearest(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the containers: {}", names().collect::<Vec<_>>().join(", ")),
        };
        check.value(&at.at("container"), format!("there is no container `{name}`"), "", [help]);
    }
    found
}

/// A port that the container maps; ECS refuses any other.
/// Source: observed, "The container app did not have a container port 80 defined."
fn the_port(check: &mut Check<'_>, at: &Path, port: Option<i64>, container: &Container) -> Option<u16> {
    let ports: Vec<u16> = container.ports.iter().map(|port| port.number).collect();
    let known = || ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    match (port, ports.as_slice()) {
        (None, [only]) => Some(*only),
        (Some(port), ports) if ports.iter().any(|known| i64::from(*known) == port) => {
            u16::try_from(port).ok()
        }
        (None, _) => {
            let help = format!("`port` is one of its ports: {}", known());
            check.value(at, format!("which port of `{}`?", container.name), "", [help]);
            None
        }
        (Some(port), _) => {
            let help = format!("its ports: {}", known());
            let title = format!("container `{}` has no port {port}", container.name);
            check.value(&at.at("port"), title, "", [help]);
            None
        }
    }
}

/// Source: Amazon ECS Developer Guide, "Service discovery" (one registry a service); API Reference,
/// ServiceRegistry (container and port go together).
pub(super) fn registries(
    check: &mut Check<'_>,
    at: &Path,
    tables: Option<Vec<raw::ServiceRegistry>>,
    containers: &[Container],
) -> Option<Vec<Registry>> {
    let at = at.at("service-registries");
    let tables = tables?;
    if tables.len() > 1 {
        check.value(&at, "a service has one registry at most", "", []);
    }
    let each = tables.into_iter().enumerate();
    Some(each.filter_map(|(index, table)| registry(check, &at.at(index), table, containers)).collect())
}

fn registry(
    check: &mut Check<'_>,
    at: &Path,
    table: raw::ServiceRegistry,
    containers: &[Container],
) -> Option<Registry> {
    if !(table.arn.starts_with("arn:") && table.arn.contains(":servicediscovery:")) {
        let help = "such as `arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-0123456789abcdef`";
        check.value(&at.at("arn"), "this is no service registry's ARN", "", [help.to_owned()]);
        return None;
    }
    let target = match (table.container, table.port) {
        (None, None) => None,
        (Some(container), Some(port)) => Some(target(check, at, Some(container), Some(port), containers)?),
        _ => {
            let help = "both for SRV records, neither for A records".to_owned();
            check.value(at, "`container` and `port` go together", "", [help]);
            return None;
        }
    };
    Some(Registry { arn: table.arn, target })
}

/// ECS takes a grace period only for a service that is behind a load balancer.
/// Source: observed, "Health check grace period is only valid for services configured to use load balancers".
pub(super) fn grace_period(
    check: &mut Check<'_>,
    at: &Path,
    seconds: Option<i64>,
    groups: Option<&[TargetGroup]>,
) -> Option<u32> {
    let at = at.at("health-check-grace-period");
    if seconds.is_some() && groups.is_none_or(<[_]>::is_empty) {
        let help =
            "name them in `target-groups`; a container's own `health-check` has a `start-period`".to_owned();
        check.key(&at, "a grace period is for services with target groups", "", [help]);
    }
    check.optional(&at, seconds, 0..=i64::from(i32::MAX))
}

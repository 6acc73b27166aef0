//! What has to be there before a service can run. Finds every problem, not the first.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::config::service::{GroupRef, Ingress, Security, SecurityGroup, Service, TargetGroup};
use crate::error::{Error, Kind, Result};
use crate::world::{self, Network, World};

/// Everything that has to be there before a service can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Repositories to create.
    pub repositories: Vec<String>,
    /// Whether the cluster has to be created.
    pub create_cluster: bool,
    /// Capacity providers that the cluster is to be told of.
    pub capacity_providers: Vec<String>,
    /// Log groups to create, or whose retention is to change.
    pub log_groups: Vec<LogGroup>,
    /// Service name to its network.
    pub networks: BTreeMap<String, NetworkPlan>,
}

/// A log group to create or change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// Whether it is not there yet.
    pub create: bool,
    /// Days that it has now.
    pub before: Option<u32>,
    /// Days to set, if they are to be set.
    pub retention_days: Option<u32>,
}

/// Where a service's tasks go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPlan {
    /// IDs, sorted.
    pub subnets: Vec<String>,
    /// Whether tasks get a public IP.
    pub assign_public_ip: bool,
    /// Which security groups.
    pub security: SecurityPlan,
    /// The target groups that the file names; `None` leaves those that the service has.
    pub target_groups: Option<Vec<Target>>,
}

/// A target group that exists, and where in the task it sends traffic to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The target group's.
    pub arn: String,
    /// A container of the task.
    pub container: String,
    /// One of its ports.
    pub port: u16,
}

/// Which security groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityPlan {
    /// As they are: existing ones, or none for the VPC's default.
    Existing(Vec<String>),
    /// One to create or to bring in line.
    Own(GroupPlan),
}

/// A security group to create or to bring in line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPlan {
    /// Its name.
    pub name: String,
    /// Its description, for the creation.
    pub description: String,
    /// Where it is or will be.
    pub vpc: String,
    /// Its ID, if it exists.
    pub id: Option<String>,
    /// Rules to add.
    pub authorize: Vec<Ingress>,
    /// Rules to remove: ours that left the file.
    pub revoke: Vec<world::Rule>,
}

/// Days that a log group keeps its events unless the file says otherwise.
const DEFAULT_RETENTION_DAYS: u32 = 30;

/// Plans what has to be there.
///
/// # Errors
/// What is there contradicts the file: [`Kind::Preflight`].
pub fn plan(config: &Config, world: &World) -> Result<Plan> {
    check_account(config, world)?;
    let missing = config
        .images
        .iter()
        .map(|image| &image.repository)
        .filter(|name| !world.repositories.contains_key(*name));
    let mut repositories: Vec<String> = missing.cloned().collect();
    repositories.sort();
    repositories.dedup();
    let networks = config.services.iter().filter_map(|service| network(service, config, world));
    Ok(Plan {
        repositories,
        create_cluster: !world.cluster_active,
        capacity_providers: capacity_providers(config, world)?,
        log_groups: log_groups(config, world),
        networks: networks.collect::<Result<_>>()?,
    })
}

fn check_account(config: &Config, world: &World) -> Result<()> {
    match &config.account {
        Some(account) if *account != world.account => {
            let message =
                format!("deploy.toml is for account {account}, the credentials are for {}", world.account);
            Err(Error::new(Kind::Preflight, message)
                .hint("choose the right `--profile`, or change `account`"))
        }
        _ => Ok(()),
    }
}

/// Fargate's are every account's: the cluster only has to be told. Others have to be in it already; a cluster that
/// is still to be made is given all of them.
fn capacity_providers(config: &Config, world: &World) -> Result<Vec<String>> {
    let declared = config.services.iter().flat_map(|service| service.launch.providers());
    let mut missing: Vec<_> =
        declared.filter(|provider| !world.cluster_providers.contains(&provider.name)).collect();
    missing.sort();
    missing.dedup_by(|a, b| a.name == b.name);
    match missing.iter().find(|provider| world.cluster_active && !provider.is_fargate()) {
        Some(provider) => {
            let message =
                format!("cluster `{}` has no capacity provider `{}`", config.cluster, provider.name);
            let known = format!("it has: {}", world.cluster_providers.join(", "));
            Err(Error::new(Kind::Preflight, message)
                .hint(if world.cluster_providers.is_empty() { "it has none".to_owned() } else { known })
                .hint("`aws ecs put-cluster-capacity-providers` puts one in"))
        }
        None => Ok(missing.into_iter().map(|provider| provider.name.clone()).collect()),
    }
}

fn log_groups(config: &Config, world: &World) -> Vec<LogGroup> {
    let mut plans: Vec<LogGroup> = Vec::new();
    for service in config.services.iter().filter(|service| service.uses_log_group()) {
        let group = &service.log_group;
        if plans.iter().any(|plan| plan.name == group.name) {
            continue;
        }
        match world.log_groups.get(&group.name) {
            None => {
                let retention_days = Some(group.retention_days.unwrap_or(DEFAULT_RETENTION_DAYS));
                plans.push(LogGroup { name: group.name.clone(), create: true, before: None, retention_days });
            }
            Some(current) => {
                // One of ours without a retention is what an interrupted run left.
                let default =
                    (current.ours && current.retention_days.is_none()).then_some(DEFAULT_RETENTION_DAYS);
                let retention_days = group.retention_days.or(default);
                if retention_days.is_some() && retention_days != current.retention_days {
                    let (name, before) = (group.name.clone(), current.retention_days);
                    plans.push(LogGroup { name, create: false, before, retention_days });
                }
            }
        }
    }
    plans
}

fn network(service: &Service, config: &Config, world: &World) -> Option<Result<(String, NetworkPlan)>> {
    let network = world.networks.get(&service.name)?;
    let security = match &service.security {
        Security::Default => SecurityPlan::Existing(Vec::new()),
        Security::Existing(_) | Security::Tagged(_) => SecurityPlan::Existing(network.groups.clone()),
        Security::Own(group) => {
            SecurityPlan::Own(group_plan(&shared(group, network, config, world), network))
        }
    };
    let subnets = network.subnets.iter().map(|subnet| subnet.id.clone()).collect();
    let target_groups = match targets(service, world).transpose() {
        Ok(targets) => targets,
        Err(error) => return Some(Err(error)),
    };
    let assign_public_ip = assign_public_ip(service, network);
    let plan = NetworkPlan { subnets, assign_public_ip, security, target_groups };
    Some(Ok((service.name.clone(), plan)))
}

fn targets(service: &Service, world: &World) -> Option<Result<Vec<Target>>> {
    let target = |declared: &TargetGroup| {
        let arn = match &declared.group {
            GroupRef::Arn(arn) => arn.clone(),
            GroupRef::Name(name) => world.target_groups.get(name).cloned().ok_or_else(|| {
                let message = format!("there is no target group `{name}`, as `service.{}` says", service.key);
                Error::new(Kind::Preflight, message).hint(
                    "`aws elbv2 describe-target-groups` lists those of the region: is it the right one?",
                )
            })?,
        };
        Ok(Target { arn, container: declared.container.clone(), port: declared.port })
    };
    Some(service.target_groups.as_ref()?.iter().map(target).collect())
}

/// A group that several services declare has the rules of all of them.
fn shared(group: &SecurityGroup, network: &Network, config: &Config, world: &World) -> SecurityGroup {
    let in_vpc =
        |service: &&Service| world.networks.get(&service.name).is_some_and(|other| other.vpc == network.vpc);
    let mut group = group.clone();
    for service in config.services.iter().filter(in_vpc) {
        match &service.security {
            Security::Own(other) if other.name == group.name => {
                group.ingress.extend(other.ingress.iter().cloned())
            }
            _ => {}
        }
    }
    group.ingress.sort();
    group.ingress.dedup();
    group
}

/// Left to us, tasks get a public IP where a subnet has no other way out: without one they
/// could not even pull their image.
fn assign_public_ip(service: &Service, network: &Network) -> bool {
    let needed = || {
        service.launch.is_fargate()
            && network.subnets.iter().any(|subnet| subnet.needs_public_ip == Some(true))
    };
    service.assign_public_ip.unwrap_or_else(needed)
}

fn group_plan(group: &SecurityGroup, network: &Network) -> GroupPlan {
    let current = network.security_group.as_ref();
    let rules: &[world::Rule] = current.map_or(&[], |group| &group.rules);
    let has = |wanted: &Ingress| {
        rules.iter().any(|rule| rule.ingress.as_ref().is_some_and(|rule| same(rule, wanted)))
    };
    let declared = |rule: &world::Rule| {
        rule.ingress.as_ref().is_some_and(|rule| group.ingress.iter().any(|wanted| same(rule, wanted)))
    };
    GroupPlan {
        name: group.name.clone(),
        description: group.description.clone(),
        vpc: network.vpc.clone(),
        id: current.map(|group| group.id.clone()),
        authorize: group.ingress.iter().filter(|wanted| !has(wanted)).cloned().collect(),
        revoke: rules.iter().filter(|rule| rule.ours && !declared(rule)).cloned().collect(),
    }
}

/// AWS tells rules apart by protocol, ports and source; the description is none of it.
/// Source: Amazon EC2 API Reference, AuthorizeSecurityGroupIngress (duplicate rules).
fn same(a: &Ingress, b: &Ingress) -> bool {
    (a.protocol, a.ports, &a.source) == (b.protocol, b.ports, &b.source)
}

#[cfg(test)]
pub(super) mod tests;

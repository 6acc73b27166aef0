//! The file and what is there, into what has to be done. Pure; finds every problem, not the first.

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
    /// Rules to remove, by ID: ours that left the file.
    pub revoke: Vec<String>,
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
                plans.push(LogGroup { name: group.name.clone(), create: true, retention_days });
            }
            Some(current) => {
                // One of ours without a retention is what an interrupted run left.
                let default =
                    (current.ours && current.retention_days.is_none()).then_some(DEFAULT_RETENTION_DAYS);
                let retention_days = group.retention_days.or(default);
                if retention_days.is_some() && retention_days != current.retention_days {
                    plans.push(LogGroup { name: group.name.clone(), create: false, retention_days });
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
                let message =
                    format!("there is no target group `{name}`, as `service.{}` says", service.name);
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
        revoke: rules
            .iter()
            .filter(|rule| rule.ours && !declared(rule))
            .map(|rule| rule.id.clone())
            .collect(),
    }
}

/// AWS tells rules apart by protocol, ports and source; the description is none of it.
/// Source: Amazon EC2 API Reference, AuthorizeSecurityGroupIngress (duplicate rules).
fn same(a: &Ingress, b: &Ingress) -> bool {
    (a.protocol, a.ports, &a.source) == (b.protocol, b.ports, &b.source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::service::Source;
    use crate::push::RegistryAuth;
    use crate::world::{Rule, Subnet};
    use std::path::Path;

    const FILE: &str = r#"
        cluster = "c"
        image.server = { bin = "server" }
        [service.web]
        cpu = 256
        memory = 512
        execution-role = "role"
        container.app = { image = "server", port = 3000 }
        [service.web.security-group]
        name = "web"
        ingress = [{ port = 3000, cidr = "0.0.0.0/0" }]
    "#;

    fn config(text: &str) -> Config {
        crate::config::parse(text, Path::new("/nowhere")).expect("the file is valid")
    }

    /// An account where nothing of the file exists.
    fn empty() -> World {
        let subnet = |id: &str, needs| Subnet { id: id.to_owned(), needs_public_ip: Some(needs) };
        let network = Network {
            vpc: "vpc-1".to_owned(),
            subnets: vec![subnet("subnet-1", true), subnet("subnet-2", false)],
            security_group: None,
            groups: Vec::new(),
        };
        World {
            at: std::time::Instant::now(),
            account: "123456789012".to_owned(),
            registry: RegistryAuth {
                endpoint: String::new(),
                username: String::new(),
                password: String::new(),
            },
            repositories: BTreeMap::new(),
            cluster_active: false,
            cluster_providers: Vec::new(),
            target_groups: BTreeMap::new(),
            log_groups: BTreeMap::new(),
            networks: [("web".to_owned(), network)].into(),
            services: BTreeMap::new(),
            families: BTreeMap::new(),
        }
    }

    fn rule(id: &str, port: u16, ours: bool) -> Rule {
        let ingress = Ingress {
            protocol: "tcp",
            ports: (port, port),
            source: Source::Ipv4("0.0.0.0/0".to_owned()),
            description: Some("whatever".to_owned()),
        };
        Rule { id: id.to_owned(), ours, ingress: Some(ingress) }
    }

    fn group(plan: &Plan) -> &GroupPlan {
        match &plan.networks["web"].security {
            SecurityPlan::Own(group) => group,
            SecurityPlan::Existing(ids) => panic!("not a group of its own: {ids:?}"),
        }
    }

    #[test]
    fn in_an_empty_account_everything_is_made() {
        let plan = plan(&config(FILE), &empty()).expect("nothing contradicts");
        assert_eq!(plan.repositories, ["server"]);
        assert!(plan.create_cluster);
        let logs = LogGroup { name: "/ecs/web".to_owned(), create: true, retention_days: Some(30) };
        assert_eq!(plan.log_groups, [logs]);
        assert_eq!((group(&plan).id.as_deref(), group(&plan).authorize.len()), (None, 1));
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let mut world = empty();
        world.cluster_active = true;
        world.repositories.insert("server".to_owned(), "uri".to_owned());
        world
            .log_groups
            .insert("/ecs/web".to_owned(), world::LogGroup { retention_days: Some(7), ours: true });
        let rules = vec![rule("sgr-1", 3000, true), rule("sgr-2", 22, false)];
        let network = world.networks.get_mut("web").expect("it is there");
        network.security_group = Some(world::SecurityGroup { id: "sg-1".to_owned(), rules });
        let plan = plan(&config(FILE), &world).expect("nothing contradicts");
        assert!(plan.repositories.is_empty() && !plan.create_cluster && plan.log_groups.is_empty());
        assert!(group(&plan).authorize.is_empty() && group(&plan).revoke.is_empty());
    }

    #[test]
    fn our_rules_that_left_the_file_go_and_others_stay() {
        let mut world = empty();
        let rules = vec![rule("sgr-1", 80, true), rule("sgr-2", 22, false)];
        let network = world.networks.get_mut("web").expect("it is there");
        network.security_group = Some(world::SecurityGroup { id: "sg-1".to_owned(), rules });
        let plan = plan(&config(FILE), &world).expect("nothing contradicts");
        assert_eq!(group(&plan).revoke, ["sgr-1"]);
        assert_eq!(group(&plan).authorize.len(), 1);
    }

    #[test]
    fn a_group_that_two_services_declare_has_the_rules_of_both() {
        let second =
            FILE.replace("service.web", "service.aux").replace("port = 3000, cidr", "port = 4000, cidr");
        let second =
            second.split_once("[service").map(|(_, rest)| format!("[service{rest}")).expect("a service");
        let config = config(&format!("{FILE}\n{second}"));
        let mut world = empty();
        world.networks.insert("aux".to_owned(), world.networks["web"].clone());
        let plan = plan(&config, &world).expect("nothing contradicts");
        let ports: Vec<u16> = group(&plan).authorize.iter().map(|rule| rule.ports.0).collect();
        assert_eq!(ports, [3000, 4000]);
        assert_eq!(plan.networks["aux"].security, plan.networks["web"].security);
    }

    #[test]
    fn a_retention_that_is_declared_is_set() {
        let mut world = empty();
        world
            .log_groups
            .insert("/ecs/web".to_owned(), world::LogGroup { retention_days: Some(7), ours: true });
        let text = FILE.replacen("cpu = 256", "cpu = 256\nlogs = { retention-days = 14 }", 1);
        let plan = plan(&config(&text), &world).expect("nothing contradicts");
        let logs = LogGroup { name: "/ecs/web".to_owned(), create: false, retention_days: Some(14) };
        assert_eq!(plan.log_groups, [logs]);
    }

    #[test]
    fn a_group_of_ours_that_was_left_without_retention_gets_it() {
        let mut world = empty();
        let without = |ours| world::LogGroup { retention_days: None, ours };
        world.log_groups.insert("/ecs/web".to_owned(), without(false));
        assert!(plan(&config(FILE), &world).expect("fine").log_groups.is_empty());
        world.log_groups.insert("/ecs/web".to_owned(), without(true));
        assert_eq!(plan(&config(FILE), &world).expect("fine").log_groups[0].retention_days, Some(30));
    }

    #[test]
    fn a_public_ip_is_given_where_a_subnet_has_no_other_way_out() {
        let mut world = empty();
        assert!(plan(&config(FILE), &world).expect("fine").networks["web"].assign_public_ip);
        for subnet in &mut world.networks.get_mut("web").expect("it is there").subnets {
            subnet.needs_public_ip = Some(false);
        }
        assert!(!plan(&config(FILE), &world).expect("fine").networks["web"].assign_public_ip);
    }

    #[test]
    fn another_account_is_refused() {
        let text = format!("account = \"999999999999\"\n{FILE}");
        let error = plan(&config(&text), &empty()).expect_err("the account differs");
        assert_eq!(error.kind, Kind::Preflight);
        assert_eq!(
            error.message,
            "deploy.toml is for account 999999999999, the credentials are for 123456789012"
        );
    }

    #[test]
    fn the_cluster_is_told_of_capacity_providers_that_are_every_accounts() {
        let with = |name: &str| {
            let line = format!("cpu = 256\ncapacity-providers = [{{ name = \"{name}\" }}]");
            config(&FILE.replacen("cpu = 256", &line, 1))
        };
        let mut world = empty();
        world.cluster_active = true;
        world.cluster_providers = vec!["FARGATE".to_owned()];
        let planned =
            |name: &str, world: &World| plan(&with(name), world).map(|plan| plan.capacity_providers);
        assert_eq!(planned("FARGATE", &world).expect("fine"), Vec::<String>::new());
        assert_eq!(planned("FARGATE_SPOT", &world).expect("fine"), ["FARGATE_SPOT"]);
    }

    #[test]
    fn target_groups_are_looked_up_by_name() {
        let text = FILE.replacen("cpu = 256", "cpu = 256\ntarget-groups = [{ name = \"web\" }]", 1);
        let mut world = empty();
        let error = plan(&config(&text), &world).expect_err("there is none");
        assert_eq!(error.message, "there is no target group `web`, as `service.web` says");
        world.target_groups.insert("web".to_owned(), "arn:web".to_owned());
        let planned = plan(&config(&text), &world).expect("it is there");
        let target = Target { arn: "arn:web".to_owned(), container: "app".to_owned(), port: 3000 };
        assert_eq!(planned.networks["web"].target_groups, Some(vec![target]));
        assert_eq!(plan(&config(FILE), &world).expect("fine").networks["web"].target_groups, None);
    }
}

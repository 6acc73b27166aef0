use super::*;
use crate::config::service::Source;
use crate::push::RegistryAuth;
use crate::world::{Rule, Subnet};
use std::path::Path;

pub(crate) const FILE: &str = r#"
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

pub(crate) fn config(text: &str) -> Config {
    crate::config::parse(text, Path::new("/nowhere")).expect("the file is valid")
}

/// An account where nothing of the file exists.
pub(crate) fn empty() -> World {
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
        registry: RegistryAuth { endpoint: String::new(), username: String::new(), password: String::new() },
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
    let logs = LogGroup { name: "/ecs/web".to_owned(), create: true, before: None, retention_days: Some(30) };
    assert_eq!(plan.log_groups, [logs]);
    assert_eq!((group(&plan).id.as_deref(), group(&plan).authorize.len()), (None, 1));
}

#[test]
fn what_is_there_is_left_alone() {
    let mut world = empty();
    world.cluster_active = true;
    world.repositories.insert("server".to_owned(), "uri".to_owned());
    world.log_groups.insert("/ecs/web".to_owned(), world::LogGroup { retention_days: Some(7), ours: true });
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
    let revoked: Vec<&str> = group(&plan).revoke.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(revoked, ["sgr-1"]);
    assert_eq!(group(&plan).authorize.len(), 1);
}

#[test]
fn a_group_that_two_services_declare_has_the_rules_of_both() {
    let second = FILE.replace("service.web", "service.aux").replace("port = 3000, cidr", "port = 4000, cidr");
    let second = second.split_once("[service").map(|(_, rest)| format!("[service{rest}")).expect("a service");
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
    world.log_groups.insert("/ecs/web".to_owned(), world::LogGroup { retention_days: Some(7), ours: true });
    let text = FILE.replacen("cpu = 256", "cpu = 256\nlogs = { retention-days = 14 }", 1);
    let plan = plan(&config(&text), &world).expect("nothing contradicts");
    let logs =
        LogGroup { name: "/ecs/web".to_owned(), create: false, before: Some(7), retention_days: Some(14) };
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
    let planned = |name: &str, world: &World| plan(&with(name), world).map(|plan| plan.capacity_providers);
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

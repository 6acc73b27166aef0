//! What a service says beside its task definition: capacity, traffic, volumes, what exists already.

use std::path::Path;

use super::service::{GroupRef, Launch, Security, Service, Subnets, Vpc};
use super::{Choice, Input, parse, problem};

/// A good file into which each case puts keys: of the service, and of its container.
fn file(service: &str, container: &str) -> String {
    format!(
        "cluster = \"c\"\n[service.web]\ncpu = 256\nmemory = 512\nexecution-role = \"r\"\n{service}\n\
         [service.web.container.app]\nimage = \"x:1\"\nport = 3000\n{container}\n"
    )
}

fn parsed(text: &str) -> Service {
    let shown = |problems: Vec<_>| {
        problem::render(&problems, &Input::new("deploy.toml", text, &Choice::default()), false)
    };
    let config = parse(text, Path::new("/nowhere"));
    config.unwrap_or_else(|problems| panic!("{}", shown(problems))).services.remove(0)
}

fn of_service(keys: &str) -> Service {
    parsed(&file(keys, ""))
}

/// Each is one snapshot: keys of the service, keys of its container.
const REJECTED: &[(&str, &str, &str)] = &[
    ("capacity_both", "launch-type = \"FARGATE\"\ncapacity-providers = [{ name = \"FARGATE\" }]", ""),
    ("capacity_kinds", "capacity-providers = [{ name = \"FARGATE\" }, { name = \"mine\" }]", ""),
    ("capacity_weightless", "capacity-providers = [{ name = \"FARGATE_SPOT\", weight = 0 }]", ""),
    (
        "capacity_bases",
        "capacity-providers = [{ name = \"FARGATE\", base = 1 }, { name = \"FARGATE_SPOT\", base = 1 }]",
        "",
    ),
    (
        "ec2_with_fargate_keys",
        "launch-type = \"EC2\"\nplatform-version = \"1.4.0\"\nassign-public-ip = true\nephemeral-storage = 30",
        "",
    ),
    ("target_group_without_group", "target-groups = [{ container = \"app\" }]", ""),
    ("target_group_arn", "target-groups = [{ arn = \"arn:aws:iam::1:role/r\" }]", ""),
    ("target_group_container", "target-groups = [{ name = \"web\", container = \"ap\" }]", ""),
    ("target_group_port", "target-groups = [{ name = \"web\", port = 80 }]", ""),
    ("grace_without_target_groups", "health-check-grace-period = 30", ""),
    (
        "registry_half",
        "service-registries = [{ arn = \"arn:aws:servicediscovery:r:1:service/s\", port = 3000 }]",
        "",
    ),
    ("exec_without_role", "exec = true", ""),
    (
        "rebalancing_without_room",
        "availability-zone-rebalancing = true\ndeployment = { maximum-percent = 100, minimum-healthy-percent = 50 }",
        "",
    ),
    ("bake_time", "deployment = { bake-time-minutes = 2000 }", ""),
    ("volume_unknown", "volumes.data = {}", "mounts = [{ volume = \"dta\", path = \"srv\" }]"),
    ("volume_without_file_system", "volumes.data = { root-directory = \"/x\" }", ""),
    (
        "volume_access_point",
        "volumes.data = { file-system-id = \"fs-1\", access-point = \"fsap-1\", root-directory = \"/x\", transit-encryption = false }",
        "",
    ),
    (
        "volume_platform_version",
        "platform-version = \"1.3.0\"\nvolumes.data = { file-system-id = \"fs-1\" }",
        "",
    ),
    ("vpc_and_default_subnets", "vpc = \"vpc-1\"\nsubnets = \"default\"", ""),
    ("group_of_another_kind", "security-groups = [\"web\", \"vpc-1\"]", ""),
];

#[test]
fn what_ecs_would_refuse_is_shown() {
    for (name, service, container) in REJECTED {
        let text = file(service, container);
        let problems = parse(&text, Path::new("/nowhere")).expect_err(name);
        insta::assert_snapshot!(
            *name,
            problem::render(&problems, &Input::new("deploy.toml", &text, &Choice::default()), false)
        );
    }
}

#[test]
fn containers_on_ec2_say_their_memory_unless_the_task_does() {
    let text = |keys: &str| {
        format!(
            "cluster = \"c\"\n[service.web]\nlaunch-type = \"EC2\"\n{keys}\ncontainer.app = {{ image = \"x:1\" }}\n"
        )
    };
    let service = parsed(&text("memory = 300"));
    assert_eq!(
        (service.launch, service.cpu, service.memory),
        (Launch::Ec2, None, Some(300)),
        "any size is fine"
    );
    let text = text("");
    let problems = parse(&text, Path::new("/nowhere")).expect_err("no memory");
    insta::assert_snapshot!(
        "ec2_memory",
        problem::render(&problems, &Input::new("deploy.toml", &text, &Choice::default()), false)
    );
}

#[test]
fn what_is_clear_of_a_target_group_may_be_left_out() {
    let service = of_service("target-groups = [{ name = \"web\" }]\nhealth-check-grace-period = 30");
    let groups = service.target_groups.expect("they are declared");
    let first = (&groups[0].group, groups[0].container.as_str(), groups[0].port);
    assert_eq!(first, (&GroupRef::Name("web".to_owned()), "app", 3000));
    assert_eq!(service.health_check_grace_period, Some(30));
}

#[test]
fn what_exists_is_named_by_id_name_or_tag() {
    let service = of_service("vpc = \"main\"\nsecurity-groups = [\"sg-1\", \"web\"]");
    assert_eq!((service.vpc, service.subnets), (Some(Vpc::Name("main".to_owned())), Subnets::All));
    assert_eq!(service.security, Security::Existing(vec!["sg-1".to_owned(), "web".to_owned()]));
    let service =
        of_service("subnets = [\"subnet-1\", \"private a\"]\nsecurity-groups = { tag = { app = \"web\" } }");
    assert_eq!(service.subnets, Subnets::Listed(vec!["subnet-1".to_owned(), "private a".to_owned()]));
    assert_eq!(service.security, Security::Tagged([("app".to_owned(), "web".to_owned())].into()));
}

#[test]
fn an_access_point_is_reached_encrypted() {
    let service = of_service("volumes.data = { file-system-id = \"fs-1\", access-point = \"fsap-1\" }");
    let efs = service.volumes[0].efs.as_ref().expect("it is EFS");
    assert_eq!((efs.encrypted, efs.iam), (Some(true), None));
}

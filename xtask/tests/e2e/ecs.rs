//! What ECS knows beside the usual: a task definition in JSON, and settings that a service has once and for all.
//! Each is deployed twice: the second time there is nothing to do.

use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetTypeEnum};
use xtask::aws::Aws;

use crate::support::{Run, Workspace, block_on, get};
use crate::target_group::connect;

/// As a team has it that deployed by hand: two containers of Node.js, images by account and tag.
const JSON: &str = include_str!("fargate-task.json");

fn unchanged(run: &Run) {
    assert_eq!(
        (run.done("register"), run.done("service")),
        (vec!["unchanged"], vec!["unchanged"]),
        "{run:#?}"
    );
    assert_eq!(run.outcome["result"]["services"][0]["changed"], false, "{run:#?}");
}

#[test]
fn a_task_definition_in_json_deploys_with_images_that_are_built_here() {
    let workspace = Workspace::new("json");
    let name = &workspace.name;
    workspace.write("fargate-task.json", JSON);
    // The server is no Node.js: it needs its own entry point, and to be told its port.
    let container = |container: &str, port: u16| {
        format!(
            "[service.{name}.container.{container}.extra]\nentryPoint = []\n\
             environment = [{{ name = \"PORT\", value = \"{port}\" }}, {{ name = \"VERSION\", value = \"{container}\" }}]\n"
        )
    };
    let image = |image: &str| format!("[image.{image}]\nbin = \"tiny\"\nprofile = \"dev\"\n");
    let (server, store) = ("ecs-test-server", "ecs-test-data-store");
    let text = format!(
        "region = \"ap-northeast-2\"\ncluster = \"{name}\"\n{}{}[service.{name}]\n\
         task-definition = \"fargate-task.json\"\ndesired-count = 2\n{}{}",
        image(server),
        image(store),
        container(server, 3000),
        container(store, 4000)
    );
    workspace.write("deploy.toml", &text);
    let run = workspace.deploy();
    let service = &run.outcome["result"]["services"][0];
    assert_eq!(
        (&service["running"], &service["task-definition"]),
        (&2.into(), &"ecs-test:1".into()),
        "{run:#?}"
    );
    assert_eq!(get(&workspace.address()).expect("an answer"), server);
    let registered = block_on(registered(&connect(&workspace), "ecs-test"));
    for (container, repository) in registered.iter().zip([server, store]) {
        let image = container.image().unwrap_or_default();
        assert!(image.contains(&format!("/{repository}@sha256:")), "{image}");
    }
    unchanged(&workspace.deploy());
}

async fn registered(aws: &Aws, family: &str) -> Vec<aws_sdk_ecs::types::ContainerDefinition> {
    let answer = aws.ecs.describe_task_definition().task_definition(family).send().await.expect("an answer");
    answer.task_definition().map(|it| it.container_definitions().to_vec()).unwrap_or_default()
}

/// A target group that checks `/health`.
async fn target_group(aws: &Aws, name: &str) {
    let vpcs = aws.ec2.describe_vpcs().send().await.expect("the VPCs");
    let call = aws.elb.create_target_group().name(name).target_type(TargetTypeEnum::Ip);
    let call = call.protocol(ProtocolEnum::Http).port(80).vpc_id(vpcs.vpcs()[0].vpc_id().expect("an ID"));
    let call = call.health_check_path("/health").health_check_interval_seconds(5);
    call.health_check_timeout_seconds(2).send().await.expect("a target group");
}

async fn described(aws: &Aws, name: &str) -> aws_sdk_ecs::types::Service {
    let answer = aws.ecs.describe_services().cluster(name).services(name).send().await.expect("an answer");
    answer.services()[0].clone()
}

#[test]
fn settings_of_a_service_are_brought_in_and_stay() {
    let workspace = Workspace::new("settings");
    let name = &workspace.name;
    workspace.deploy();
    let aws = connect(&workspace);
    block_on(target_group(&aws, name));
    let plain = std::fs::read_to_string(workspace.path("deploy.toml")).expect("it is there");
    let keys = format!(
        "desired-count = 2\ncapacity-providers = [{{ name = \"FARGATE\", base = 1 }}, {{ name = \"FARGATE_SPOT\" }}]\n\
         target-groups = [{{ name = \"{name}\" }}]\nhealth-check-grace-period = 5\ntask-role = \"task\"\nexec = true\n\
         propagate-tags = \"TASK_DEFINITION\"\navailability-zone-rebalancing = false\n\
         volumes = {{ scratch = {{}}, data = {{ file-system-id = \"fs-1\", access-point = \"fsap-1\" }} }}\n\
         extra = {{ pidMode = \"task\" }}\n"
    );
    let mounts = "port = PORT\nmounts = [{ volume = \"scratch\", path = \"/scratch\" }, { volume = \"data\", path = \"/data\" }]\n\
                  extra = { linuxParameters = { tmpfs = [{ containerPath = \"/t\", size = 8 }] } }\n";
    let mounts = mounts.replace("PORT", &workspace.port().to_string());
    let text = plain.replacen("desired-count = 2\n", &keys, 1);
    let text = text.replacen(&format!("port = {}\n", workspace.port()), &mounts, 1);
    let text = text.replacen("timeout-minutes = 2", "timeout-minutes = 2, alarms = [\"errors\"]", 1);
    workspace.write("deploy.toml", &text);
    let run = workspace.deploy();
    assert_eq!(run.outcome["result"]["services"][0]["running"], 2, "{run:#?}");
    let service = block_on(described(&aws, name));
    assert!(service.enable_execute_command() && service.launch_type().is_none(), "{service:#?}");
    assert_eq!(service.load_balancers()[0].container_port(), Some(workspace.port().into()));
    assert_eq!(service.capacity_provider_strategy().len(), 2);
    let alarms = service.deployment_configuration().and_then(|it| it.alarms()).expect("they are set");
    assert_eq!(alarms.alarm_names(), ["errors"]);
    unchanged(&workspace.deploy());

    // What left the file stays; what is emptied goes.
    workspace.write(
        "deploy.toml",
        &text.replacen(&format!("[{{ name = \"{name}\" }}]\nhealth-check-grace-period = 5"), "[]", 1),
    );
    workspace.deploy();
    let service = block_on(described(&aws, name));
    assert!(service.load_balancers().is_empty() && service.enable_execute_command(), "{service:#?}");
    assert_eq!(workspace.status()["services"][0]["ports"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_not_there_is_said_before_anything_is_made() {
    let workspace = Workspace::new("absent");
    let plain = std::fs::read_to_string(workspace.path("deploy.toml")).expect("it is there");
    let name = &workspace.name;
    let own = plain.find(&format!("[service.{name}.security-group]")).expect("a group of its own");
    let app = plain.find(&format!("[service.{name}.container.app]")).expect("a container");
    let without_group = format!("{}{}", &plain[..own], &plain[app..]);
    for (keys, words) in [
        ("target-groups = [{ name = \"nowhere\" }]", "there is no target group `nowhere`"),
        ("security-groups = [\"nowhere\"]", "is `nowhere`, as `service."),
        ("vpc = \"nowhere\"", "no VPC fits"),
        ("subnets = [\"nowhere\"]", "has the name `nowhere`"),
    ] {
        let text = without_group.replacen("desired-count = 2\n", &format!("desired-count = 2\n{keys}\n"), 1);
        workspace.write("deploy.toml", &text);
        let run = workspace.run(&["deploy", "--local"]);
        let message = run.outcome["message"].as_str().unwrap_or_default();
        assert!(run.code == 3 && message.contains(words), "{run:#?}");
        let made = ["ensure", "push", "register", "service"].map(|phase| run.done(phase).len());
        assert_eq!(made, [0; 4], "{run:#?}");
    }
}

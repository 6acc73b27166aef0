//! A service behind a target group that deploy.toml does not name: another client attaches it, and a
//! deploy leaves it alone.

use aws_sdk_ecs::types::LoadBalancer;
use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetTypeEnum};
use xtask::aws::Aws;
use xtask::target::Target;

use crate::support::{Workspace, block_on, get};

pub(crate) fn connect(workspace: &Workspace) -> Aws {
    let local = workspace.status()["endpoint"].as_str().map(str::to_owned);
    let target = Target { local, region: Some("eu-west-1".to_owned()), ..Target::default() };
    block_on(target.connect()).expect("the local control plane takes any credentials")
}

/// Puts the service behind a target group that checks `/health`; the group's ARN.
async fn attach(aws: &Aws, workspace: &Workspace) -> String {
    let name = &workspace.name;
    let vpcs = aws.ec2.describe_vpcs().send().await.expect("the VPCs");
    let call = aws.elb.create_target_group().name(name).target_type(TargetTypeEnum::Ip);
    let call = call.protocol(ProtocolEnum::Http).port(80).vpc_id(vpcs.vpcs()[0].vpc_id().expect("an ID"));
    // The shortest interval there is.
    let call = call.health_check_path("/health").health_check_interval_seconds(5);
    let made = call.health_check_timeout_seconds(2).send().await.expect("a target group");
    let arn = made.target_groups()[0].target_group_arn().expect("an ARN").to_owned();
    let entry = LoadBalancer::builder().target_group_arn(&arn).container_name("app");
    let entry = entry.container_port(workspace.port().into()).build();
    let call = aws.ecs.update_service().cluster(name).service(name).load_balancers(entry);
    call.send().await.expect("it is attached");
    arn
}

async fn attached(aws: &Aws, name: &str) -> Vec<String> {
    let answer = aws.ecs.describe_services().cluster(name).services(name).send().await.expect("an answer");
    let balancers = answer.services()[0].load_balancers().iter();
    balancers.filter_map(|one| one.target_group_arn()).map(str::to_owned).collect()
}

#[test]
fn a_health_check_that_fails_rolls_back_and_the_card_names_group_code_and_path() {
    let workspace = Workspace::new("group");
    let name = &workspace.name;
    workspace.deploy();
    let aws = connect(&workspace);
    let arn = block_on(attach(&aws, &workspace));
    let followed = workspace.deploy();
    assert_eq!(followed.outcome["result"]["services"][0]["running"], 2, "{followed:#?}");
    let status = workspace.run(&["status", "--local"]).outcome;
    let targets = &status["result"]["services"][0]["target-groups"][0];
    assert_eq!(
        (&targets["target-group"], &targets["states"]["healthy"]),
        (&(*name).clone().into(), &2.into()),
        "{status:#}"
    );

    workspace.change(|file| {
        file.version = "sick".to_owned();
        file.command(&["healthy-after=600000"]);
    });
    let run = workspace.run(&["deploy", "--local", "--timeout", "100"]);
    assert_eq!(run.code, 7, "{run:#?}");
    let detail = run.outcome["detail"].as_str().unwrap_or_default();
    let group = format!("target group {name} (health check: GET /health");
    assert!(detail.contains(&group) && detail.contains("with these codes: [500]"), "{detail}");
    let card = &run.outcome["card"];
    let cause = card["cause"].as_str().unwrap_or_default();
    assert!(cause.contains("GET /health") && cause.contains("500"), "{run:#?}");
    assert_eq!(card["target-groups"][0]["arn"], arn.as_str(), "{run:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");

    workspace.change(|file| {
        file.version = "v2".to_owned();
        file.container.clear();
    });
    workspace.deploy();
    assert_eq!(get(&workspace.address()).expect("an answer"), "v2");
    assert_eq!(block_on(attached(&aws, name)), [arn], "a deploy leaves it alone");
}

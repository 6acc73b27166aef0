//! Services behind a target group.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::super::deployment::Status;
use super::super::task::Last;
use super::{Program, World, members, network};
use crate::error::ApiError;
use crate::state::elb::TargetGroup;
use crate::state::elb::check::HealthCheck;
use crate::state::elb::target::State;

const ARN: &str = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:targetgroup/tg/0";

fn balancers() -> Value {
    json!([{"targetGroupArn": ARN, "containerName": "web", "containerPort": 80}])
}

fn breaker() -> Value {
    json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}})
}

/// With a target group that is checked every three seconds, as the default of 30 is scaled down.
fn world() -> World {
    let mut world = World::new();
    world.ecs.elb.add(TargetGroup {
        arn: ARN.into(),
        name: "tg".into(),
        protocol: "HTTP".into(),
        port: 80,
        target_type: "ip".into(),
        check: HealthCheck::of("HTTP", None),
        ..TargetGroup::default()
    });
    world
}

fn create(world: &mut World, definition: &str, more: &Value) -> Result<(), ApiError> {
    let mut input = members(json!({
        "cluster": "c", "serviceName": "s", "taskDefinition": definition, "desiredCount": 2,
        "launchType": "FARGATE", "networkConfiguration": network(), "deploymentConfiguration": breaker(),
        "loadBalancers": balancers(),
    }));
    input.extend(members(more.clone()));
    world.ecs.create_service(input, world.now).map(drop)
}

fn states(world: &World) -> Vec<State> {
    world.ecs.elb.group(ARN).expect("the group").targets.iter().map(|target| target.state).collect()
}

fn events(world: &World) -> String {
    world.events().replace(ARN, "ARN")
}

/// A steady service of two tasks behind the target group.
fn steady() -> World {
    let mut world = world();
    let good = world.register(Program::Answers(200));
    create(&mut world, &good, &json!({})).expect("a service");
    world.until_steady();
    world
}

#[test]
fn tasks_are_registered_and_a_deployment_completes_once_they_are_healthy_there() {
    let mut world = world();
    let good = world.register(Program::Answers(200));
    create(&mut world, &good, &json!({})).expect("a service");
    world.until("running", |s| s["runningCount"] == 2);
    assert_eq!(world.statuses(), [Status::InProgress]);
    assert!(world.ecs.tasks_of("c", "s").all(|task| !task.is_healthy()), "no check was made yet");
    world.until_steady();
    assert_eq!(states(&world), [State::Healthy, State::Healthy]);
    assert_eq!(world.service()["loadBalancers"], balancers());
    assert_snapshot!(events(&world), @r"
    (service s) has started 2 tasks: (task ID) (task ID).
    (service s) registered 2 targets in (target-group ARN)
    (service s) (deployment ecs-svc/N) deployment completed.
    (service s) has reached a steady state.
    ");
}

#[test]
fn an_update_deregisters_the_old_tasks() {
    let mut world = steady();
    world.forget_limits();
    let better = world.register(Program::Answers(200));
    world.update(json!({"taskDefinition": better})).expect("an update");
    world.round();
    world.until_stable();
    world.until_steady();
    assert_eq!(world.fewest_healthy, 2);
    assert_eq!(states(&world), [State::Healthy, State::Healthy], "the old ones are forgotten");
    assert_snapshot!(events(&world).lines().skip(4).collect::<Vec<_>>().join("\n"), @r"
    (service s) has started 2 tasks: (task ID) (task ID).
    (service s) registered 2 targets in (target-group ARN)
    (service s) has stopped 2 running tasks: (task ID) (task ID).
    (service s) deregistered 2 targets in (target-group ARN)
    (service s) has begun draining connections on 2 tasks.
    (service s) (deployment ecs-svc/N) deployment completed.
    (service s) has reached a steady state.
    ");
}

#[test]
fn tasks_that_fail_the_checks_trip_the_breaker_and_the_old_ones_stay() {
    let mut world = steady();
    world.forget_limits();
    let bad = world.register(Program::Answers(500));
    world.update(json!({"taskDefinition": bad})).expect("an update");
    world.until("rolled back", |s| {
        s["deployments"][0]["rolloutStateReason"].to_string().contains("rolling back")
    });
    let stopped = world.ecs.tasks_of("c", "s").find(|task| task.stop.is_some()).expect("a stopped task");
    let reason = stopped.stop.as_ref().map(|stop| stop.reason.replace(ARN, "ARN")).unwrap_or_default();
    assert_snapshot!(reason, @"Task failed ELB health checks in (target-group ARN)");
    world.until_stable();
    world.until_steady();
    assert_eq!(world.statuses(), [Status::Successful, Status::RollbackSuccessful]);
    assert_eq!((world.fewest_healthy, world.running()), (2, 2));
    let unhealthy: Vec<String> =
        events(&world).lines().filter(|line| line.contains("unhealthy in")).map(str::to_owned).collect();
    assert!(unhealthy.len() >= 3, "{unhealthy:#?}");
    assert_snapshot!(unhealthy[0], @"(service s) (task ID) (port 80) is unhealthy in (target-group ARN) due to (reason Health checks failed with these codes: [500])");
}

#[test]
fn within_the_grace_period_nothing_is_replaced() {
    let mut world = world();
    let late = world.register(Program::Answers(503));
    create(&mut world, &late, &json!({"healthCheckGracePeriodSeconds": 60})).expect("a service");
    world.until("running", |s| s["runningCount"] == 2);
    world.rounds(25);
    assert!(matches!(states(&world)[..], [State::Unhealthy(_), State::Unhealthy(_)]));
    assert_eq!(world.ecs.tasks.len(), 2);
    world.programs[0].1 = Program::Answers(200);
    world.rounds(20);
    assert_eq!(states(&world), [State::Healthy, State::Healthy]);
    assert_eq!(world.ecs.tasks.len(), 2, "it was healthy before the period was over");
    world.until_steady();
    world.programs[0].1 = Program::Answers(503);
    world.rounds(40);
    assert!(world.ecs.tasks.len() > 2, "after it, an unhealthy one is replaced");
}

#[test]
fn a_task_that_dies_is_deregistered_and_replaced() {
    let mut world = steady();
    let victim = world.ecs.tasks_of("c", "s").next().map(|task| task.id.clone()).expect("a task");
    let gone = crate::engine::Status::Exited { code: 1, oom_killed: false };
    world.ecs.observe(&victim, Some("web"), Some(gone), world.now);
    world.round();
    assert!(world.events().contains("deregistered 1 targets"), "{}", world.events());
    world.until("whole again", |s| s["runningCount"] == 2 && s["pendingCount"] == 0);
    world.until_steady();
    assert_eq!(states(&world), [State::Healthy, State::Healthy]);
}

#[test]
fn a_deleted_service_leaves_no_target() {
    let mut world = steady();
    assert!(world.ecs.uses_target_group(ARN));
    world.ecs.delete_service("c", "s", true).expect("it is deleted");
    world.until("deleted", |s| s["status"] == "INACTIVE");
    world.rounds(5);
    assert_eq!(states(&world), []);
    assert!(world.ecs.tasks_of("c", "s").all(|task| task.last == Last::Stopped));
    assert!(!world.ecs.uses_target_group(ARN));
}

#[test]
fn changing_the_target_groups_is_a_deployment_and_an_update_without_them_keeps_them() {
    let mut world = steady();
    world.update(json!({"forceNewDeployment": true})).expect("an update");
    assert_eq!(world.service()["loadBalancers"], balancers());
    world.until_steady();
    world.update(json!({"loadBalancers": []})).expect("an update");
    assert_eq!(world.service()["loadBalancers"], json!([]));
    world.until("replaced", |s| s["deployments"].as_array().is_some_and(|d| d.len() == 1));
    assert_eq!(states(&world), []);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut world = world();
    let good = world.register(Program::Runs);
    world.ecs.elb.add(TargetGroup {
        arn: "instances".into(),
        target_type: "instance".into(),
        ..TargetGroup::default()
    });
    let mut refused = |more: Value| {
        let error = create(&mut world, &good, &more).expect_err("it is refused");
        error.to_string().replace(ARN, "ARN")
    };
    let entry = |arn: &str, container: &str, port: u16| json!({"loadBalancers": [{"targetGroupArn": arn, "containerName": container, "containerPort": port}]});
    let all = [
        refused(entry("nope", "web", 80)),
        refused(entry(ARN, "app", 80)),
        refused(entry(ARN, "web", 81)),
        refused(entry("instances", "web", 80)),
        refused(json!({"loadBalancers": [{"targetGroupArn": ARN, "containerPort": 80}]})),
        refused(
            json!({"loadBalancers": [{"loadBalancerName": "classic", "containerName": "web", "containerPort": 80}]}),
        ),
        refused(json!({"loadBalancers": [], "healthCheckGracePeriodSeconds": 5})),
    ];
    assert_snapshot!(all.join("\n"), @r"
    InvalidParameterException: The target group nope does not exist.
    InvalidParameterException: The container app does not exist in the task definition.
    InvalidParameterException: The container web did not have a container port 81 defined.
    InvalidParameterException: The provided target group instances has target type instance, which is incompatible with the awsvpc network mode specified in the task definition.
    InvalidParameterException: Container Name can not be blank.
    InvalidParameterException: The load balancer classic does not exist.
    InvalidParameterException: Health check grace period is only valid for services configured to use load balancers
    ");
}

//! Failing deployments.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::super::deployment::Status;
use super::super::task::Last;
use super::{Program, World};

fn breaker(rollback: bool) -> Value {
    json!({"deploymentCircuitBreaker": {"enable": true, "rollback": rollback}})
}

/// A steady service, then an update to tasks that fail.
fn failing(program: Program, configuration: &Value) -> World {
    let mut world = World::new();
    let good = world.register(Program::Runs);
    world.create(&good, 2, configuration);
    world.until_steady();
    world.forget_limits();
    let bad = world.register(program);
    world.update(json!({"taskDefinition": bad})).expect("an update");
    world
}

fn last(world: &World) -> Value {
    let service = world.ecs.service("c", "s").expect("the service");
    service.history.last().map(|d| world.ecs.render_service_deployment(service, d)).expect("a deployment")
}

#[test]
fn it_rolls_back_to_the_last_that_completed() {
    let mut world = failing(Program::NoImage, &breaker(true));
    world.until("rolled back", |s| {
        s["deployments"][0]["rolloutStateReason"].to_string().contains("rolling back")
    });
    assert_eq!(last(&world)["status"], "ROLLBACK_IN_PROGRESS");
    assert_eq!(last(&world)["deploymentCircuitBreaker"]["status"], "TRIGGERED");
    let failed = world.service()["deployments"][1].clone();
    assert_eq!(failed["rolloutState"], "FAILED");
    let wanted = |which: &Value| which["requestedTaskCount"].clone();
    assert_eq!(wanted(&last(&world)["targetServiceRevision"]), 0, "nothing is wanted of it any more");
    assert_eq!(wanted(&last(&world)["sourceServiceRevisions"][0]), 2);
    assert_snapshot!(failed["rolloutStateReason"].to_string(), @r#""ECS deployment circuit breaker: tasks failed to start.""#);
    // The trap: the standard waiter is content, though the deployment failed.
    world.until_stable();
    world.until_steady();
    assert_eq!(world.statuses(), [Status::Successful, Status::RollbackSuccessful]);
    assert!(world.service()["taskDefinition"].as_str().is_some_and(|t| t.ends_with("app:1")));
    assert_eq!(world.fewest_healthy, 2, "the old tasks served all the time");
    let revision = world.ecs.service("c", "s").and_then(|s| s.last_completed.clone()).expect("a revision");
    assert!(last(&world)["rollback"]["serviceRevisionArn"].as_str().is_some_and(|a| a.ends_with(&revision)));
    assert_snapshot!(world.events().lines().skip(3).collect::<Vec<_>>().join("\n"), @r"
    (service s) has started 2 tasks: (task ID) (task ID).
    (service s) was unable to place a task. Reason: CannotPullContainerError: not found.
    (service s) has started 2 tasks: (task ID) (task ID).
    (service s) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.
    (service s) (deployment ecs-svc/N) deployment failed: tasks failed to start.
    (service s) rolling back to deployment ecs-svc/N.
    (service s) (deployment ecs-svc/N) deployment completed.
    (service s) has reached a steady state.
    ");
}

#[test]
fn failed_health_checks_count_too() {
    let mut world = failing(Program::Sick, &breaker(true));
    world.until("failed", |s| {
        s["deployments"].as_array().is_some_and(|d| d.iter().any(|d| d["rolloutState"] == "FAILED"))
    });
    world.until_stable();
    assert_eq!(world.fewest_healthy, 2);
}

#[test]
fn a_crash_after_the_start_does_not_trip_it() {
    let mut world = failing(Program::Crashes, &breaker(true));
    world.rounds(60);
    assert_eq!(world.statuses(), [Status::Successful, Status::InProgress]);
    assert_eq!(world.service()["deployments"][0]["failedTasks"], 0);
    assert_eq!(world.fewest_healthy, 2);
    assert!(!world.events().contains("is unable to consistently"), "that tells of tasks that do not run");
}

#[test]
fn without_rollback_it_stalls() {
    let mut world = failing(Program::NoImage, &breaker(false));
    world.until("failed", |s| s["deployments"][0]["rolloutState"] == "FAILED");
    world.rounds(5);
    let tasks = world.ecs.tasks.len();
    world.rounds(30);
    assert_eq!(world.ecs.tasks.len(), tasks, "no task is started any more");
    assert_eq!(world.statuses(), [Status::Successful, Status::Stopped]);
    assert_eq!(world.running(), 2);
}

#[test]
fn with_nothing_to_roll_back_to_it_stalls() {
    let mut world = World::new();
    let bad = world.register(Program::NoImage);
    world.create(&bad, 1, &breaker(true));
    world.until("failed", |s| s["deployments"][0]["rolloutState"] == "FAILED");
    world.rounds(20);
    assert_eq!(world.statuses(), [Status::RollbackFailed]);
    assert_eq!(last(&world)["statusReason"], "No rollback candidate was found to run the rollback.");
    assert_eq!(world.ecs.tasks_of("c", "s").count(), 3, "the threshold is 3");
    let task = world.ecs.tasks_of("c", "s").find(|t| t.last == Last::Stopped).expect("a stopped task");
    let task = world.ecs.render_task(task, true);
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    assert_snapshot!(task["stoppedReason"].to_string(), @r#""CannotPullContainerError: not found""#);
    // A good revision gets it going.
    let good = world.register(Program::Runs);
    world.update(json!({"taskDefinition": good})).expect("an update");
    world.until_stable();
    world.until_steady();
    assert_eq!(world.statuses(), [Status::RollbackFailed, Status::Successful]);
}

#[test]
fn without_a_breaker_it_tries_on() {
    let mut world = failing(Program::NoImage, &json!({}));
    world.rounds(80);
    assert_eq!(world.statuses(), [Status::Successful, Status::InProgress]);
    assert!(world.service()["deployments"][0]["failedTasks"].as_u64().is_some_and(|n| n > 3));
    assert_eq!(world.fewest_healthy, 2);
}

#[test]
fn a_stop_request_rolls_back() {
    let mut world = failing(Program::NoImage, &json!({}));
    world.rounds(2);
    let arn = last(&world)["serviceDeploymentArn"].as_str().expect("an ARN").to_owned();
    world.ecs.stop_service_deployment(&arn, Some("ROLLBACK"), world.now).expect("a stop");
    assert_eq!(last(&world)["status"], "ROLLBACK_REQUESTED");
    world.round();
    world.until_stable();
    world.until_steady();
    assert_eq!(world.statuses(), [Status::Successful, Status::RollbackSuccessful]);
    let error = world.ecs.stop_service_deployment(&arn, None, world.now).expect_err("it is over");
    assert_eq!(error.code, "ConflictException");
}

#[test]
fn a_healthy_task_resets_the_count() {
    let mut world = World::new();
    let bad = world.register(Program::NoImage);
    world.create(&bad, 1, &breaker(true));
    world.until("two failures", |s| s["deployments"][0]["failedTasks"] == 2);
    world.programs[0].1 = Program::Healthy;
    world.until_steady();
    assert_eq!(world.statuses(), [Status::Successful]);
    assert_eq!(world.service()["deployments"][0]["failedTasks"], 0);
}

#[test]
fn a_stop_request_with_nothing_to_roll_back_to_fails_or_is_refused() {
    for refused in [false, true] {
        let mut world = World::new();
        world.ecs.rules.refuses_stop = refused;
        let bad = world.register(Program::Crashes);
        world.create(&bad, 1, &json!({}));
        world.rounds(2);
        let arn = last(&world)["serviceDeploymentArn"].as_str().expect("an ARN").to_owned();
        let answer = world.ecs.stop_service_deployment(&arn, Some("ROLLBACK"), world.now);
        if refused {
            assert_eq!(answer.expect_err("refused").code, "ConflictException");
            continue;
        }
        answer.expect("it is asked for");
        world.ecs.stop_service_deployment(&arn, None, world.now).expect("it goes on with what it does");
        world.round();
        assert_eq!(world.statuses(), [Status::RollbackFailed]);
        assert_eq!(world.service()["deployments"][0]["rolloutState"], "FAILED");
        assert_eq!(last(&world)["statusReason"], "No rollback candidate was found to run the rollback.");
    }
}

#[test]
fn a_stop_that_is_under_way_goes_on() {
    let mut world = failing(Program::NoImage, &json!({}));
    world.rounds(2);
    world.ecs.rules.stop_takes = 5.0;
    let arn = last(&world)["serviceDeploymentArn"].as_str().expect("an ARN").to_owned();
    let good = world.register(Program::Runs);
    world.update(json!({"taskDefinition": good})).expect("an update");
    assert_eq!(world.statuses()[1], Status::StopRequested);
    world.ecs.stop_service_deployment(&arn, None, world.now).expect("it goes on");
    let error = world.ecs.stop_service_deployment(&arn, Some("ABORT"), world.now).expect_err("not ABORT");
    assert_eq!(error.code, "InvalidParameterException");
    world.until_stable();
    world.until_steady();
    assert_eq!(world.statuses(), [Status::Successful, Status::Stopped, Status::Successful]);
}

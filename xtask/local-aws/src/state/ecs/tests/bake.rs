//! Deployments that are watched after they are steady, and tasks whose health does not count yet.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::super::deployment::Status;
use super::super::task::{HealthStatus, Last};
use super::{Program, World};

fn alarms() -> Value {
    json!({"alarms": {"alarmNames": ["errors"], "enable": true, "rollback": true}})
}

fn last(world: &World) -> Value {
    let service = world.ecs.service("c", "s").expect("the service");
    service.history.last().map(|d| world.ecs.render_service_deployment(service, d)).expect("a deployment")
}

#[test]
fn with_alarms_it_completes_after_the_bake_time() {
    let mut world = World::new();
    world.ecs.timing.bake = 5.0;
    let good = world.register(Program::Runs);
    world.create(&good, 1, &alarms());
    world.until_steady();
    assert_eq!(world.service()["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(
        last(&world)["alarms"],
        json!({"status": "MONITORING", "alarmNames": ["errors"], "triggeredAlarmNames": []})
    );
    world.rounds(4);
    assert_eq!(world.statuses(), [Status::InProgress]);
    world.until("completed", |s| s["deployments"][0]["rolloutState"] == "COMPLETED");
    assert_eq!(world.statuses(), [Status::Successful]);
    assert_eq!(last(&world)["alarms"]["status"], "MONITORING_COMPLETE");
    assert_snapshot!(world.events(), @r"
    (service s) has started 1 tasks: (task ID).
    (service s) has reached a steady state.
    (service s) (deployment ecs-svc/N) deployment completed.
    ");
}

#[test]
fn what_dies_in_the_bake_time_is_replaced_before_it_completes() {
    let mut world = World::new();
    let good = world.register(Program::Runs);
    world.create(&good, 1, &json!({"bakeTimeInMinutes": 1}));
    world.until_steady();
    let id = world.ecs.tasks_of("c", "s").next().expect("a task").id.clone();
    let seen = crate::engine::Status::Exited { code: 1, oom_killed: false };
    world.ecs.observe(&id, Some("web"), Some(seen), world.now);
    world.round();
    assert_eq!(world.statuses(), [Status::InProgress]);
    world.until("completed", |s| s["deployments"][0]["rolloutState"] == "COMPLETED");
    assert_eq!(world.running(), 1);
}

#[test]
fn a_rollback_out_of_the_bake_time_ends() {
    let mut world = World::new();
    let good = world.register(Program::Runs);
    world.create(&good, 0, &json!({"bakeTimeInMinutes": 5}));
    world.until("completed", |s| s["deployments"][0]["rolloutState"] == "COMPLETED");
    world.update(json!({"forceNewDeployment": true})).expect("an update");
    world.rounds(2);
    let arn = last(&world)["serviceDeploymentArn"].as_str().expect("an ARN").to_owned();
    world.ecs.stop_service_deployment(&arn, None, world.now).expect("it bakes");
    world.rounds(2);
    assert_eq!(world.statuses(), [Status::Successful, Status::RollbackSuccessful]);
}

#[test]
fn in_its_grace_period_an_unhealthy_task_is_left_alone() {
    let mut world = World::new();
    let sick = world.register(Program::Sick);
    world.create(&sick, 1, &json!({}));
    // The API takes one with a load balancer only; it counts for container checks all the same.
    for service in world.ecs.services.values_mut() {
        service.settings.insert("healthCheckGracePeriodSeconds".into(), 20.into());
    }
    world.rounds(18);
    let tasks: Vec<_> = world.ecs.tasks_of("c", "s").collect();
    assert!(
        tasks.len() == 1 && tasks[0].health() == HealthStatus::Unhealthy && tasks[0].last == Last::Running
    );
    let after = tasks[0].started_at.expect("it runs") + 20.0;
    assert_eq!(super::super::steps::next_deadline(&world.ecs, world.now), Some(after));
    world.rounds(6);
    assert!(
        world.ecs.tasks_of("c", "s").count() > 1 && world.events().contains("failed container health checks")
    );
}

#[test]
fn the_health_of_a_task_is_that_of_all_its_essential_containers() {
    let mut world = World::new();
    let good = world.register(Program::Healthy);
    world.create(&good, 1, &json!({}));
    world.until_steady();
    let task = world.ecs.tasks.values_mut().next().expect("a task");
    assert_eq!(task.described_health(), HealthStatus::Healthy);
    let unchecked = super::super::task::Container { essential: true, ..Default::default() };
    task.containers.push(unchecked);
    assert_eq!((task.described_health(), task.health()), (HealthStatus::Unknown, HealthStatus::Healthy));
}

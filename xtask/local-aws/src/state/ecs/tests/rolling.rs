//! Rolling updates.

use insta::assert_snapshot;
use serde_json::json;

use super::super::deployment::Status;
use super::super::plan::{Plan, TaskView, View, plan};
use super::{Program, World};

fn task(id: &str, primary: bool, healthy: bool) -> TaskView {
    TaskView { id: id.into(), primary, healthy, unhealthy: false }
}

fn view(desired: u64, minimum: u64, maximum: u64, tasks: Vec<TaskView>) -> View {
    View { desired, minimum, maximum, in_progress: true, may_start: true, tasks }
}

#[test]
fn new_tasks_come_before_old_ones_go() {
    let old = vec![task("a", false, true), task("b", false, true)];
    assert_eq!(plan(&view(2, 2, 4, old.clone())), Plan { start: 2, ..Plan::default() });
    let coming = [old.clone(), vec![task("c", true, false), task("d", true, false)]].concat();
    assert_eq!(plan(&view(2, 2, 4, coming)), Plan::default());
    let one = [old, vec![task("c", true, true), task("d", true, false)]].concat();
    assert_eq!(plan(&view(2, 2, 4, one)), Plan { stop: vec!["a".into()], ..Plan::default() });
}

#[test]
fn without_room_old_tasks_go_first_down_to_the_minimum() {
    let old = vec![task("a", false, true), task("b", false, true)];
    let expected = Plan { start: 1, stop: vec!["a".into()], replace: vec![] };
    assert_eq!(plan(&view(2, 1, 2, old.clone())), expected);
    let none = Plan { start: 2, stop: vec!["a".into(), "b".into()], replace: vec![] };
    assert_eq!(plan(&view(2, 0, 2, old)), none);
}

#[test]
fn scaling_in_keeps_what_serves() {
    let tasks = vec![task("a", true, true), task("b", true, false), task("c", true, true)];
    assert_eq!(plan(&view(1, 1, 2, tasks)).stop, ["b", "c"]);
}

#[test]
fn an_unhealthy_task_is_replaced_before_it_goes() {
    let sick = TaskView { unhealthy: true, ..task("a", true, false) };
    let steady = |tasks| View { in_progress: false, ..view(1, 1, 2, tasks) };
    assert_eq!(plan(&steady(vec![sick.clone()])), Plan { start: 1, ..Plan::default() });
    assert_eq!(plan(&steady(vec![sick.clone(), task("b", true, true)])).replace, ["a"]);
    let full = View { maximum: 1, minimum: 0, ..steady(vec![sick]) };
    assert_eq!(plan(&full), Plan { start: 1, stop: vec![], replace: vec!["a".into()] });
}

#[test]
fn without_room_unhealthy_tasks_go_one_by_one() {
    let sick = |id: &str| TaskView { unhealthy: true, ..task(id, true, false) };
    let replaced = |tasks| plan(&View { in_progress: false, ..view(3, 2, 3, tasks) }).replace;
    assert_eq!(replaced(vec![sick("a"), sick("b"), sick("c")]), ["a"]);
    assert_eq!(
        replaced(vec![sick("b"), sick("c"), task("d", true, false)]),
        [""; 0],
        "its replacement comes first"
    );
    assert_eq!(replaced(vec![sick("b"), sick("c"), task("d", true, true)]), ["b"]);
    assert_eq!(replaced(vec![sick("c"), task("d", true, true), task("e", true, true)]), ["c"]);
}

/// Whatever the numbers: the plan never goes below the minimum by itself, nor above the maximum.
#[test]
fn limits_hold() {
    for desired in 0..5u64 {
        for (minimum, maximum) in
            [(desired, desired * 2), (desired / 2, desired), (0, desired), (desired, desired + 1)]
        {
            for bits in 0..729u32 {
                let tasks: Vec<TaskView> = (0..6)
                    .map(|i| (i, bits / 3u32.pow(i) % 3))
                    .filter(|(_, kind)| *kind > 0)
                    .map(|(i, kind)| task(&i.to_string(), i < 3, kind == 1))
                    .collect();
                let before = tasks.iter().filter(|t| t.healthy).count() as u64;
                let view = view(desired, minimum, maximum, tasks);
                let plan = plan(&view);
                let stopped = |t: &TaskView| plan.stop.contains(&t.id);
                let healthy = view.tasks.iter().filter(|t| t.healthy && !stopped(t)).count() as u64;
                assert!(healthy >= minimum.min(before), "{view:?} {plan:?}");
                let left = view.tasks.iter().filter(|t| !stopped(t)).count() as u64;
                assert!(plan.start == 0 || left + plan.start <= maximum, "{view:?} {plan:?}");
            }
        }
    }
}

#[test]
fn the_story_of_an_update() {
    let mut world = World::new();
    let first = world.register(Program::Runs);
    world.create(&first, 2, &json!({}));
    assert_eq!(world.statuses(), [Status::Pending]);
    world.until_steady();
    assert_eq!(world.statuses(), [Status::Successful]);
    assert_eq!(world.service()["deployments"][0]["rolloutState"], "COMPLETED");
    world.forget_limits();
    let second = world.register(Program::Runs);
    world.update(json!({"taskDefinition": second})).expect("an update");
    world.rounds(2);
    let service = world.service();
    assert_eq!(service["deployments"][0]["status"], "PRIMARY");
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(service["deployments"][1]["status"], "ACTIVE");
    world.until_stable();
    world.until_steady();
    assert_eq!((world.fewest_healthy, world.most_wanted), (2, 4));
    assert_eq!(world.statuses(), [Status::Successful, Status::Successful]);
    assert!(world.service()["taskDefinition"].as_str().is_some_and(|t| t.ends_with("app:2")));
    assert_snapshot!(world.events(), @r"
    (service s) has started 2 tasks: (task ID) (task ID).
    (service s) (deployment ecs-svc/N) deployment completed.
    (service s) has reached a steady state.
    (service s) has started 2 tasks: (task ID) (task ID).
    (service s) has stopped 2 running tasks: (task ID) (task ID).
    (service s) (deployment ecs-svc/N) deployment completed.
    (service s) has reached a steady state.
    ");
}

#[test]
fn stop_before_start_honours_the_minimum() {
    let mut world = World::new();
    let first = world.register(Program::Runs);
    world.create(&first, 4, &json!({"maximumPercent": 100, "minimumHealthyPercent": 50}));
    world.until_steady();
    world.forget_limits();
    let second = world.register(Program::Runs);
    world.update(json!({"taskDefinition": second})).expect("an update");
    world.round();
    world.until_steady();
    assert_eq!((world.fewest_healthy, world.most_wanted), (2, 4));
}

#[test]
fn what_changes_in_place_starts_no_deployment() {
    let mut world = World::new();
    let first = world.register(Program::Runs);
    world.create(&first, 1, &json!({}));
    world.until_steady();
    let id = world.service()["deployments"][0]["id"].clone();
    world.update(json!({"desiredCount": 3, "taskDefinition": first})).expect("an update");
    world.round();
    world.until_steady();
    assert_eq!(world.running(), 3);
    world.update(json!({"deploymentConfiguration": {"minimumHealthyPercent": 50}})).expect("an update");
    let service = world.service();
    assert_eq!(service["deployments"][0]["id"], id);
    assert_eq!(service["deploymentConfiguration"]["maximumPercent"], 200);
    assert_eq!(service["deploymentConfiguration"]["minimumHealthyPercent"], 50);
    world.update(json!({"forceNewDeployment": true})).expect("an update");
    assert_ne!(world.service()["deployments"][0]["id"], id);
    assert_eq!(world.statuses().len(), 2);
}

#[test]
fn a_newer_deployment_takes_over() {
    let mut world = World::new();
    let first = world.register(Program::Runs);
    world.create(&first, 2, &json!({}));
    world.until_steady();
    let bad = world.register(Program::NoImage);
    world.update(json!({"taskDefinition": bad})).expect("an update");
    world.rounds(3);
    let good = world.register(Program::Runs);
    world.update(json!({"taskDefinition": good})).expect("an update");
    assert_eq!(world.service()["deployments"].as_array().map(Vec::len), Some(3));
    world.rounds(4);
    assert_eq!(world.service()["deployments"].as_array().map(Vec::len), Some(2), "it has no tasks left");
    world.until_stable();
    world.until_steady();
    assert_eq!(world.statuses(), [Status::Successful, Status::Stopped, Status::Successful]);
}

#[test]
fn a_deleted_service_drains() {
    let mut world = World::new();
    let first = world.register(Program::Runs);
    world.create(&first, 2, &json!({}));
    world.until_steady();
    let error = world.ecs.delete_service("c", "s", false).expect_err("it is scaled above 0");
    assert_snapshot!(error.message, @"The service cannot be stopped while it is scaled above 0.");
    world.ecs.delete_service("c", "s", true).expect("force");
    world.round();
    assert_eq!(world.service()["status"], "DRAINING");
    world.until("inactive", |s| s["status"] == "INACTIVE");
    assert_eq!(world.running(), 0);
    assert_eq!(world.service()["desiredCount"], 0);
    assert_eq!(world.statuses(), [], "the service deployments go with it");
    world.rounds(3);
    world.now += super::super::RETENTION + 1.0;
    world.ecs.reconcile(world.now);
    assert!(world.ecs.services.is_empty() && world.ecs.tasks.is_empty());
}

#[test]
fn a_desired_count_of_zero_is_steady() {
    let mut world = World::new();
    let first = world.register(Program::Runs);
    world.create(&first, 0, &json!({}));
    world.until_steady();
    assert_eq!(world.statuses(), [Status::Successful]);
}

#[test]
fn a_task_that_dies_is_replaced() {
    let mut world = World::new();
    let first = world.register(Program::Runs);
    world.create(&first, 1, &json!({}));
    world.until_steady();
    let id = world.ecs.tasks_of("c", "s").next().expect("a task").id.clone();
    let seen = crate::engine::Status::Exited { code: 137, oom_killed: true };
    world.ecs.observe(&id, Some("web"), Some(seen), world.now);
    world.rounds(2);
    world.until_steady();
    let task = world.ecs.render_task(&world.ecs.tasks[&id], true);
    assert_eq!(task["stopCode"], "EssentialContainerExited");
    assert_eq!(task["containers"][0]["exitCode"], 137);
    assert_eq!(world.running(), 1);
    assert_eq!(world.service()["deployments"][0]["failedTasks"], 0);
}

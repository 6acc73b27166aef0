//! Containers that wait for others.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::super::steps::{Step, next_deadline};
use super::super::task::{Last, Task};
use super::super::transition::Outcome;
use super::{World, facts, members, network};
use crate::engine::{ContainerId, Health, Holder, Status as Seen};

/// A task of `app`, which waits for `init`, started as far as `init` running at second 10.
struct Waiting {
    world: World,
    id: String,
}

impl Waiting {
    fn new(condition: &str, init: &Value, more: &[Value]) -> Self {
        let mut world = World::new();
        let mut first = json!({"name": "init", "image": "i", "essential": false});
        first.as_object_mut().expect("an object").extend(members(init.clone()));
        let app = json!({"name": "app", "image": "a", "dependsOn": [{"containerName": "init", "condition": condition}]});
        let containers: Vec<Value> = [vec![first, app], more.to_vec()].concat();
        let names: Vec<String> =
            containers.iter().map(|c| c["name"].as_str().unwrap_or_default().into()).collect();
        let input = json!({
            "family": "f", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512", "containerDefinitions": containers,
        });
        world.ecs.register(members(input), 0.0).expect("a definition");
        let run = json!({"cluster": "c", "taskDefinition": "f", "launchType": "FARGATE", "networkConfiguration": network()});
        let (_, ids) = world.ecs.run_task(members(run), 0.0).expect("a task");
        let id = ids.into_iter().next().expect("one task");
        let holder = Holder { id: ContainerId("h".into()), published: std::collections::BTreeMap::new() };
        world.ecs.apply(&id, Outcome::Held(holder), 1.0);
        for name in names {
            world.ecs.apply(&id, Outcome::Pulled(name, facts()), 2.0);
        }
        let mut waiting = Self { world, id };
        waiting.start("init", 10.0);
        waiting
    }

    fn start(&mut self, name: &str, now: f64) {
        self.world.ecs.apply(&self.id, Outcome::Started(name.into(), "id".into()), now);
    }

    fn exit(&mut self, name: &str, code: i64) {
        let seen = Seen::Exited { code, oom_killed: false };
        self.world.ecs.observe(&self.id, Some(name), Some(seen), 11.0);
    }

    fn task(&self) -> &Task {
        &self.world.ecs.tasks[&self.id]
    }

    fn steps(&self) -> Vec<Step> {
        self.world.ecs.steps().into_iter().map(|(_, step)| step).collect()
    }

    fn reason(&self, name: &str) -> String {
        let container = self.task().container(name).expect("the container");
        format!("{:?} {}", container.exit_code, container.reason.as_deref().unwrap_or_default())
    }
}

#[test]
fn conditions() {
    let starts_after = |condition: &str, code: i64| {
        let mut waiting = Waiting::new(condition, &json!({}), &[]);
        waiting.exit("init", code);
        waiting.steps() == [Step::Start("app".into())]
    };
    assert!(starts_after("SUCCESS", 0) && !starts_after("SUCCESS", 1));
    assert!(starts_after("COMPLETE", 1) && starts_after("START", 1));
    assert_eq!(Waiting::new("START", &json!({}), &[]).steps(), [Step::Start("app".into())]);
    assert_eq!(Waiting::new("COMPLETE", &json!({}), &[]).steps(), []);
}

#[test]
fn one_that_fails_takes_the_task_with_it_if_that_needs_what_waits() {
    let mut waiting = Waiting::new("SUCCESS", &json!({}), &[]);
    waiting.exit("init", 3);
    assert_snapshot!(waiting.reason("app"), @"Some(143) CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [init(i) (STOPPED->RUNNING) - Exit: 3] for target [app(a) (PULLED->RUNNING)] as dependency did not exit successfully.");
    let task = waiting.task();
    assert_snapshot!(task.stop.as_ref().map(|s| s.reason.as_str()).unwrap_or_default(), @"Task failed to start");
    assert_eq!((task.last, task.started_at), (Last::Deprovisioning, None), "it never ran");
}

#[test]
fn a_task_goes_on_without_those_that_it_does_not_need() {
    let wait = |on: &str, condition: &str| json!([{"containerName": on, "condition": condition}]);
    let late =
        json!({"name": "late", "image": "l", "essential": false, "dependsOn": wait("init", "SUCCESS")});
    let last = json!({"name": "last", "image": "z", "essential": false, "dependsOn": wait("late", "START")});
    let mut waiting = Waiting::new("COMPLETE", &json!({}), &[late, last]);
    waiting.exit("init", 1);
    assert_snapshot!(waiting.reason("last"), @"Some(143) CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [late(l) (STOPPED->RUNNING) - Exit: 143] for target [last(z) (PULLED->RUNNING)] because dependency will never start");
    assert_eq!(waiting.steps(), [Step::Start("app".into())]);
    waiting.start("app", 12.0);
    assert_eq!(waiting.task().last, Last::Running);
}

#[test]
fn a_wait_times_out() {
    let unhealthy = json!({"startTimeout": 20, "healthCheck": {"command": ["CMD", "x"]}});
    for (condition, init) in [("SUCCESS", &json!({"startTimeout": 20})), ("HEALTHY", &unhealthy)] {
        let mut waiting = Waiting::new(condition, init, &[]);
        assert_eq!(next_deadline(&waiting.world.ecs, 11.0), Some(30.0));
        waiting.world.ecs.tick(29.0);
        assert!(waiting.task().wanted());
        waiting.world.ecs.tick(30.0);
        assert!(!waiting.task().wanted() && waiting.reason("app").ends_with(" has timed out."));
        assert_eq!(waiting.steps(), [Step::Stop("init".into())]);
    }
    let mut waiting = Waiting::new("HEALTHY", &unhealthy, &[]);
    waiting.world.ecs.observe(&waiting.id, Some("init"), Some(Seen::Running(Some(Health::Healthy))), 12.0);
    assert_eq!(next_deadline(&waiting.world.ecs, 12.0), None);
}

#[test]
fn nobody_stops_an_unhealthy_task_that_is_no_services() {
    let check = json!({"essential": true, "healthCheck": {"command": ["CMD", "x"]}});
    let mut waiting = Waiting::new("HEALTHY", &check, &[]);
    waiting.world.ecs.observe(&waiting.id, Some("init"), Some(Seen::Running(Some(Health::Unhealthy))), 12.0);
    assert!(waiting.task().wanted());
}

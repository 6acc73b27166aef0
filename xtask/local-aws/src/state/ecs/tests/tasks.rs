//! Single tasks.

use serde_json::json;

use super::super::steps::Step;
use super::super::stop::Stop;
use super::super::task::Last;
use super::super::transition::Outcome;
use super::{Program, World, facts, members, network};
use crate::engine::{ContainerId, Health, Holder, Status as Seen};

/// A task of three containers in a chain: `init`, then `db` healthy, then `web`.
fn chain(world: &mut World) -> String {
    let input = json!({
        "family": "chain", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512",
        "containerDefinitions": [
            {"name": "init", "image": "i", "essential": false},
            {"name": "db", "image": "i", "healthCheck": {"command": ["CMD", "x"]},
             "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}]},
            {"name": "web", "image": "i", "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}]},
        ],
    });
    world.ecs.register(members(input), 0.0).expect("a definition");
    let run = json!({"cluster": "c", "taskDefinition": "chain", "launchType": "FARGATE", "networkConfiguration": network()});
    let (_, ids) = world.ecs.run_task(members(run), 0.0).expect("a task");
    ids.into_iter().next().expect("one task")
}

fn steps(world: &World) -> Vec<Step> {
    world.ecs.steps().into_iter().map(|(_, step)| step).collect()
}

fn start(name: &str) -> Step {
    Step::Start(name.into())
}

#[test]
fn containers_start_in_the_order_of_their_dependencies_and_stop_in_reverse() {
    let mut world = World::new();
    let task = chain(&mut world);
    assert_eq!(steps(&world), [Step::Hold]);
    let holder = Holder { id: ContainerId("h".into()), published: std::collections::BTreeMap::new() };
    world.ecs.apply(&task, Outcome::Held(holder), 1.0);
    for name in ["init", "db", "web"] {
        world.ecs.apply(&task, Outcome::Pulled(name.into(), facts()), 2.0);
    }
    assert_eq!(steps(&world), [start("init")]);
    world.ecs.apply(&task, Outcome::Started("init".into(), "1".into()), 3.0);
    assert_eq!(steps(&world), []);
    world.ecs.observe(&task, Some("init"), Some(Seen::Exited { code: 0, oom_killed: false }), 4.0);
    assert_eq!(steps(&world), [start("db")]);
    world.ecs.apply(&task, Outcome::Started("db".into(), "2".into()), 5.0);
    assert_eq!(steps(&world), []);
    world.ecs.observe(&task, Some("db"), Some(Seen::Running(Some(Health::Healthy))), 6.0);
    assert_eq!(steps(&world), [start("web")]);
    world.ecs.apply(&task, Outcome::Started("web".into(), "3".into()), 7.0);
    assert_eq!(world.ecs.tasks[&task].last, Last::Running);

    world.ecs.stop(&task, Stop::by_user(None), 8.0);
    assert_eq!(world.ecs.tasks[&task].last, Last::Deactivating);
    assert_eq!(steps(&world), [Step::Deregister], "first it leaves the routes");
    world.ecs.apply(&task, Outcome::Deregistered, 9.0);
    assert_eq!(steps(&world), [Step::Stop("web".into())]);
    world.ecs.apply(&task, Outcome::Ended("web".into()), 10.0);
    assert_eq!(steps(&world), [Step::Stop("db".into())]);
    world.ecs.apply(&task, Outcome::Ended("db".into()), 11.0);
    assert_eq!(steps(&world), [Step::Remove]);
    world.ecs.apply(&task, Outcome::Removed, 12.0);
    world.ecs.apply(&task, Outcome::Removed, 13.0);
    let task = &world.ecs.tasks[&task];
    assert_eq!((task.last, task.stopped_at), (Last::Stopped, Some(12.0)));
}

#[test]
fn a_task_that_is_stopped_while_it_is_made_goes_away() {
    let mut world = World::new();
    let task = chain(&mut world);
    world.ecs.stop(&task, Stop::by_user(Some("enough".into())), 1.0);
    assert_eq!(steps(&world), [Step::Hold], "what is under way comes to its end");
    let holder = Holder { id: ContainerId("h".into()), published: std::collections::BTreeMap::new() };
    world.ecs.apply(&task, Outcome::Held(holder), 2.0);
    assert_eq!(steps(&world), [Step::Remove]);
}

#[test]
fn a_task_that_is_stopped_while_it_cannot_be_made_goes_away_too() {
    let mut world = World::new();
    let task = chain(&mut world);
    world.ecs.stop(&task, Stop::by_user(Some("enough".into())), 1.0);
    world.ecs.apply(&task, Outcome::Failed(None, "the engine is away".into()), 2.0);
    assert_eq!(steps(&world), [Step::Remove]);
    assert_eq!(world.ecs.tasks[&task].stop.as_ref().map(|s| s.reason.as_str()), Some("enough"));
}

#[test]
fn an_interface_is_described() {
    let mut world = World::new();
    let definition = world.register(Program::Runs);
    world.create(&definition, 1, &json!({}));
    world.until_steady();
    let task = world.ecs.tasks_of("c", "s").next().expect("a task");
    let described = world.ecs.render_task(task, true);
    let names: Vec<&str> = described["attachments"][0]["details"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|d| d["name"].as_str())
        .collect();
    assert_eq!(names, ["subnetId", "networkInterfaceId", "macAddress", "privateIPv4Address"]);
    assert_eq!(described["attachments"][0]["status"], "ATTACHED");
    assert!(!described.to_string().contains("null"));
}

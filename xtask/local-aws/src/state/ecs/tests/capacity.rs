//! What tasks run on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Program, World, members, network};
use crate::error::ApiError;

/// A service as `CreateService` is asked for it, beside its name, definition and network.
fn create(world: &mut World, definition: &str, more: Value) -> Result<(), ApiError> {
    let mut input = members(json!({
        "cluster": "c", "serviceName": "s", "taskDefinition": definition, "networkConfiguration": network(),
    }));
    input.extend(members(more));
    world.ecs.create_service(input, world.now).map(drop)
}

/// Tasks that are to run, by what they are described to run on.
fn placed(world: &World, member: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for task in world.ecs.tasks_of("c", "s").filter(|task| task.wanted()) {
        let described = world.ecs.render_task(task, false);
        *counts.entry(described[member].as_str().unwrap_or("none").to_owned()).or_default() += 1;
    }
    counts
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

#[test]
fn tasks_are_spread_by_base_and_weight() {
    let mut world = World::new();
    let app = world.register(Program::Runs);
    let strategy = json!([
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
    ]);
    let more = json!({"desiredCount": 5, "capacityProviderStrategy": strategy});
    let refused = create(&mut world, &app, more.clone()).expect_err("the cluster does not have them");
    assert!(refused.message.contains("not associated with the cluster"), "{}", refused.message);
    let cluster = world.ecs.clusters.get_mut("c").expect("the cluster");
    cluster.body.insert("capacityProviders".into(), json!(["FARGATE", "FARGATE_SPOT"]));
    create(&mut world, &app, more).expect("a service");
    world.until_stable();
    assert_eq!(placed(&world, "capacityProviderName"), counts([("FARGATE", 2), ("FARGATE_SPOT", 3)]));
    assert_eq!(placed(&world, "launchType"), counts([("FARGATE", 5)]));
    assert_eq!(world.service()["launchType"], Value::Null);

    world.update(json!({"capacityProviderStrategy": [], "forceNewDeployment": true})).expect("back it goes");
    world.until_stable();
    assert_eq!(placed(&world, "capacityProviderName"), counts([("none", 5)]));
    assert_eq!(world.service()["launchType"], "FARGATE");
}

#[test]
fn who_names_ec2_has_an_instance() {
    let mut world = World::new();
    let app = world.register(Program::Runs);
    create(&mut world, &app, json!({"desiredCount": 2, "launchType": "EC2"})).expect("a service");
    world.until_stable();
    assert_eq!(placed(&world, "launchType"), counts([("EC2", 2)]));
    assert_eq!(world.service()["platformVersion"], Value::Null);
}

#[test]
fn who_names_nothing_has_none() {
    let mut world = World::new();
    let app = world.register(Program::Runs);
    create(&mut world, &app, json!({"desiredCount": 1})).expect("a service");
    world.rounds(5);
    assert!(
        world.events().contains("No Container Instances were found in your cluster"),
        "{}",
        world.events()
    );
    assert_eq!(placed(&world, "launchType"), counts([]));
}

//! What is registered, and what is refused.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{World, members};

fn base() -> Value {
    json!({
        "family": "f", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": "a", "image": "a/b:c", "portMappings": [{"containerPort": 80}]}],
    })
}

/// The message for a definition that differs from the good one like this.
fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let mut input = base();
    change(&mut input);
    match World::new().ecs.register(members(input), 0.0) {
        Ok(_) => "registered".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn messages() {
    assert_eq!(refusal(|_| {}), "registered");
    assert_snapshot!(refusal(|d| d["cpu"] = "512".into()), @"ClientException: No Fargate configuration exists for given values: 512 CPU, 512 memory. See the Amazon ECS documentation for the valid values.");
    assert_snapshot!(refusal(|d| d["networkMode"] = "bridge".into()), @"ClientException: Fargate only supports network mode 'awsvpc'.");
    assert_snapshot!(refusal(|d| d["containerDefinitions"][0]["portMappings"][0]["hostPort"] = 81.into()), @"ClientException: When networkMode=awsvpc, the host ports and container ports in port mappings must match.");
    assert_snapshot!(refusal(|d| d["containerDefinitions"][0]["memory"] = 1024.into()), @"ClientException: The 'memory' setting for container 'a' is greater than for the task.");
    assert_snapshot!(refusal(|d| d["containerDefinitions"] = json!([])), @"ClientException: Container list cannot be empty.");
    assert_snapshot!(refusal(|d| d["containerDefinitions"][0]["name"] = "".into()), @"ClientException: Container.name should not be null or empty.");
    assert_snapshot!(refusal(|d| d["containerDefinitions"][0]["image"] = "1.dkr.ecr.r.amazonaws.com/x".into()), @"ClientException: Fargate requires task definition to have execution role ARN to support ECR images.");
    assert_snapshot!(refusal(|d| d["containerDefinitions"][0]["essential"] = false.into()), @"ClientException: Task definition doesn't have any essential container.");
    assert_snapshot!(refusal(|d| d["containerDefinitions"][0]["dependsOn"] = json!([{"containerName": "z", "condition": "START"}])), @"ClientException: Cannot depend on container + 'z' because it does not exist");
    assert_snapshot!(refusal(|d| d["containerDefinitions"][0]["dependsOn"] = json!([{"containerName": "a", "condition": "START"}])), @"ClientException: Container dependency has a cycle.");
    assert_snapshot!(refusal(|d| d["containerDefinitions"][0]["secrets"] = json!([{"name": "A", "valueFrom": "b"}])), @"ClientException: When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.");
}

#[test]
fn unknown_members_come_back_and_defaults_are_filled_in() {
    let mut world = World::new();
    let mut input = base();
    input["containerDefinitions"][0]["someday"] = json!({"x": [1.5]});
    let definition = world.ecs.register(members(input), 1.0).expect("a definition").clone();
    let container = world.ecs.render_definition(&definition)["containerDefinitions"][0].clone();
    assert_eq!(
        container,
        json!({
            "name": "a", "image": "a/b:c", "someday": {"x": [1.5]}, "cpu": 0, "essential": true, "environment": [],
            "mountPoints": [], "volumesFrom": [], "systemControls": [],
            "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
        })
    );
}

#[test]
fn revisions_are_never_reused() {
    let mut world = World::new();
    for revision in 1..=2 {
        assert_eq!(world.ecs.register(members(base()), 1.0).expect("a definition").revision, revision);
    }
    world.ecs.deregister("f:2", 2.0).expect("deregistered");
    assert_eq!(world.ecs.definition("f").map(|d| d.revision), Some(1));
    world.ecs.delete_definition("f:2", 3.0).expect("deleted");
    assert!(world.ecs.definition("f:2").is_none());
    assert_eq!(world.ecs.register(members(base()), 4.0).expect("a definition").revision, 3);
    assert!(world.ecs.delete_definition("f:1", 5.0).is_err_and(|e| e.contains("ACTIVE")));
}

#[test]
fn an_inactive_definition_is_not_run() {
    let mut world = World::new();
    world.ecs.register(members(base()), 1.0).expect("a definition");
    world.ecs.deregister("f:1", 2.0).expect("deregistered");
    let error = world.ecs.runnable_definition("f:1").expect_err("it is inactive");
    assert_snapshot!(error, @"InvalidParameterException: TaskDefinition is inactive");
    let error = world.ecs.runnable_definition("g").expect_err("there is none");
    assert_snapshot!(error, @"ClientException: TaskDefinition not found.");
}

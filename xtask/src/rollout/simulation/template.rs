//! Where rollouts begin: an account with definitions, and steady services made once per shape.

use std::cell::RefCell;
use std::collections::HashMap;

use local_aws::ids::Ids;
use local_aws::state::ecs::{Ecs, Place};
use serde_json::{Map, Value, json};

use super::cloud::{CLUSTER, Cloud, SERVICE};
use super::rng::Rng;
use super::scenario::Scenario;

/// Names of the task definitions: what ran before, three that may be ours (the second with a health
/// check, the third without a port), somebody else's.
pub(super) const DEFINITIONS: [&str; 5] = ["app:1", "app:2", "app:3", "app:4", "app:5"];

/// What makes steady services differ.
type Shape = (u64, (u64, u64), Option<bool>);

thread_local! {
    static STEADY: RefCell<HashMap<Shape, (Ecs, f64)>> = RefCell::default();
}

pub(super) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// An account without services, and the time.
pub(super) fn empty() -> (Ecs, f64) {
    let mut ecs = Ecs::new(Place { region: "ap-northeast-2".into() }, Ids::seeded(7));
    ecs.create_cluster(Some(CLUSTER), Map::new(), Vec::new()).expect("a cluster");
    for name in DEFINITIONS {
        let mut container = json!({"name": "web", "image": "repo/web:1"});
        if name != "app:4" {
            container["portMappings"] = json!([{"containerPort": 80}]);
        }
        if name == "app:3" {
            container["healthCheck"] = json!({"command": ["CMD-SHELL", "true"]});
        }
        let input = json!({
            "family": "app", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512", "containerDefinitions": [container],
        });
        ecs.register(members(input), 0.0).expect("a definition");
    }
    (ecs, 1000.0)
}

/// What `CreateService` is asked.
pub(super) fn creation(scenario: &Scenario, definition: &str) -> Map<String, Value> {
    let (minimum, maximum) = scenario.percents;
    let breaker = json!({"enable": scenario.breaker.is_some(), "rollback": scenario.breaker == Some(true)});
    members(json!({
        "cluster": CLUSTER, "serviceName": SERVICE, "taskDefinition": definition,
        "desiredCount": scenario.desired, "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "deploymentConfiguration": {
            "minimumHealthyPercent": minimum, "maximumPercent": maximum, "deploymentCircuitBreaker": breaker,
        },
    }))
}

/// A service that runs the first definition, steady.
pub(super) fn steady(scenario: &Scenario) -> (Ecs, f64) {
    let shape = (scenario.desired, scenario.percents, scenario.breaker);
    let known = STEADY.with_borrow(|all| all.get(&shape).cloned());
    known.unwrap_or_else(|| {
        let (mut ecs, now) = empty();
        ecs.create_service(creation(scenario, DEFINITIONS[0]), now).expect("a service");
        let mut cloud = Cloud::new(ecs, now, Rng::new(1));
        cloud.settle();
        cloud.advance(now + 60.0, |_, _| {});
        let made = (cloud.ecs, cloud.now);
        STEADY.with_borrow_mut(|all| all.insert(shape, made.clone()));
        made
    })
}

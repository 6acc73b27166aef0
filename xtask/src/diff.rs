//! Whether two task definitions say the same, whatever AWS added or reordered. Pure.

use serde_json::{Map, Value};

/// Members that AWS adds on registration and that nobody declares.
/// Source: Amazon ECS API Reference, TaskDefinition; `tags` are the resource's, not the definition's.
const ADDED_BY_AWS: &[&str] = &[
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "tags",
];

/// Whether registering `wanted` would make a revision that differs from `current`.
#[must_use]
pub fn differs(wanted: &Value, current: &Value) -> bool {
    normal(wanted) != normal(current)
}

/// A task definition without what AWS fills in, lists that have no order sorted.
pub(crate) fn normal(definition: &Value) -> Value {
    let mut definition = definition.clone();
    if let Some(members) = definition.as_object_mut() {
        // A switch that is off is one that was left out: `"enableFaultInjection": false` comes
        // back unasked (observed: aws-actions/amazon-ecs-deploy-task-definition#701).
        members.retain(|name, value| !ADDED_BY_AWS.contains(&name.as_str()) && *value != Value::Bool(false));
    }
    for container in definition["containerDefinitions"].as_array_mut().into_iter().flatten() {
        if let Some(container) = container.as_object_mut() {
            container_defaults(container);
        }
    }
    let mut definition = without_empty(definition);
    if let Some(containers) = definition.get_mut("containerDefinitions").and_then(Value::as_array_mut) {
        containers.iter_mut().for_each(sort_sets);
        containers.sort_by_key(name_of);
    }
    definition
}

/// What AWS writes where nothing was said.
/// Source: Amazon ECS API Reference, ContainerDefinition, PortMapping, HealthCheck.
fn container_defaults(container: &mut Map<String, Value>) {
    let zero = |value: &mut Value| value == 0;
    if container.get_mut("cpu").is_some_and(zero) {
        container.remove("cpu");
    }
    container.entry("essential").or_insert(Value::Bool(true));
    for port in container.get_mut("portMappings").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            port.entry("protocol").or_insert_with(|| "tcp".into());
            let number = port.get("containerPort").cloned().unwrap_or_default();
            port.entry("hostPort").or_insert(number);
        }
    }
    if let Some(health) = container.get_mut("healthCheck").and_then(Value::as_object_mut) {
        for (name, default) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
            health.entry(name).or_insert_with(|| default.into());
        }
    }
}

/// Drops nulls, and lists and objects with nothing in them: AWS writes `[]` for what was left out.
fn without_empty(value: Value) -> Value {
    let kept = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    match value {
        Value::Array(items) => items.into_iter().map(without_empty).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, without_empty(value)));
            Value::Object(members.filter(|(_, value)| kept(value)).collect())
        }
        other => other,
    }
}

/// Lists of a container whose order means nothing.
fn sort_sets(container: &mut Value) {
    for name in ["environment", "secrets", "portMappings", "dependsOn", "ulimits", "mountPoints"] {
        if let Some(items) = container.get_mut(name).and_then(Value::as_array_mut) {
            items.sort_by_key(ToString::to_string);
        }
    }
}

fn name_of(value: &Value) -> String {
    value["name"].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted() -> Value {
        json!({
            "family": "web", "cpu": "256",
            "containerDefinitions": [{
                "name": "a", "image": "i@sha256:1", "essential": true,
                "portMappings": [{ "containerPort": 80, "hostPort": 80, "protocol": "tcp" }],
                "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
                "healthCheck": { "command": ["CMD", "x"] },
            }],
            "tags": [{ "key": "k", "value": "v" }],
        })
    }

    fn described() -> Value {
        json!({
            "taskDefinitionArn": "arn:aws:ecs:r:1:task-definition/web:7", "revision": 7, "status": "ACTIVE",
            "registeredAt": 1.5, "registeredBy": "me", "compatibilities": ["EC2", "FARGATE"],
            "requiresAttributes": [{ "name": "x" }], "volumes": [], "placementConstraints": [],
            "enableFaultInjection": false,
            "family": "web", "cpu": "256",
            "containerDefinitions": [{
                "name": "a", "image": "i@sha256:1", "essential": true, "cpu": 0,
                "portMappings": [{ "containerPort": 80, "hostPort": 80, "protocol": "tcp" }],
                "environment": [{ "name": "B", "value": "2" }, { "name": "A", "value": "1" }],
                "healthCheck": { "command": ["CMD", "x"], "interval": 30, "timeout": 5, "retries": 3 },
                "mountPoints": [], "volumesFrom": [], "systemControls": [],
            }],
        })
    }

    #[test]
    fn what_aws_adds_is_no_difference() {
        assert!(!differs(&wanted(), &described()));
    }

    #[test]
    fn another_image_is_one() {
        let mut other = described();
        other["containerDefinitions"][0]["image"] = json!("i@sha256:2");
        assert!(differs(&wanted(), &other));
    }

    #[test]
    fn an_empty_value_of_an_environment_variable_counts() {
        let mut other = wanted();
        other["containerDefinitions"][0]["environment"][0]["value"] = json!("");
        assert!(differs(&other, &described()));
    }

    #[test]
    fn a_removed_container_is_one() {
        let mut other = described();
        other["containerDefinitions"] = json!([]);
        assert!(differs(&wanted(), &other));
    }

    #[test]
    fn the_order_of_a_command_counts() {
        let mut other = described();
        other["containerDefinitions"][0]["healthCheck"]["command"] = json!(["x", "CMD"]);
        assert!(differs(&wanted(), &other));
    }
}

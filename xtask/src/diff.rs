//! Whether two task definitions say the same, whatever AWS added or reordered. Pure.

use serde_json::{Map, Value};

use crate::config::units;

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

/// Members of `wanted` that the answer to its registration does not have, such as `containerDefinitions.app.foo`: ECS
/// drops names that it does not know (assumed), and each run would register them again.
#[must_use]
pub fn dropped(wanted: &Value, answer: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    missing(String::new(), &normal(wanted), &normal(answer), &mut paths);
    paths
}

fn missing(path: String, wanted: &Value, answer: &Value, paths: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (wanted, answer) {
        (Value::Object(wanted), Value::Object(answer)) => {
            for (name, value) in wanted {
                match answer.get(name) {
                    Some(answer) => missing(below(name), value, answer, paths),
                    None => paths.push(below(name)),
                }
            }
        }
        (Value::Array(wanted), Value::Array(answer)) if wanted.len() == answer.len() => {
            for (index, (wanted, answer)) in wanted.iter().zip(answer).enumerate() {
                let name = wanted["name"].as_str().map_or_else(|| index.to_string(), str::to_owned);
                missing(below(&name), wanted, answer, paths);
            }
        }
        _ => {}
    }
}

/// A task definition without what AWS fills in, lists that have no order sorted.
pub(crate) fn normal(definition: &Value) -> Value {
    let mut definition = definition.clone();
    if let Some(members) = definition.as_object_mut() {
        members.retain(|name, _| !ADDED_BY_AWS.contains(&name.as_str()));
        sizes(members);
    }
    for container in definition["containerDefinitions"].as_array_mut().into_iter().flatten() {
        if let Some(container) = container.as_object_mut() {
            container_defaults(container);
        }
    }
    for volume in definition["volumes"].as_array_mut().into_iter().flatten() {
        volume_defaults(volume);
    }
    let mut definition = without_empty(definition);
    if let Some(volumes) = definition.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.sort_by_key(name_of);
    }
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
    // Documented: ContainerDefinition, `versionConsistency`; that it is answered unasked is assumed.
    if container.get("versionConsistency").is_some_and(|value| value == "enabled") {
        container.remove("versionConsistency");
    }
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

/// Documented: Amazon ECS API Reference, EFSVolumeConfiguration, EFSAuthorizationConfig; that defaults are answered
/// unasked is assumed.
fn volume_defaults(volume: &mut Value) {
    let Some(efs) = volume.get_mut("efsVolumeConfiguration").and_then(Value::as_object_mut) else { return };
    efs.retain(|name, value| match name.as_str() {
        "rootDirectory" => value != "/",
        "transitEncryption" => value != "DISABLED",
        _ => true,
    });
    if let Some(authorization) = efs.get_mut("authorizationConfig").and_then(Value::as_object_mut) {
        authorization.retain(|name, value| name != "iam" || value != "DISABLED");
    }
}

/// AWS answers in CPU units and MiB, whatever was asked for.
/// Source: Amazon ECS API Reference, RegisterTaskDefinition (`cpu`, `memory`).
fn sizes(definition: &mut Map<String, Value>) {
    for (name, unit) in [("cpu", "vcpu"), ("memory", "gb")] {
        if let Some(Value::String(size)) = definition.get_mut(name)
            && let Some(units) = units(size, unit)
        {
            *size = units.to_string();
        }
    }
}

/// Drops nulls, and lists and objects with nothing in them: AWS writes `[]` for what was left out. A switch
/// that is off is one that was left out, too: `"enableFaultInjection": false` comes back unasked (observed:
/// aws-actions/amazon-ecs-deploy-task-definition#701).
fn without_empty(value: Value) -> Value {
    let kept = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
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
    fn a_size_is_the_same_in_either_unit_and_off_is_left_out() {
        let mut other = wanted();
        other["cpu"] = json!(".25 vCPU");
        other["containerDefinitions"][0]["readonlyRootFilesystem"] = json!(false);
        assert!(!differs(&other, &described()));
        other["containerDefinitions"][0]["essential"] = json!(false);
        assert!(differs(&other, &described()));
    }

    #[test]
    fn what_efs_defaults_to_is_no_difference() {
        let with = |volumes: Value| {
            let mut definition = wanted();
            definition["volumes"] = volumes;
            definition
        };
        let asked = with(
            json!([{ "name": "b" }, { "name": "a", "efsVolumeConfiguration": { "fileSystemId": "fs-1" } }]),
        );
        let efs = json!({ "fileSystemId": "fs-1", "rootDirectory": "/", "transitEncryption": "DISABLED" });
        let told = with(json!([{ "name": "a", "efsVolumeConfiguration": efs }, { "name": "b", "host": {} }]));
        assert!(!differs(&asked, &told));
        let other = with(
            json!([{ "name": "b" }, { "name": "a", "efsVolumeConfiguration": { "fileSystemId": "fs-2" } }]),
        );
        assert!(differs(&asked, &other));
    }

    #[test]
    fn what_the_answer_lacks_is_named() {
        let mut asked = wanted();
        asked["containerDefinitions"][0]["foo"] = json!({ "bar": 1 });
        asked["pidMod"] = json!("task");
        assert_eq!(dropped(&asked, &described()), ["containerDefinitions.a.foo", "pidMod"]);
        assert!(dropped(&wanted(), &described()).is_empty());
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

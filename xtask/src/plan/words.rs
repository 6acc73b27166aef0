//! What tells two task definitions apart, in deploy.toml's words. Pure.
//!
//! Both are brought to one form first (`diff::normal`): what AWS fills in is no difference, nor is the
//! order of a list that has none.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::document::Difference;
use crate::diff::normal;

/// Every key whose value would change from `current` (nothing: all is new) to `wanted`, by its path below
/// `[service.NAME]`.
pub(super) fn differences(wanted: &Value, current: Option<&Value>) -> Vec<Difference> {
    let mut found = Vec::new();
    let (mut wanted, current) = (readable(wanted), current.map(readable));
    if let (None, Some(members)) = (&current, wanted.as_object_mut()) {
        // Of a first revision they are told by its name and by where it runs.
        members
            .retain(|key, _| !["family", "network-mode", "requires-compatibilities"].contains(&key.as_str()));
    }
    compare(&mut found, "", Some(&wanted), current.as_ref());
    found
}

fn compare(found: &mut Vec<Difference>, path: &str, wanted: Option<&Value>, current: Option<&Value>) {
    if wanted == current {
        return;
    }
    let members = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    let nested = |value: Option<&Value>| value.is_none_or(Value::is_object);
    if (wanted.is_some_and(Value::is_object) || current.is_some_and(Value::is_object))
        && nested(wanted)
        && nested(current)
    {
        let (wanted, current) = (members(wanted).unwrap_or_default(), members(current).unwrap_or_default());
        let mut names: Vec<&String> = wanted.keys().chain(current.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            compare(found, &below(path, name), wanted.get(name), current.get(name));
        }
        return;
    }
    let key = path.to_owned();
    found.push(Difference { key, from: current.map(shown), to: wanted.map(shown), set_by_hand: false });
}

fn below(path: &str, name: &str) -> String {
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let name = if plain { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// As deploy.toml would say it: text without quotes, the rest as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The definition with deploy.toml's keys, lists of named things as tables.
fn readable(definition: &Value) -> Value {
    let mut definition = normal(definition);
    let members = match definition.as_object_mut() {
        Some(members) => std::mem::take(members),
        None => return definition,
    };
    let mut out = Map::new();
    for (name, value) in members {
        match name.as_str() {
            "containerDefinitions" => drop(out.insert("container".to_owned(), containers(value))),
            "runtimePlatform" => drop(out.insert("platform".to_owned(), platform(&value))),
            "ephemeralStorage" => {
                drop(out.insert("ephemeral-storage".to_owned(), value["sizeInGiB"].clone()))
            }
            "executionRoleArn" => drop(out.insert("execution-role".to_owned(), value)),
            "taskRoleArn" => drop(out.insert("task-role".to_owned(), value)),
            "volumes" => drop(out.insert("volumes".to_owned(), keyed(value, "name", None))),
            _ => drop(out.insert(kebab(&name), renamed(value))),
        }
    }
    Value::Object(out)
}

fn containers(list: Value) -> Value {
    let items = list.as_array().cloned().unwrap_or_default();
    let named = items.into_iter().map(|one| {
        let name = one["name"].as_str().unwrap_or_default().to_owned();
        (name, container(one))
    });
    Value::Object(named.collect())
}

fn container(value: Value) -> Value {
    let members = value.as_object().cloned().unwrap_or_default();
    let mut out = Map::new();
    // Being essential is the default, and what is off was left out.
    if !members.contains_key("essential") {
        out.insert("essential".to_owned(), json!(false));
    }
    for (name, value) in members {
        let (key, value) = match name.as_str() {
            "name" | "essential" => continue,
            "environment" => ("environment".to_owned(), keyed(value, "name", Some("value"))),
            "secrets" => ("secrets".to_owned(), keyed(value, "name", Some("valueFrom"))),
            "dependsOn" => ("depends-on".to_owned(), keyed(value, "containerName", Some("condition"))),
            "ulimits" => ("ulimits".to_owned(), keyed(value, "name", None)),
            "mountPoints" => ("mounts".to_owned(), keyed(value, "containerPath", None)),
            "portMappings" => ("ports".to_owned(), ports(&value)),
            "entryPoint" => ("entrypoint".to_owned(), value),
            "readonlyRootFilesystem" => ("read-only-root".to_owned(), value),
            "dockerLabels" => ("labels".to_owned(), value),
            "logConfiguration" => ("log".to_owned(), log(value)),
            "linuxParameters" if value["initProcessEnabled"].is_boolean() && one_member(&value) => {
                ("init".to_owned(), value["initProcessEnabled"].clone())
            }
            _ => (kebab(&name), renamed(value)),
        };
        out.insert(key, value);
    }
    Value::Object(out)
}

fn one_member(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.len() == 1)
}

/// A list of things with a name as a table; `value`: of that member alone.
fn keyed(list: Value, name: &str, value: Option<&str>) -> Value {
    let items = list.as_array().cloned().unwrap_or_default();
    let entry = |mut item: Value| {
        let key = item[name].as_str().unwrap_or_default().to_owned();
        let item = match value {
            Some(member) => item[member].take(),
            None => {
                if let Some(members) = item.as_object_mut() {
                    members.remove(name);
                }
                renamed(item)
            }
        };
        (key, item)
    };
    Value::Object(items.into_iter().map(entry).collect())
}

/// `3000/tcp` and what else is said of it; under awsvpc the host's port is the container's.
fn ports(list: &Value) -> Value {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = |item: &Value| {
        let protocol = item["protocol"].as_str().unwrap_or("tcp");
        let key = format!("{}/{protocol}", item["containerPort"]);
        let rest = item.as_object().into_iter().flatten();
        let said = |name: &str, value: &Value| match name {
            "containerPort" | "protocol" => false,
            "hostPort" => *value != item["containerPort"],
            _ => true,
        };
        let rest = rest.filter(|(name, value)| said(name.as_str(), value));
        let rest: Map<String, Value> = rest.map(|(name, value)| (kebab(name), value.clone())).collect();
        (key, if rest.is_empty() { json!(true) } else { Value::Object(rest) })
    };
    Value::Object(items.iter().map(entry).collect())
}

fn log(value: Value) -> Value {
    let mut out = Map::new();
    for (name, value) in value.as_object().cloned().unwrap_or_default() {
        match name.as_str() {
            "logDriver" => drop(out.insert("driver".to_owned(), value)),
            "secretOptions" => {
                drop(out.insert("secret-options".to_owned(), keyed(value, "name", Some("valueFrom"))))
            }
            // The driver's own names stay as they are.
            _ => drop(out.insert(kebab(&name), value)),
        }
    }
    Value::Object(out)
}

fn platform(value: &Value) -> Value {
    let system = value["operatingSystemFamily"].as_str().unwrap_or("LINUX").to_lowercase();
    let cpu = match value["cpuArchitecture"].as_str() {
        Some("ARM64") => "arm64",
        _ => "amd64",
    };
    json!(format!("{system}/{cpu}"))
}

/// Members of an object, and of those in it, by deploy.toml's spelling.
fn renamed(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> =
                members.into_iter().map(|(name, value)| (kebab(&name), renamed(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        other => other,
    }
}

/// `startPeriod` is `start-period`.
fn kebab(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(wanted: &Value, current: Option<&Value>) -> String {
        let line = |one: Difference| {
            let side = |side: Option<String>| side.unwrap_or_else(|| "nothing".to_owned());
            format!("{}: {} -> {}", one.key, side(one.from), side(one.to))
        };
        differences(wanted, current).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn definition() -> Value {
        json!({
            "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512", "executionRoleArn": "arn:aws:iam::1:role/exec",
            "runtimePlatform": { "cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX" },
            "containerDefinitions": [{
                "name": "app", "image": "i@sha256:1", "essential": true,
                "portMappings": [{ "containerPort": 80, "hostPort": 80, "protocol": "tcp" }],
                "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
                "healthCheck": { "command": ["CMD", "x"], "startPeriod": 9 },
                "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "/ecs/web" } },
            }],
        })
    }

    #[test]
    fn what_aws_adds_is_no_difference() {
        let mut described = definition();
        described["revision"] = json!(7);
        described["volumes"] = json!([]);
        described["containerDefinitions"][0]["cpu"] = json!(0);
        described["containerDefinitions"][0]["environment"] =
            json!([{ "name": "B", "value": "2" }, { "name": "A", "value": "1" }]);
        assert_eq!(lines(&definition(), Some(&described)), "");
    }

    #[test]
    fn each_key_is_told_in_the_words_of_the_file() {
        let mut wanted = definition();
        wanted["cpu"] = json!("512");
        wanted["ephemeralStorage"] = json!({ "sizeInGiB": 30 });
        wanted["runtimePlatform"]["cpuArchitecture"] = json!("ARM64");
        let app = &mut wanted["containerDefinitions"][0];
        app["image"] = json!("i@sha256:2");
        app["environment"] = json!([{ "name": "A", "value": "" }, { "name": "C.D", "value": "3" }]);
        app["portMappings"] =
            json!([{ "containerPort": 80 }, { "containerPort": 53, "protocol": "udp", "name": "dns" }]);
        app["healthCheck"]["startPeriod"] = json!(10);
        app["readonlyRootFilesystem"] = json!(true);
        app["dependsOn"] = json!([{ "containerName": "side", "condition": "HEALTHY" }]);
        app["linuxParameters"] = json!({ "initProcessEnabled": true });
        app["logConfiguration"]["options"]["awslogs-group"] = json!("/web");
        insta::assert_snapshot!(lines(&wanted, Some(&definition())), @r#"
        container.app.depends-on.side: nothing -> HEALTHY
        container.app.environment.A: 1 -> ""
        container.app.environment.B: 2 -> nothing
        container.app.environment."C.D": nothing -> 3
        container.app.health-check.start-period: 9 -> 10
        container.app.image: i@sha256:1 -> i@sha256:2
        container.app.init: nothing -> true
        container.app.log.options.awslogs-group: /ecs/web -> /web
        container.app.ports."53/udp".name: nothing -> dns
        container.app.read-only-root: nothing -> true
        cpu: 256 -> 512
        ephemeral-storage: nothing -> 30
        platform: linux/amd64 -> linux/arm64
        "#);
    }

    #[test]
    fn what_only_the_launch_type_changes_is_told() {
        let mut wanted = definition();
        wanted["requiresCompatibilities"] = json!(["EC2"]);
        wanted["containerDefinitions"][0]["portMappings"][0]["hostPort"] = json!(8080);
        let told = lines(&wanted, Some(&definition()));
        assert!(told.contains("requires-compatibilities: [\"FARGATE\"] -> [\"EC2\"]"), "{told}");
        assert!(told.contains("container.app.ports.\"80/tcp\": true -> {\"host-port\":8080}"), "{told}");
    }

    #[test]
    fn a_container_that_comes_or_goes_is_told_whole() {
        let mut wanted = definition();
        wanted["containerDefinitions"] = json!([{ "name": "other", "image": "j", "essential": false }]);
        insta::assert_snapshot!(lines(&wanted, Some(&definition())), @r#"
        container.app.environment.A: 1 -> nothing
        container.app.environment.B: 2 -> nothing
        container.app.health-check.command: ["CMD","x"] -> nothing
        container.app.health-check.interval: 30 -> nothing
        container.app.health-check.retries: 3 -> nothing
        container.app.health-check.start-period: 9 -> nothing
        container.app.health-check.timeout: 5 -> nothing
        container.app.image: i@sha256:1 -> nothing
        container.app.log.driver: awslogs -> nothing
        container.app.log.options.awslogs-group: /ecs/web -> nothing
        container.app.ports."80/tcp": true -> nothing
        container.other.essential: nothing -> false
        container.other.image: nothing -> j
        "#);
    }

    #[test]
    fn a_first_definition_is_all_new() {
        insta::assert_snapshot!(lines(&definition(), None), @r#"
        container.app.environment.A: nothing -> 1
        container.app.environment.B: nothing -> 2
        container.app.health-check.command: nothing -> ["CMD","x"]
        container.app.health-check.interval: nothing -> 30
        container.app.health-check.retries: nothing -> 3
        container.app.health-check.start-period: nothing -> 9
        container.app.health-check.timeout: nothing -> 5
        container.app.image: nothing -> i@sha256:1
        container.app.log.driver: nothing -> awslogs
        container.app.log.options.awslogs-group: nothing -> /ecs/web
        container.app.ports."80/tcp": nothing -> true
        cpu: nothing -> 256
        execution-role: nothing -> arn:aws:iam::1:role/exec
        memory: nothing -> 512
        platform: nothing -> linux/amd64
        "#);
    }
}

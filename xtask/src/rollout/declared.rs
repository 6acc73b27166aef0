//! What the task definition says that a failure is explained with. Pure: read from ECS JSON.

use serde_json::Value;

/// A task definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Declared {
    /// `linux/amd64`, `linux/arm64`.
    pub(super) platform: String,
    /// MiB of the whole task.
    pub(super) memory: Option<i64>,
    /// In the order of the definition.
    pub(super) containers: Vec<DeclaredContainer>,
}

/// A container of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DeclaredContainer {
    /// Its name.
    pub(super) name: String,
    /// As the definition has it.
    pub(super) image: String,
    /// MiB, if it has a limit of its own.
    pub(super) memory: Option<i64>,
    /// Ports that it is said to listen at.
    pub(super) ports: Vec<i64>,
    /// Whether the task ends with it.
    pub(super) essential: bool,
    /// The health check's command, as one would type it.
    pub(super) check: Option<String>,
    /// Other containers and the condition that it waits for.
    pub(super) waits_for: Vec<(String, String)>,
}

impl Declared {
    /// Reads the definition; what is missing or of another kind is left out.
    pub(super) fn read(definition: &Value) -> Self {
        // Source: Amazon ECS API Reference, RuntimePlatform: X86_64 unless it says otherwise.
        let architecture = definition["runtimePlatform"]["cpuArchitecture"].as_str();
        Self {
            platform: if architecture == Some("ARM64") { "linux/arm64" } else { "linux/amd64" }.to_owned(),
            memory: definition["memory"].as_str().and_then(|text| text.parse().ok()),
            containers: list(&definition["containerDefinitions"]).map(container).collect(),
        }
    }

    /// The container of this name.
    pub(super) fn container(&self, name: &str) -> Option<&DeclaredContainer> {
        self.containers.iter().find(|one| one.name == name)
    }

    /// Whether ECS looks after the task: an essential container has a health check.
    pub(super) fn is_checked(&self) -> bool {
        self.containers.iter().any(|one| one.essential && one.check.is_some())
    }

    /// Who waits for that container to be, or do, so: its name.
    pub(super) fn waiting_for(&self, name: &str, condition: &str) -> Option<&str> {
        let waits = |one: &&DeclaredContainer| {
            one.waits_for.iter().any(|(other, what)| other == name && what == condition)
        };
        self.containers.iter().find(waits).map(|one| one.name.as_str())
    }
}

fn container(one: &Value) -> DeclaredContainer {
    let dependency = |wait: &Value| Some((text(&wait["containerName"])?, text(&wait["condition"])?));
    DeclaredContainer {
        name: text(&one["name"]).unwrap_or_default(),
        image: text(&one["image"]).unwrap_or_default(),
        memory: one["memory"].as_i64(),
        ports: list(&one["portMappings"]).filter_map(|port| port["containerPort"].as_i64()).collect(),
        // Source: Amazon ECS API Reference, ContainerDefinition: essential unless it says otherwise.
        essential: one["essential"].as_bool().unwrap_or(true),
        check: command(&one["healthCheck"]["command"]),
        waits_for: list(&one["dependsOn"]).filter_map(dependency).collect(),
    }
}

/// Without the word in front that says how it is run.
fn command(words: &Value) -> Option<String> {
    let words: Vec<&str> = list(words).skip(1).filter_map(Value::as_str).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_failure_is_explained_with() {
        let read = Declared::read(&json!({
            "memory": "512",
            "runtimePlatform": { "cpuArchitecture": "ARM64" },
            "containerDefinitions": [
                { "name": "app", "image": "x/app@sha256:1", "portMappings": [{ "containerPort": 3000 }],
                  "dependsOn": [{ "containerName": "db", "condition": "HEALTHY" }] },
                { "name": "db", "image": "x/db:1", "memory": 64, "healthCheck": { "command": ["CMD", "/db", "check"] } }
            ]
        }));
        assert_eq!((read.platform.as_str(), read.memory), ("linux/arm64", Some(512)));
        assert_eq!(read.container("app").map(|app| app.ports.clone()), Some(vec![3000]));
        let db = read.container("db").expect("is there");
        assert_eq!((db.memory, db.check.as_deref()), (Some(64), Some("/db check")));
        assert_eq!(read.waiting_for("db", "HEALTHY"), Some("app"));
        assert_eq!(read.waiting_for("db", "SUCCESS"), None);
    }

    #[test]
    fn an_empty_definition_says_nothing() {
        let read = Declared::read(&Value::Null);
        assert_eq!(read, Declared { platform: "linux/amd64".to_owned(), ..Declared::default() });
    }
}

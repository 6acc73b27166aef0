//! Task definitions: families and their revisions.
//!
//! A definition is kept as the JSON it came as, plus AWS's defaults, so that a
//! member that nothing here acts on is still there when it is described.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::container::ContainerDefinition;
use super::tags::{self, Tag};
use super::{Ecs, fargate, validate};
use crate::cloud::ACCOUNT;
use crate::error::ApiError;

/// All revisions of a family. The numbers go on even if all revisions are deleted
/// (documented: `DeregisterTaskDefinition`; revisions are never reused).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// The last number given.
    pub last_revision: u32,
    /// By number.
    pub revisions: BTreeMap<u32, Definition>,
}

/// A revision's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DefinitionStatus {
    /// Can be run.
    Active,
    /// Deregistered.
    Inactive,
    /// Deleted, but described while something uses it.
    DeleteInProgress,
}

/// One revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Family.
    pub family: String,
    /// Number, from 1.
    pub revision: u32,
    /// State.
    pub status: DefinitionStatus,
    /// As it is described, without what the other fields say.
    pub body: Map<String, Value>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Seconds since 1970.
    pub registered_at: f64,
    /// Seconds since 1970.
    pub deregistered_at: Option<f64>,
    /// Seconds since 1970.
    pub delete_requested_at: Option<f64>,
}

impl Definition {
    /// `family:revision`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.family, self.revision)
    }

    /// Whether it can be run.
    pub fn is_active(&self) -> bool {
        self.status == DefinitionStatus::Active
    }

    /// A text member of the definition.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member).and_then(Value::as_str)
    }

    /// The containers, in order. They were validated when registered.
    pub fn containers(&self) -> Vec<ContainerDefinition> {
        let containers = self.body.get("containerDefinitions").cloned().unwrap_or_default();
        serde_json::from_value(containers).unwrap_or_default()
    }

    /// CPU units of the task.
    pub fn cpu(&self) -> Option<u32> {
        self.text("cpu").and_then(|c| c.parse().ok())
    }

    /// MiB of the task.
    pub fn memory(&self) -> Option<u32> {
        self.text("memory").and_then(|m| m.parse().ok())
    }
}

impl Ecs {
    /// Registers a new revision.
    pub fn register(&mut self, mut input: Map<String, Value>, now: f64) -> Result<&Definition, ApiError> {
        let tags = input.remove("tags").map(serde_json::from_value).transpose();
        let tags: Vec<Tag> =
            tags.map_err(|e| ApiError::new("ClientException", e.to_string()))?.unwrap_or_default();
        tags::validate(&tags)?;
        fargate::normalise_sizes(&mut input);
        let containers = validate::definition(&input)?;
        fill_defaults(&mut input, &containers);
        let family = match input.remove("family") {
            Some(Value::String(family)) => family,
            _ => String::new(),
        };
        self.touch();
        let entry = self.families.entry(family.clone()).or_default();
        entry.last_revision += 1;
        let revision = entry.last_revision;
        Ok(entry.revisions.entry(revision).or_insert(Definition {
            family,
            revision,
            status: DefinitionStatus::Active,
            body: input,
            tags,
            registered_at: now,
            deregistered_at: None,
            delete_requested_at: None,
        }))
    }

    /// Makes a revision `INACTIVE`; what runs goes on.
    pub fn deregister(&mut self, reference: &str, now: f64) -> Result<&Definition, ApiError> {
        let (family, revision) = exact(reference)?;
        let definition = self.families.get_mut(family).and_then(|f| f.revisions.get_mut(&revision));
        let Some(definition) = definition.filter(|d| d.status != DefinitionStatus::DeleteInProgress) else {
            return Err(ApiError::new("ClientException", "The specified task definition does not exist."));
        };
        self.generation += 1;
        if definition.is_active() {
            definition.status = DefinitionStatus::Inactive;
            definition.deregistered_at = Some(now);
        }
        Ok(definition)
    }

    /// Deletes a deregistered revision: it is described until nothing uses it any more
    /// (documented: `DeleteTaskDefinitions`). `Err` is the reason of a failure entry.
    pub fn delete_definition(&mut self, reference: &str, now: f64) -> Result<Definition, String> {
        let missing = || "The specified task definition does not exist.".to_owned();
        let (family, revision) = exact(reference).map_err(|_| missing())?;
        let name = format!("{family}:{revision}");
        let in_use = self.tasks.values().any(|t| t.definition == name && t.stopped_at.is_none())
            || self.services.values().any(|s| !s.is_inactive() && s.uses(&name));
        let family = self.families.get_mut(family).ok_or_else(missing)?;
        let definition = family.revisions.get_mut(&revision).ok_or_else(missing)?;
        if definition.is_active() {
            return Err("The specified task definition is still in ACTIVE status. Please deregister the \
                        target and try again."
                .into());
        }
        definition.status = DefinitionStatus::DeleteInProgress;
        definition.delete_requested_at.get_or_insert(now);
        let answer = definition.clone();
        if !in_use {
            family.revisions.remove(&revision);
        }
        self.touch();
        Ok(answer)
    }

    /// The answer's `taskDefinition`.
    pub fn render_definition(&self, definition: &Definition) -> Value {
        let mut out = definition.body.clone();
        out.insert("taskDefinitionArn".into(), self.place.definition_arn(&definition.name()).into());
        out.insert("family".into(), definition.family.clone().into());
        out.insert("revision".into(), definition.revision.into());
        out.insert("status".into(), json!(definition.status));
        out.insert("registeredAt".into(), definition.registered_at.into());
        out.insert("registeredBy".into(), format!("arn:aws:iam::{ACCOUNT}:user/local").into());
        let times = [
            ("deregisteredAt", definition.deregistered_at),
            ("deleteRequestedAt", definition.delete_requested_at),
        ];
        for (member, at) in times {
            if let Some(at) = at {
                out.insert(member.into(), at.into());
            }
        }
        Value::Object(out)
    }
}

fn exact(reference: &str) -> Result<(&str, u32), ApiError> {
    let (family, revision) = super::reference::family_and_revision(reference);
    match revision {
        None => Err(ApiError::new("ClientException", "Revision is missing.")),
        Some(revision) => match revision.parse() {
            Ok(revision) => Ok((family, revision)),
            Err(_) => {
                let why = format!("Invalid revision number. Number: {revision}");
                Err(ApiError::new("InvalidParameterException", why))
            }
        },
    }
}

/// What AWS adds to a registered definition (observed: answers of `RegisterTaskDefinition`).
fn fill_defaults(body: &mut Map<String, Value>, containers: &[ContainerDefinition]) {
    let awsvpc = body.get("networkMode").and_then(Value::as_str) == Some("awsvpc");
    let fargate = awsvpc && body.contains_key("cpu") && body.contains_key("memory");
    for list in ["volumes", "placementConstraints"] {
        body.entry(list).or_insert_with(|| json!([]));
    }
    // Observed: aws-actions/amazon-ecs-deploy-task-definition#701.
    body.entry("enableFaultInjection").or_insert_with(|| json!(false));
    body.insert("compatibilities".into(), if fargate { json!(["EC2", "FARGATE"]) } else { json!(["EC2"]) });
    body.insert("requiresAttributes".into(), attributes(body, containers).into());
    if let Some(Value::Array(containers)) = body.get_mut("containerDefinitions") {
        containers.iter_mut().for_each(|c| fill_container(c, awsvpc));
    }
}

fn fill_container(container: &mut Value, awsvpc: bool) {
    let Value::Object(container) = container else {
        return;
    };
    container.entry("cpu").or_insert(json!(0));
    container.entry("essential").or_insert(json!(true));
    for list in ["environment", "mountPoints", "volumesFrom", "systemControls", "portMappings"] {
        container.entry(list).or_insert_with(|| json!([]));
    }
    if let Some(Value::Array(ports)) = container.get_mut("portMappings") {
        ports.iter_mut().for_each(|p| fill_port(p, awsvpc));
    }
    if let Some(Value::Object(check)) = container.get_mut("healthCheck") {
        for (member, value) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
            check.entry(member).or_insert(json!(value));
        }
    }
}

fn fill_port(port: &mut Value, awsvpc: bool) {
    let Value::Object(port) = port else { return };
    port.entry("protocol").or_insert(json!("tcp"));
    let container = port.get("containerPort").cloned();
    if let Some(container) = container {
        // Bridge mode picks a port at run time and describes it as 0.
        port.entry("hostPort").or_insert(if awsvpc { container } else { json!(0) });
    }
}

/// The attributes that say what an agent must be able to do (observed; the ones that matter here).
fn attributes(body: &Map<String, Value>, containers: &[ContainerDefinition]) -> Vec<Value> {
    let any = |f: &dyn Fn(&ContainerDefinition) -> bool| containers.iter().any(f);
    let role = body.contains_key("executionRoleArn");
    let all = [
        ("com.amazonaws.ecs.capability.logging-driver.awslogs", any(&|c| c.awslogs().is_some())),
        ("ecs.capability.execution-role-awslogs", role && any(&|c| c.awslogs().is_some())),
        ("com.amazonaws.ecs.capability.ecr-auth", any(&|c| validate::is_ecr(&c.image))),
        ("ecs.capability.execution-role-ecr-pull", role && any(&|c| validate::is_ecr(&c.image))),
        ("com.amazonaws.ecs.capability.docker-remote-api.1.18", true),
        ("ecs.capability.task-eni", body.get("networkMode").and_then(Value::as_str) == Some("awsvpc")),
        ("com.amazonaws.ecs.capability.task-iam-role", body.contains_key("taskRoleArn")),
        ("ecs.capability.container-health-check", any(&|c| c.health_check.is_some())),
        ("ecs.capability.container-ordering", any(&|c| !c.depends_on.is_empty())),
        ("ecs.capability.secrets.ssm.environment-variables", any(&|c| !c.secrets.is_empty())),
    ];
    all.iter().filter(|(_, needed)| *needed).map(|(name, _)| json!({"name": name})).collect()
}

//! Making tasks: the service scheduler's, and `RunTask`'s.

use serde_json::{Map, Value, json};

use super::balance::balancers;
use super::container::ContainerDefinition;
use super::definition::Definition;
use super::deployment::{PLATFORM_VERSION, Revision};
use super::service::Service;
use super::tags::{self, Tag};
use super::task::{Container, Last, Task};
use super::{Ecs, capacity, network};
use crate::error::ApiError;

/// `RunTask` makes at most this many at once (documented: `RunTask.count`).
const MAX_COUNT: u64 = 10;

/// What a new task is told.
struct Order<'a> {
    cluster: &'a str,
    group: String,
    service: Option<String>,
    started_by: Option<String>,
    config: &'a Map<String, Value>,
    overrides: Option<Value>,
    tags: Vec<Tag>,
    exec: bool,
}

impl Ecs {
    /// Makes a task of the service's primary deployment; its ID. `None` if its definition is gone.
    pub(super) fn launch(&mut self, service: &Service, now: f64) -> Option<String> {
        let deployment = service.deployments.first()?;
        let revision: Revision = service.revision(&deployment.revision)?.clone();
        let definition = self.definition(&revision.definition)?.clone();
        let mut tags = match service.settings.get("propagateTags").and_then(Value::as_str) {
            Some("SERVICE") => service.tags.clone(),
            Some("TASK_DEFINITION") => definition.tags.clone(),
            _ => Vec::new(),
        };
        let set = |member: &str| service.settings.get(member) == Some(&json!(true));
        if set("enableECSManagedTags") {
            tags::merge(&mut tags, managed_tags(&service.cluster, Some(&service.name)));
        }
        let order = Order {
            cluster: &service.cluster,
            group: format!("service:{}", service.name),
            service: Some(service.name.clone()),
            started_by: Some(deployment.id.clone()),
            config: &revision.config,
            overrides: None,
            tags,
            exec: set("enableExecuteCommand"),
        };
        Some(self.create_task(&definition, order, now))
    }

    /// `RunTask`: the IDs of the new tasks.
    pub fn run_task(
        &mut self,
        mut input: Map<String, Value>,
        now: f64,
    ) -> Result<(String, Vec<String>), ApiError> {
        let text = |input: &Map<String, Value>, member: &str| {
            input.get(member).and_then(Value::as_str).map(str::to_owned)
        };
        let invalid = |why: &str| Err(ApiError::new("InvalidParameterException", why));
        let cluster = self.cluster_name(text(&input, "cluster").as_deref())?;
        let definition = text(&input, "taskDefinition").unwrap_or_default();
        let definition = self.runnable_definition(&definition)?.clone();
        let count = input.get("count").and_then(Value::as_u64).unwrap_or(1);
        if !(1..=MAX_COUNT).contains(&count) {
            return invalid("Count must be between 1 and 10."); // assumed
        }
        self.place_on_fargate(&cluster, &definition, &mut input)?;
        if !is_fargate(&input) {
            return invalid("No Container Instances were found in your cluster.");
        }
        network::validate(&definition, &mut input)?;
        let mut all_tags: Vec<Tag> = match input.get("tags") {
            Some(tags) => serde_json::from_value(tags.clone()).map_err(ApiError::server)?,
            None => Vec::new(),
        };
        tags::validate(&all_tags)?;
        if text(&input, "propagateTags").as_deref() == Some("TASK_DEFINITION") {
            tags::merge(&mut all_tags, definition.tags.clone());
        }
        if input.get("enableECSManagedTags") == Some(&json!(true)) {
            tags::merge(&mut all_tags, managed_tags(&cluster, None));
        }
        let group = text(&input, "group").unwrap_or_else(|| format!("family:{}", definition.family));
        let ids = (0..count)
            .map(|_| {
                let order = Order {
                    cluster: &cluster,
                    group: group.clone(),
                    service: None,
                    started_by: text(&input, "startedBy"),
                    config: &input,
                    overrides: input.get("overrides").cloned(),
                    tags: all_tags.clone(),
                    exec: input.get("enableExecuteCommand") == Some(&json!(true)),
                };
                self.create_task(&definition, order, now)
            })
            .collect();
        Ok((cluster, ids))
    }

    fn create_task(&mut self, definition: &Definition, order: Order<'_>, now: f64) -> String {
        let id = self.ids.hex(32);
        let interface = self.interface(order.config);
        let definitions = definition.containers();
        let containers = definitions.iter().map(|c| self.create_container(c)).collect();
        let of_service = order.service.is_some();
        let mut body = described(definition, order.config, order.overrides, order.exec);
        if let Some(provider) = self.next_provider(order.service.as_deref(), order.config) {
            body.insert("capacityProviderName".into(), provider);
        }
        self.touch();
        self.tasks.insert(
            id.clone(),
            Task {
                id: id.clone(),
                cluster: order.cluster.to_owned(),
                definition: definition.name(),
                group: order.group,
                service: order.service,
                started_by: order.started_by,
                last: Last::Provisioning,
                stop: None,
                containers,
                interface,
                holder: None,
                published: std::collections::BTreeMap::new(),
                balancers: if of_service { balancers(order.config) } else { Vec::new() },
                ready: false,
                counted: false,
                was_healthy: false,
                cpu: definition.cpu(),
                memory: definition.memory(),
                body,
                tags: order.tags,
                created_at: now,
                pull_started_at: None,
                pull_stopped_at: None,
                started_at: None,
                stopping_at: None,
                execution_stopped_at: None,
                stopped_at: None,
                version: 1,
            },
        );
        id
    }

    fn create_container(&mut self, definition: &ContainerDefinition) -> Container {
        Container {
            arn_id: self.ids.uuid(),
            name: definition.name.clone(),
            image: definition.image.clone(),
            essential: definition.is_essential(),
            checked: definition.health_check.is_some(),
            depends_on: definition.depends_on.clone(),
            start_timeout: definition.start_timeout,
            cpu: definition.cpu,
            memory: definition.memory,
            memory_reservation: definition.memory_reservation,
            ..Container::default()
        }
    }

    /// Settles launch type and platform (documented: `launchType`, `capacityProviderStrategy`): what is
    /// given, or the cluster's default strategy, or EC2. Observed in public logs: the messages, but for the
    /// platform's (assumed).
    pub(super) fn place_on_fargate(
        &self,
        cluster: &str,
        definition: &Definition,
        config: &mut Map<String, Value>,
    ) -> Result<(), ApiError> {
        let invalid = |why: &str| Err(ApiError::new("InvalidParameterException", why));
        let given = |c: &Map<String, Value>, m: &str| {
            c.get(m).is_some_and(|v| v.as_array().is_none_or(|a| !a.is_empty()))
        };
        if given(config, "launchType") && given(config, "capacityProviderStrategy") {
            return invalid(
                "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
            );
        }
        if !given(config, "launchType") && !given(config, "capacityProviderStrategy") {
            config.remove("capacityProviderStrategy");
            let default =
                self.clusters.get(cluster).and_then(|c| c.body.get("defaultCapacityProviderStrategy"));
            match default.filter(|d| d.as_array().is_some_and(|d| !d.is_empty())) {
                Some(strategy) => config.insert("capacityProviderStrategy".into(), strategy.clone()),
                None => config.insert("launchType".into(), json!("EC2")),
            };
        }
        capacity::associated(self.clusters.get(cluster).map(|c| &c.body), config)?;
        if !is_fargate(config) {
            return Ok(());
        }
        let compatible = definition.body.get("compatibilities").and_then(Value::as_array);
        if !compatible.is_some_and(|c| c.iter().any(|c| c == "FARGATE")) {
            return invalid("Task definition does not support launch_type FARGATE.");
        }
        match config.entry("platformVersion").or_insert(json!("LATEST")).as_str() {
            Some("LATEST" | "1.4.0" | "1.3.0") => Ok(()),
            _ => Err(ApiError::new("PlatformUnknownException", "The specified platform does not exist.")),
        }
    }
}

/// Whether it runs on Fargate: by launch type or by a Fargate capacity provider.
pub(super) fn is_fargate(config: &Map<String, Value>) -> bool {
    let strategy = config.get("capacityProviderStrategy").and_then(Value::as_array);
    let provider = |s: &Value| matches!(s["capacityProvider"].as_str(), Some("FARGATE" | "FARGATE_SPOT"));
    config.get("launchType") == Some(&json!("FARGATE")) || strategy.is_some_and(|s| s.iter().any(provider))
}

/// Documented: "Amazon ECS-managed tags".
fn managed_tags(cluster: &str, service: Option<&str>) -> Vec<Tag> {
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    let service = service.map(|s| tag("aws:ecs:serviceName", s));
    [Some(tag("aws:ecs:clusterName", cluster)), service].into_iter().flatten().collect()
}

/// The members of a task that never change.
fn described(
    definition: &Definition,
    config: &Map<String, Value>,
    overrides: Option<Value>,
    exec: bool,
) -> Map<String, Value> {
    let mut overrides = overrides.unwrap_or_else(|| json!({}));
    if let Value::Object(overrides) = &mut overrides {
        overrides
            .entry("containerOverrides")
            .or_insert_with(|| definition.containers().iter().map(|c| json!({"name": c.name})).collect());
        overrides.entry("inferenceAcceleratorOverrides").or_insert(json!([]));
    }
    let ephemeral = definition.body.get("ephemeralStorage").cloned().unwrap_or(json!({"sizeInGiB": 20}));
    let architecture = definition.body.get("runtimePlatform").and_then(|p| p["cpuArchitecture"].as_str());
    let mut out = Map::new();
    let mut put = |member: &str, value: Value| out.insert(member.into(), value);
    if is_fargate(config) {
        put("launchType", json!("FARGATE"));
        put("platformVersion", PLATFORM_VERSION.into());
        put("platformFamily", json!("Linux"));
    } else {
        put("launchType", json!("EC2"));
    }
    put("overrides", overrides);
    put("enableExecuteCommand", exec.into());
    put("ephemeralStorage", ephemeral);
    let cpu = if architecture == Some("ARM64") { "arm64" } else { "x86_64" };
    put("attributes", json!([{"name": "ecs.cpu-architecture", "value": cpu}]));
    out
}

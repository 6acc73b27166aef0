//! Operations on clusters.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::pages::{Page, page};
use super::{Members, missing};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ecs::reference::name;
use crate::state::ecs::tags::Tag;

/// Input of `DescribeClusters`.
#[derive(Debug, Deserialize)]
pub struct Describe {
    #[serde(default)]
    clusters: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

/// Input of `DeleteCluster`.
#[derive(Debug, Deserialize)]
pub struct Delete {
    cluster: String,
}

/// Input of `PutClusterCapacityProviders`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutProviders {
    cluster: String,
    capacity_providers: Vec<String>,
    default_capacity_provider_strategy: Vec<Value>,
}

/// Input of `DescribeCapacityProviders`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeProviders {
    #[serde(default)]
    capacity_providers: Vec<String>,
}

pub(super) fn create(cloud: &Cloud, mut input: Members) -> Result<Value, ApiError> {
    let tags: Vec<Tag> = match input.remove("tags") {
        Some(tags) => serde_json::from_value(tags).map_err(|e| invalid(e.to_string()))?,
        None => Vec::new(),
    };
    let name = input.remove("clusterName").and_then(|n| n.as_str().map(str::to_owned));
    let body: Map<String, Value> = input;
    let mut ecs = cloud.ecs();
    let name = ecs.create_cluster(name.as_deref(), body, tags)?.name.clone();
    let answer = json!({"cluster": ecs.render_new_cluster(&name)});
    drop(ecs);
    cloud.ecs_changed();
    Ok(answer)
}

pub(super) fn describe(cloud: &Cloud, input: &Describe) -> Value {
    let ecs = cloud.ecs();
    let default = ["default".to_owned()];
    let asked = if input.clusters.is_empty() { &default[..] } else { &input.clusters };
    let mut clusters = Vec::new();
    let mut failures = Vec::new();
    for reference in asked {
        match ecs.clusters.get(name(reference)) {
            Some(cluster) => clusters.push(ecs.render_cluster(cluster, &input.include)),
            None => failures.push(missing(&ecs.place.cluster_arn(name(reference)))),
        }
    }
    json!({"clusters": clusters, "failures": failures})
}

pub(super) fn list(cloud: &Cloud, input: &Page) -> Result<Value, ApiError> {
    let ecs = cloud.ecs();
    let active = ecs.clusters.values().filter(|c| c.active);
    page(active.map(|c| ecs.place.cluster_arn(&c.name).into()).collect(), "clusterArns", input)
}

pub(super) fn delete(cloud: &Cloud, input: &Delete) -> Result<Value, ApiError> {
    let mut ecs = cloud.ecs();
    let name = ecs.delete_cluster(&input.cluster)?.name.clone();
    let answer = json!({"cluster": ecs.render_new_cluster(&name)});
    drop(ecs);
    cloud.ecs_changed();
    Ok(answer)
}

pub(super) fn put_providers(cloud: &Cloud, input: &PutProviders) -> Result<Value, ApiError> {
    let mut ecs = cloud.ecs();
    let name = ecs.cluster_name(Some(&input.cluster))?;
    if let Some(unknown) = input.capacity_providers.iter().find(|p| !PROVIDERS.contains(&p.as_str())) {
        // assumed
        return Err(invalid(format!(
            "The specified capacity provider '{unknown}' was not found. Specify a valid name or ARN and try again."
        )));
    }
    if let Some(cluster) = ecs.clusters.get_mut(&name) {
        cluster.body.insert("capacityProviders".into(), json!(input.capacity_providers));
        let strategy = json!(input.default_capacity_provider_strategy);
        cluster.body.insert("defaultCapacityProviderStrategy".into(), strategy);
    }
    ecs.touch();
    let answer = json!({"cluster": ecs.render_new_cluster(&name)});
    drop(ecs);
    cloud.ecs_changed();
    Ok(answer)
}

/// The two that every account has.
const PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

pub(super) fn describe_providers(cloud: &Cloud, input: &DescribeProviders) -> Value {
    let arn = |name: &str| cloud.arn("ecs", &format!("capacity-provider/{name}"));
    let asked = |p: &str| {
        input.capacity_providers.is_empty() || input.capacity_providers.iter().any(|a| name(a) == p)
    };
    let unknown = input.capacity_providers.iter().filter(|a| !PROVIDERS.contains(&name(a)));
    let known = PROVIDERS.into_iter().filter(|p| asked(p));
    json!({
        "capacityProviders": known
            .map(|p| json!({"capacityProviderArn": arn(p), "name": p, "status": "ACTIVE", "tags": []}))
            .collect::<Value>(),
        "failures": unknown.map(|a| missing(&arn(name(a)))).collect::<Value>(),
    })
}

fn invalid(why: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", why)
}

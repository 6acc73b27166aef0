//! Operations on services.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::pages::{Page, page};
use super::{Members, asked, check_count, missing};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ecs::{Ecs, network, reference};

/// Input of `DescribeServices`.
#[derive(Debug, Deserialize)]
pub struct Describe {
    cluster: Option<String>,
    services: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

/// Input of `ListServices`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    cluster: Option<String>,
    launch_type: Option<String>,
    scheduling_strategy: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Input of `DeleteService`.
#[derive(Debug, Deserialize)]
pub struct Delete {
    cluster: Option<String>,
    service: String,
    force: Option<bool>,
}

pub(super) fn create(cloud: &Cloud, input: Members) -> Result<Value, ApiError> {
    let now = cloud.now();
    check_network(cloud, &input)?;
    let mut ecs = cloud.ecs();
    let (cluster, name) = ecs.create_service(input, now)?;
    let answer = one(&ecs, &cluster, &name);
    drop(ecs);
    cloud.ecs_changed();
    Ok(answer)
}

pub(super) fn update(cloud: &Cloud, input: &Members) -> Result<Value, ApiError> {
    let now = cloud.now();
    check_network(cloud, input)?;
    let mut ecs = cloud.ecs();
    let (cluster, name) = ecs.update_service(input, now)?;
    let answer = one(&ecs, &cluster, &name);
    drop(ecs);
    cloud.ecs_changed();
    Ok(answer)
}

fn one(ecs: &Ecs, cluster: &str, name: &str) -> Value {
    json!({"service": ecs.service(cluster, name).map(|s| ecs.render_service(s, true))})
}

/// Subnets and security groups must be there. What EC2 says of the subnets is kept for the
/// interfaces that tasks get in them.
pub(super) fn check_network(cloud: &Cloud, input: &Map<String, Value>) -> Result<(), ApiError> {
    let Some(vpc) = network::vpc(input) else {
        return Ok(());
    };
    let subnets = super::super::network::check(cloud, &vpc)?;
    cloud.ecs().subnets.extend(subnets);
    Ok(())
}

pub(super) fn describe(cloud: &Cloud, input: &Describe) -> Result<Value, ApiError> {
    check_count(("Services", "service names"), input.services.len(), 10)?;
    let ecs = cloud.ecs();
    let cluster = ecs.cluster_name(input.cluster.as_deref())?;
    let tags = asked(&input.include, "TAGS");
    let mut services = Vec::new();
    let mut failures = Vec::new();
    for reference in &input.services {
        match ecs.service_by(&cluster, reference) {
            Some(service) => services.push(ecs.render_service(service, tags)),
            None => failures.push(missing(&ecs.place.service_arn(&cluster, reference::name(reference)))),
        }
    }
    Ok(json!({"services": services, "failures": failures}))
}

pub(super) fn list(cloud: &Cloud, input: &List) -> Result<Value, ApiError> {
    let ecs = cloud.ecs();
    let cluster = ecs.cluster_name(input.cluster.as_deref())?;
    let fits = |given: &Option<String>, has: Option<&Value>| {
        given.as_ref().is_none_or(|g| has.and_then(Value::as_str) == Some(g))
    };
    // Without those that are being deleted (documented: `DeleteService`).
    let services = ecs.services.values().filter(|s| s.cluster == cluster && s.is_active()).filter(|s| {
        fits(&input.launch_type, s.current_revision().and_then(|r| r.config.get("launchType")))
            && fits(&input.scheduling_strategy, s.settings.get("schedulingStrategy"))
    });
    let arns = services.map(|s| ecs.place.service_arn(&cluster, &s.name).into()).collect();
    // Ten when not said (documented: `ListServices.maxResults`).
    let rest = Page { max_results: input.max_results.or(Some(10)), next_token: input.next_token.clone() };
    page(arns, "serviceArns", &rest)
}

pub(super) fn delete(cloud: &Cloud, input: &Delete) -> Result<Value, ApiError> {
    let now = cloud.now();
    let mut ecs = cloud.ecs();
    let cluster = ecs.cluster_name(input.cluster.as_deref())?;
    let name = reference::name(&input.service).to_owned();
    ecs.delete_service(&cluster, &name, input.force.unwrap_or(false))?;
    let answer = one(&ecs, &cluster, &name);
    ecs.reconcile(now);
    drop(ecs);
    cloud.ecs_changed();
    Ok(answer)
}

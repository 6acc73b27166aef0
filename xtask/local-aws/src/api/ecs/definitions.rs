//! Operations on task definitions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::pages::{Page, page};
use super::{Members, asked, check_count};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ecs::definition::{Definition, DefinitionStatus, Family};

/// Input of `DescribeTaskDefinition` and `DeregisterTaskDefinition`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Describe {
    task_definition: String,
    #[serde(default)]
    include: Vec<String>,
}

/// Input of `ListTaskDefinitions`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    family_prefix: Option<String>,
    status: Option<DefinitionStatus>,
    sort: Option<String>,
    #[serde(flatten)]
    page: Page,
}

/// Input of `ListTaskDefinitionFamilies`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListFamilies {
    family_prefix: Option<String>,
    status: Option<String>,
    #[serde(flatten)]
    page: Page,
}

/// Input of `DeleteTaskDefinitions`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delete {
    task_definitions: Vec<String>,
}

pub(super) fn register(cloud: &Cloud, input: Members) -> Result<Value, ApiError> {
    let now = cloud.now();
    let mut ecs = cloud.ecs();
    let definition = ecs.register(input, now)?.clone();
    let answer = json!({"taskDefinition": ecs.render_definition(&definition), "tags": definition.tags});
    drop(ecs);
    cloud.ecs_changed();
    Ok(answer)
}

pub(super) fn describe(cloud: &Cloud, input: &Describe) -> Result<Value, ApiError> {
    let ecs = cloud.ecs();
    let definition = ecs
        .definition(&input.task_definition)
        .ok_or_else(|| ApiError::new("ClientException", "Unable to describe task definition."))?;
    let mut answer = json!({"taskDefinition": ecs.render_definition(definition)});
    answer["tags"] = if asked(&input.include, "TAGS") { json!(definition.tags) } else { json!([]) };
    Ok(answer)
}

/// A whole family here, a prefix in [`list_families`] (documented: `familyPrefix` of each).
pub(super) fn list(cloud: &Cloud, input: &List) -> Result<Value, ApiError> {
    let ecs = cloud.ecs();
    let status = input.status.unwrap_or(DefinitionStatus::Active);
    let of_family = |d: &&Definition| input.family_prefix.as_ref().is_none_or(|f| *f == d.family);
    let all = ecs.families.values().flat_map(|f| f.revisions.values());
    let mut arns: Vec<Value> = all
        .filter(|d| d.status == status)
        .filter(of_family)
        .map(|d| ecs.place.definition_arn(&d.name()).into())
        .collect();
    if input.sort.as_deref() == Some("DESC") {
        arns.reverse();
    }
    page(arns, "taskDefinitionArns", &input.page)
}

pub(super) fn list_families(cloud: &Cloud, input: &ListFamilies) -> Result<Value, ApiError> {
    let ecs = cloud.ecs();
    let prefix = input.family_prefix.as_deref().unwrap_or_default();
    let is_active = |f: &Family| f.revisions.values().any(Definition::is_active);
    let wanted = |f: &Family| match input.status.as_deref() {
        Some("INACTIVE") => !is_active(f),
        Some("ALL") => true,
        _ => is_active(f),
    };
    let families = ecs.families.iter().filter(|(name, f)| name.starts_with(prefix) && wanted(f));
    page(families.map(|(name, _)| name.clone().into()).collect(), "families", &input.page)
}

pub(super) fn deregister(cloud: &Cloud, input: &Describe) -> Result<Value, ApiError> {
    let now = cloud.now();
    let mut ecs = cloud.ecs();
    let definition = ecs.deregister(&input.task_definition, now)?.clone();
    let answer = json!({"taskDefinition": ecs.render_definition(&definition)});
    drop(ecs);
    cloud.ecs_changed();
    Ok(answer)
}

pub(super) fn delete(cloud: &Cloud, input: &Delete) -> Result<Value, ApiError> {
    check_count(("taskDefinitions", "taskDefinitions"), input.task_definitions.len(), 10)?;
    let now = cloud.now();
    let mut ecs = cloud.ecs();
    let mut deleted = Vec::new();
    let mut failures = Vec::new();
    for reference in &input.task_definitions {
        match ecs.delete_definition(reference, now) {
            Ok(definition) => deleted.push(ecs.render_definition(&definition)),
            Err(reason) => failures.push(json!({"arn": reference, "reason": reason})),
        }
    }
    drop(ecs);
    cloud.ecs_changed();
    Ok(json!({"taskDefinitions": deleted, "failures": failures}))
}

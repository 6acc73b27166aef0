//! Tags of target groups.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::change;
use super::errors::invalid;
use super::groups::{find, find_mut};
use crate::cloud::Cloud;
use crate::error::ApiError;

/// Documented: `TooManyTags`, 50 a resource.
const MAX_TAGS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddTags {
    resource_arns: Vec<String>,
    tags: Vec<Tag>,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RemoveTags {
    resource_arns: Vec<String>,
    tag_keys: Vec<String>,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeTags {
    resource_arns: Vec<String>,
}

/// The tags of a call that creates something (assumed: the words).
pub(super) fn checked(tags: &[Tag]) -> Result<BTreeMap<String, String>, ApiError> {
    if let Some(tag) = tags.iter().find(|tag| tag.key.starts_with("aws:")) {
        return Err(invalid(format!("Tag key '{}' is reserved: it begins with 'aws:'", tag.key)));
    }
    if tags.len() > MAX_TAGS {
        return Err(ApiError::new(
            "TooManyTags",
            "You've reached the limit on the number of tags per resource",
        ));
    }
    Ok(tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect())
}

pub(super) fn add(cloud: &Cloud, input: &AddTags) -> Result<Value, ApiError> {
    let tags = checked(&input.tags)?;
    change(cloud, |ecs| {
        for arn in &input.resource_arns {
            find_mut(&mut ecs.elb, arn)?.tags.extend(tags.clone());
        }
        Ok(json!({}))
    })
}

pub(super) fn remove(cloud: &Cloud, input: &RemoveTags) -> Result<Value, ApiError> {
    change(cloud, |ecs| {
        for arn in &input.resource_arns {
            find_mut(&mut ecs.elb, arn)?.tags.retain(|key, _| !input.tag_keys.contains(key));
        }
        Ok(json!({}))
    })
}

pub(super) fn describe(cloud: &Cloud, input: &DescribeTags) -> Result<Value, ApiError> {
    let ecs = cloud.ecs();
    let of = |arn: &String| {
        let group = find(&ecs.elb, arn)?;
        let tags: Vec<Value> =
            group.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        Ok(json!({"ResourceArn": arn, "Tags": tags}))
    };
    let all = input.resource_arns.iter().map(of).collect::<Result<Vec<_>, ApiError>>()?;
    Ok(json!({"TagDescriptions": all}))
}

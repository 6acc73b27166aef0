//! Tags of repositories (not of images).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::{change, find, invalid};
use crate::api::tags::{OneResource, UntagResource};
use crate::cloud::Cloud;
use crate::error::ApiError;

/// Documented (Amazon ECR user guide, "Tag restrictions").
const MAX_TAGS: usize = 50;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagResource {
    resource_arn: String,
    tags: Vec<Tag>,
}

pub(super) fn tag(cloud: &Cloud, input: TagResource) -> Result<Value, ApiError> {
    let (account, name) = parse_arn(cloud, &input.resource_arn)?;
    change(cloud, (Some(account), name), |repository| {
        repository.tags = to_map(&repository.tags, input.tags)?;
        Ok(json!({}))
    })
}

pub(super) fn untag(cloud: &Cloud, input: &UntagResource) -> Result<Value, ApiError> {
    let (account, name) = parse_arn(cloud, &input.resource_arn)?;
    change(cloud, (Some(account), name), |repository| {
        repository.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(json!({}))
    })
}

pub(super) fn list(cloud: &Cloud, input: &OneResource) -> Result<Value, ApiError> {
    let (account, name) = parse_arn(cloud, &input.resource_arn)?;
    let repository = find(cloud, Some(account), name)?;
    let tags: Vec<Tag> = repository.tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(json!({"tags": tags}))
}

/// Adds tags to those that are there (documented: limits; assumed: the words).
pub(super) fn to_map(
    present: &BTreeMap<String, String>,
    tags: Vec<Tag>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut all = present.clone();
    for Tag { key, value } in tags {
        let long = key.chars().count() > 128 || value.chars().count() > 256;
        if key.is_empty() || long || key.starts_with("aws:") {
            let message = format!(
                "Invalid tag: '{key}'. Keys have 1 to 128 characters, values up to 256, \
                                   and keys that begin with 'aws:' are reserved"
            );
            return Err(ApiError::new("InvalidTagParameterException", message));
        }
        all.insert(key, value);
    }
    if all.len() > MAX_TAGS {
        let message = format!("A resource can have at most {MAX_TAGS} tags");
        return Err(ApiError::new("TooManyTagsException", message));
    }
    Ok(all)
}

/// Account and name in `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`.
fn parse_arn<'a>(cloud: &Cloud, arn: &'a str) -> Result<(&'a str, &'a str), ApiError> {
    let rest = arn.strip_prefix(&format!("arn:aws:ecr:{}:", cloud.region()));
    let parts = rest.and_then(|rest| rest.split_once(":repository/"));
    // Observed (getmoto/moto, `moto/ecr/models.py`).
    parts.ok_or_else(|| invalid("resourceArn", "Invalid ARN"))
}

//! Tags of log groups, by the current operations and the older ones.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::groups::{self, OneGroup};
use super::{invalid, nothing};
use crate::api::tags::{OneResource, UntagResource};
use crate::cloud::Cloud;
use crate::error::ApiError;

type Tags = BTreeMap<String, String>;

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagResource {
    resource_arn: String,
    tags: Tags,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagLogGroup {
    log_group_name: String,
    tags: Tags,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UntagLogGroup {
    log_group_name: String,
    tags: Vec<String>,
}

/// Assumed: the message for what is no log group's ARN.
fn group(arn: &str) -> Result<&str, ApiError> {
    groups::name_in(arn).ok_or_else(|| invalid("The specified resource ARN is not valid."))
}

fn add(cloud: &Cloud, group: &str, new: Tags) -> Result<Value, ApiError> {
    cloud.logs().change_tags(group, |tags| tags.extend(new))?;
    Ok(nothing())
}

fn remove(cloud: &Cloud, group: &str, keys: &[String]) -> Result<Value, ApiError> {
    cloud.logs().change_tags(group, |tags| tags.retain(|key, _| !keys.contains(key)))?;
    Ok(nothing())
}

fn of(cloud: &Cloud, group: &str) -> Result<Value, ApiError> {
    Ok(json!({ "tags": cloud.logs().group(group)?.tags }))
}

pub(super) fn tag(cloud: &Cloud, input: TagResource) -> Result<Value, ApiError> {
    add(cloud, group(&input.resource_arn)?, input.tags)
}

pub(super) fn untag(cloud: &Cloud, input: &UntagResource) -> Result<Value, ApiError> {
    remove(cloud, group(&input.resource_arn)?, &input.tag_keys)
}

pub(super) fn list(cloud: &Cloud, input: &OneResource) -> Result<Value, ApiError> {
    of(cloud, group(&input.resource_arn)?)
}

pub(super) fn tag_group(cloud: &Cloud, input: TagLogGroup) -> Result<Value, ApiError> {
    add(cloud, &input.log_group_name, input.tags)
}

pub(super) fn untag_group(cloud: &Cloud, input: &UntagLogGroup) -> Result<Value, ApiError> {
    remove(cloud, &input.log_group_name, &input.tags)
}

pub(super) fn list_group(cloud: &Cloud, input: &OneGroup) -> Result<Value, ApiError> {
    of(cloud, &input.log_group_name)
}

//! Operations on tags.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::tags::{OneResource, UntagResource};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ecs::tags::{self, merge, validate};

/// Input of `TagResource`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    resource_arn: String,
    tags: Vec<tags::Tag>,
}

pub(super) fn tag(cloud: &Cloud, input: Tag) -> Result<Value, ApiError> {
    validate(&input.tags)?;
    merge(cloud.ecs().tags_mut(&input.resource_arn)?, input.tags);
    changed(cloud)
}

pub(super) fn untag(cloud: &Cloud, input: &UntagResource) -> Result<Value, ApiError> {
    cloud.ecs().tags_mut(&input.resource_arn)?.retain(|t| !input.tag_keys.contains(&t.key));
    changed(cloud)
}

pub(super) fn list(cloud: &Cloud, input: &OneResource) -> Result<Value, ApiError> {
    Ok(json!({"tags": cloud.ecs().tags_mut(&input.resource_arn)?.clone()}))
}

fn changed(cloud: &Cloud) -> Result<Value, ApiError> {
    cloud.ecs().touch();
    cloud.ecs_changed();
    Ok(json!({}))
}

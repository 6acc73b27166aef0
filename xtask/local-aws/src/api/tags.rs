//! Inputs of tag operations that ECS, ECR and CloudWatch Logs have in common.

use serde::Deserialize;

/// Of `ListTagsForResource`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneResource {
    pub(super) resource_arn: String,
}

/// Of `UntagResource`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UntagResource {
    pub(super) resource_arn: String,
    pub(super) tag_keys: Vec<String>,
}

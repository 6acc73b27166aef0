//! ECS.

use serde_json::Value;

use super::operations;
use crate::cloud::Cloud;
use crate::error::ApiError;

operations! {
    /// What ECS answers.
    pub enum EcsRequest {}
}

/// Performs the operation.
pub async fn handle(_cloud: &Cloud, request: EcsRequest) -> Result<Value, ApiError> {
    match request {}
}

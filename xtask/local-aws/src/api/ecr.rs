//! ECR.

use serde_json::Value;

use super::operations;
use crate::cloud::Cloud;
use crate::error::ApiError;

operations! {
    /// What ECR answers.
    pub enum EcrRequest {}
}

/// Performs the operation.
pub async fn handle(_cloud: &Cloud, request: EcrRequest) -> Result<Value, ApiError> {
    match request {}
}

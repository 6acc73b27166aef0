//! CloudWatch Logs.

use serde_json::Value;

use super::operations;
use crate::cloud::Cloud;
use crate::error::ApiError;

operations! {
    /// What CloudWatch Logs answers.
    pub enum LogsRequest {}
}

/// Performs the operation.
pub async fn handle(_cloud: &Cloud, request: LogsRequest) -> Result<Value, ApiError> {
    match request {}
}

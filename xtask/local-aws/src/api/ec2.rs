//! EC2.

use serde_json::Value;

use super::operations;
use crate::cloud::Cloud;
use crate::error::ApiError;

operations! {
    /// What EC2 answers.
    pub enum Ec2Request {}
}

/// Performs the operation.
pub async fn handle(_cloud: &Cloud, request: Ec2Request) -> Result<Value, ApiError> {
    match request {}
}

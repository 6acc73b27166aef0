//! Security Token Service.

use serde::Deserialize;
use serde_json::{Value, json};

use super::operations;
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;

operations! {
    /// What STS answers.
    pub enum StsRequest { GetCallerIdentity(GetCallerIdentity) }
}

/// No input.
#[derive(Debug, Deserialize)]
pub struct GetCallerIdentity {}

/// Performs the operation.
pub async fn handle(_cloud: &Cloud, request: StsRequest) -> Result<Value, ApiError> {
    match request {
        StsRequest::GetCallerIdentity(_) => Ok(json!({
            "Arn": format!("arn:aws:iam::{ACCOUNT}:user/local"),
            "UserId": "AIDALOCALLOCALLOCALXX",
            "Account": ACCOUNT,
        })),
    }
}

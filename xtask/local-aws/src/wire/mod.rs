//! Bytes to calls and answers to bytes. Knows no state.
//!
//! Three protocols share `POST /`: awsJson1.1 says the operation in the
//! `X-Amz-Target` header (ECS, ECR, CloudWatch Logs, Secrets Manager, Systems Manager),
//! awsQuery and ec2Query say it in the form (`Action`, and the `Version` tells EC2,
//! STS, IAM and Elastic Load Balancing apart).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::api::{ParseError, Request, Service};
use crate::error::{ApiError, Fault};

pub(crate) mod form;
mod json;
pub(crate) mod tree;
mod xml;

/// The protocol that an answer is rendered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// ECS, ECR, CloudWatch Logs, Secrets Manager, Systems Manager.
    Json,
    /// STS, IAM, Elastic Load Balancing; the namespace of the answer.
    Query(&'static str),
    /// EC2.
    Ec2,
}

/// What is known of a call, even one that is refused: enough to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How to answer.
    pub protocol: Protocol,
    /// The operation's name, the root element of an XML answer.
    pub operation: String,
}

/// A rendered answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered {
    /// HTTP status.
    pub status: u16,
    /// Media type of the body.
    pub content_type: &'static str,
    /// `x-amzn-errortype`, for errors of the JSON protocol.
    pub error_type: Option<String>,
    /// The body.
    pub body: String,
}

/// Parses a call; always tells how to answer it, also when it is refused.
pub fn parse(headers: &HeaderMap, body: &[u8]) -> (Call, Result<Request, ApiError>) {
    match headers.get("x-amz-target").and_then(|v| v.to_str().ok()) {
        Some(target) => json::parse(headers, target, body),
        None => form::parse(headers, body),
    }
}

/// Renders what came of it.
pub fn render(call: &Call, request_id: &str, answer: Result<&serde_json::Value, &ApiError>) -> Rendered {
    match (call.protocol, answer) {
        (Protocol::Json, Ok(value)) => json::answer(value),
        (Protocol::Json, Err(error)) => json::error(error),
        (Protocol::Query(namespace), Ok(value)) => {
            xml::query_answer(namespace, &call.operation, request_id, value)
        }
        (Protocol::Query(namespace), Err(error)) => xml::query_error(namespace, request_id, error),
        (Protocol::Ec2, Ok(value)) => xml::ec2_answer(&call.operation, request_id, value),
        (Protocol::Ec2, Err(error)) => xml::ec2_error(request_id, error),
    }
}

/// The shape of a signature; whose key it is and whether it is right is not asked.
fn is_signed(headers: &HeaderMap) -> bool {
    headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).is_some_and(|v| {
        v.starts_with("AWS4-HMAC-SHA256 ") && v.contains("Credential=") && v.contains("Signature=")
    })
}

/// HTTP's word for a fault. The query protocols answer 403 to a call that is
/// not signed, the JSON one 400 (documented: each service's "Common Errors").
fn status(fault: Fault, denied: u16) -> u16 {
    match fault {
        Fault::Client => 400,
        Fault::Denied => denied,
        Fault::DryRun => 412,
        Fault::Server => 500,
    }
}

fn parse_operation(
    service: Service,
    operation: &str,
    input: serde_json::Value,
    unknown: impl FnOnce() -> ApiError,
    malformed: impl FnOnce(String) -> ApiError,
) -> Result<Request, ApiError> {
    Request::parse(service, operation, input).map_err(|e| match e {
        ParseError::UnknownOperation => unknown(),
        ParseError::Input(why) => malformed(why),
    })
}

#[cfg(test)]
mod tests;

//! awsJson1.1.

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use super::{Call, Protocol, Rendered, is_signed, parse_operation, status};
use crate::api::{Request, Service};
use crate::error::{ApiError, Fault};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

pub(super) fn parse(headers: &HeaderMap, target: &str, body: &[u8]) -> (Call, Result<Request, ApiError>) {
    let (prefix, operation) = target.split_once('.').unwrap_or((target, ""));
    let call = Call { protocol: Protocol::Json, operation: operation.to_owned() };
    let request = parse_request(headers, prefix, operation, body);
    (call, request)
}

fn parse_request(
    headers: &HeaderMap,
    prefix: &str,
    operation: &str,
    body: &[u8],
) -> Result<Request, ApiError> {
    let service = service(prefix).ok_or_else(unknown_operation)?;
    if !is_signed(headers) {
        let error = ApiError::new("MissingAuthenticationTokenException", "Missing Authentication Token");
        return Err(error.with_fault(Fault::Denied));
    }
    let input = if body.is_empty() { Value::Object(Map::new()) } else { input(body)? };
    parse_operation(service, operation, input, unknown_operation, |why| {
        ApiError::new("SerializationException", why)
    })
}

/// The part of `X-Amz-Target` before the dot (documented: each service's model).
fn service(prefix: &str) -> Option<Service> {
    match prefix {
        "AmazonEC2ContainerServiceV20141113" => Some(Service::Ecs),
        "AmazonEC2ContainerRegistry_V20150921" => Some(Service::Ecr),
        "Logs_20140328" => Some(Service::Logs),
        "secretsmanager" => Some(Service::Secrets),
        "AmazonSSM" => Some(Service::Parameters),
        _ => None,
    }
}

/// A member that is null is a member that is absent (documented: Smithy, AWS JSON 1.1 protocol).
fn input(body: &[u8]) -> Result<Value, ApiError> {
    let mut value: Value = serde_json::from_slice(body)
        .map_err(|e| ApiError::new("SerializationException", format!("Could not parse the request: {e}")))?;
    drop_nulls(&mut value);
    Ok(value)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, v| !v.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn unknown_operation() -> ApiError {
    ApiError::new("UnknownOperationException", "")
}

pub(super) fn answer(value: &Value) -> Rendered {
    Rendered { status: 200, content_type: CONTENT_TYPE, error_type: None, body: value.to_string() }
}

pub(super) fn error(error: &ApiError) -> Rendered {
    let mut body = json!({"__type": error.code});
    if !error.message.is_empty() {
        body["message"] = error.message.as_str().into();
    }
    Rendered {
        status: status(error.fault, 400),
        content_type: CONTENT_TYPE,
        error_type: Some(error.code.clone()),
        body: body.to_string(),
    }
}

//! What a request that fails is answered with: a status and a JSON reason.

use axum::{
    Json,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A failed request, answered as `{"error": CODE, "reason": TEXT}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: StatusCode,
    /// For programs: a fixed word such as `not_found`.
    pub code: &'static str,
    /// For people: one sentence.
    pub reason: String,
}

impl Failure {
    /// A failure with this status, code and reason.
    pub fn new(status: StatusCode, code: &'static str, reason: impl Into<String>) -> Self {
        Self { status, code, reason: reason.into() }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", reason)
    }

    /// 404: there is no such thing.
    pub fn not_found(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", reason)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.code, "reason": self.reason }))).into_response()
    }
}

impl From<axum::extract::rejection::BytesRejection> for Failure {
    fn from(rejection: axum::extract::rejection::BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large")
            }
            _ => Self::bad_request(format!("the body could not be read: {}", rejection.body_text())),
        }
    }
}

impl From<axum::extract::rejection::PathRejection> for Failure {
    fn from(rejection: axum::extract::rejection::PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

/// The fallback for paths that no route has.
pub async fn no_such_path(uri: Uri) -> Failure {
    Failure::not_found(format!("there is nothing at `{}`", uri.path()))
}

/// The fallback for methods that the path's route does not have.
pub async fn no_such_method(method: Method, uri: Uri) -> Failure {
    let reason = format!("`{}` does not take {method}", uri.path());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", reason)
}

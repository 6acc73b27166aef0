//! The items API: any JSON value under an id.
//!
//! | request | answer |
//! |---|---|
//! | `GET /items` | 200, `{"items": ["a", "b"]}`: the ids, sorted |
//! | `GET /items/{id}` | 200 and the value as it was sent, or 404 |
//! | `PUT /items/{id}` | 201 (new) or 200 (replaced) and the value |
//! | `DELETE /items/{id}` | 204, or 404 |
//!
//! Without the data store all of them are 503; when it is full, PUT is 507.

use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    store::{MAX_VALUE, Put, check_key},
    store_client::{DataStore, StoreError},
};

/// The routes under `/items`.
pub fn router(store: DataStore) -> Router {
    Router::new()
        .route("/items", get(list))
        .route("/items/{id}", get(read).put(write).delete(remove))
        .layer(DefaultBodyLimit::max(MAX_VALUE))
        .with_state(store)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (status, code) = match error {
            StoreError::Unreachable(_) => (StatusCode::SERVICE_UNAVAILABLE, "data_store_unreachable"),
            StoreError::Full => (StatusCode::INSUFFICIENT_STORAGE, "full"),
            StoreError::Unexpected(_) => (StatusCode::BAD_GATEWAY, "data_store_failed"),
        };
        tracing::warn!(code, reason = %error, "the data store failed a request");
        Self::new(status, code, error.to_string())
    }
}

async fn list(State(store): State<DataStore>) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "items": store.keys().await? })))
}

async fn read(
    State(store): State<DataStore>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let id = valid(id)?;
    let value = store.get(&id).await?.ok_or_else(|| no_such_item(&id))?;
    Ok(item(StatusCode::OK, value))
}

async fn write(
    State(store): State<DataStore>,
    id: Result<Path<String>, PathRejection>,
    value: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (id, value) = (valid(id)?, value?);
    // Checked, but kept as it was sent: no number loses digits.
    serde_json::from_slice::<IgnoredAny>(&value)
        .map_err(|error| Failure::bad_request(format!("the body is not JSON: {error}")))?;
    let status = match store.put(&id, value.clone()).await? {
        Put::Created => StatusCode::CREATED,
        Put::Replaced => StatusCode::OK,
    };
    Ok(item(status, value))
}

async fn remove(
    State(store): State<DataStore>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let id = valid(id)?;
    if store.delete(&id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(no_such_item(&id)) }
}

fn valid(id: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    let Path(id) = id?;
    check_key(&id).map_err(Failure::bad_request)?;
    Ok(id)
}

fn item(status: StatusCode, value: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value).into_response()
}

fn no_such_item(id: &str) -> Failure {
    Failure::not_found(format!("there is no item `{id}`"))
}

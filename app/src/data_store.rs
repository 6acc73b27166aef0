//! The `data-store` program's HTTP interface over [`Store`].
//!
//! | request | answer |
//! |---|---|
//! | `GET /keys` | 200, `["a", "b"]` |
//! | `GET /keys/{key}` | 200 and the value, or 404 |
//! | `PUT /keys/{key}` | 201 (new) or 200 (replaced); 507 when full |
//! | `DELETE /keys/{key}` | 204, or 404 |
//! | `GET /healthz` | 200 |

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use bytes::Bytes;

use crate::{
    failure::{self, Failure},
    store::{self, Limits, Put, Store, check_key},
};

/// The routes of a fresh, empty store.
pub fn router(limits: Limits) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
        .route("/keys", get(list))
        .route("/keys/{key}", get(read).put(write).delete(remove))
        .fallback(failure::no_such_path)
        .method_not_allowed_fallback(failure::no_such_method)
        .layer(DefaultBodyLimit::max(store::MAX_VALUE))
        .with_state(Shared(Arc::new(Mutex::new(Store::new(limits)))))
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Store>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Store> {
        // No operation of the store leaves it half-changed, so a panic in
        // one request is no reason to fail all the others.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn list(State(store): State<Shared>) -> Json<Vec<String>> {
    Json(store.lock().keys())
}

async fn read(
    State(store): State<Shared>,
    key: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Failure> {
    let key = valid(key)?;
    let value = store.lock().get(&key).ok_or_else(|| no_such_key(&key))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], value))
}

async fn write(
    State(store): State<Shared>,
    key: Result<Path<String>, PathRejection>,
    value: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Failure> {
    let (key, value) = (valid(key)?, value?);
    match store.lock().put(&key, &value) {
        Ok(Put::Created) => Ok(StatusCode::CREATED),
        Ok(Put::Replaced) => Ok(StatusCode::OK),
        Err(full) => Err(Failure::new(StatusCode::INSUFFICIENT_STORAGE, "full", full.to_string())),
    }
}

async fn remove(
    State(store): State<Shared>,
    key: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let key = valid(key)?;
    if store.lock().delete(&key) { Ok(StatusCode::NO_CONTENT) } else { Err(no_such_key(&key)) }
}

fn valid(key: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    let Path(key) = key?;
    check_key(&key).map_err(Failure::bad_request)?;
    Ok(key)
}

fn no_such_key(key: &str) -> Failure {
    Failure::not_found(format!("there is no key `{key}`"))
}

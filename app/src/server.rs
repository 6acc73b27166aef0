//! The `server` program's routes: the items API, `/` and `/healthz`.

use axum::{Json, Router, extract::State, routing::get};
use serde::Serialize;

use crate::{
    failure, items,
    store_client::{DEFAULT_URL, DataStore},
    task::{Identity, Task},
};

/// What the server is told about itself and its surroundings.
#[derive(Debug, Clone)]
pub struct Server {
    /// The greeting of `/`.
    pub message: &'static str,
    /// Where the items are kept.
    pub store: DataStore,
    /// The task that this process is part of.
    pub task: Task,
}

/// The answer of `/`.
#[derive(Serialize)]
struct Status {
    service: &'static str,
    version: &'static str,
    message: &'static str,
    task: Identity,
    data_store: StoreStatus,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum StoreStatus {
    Ok,
    Unreachable { reason: String },
}

/// The server as the environment describes it: `DATA_STORE_URL` and
/// `ECS_CONTAINER_METADATA_URI_V4`.
pub fn from_env(message: &'static str) -> Result<Router, String> {
    let url = std::env::var("DATA_STORE_URL").unwrap_or_else(|_| DEFAULT_URL.to_owned());
    let store = DataStore::at(&url).map_err(|reason| format!("DATA_STORE_URL: {reason}"))?;
    let metadata = std::env::var("ECS_CONTAINER_METADATA_URI_V4").ok();
    Ok(router(Server { message, store, task: Task::with_metadata(metadata.as_deref()) }))
}

/// All routes of the server.
pub fn router(server: Server) -> Router {
    let items = items::router(server.store.clone());
    Router::new()
        .route("/", get(status))
        // The server's own health: one that is alive must not be replaced
        // because another container is not.
        .route("/healthz", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
        .with_state(server)
        .merge(items)
        .fallback(failure::no_such_path)
        .method_not_allowed_fallback(failure::no_such_method)
}

async fn status(State(server): State<Server>) -> Json<Status> {
    let (task, store) = tokio::join!(server.task.identity(), server.store.ping());
    Json(Status {
        service: "server",
        version: env!("CARGO_PKG_VERSION"),
        message: server.message,
        task,
        data_store: match store {
            Ok(()) => StoreStatus::Ok,
            Err(error) => StoreStatus::Unreachable { reason: error.to_string() },
        },
    })
}

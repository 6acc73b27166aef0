//! The HTTP face: one listener for the AWS APIs, the registry, and the control
//! plane's own two addresses under `/_local`.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::api::Request;
use crate::cloud::{Cloud, Options, system_clock};
use crate::engine::docker::{DockerEngine, RegistryAccess};
use crate::engine::{Engine, EngineError};
use crate::error::ApiError;
use crate::proxy::Proxy;
use crate::registry;
use crate::scheduler::Scheduler;
use crate::state::log_sink::LogSink;
use crate::wire;

pub mod status;

#[cfg(test)]
mod tests;

/// A whole request of an AWS API; ECR's `UploadLayerPart` is the largest, 20 MiB before Base64.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
/// How long a change may take to reach the disk.
const SAVE: Duration = Duration::from_secs(10);
/// How long requests that are under way may take once the server is to stop.
const FINISH: Duration = Duration::from_secs(5);

/// Why the control plane does not run.
#[derive(Debug)]
pub enum ServeError {
    /// No container engine; the message says how to start one.
    Engine(EngineError),
    /// The state directory or the listener.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Serves until `shutdown` resolves or `POST /_local/stop` asks to stop. Containers keep running.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let cloud = Cloud::open(options, system_clock())?;
    cloud.set_endpoint(listener.local_addr()?);
    let access = RegistryAccess {
        host: cloud.endpoint().to_string(),
        username: registry::USERNAME.to_owned(),
        password: cloud.registry().own_password().to_owned(),
        source: Some(Arc::new(cloud.registry().clone())),
    };
    let engine = DockerEngine::connect(cloud.instance(), Some(access)).await.map_err(ServeError::Engine)?;
    let sink = Arc::new(cloud.clone());
    Ok(serve_on(listener, cloud, Arc::new(engine), sink, shutdown).await?)
}

/// Removes what a control plane made, whether or not its state is left: everything on the engine that
/// carries the instance's label, then the state directory. It must not be running.
pub async fn reset(options: &Options) -> Result<(), ServeError> {
    let engine = DockerEngine::connect(&options.instance, None).await.map_err(ServeError::Engine)?;
    engine.remove_all().await.map_err(ServeError::Engine)?;
    match tokio::fs::remove_dir_all(&options.state_dir).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// [`serve`] on another engine.
pub async fn serve_on<E: Engine>(
    listener: TcpListener,
    cloud: Cloud,
    engine: Arc<E>,
    sink: Arc<dyn LogSink>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    cloud.set_endpoint(listener.local_addr()?);
    let stop = CancellationToken::new();
    let (published, routes) = watch::channel(Vec::new());
    let proxy = Arc::new(Proxy::start(routes, cloud.state_dir()));
    let mut scheduler = Scheduler::new(cloud.clone(), engine, sink, published, proxy.routed());
    scheduler.adopt().await;
    let stopped = stop.clone();
    let scheduler = tokio::spawn(scheduler.run(async move { stopped.cancelled().await }));
    let on_request = stop.clone();
    tokio::spawn(async move {
        shutdown.await;
        on_request.cancel();
    });
    let app = router(&cloud).merge(status::router(cloud, proxy, stop.clone()));
    let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(FINISH).await;
    };
    let served = tokio::select! {
        served = async { server.await } => served,
        () = late => Ok(()),
    };
    stop.cancel();
    scheduler.await.map_err(io::Error::other)?;
    served
}

/// The AWS APIs and the registry.
pub fn router(cloud: &Cloud) -> Router {
    Router::new()
        .route("/", post(call))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(cloud.clone())
        .merge(registry::router(cloud.registry().clone()))
}

async fn call(State(cloud): State<Cloud>, headers: HeaderMap, body: Bytes) -> Response {
    let (call, request) = wire::parse(&headers, &body);
    let request_id = cloud.ids().uuid();
    let answer = match request {
        Ok(request) => perform(&cloud, &call, request).await,
        Err(error) => Err(error),
    };
    respond(wire::render(&call, &request_id, answer.as_ref()), &request_id)
}

/// A change of ECS's state, which the target groups are part of, is on disk before it is confirmed.
async fn perform(cloud: &Cloud, call: &wire::Call, request: Request) -> Result<serde_json::Value, ApiError> {
    let reads = ["Describe", "List"].iter().any(|verb| call.operation.starts_with(verb));
    let changes = matches!(request, Request::Ecs(_) | Request::Elb(_)) && !reads;
    let answer = request.handle(cloud).await;
    if changes && answer.is_ok() && tokio::time::timeout(SAVE, cloud.ecs_is_saved()).await.is_err() {
        return Err(ApiError::server("The state of the control plane could not be saved."));
    }
    answer
}

fn respond(rendered: wire::Rendered, request_id: &str) -> Response {
    let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (
        status,
        [
            (header::CONTENT_TYPE, rendered.content_type),
            (HeaderName::from_static("x-amzn-requestid"), request_id),
        ],
        rendered.body,
    )
        .into_response();
    if let Some(value) = rendered.error_type.and_then(|t| t.parse().ok()) {
        response.headers_mut().insert("x-amzn-errortype", value);
    }
    response
}

//! The HTTP face: one listener for the AWS APIs, the registry and the
//! control plane's own two addresses under `/_local`.

use std::future::Future;
use std::io;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;

use crate::cloud::{Cloud, Options, system_clock};
use crate::{registry, wire};

/// A whole request of an AWS API; ECR's `UploadLayerPart` is the largest, 20 MiB before Base64.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// Serves until `shutdown` resolves.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let cloud = Cloud::open(options, system_clock())?;
    cloud.set_endpoint(listener.local_addr()?);
    axum::serve(listener, router(&cloud))
        .with_graceful_shutdown(shutdown)
        .await
}

/// Every route.
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
        Ok(request) => request.handle(&cloud).await,
        Err(error) => Err(error),
    };
    respond(wire::render(&call, &request_id, answer.as_ref()), &request_id)
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

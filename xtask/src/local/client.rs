//! What the control plane says of itself, over its own port.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

pub use local_aws::server::status::{PortStatus as Port, ServiceStatus, Status};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks for the status; `None` if nothing of ours answers there.
pub(super) async fn status(endpoint: &str) -> Option<Status> {
    status_within(endpoint, PATIENCE).await
}

/// The control plane that AWS_ENDPOINT_URL points at, as `local env` sets it. Nothing but this machine
/// is asked.
pub async fn of_environment() -> Option<Status> {
    let endpoint = std::env::var("AWS_ENDPOINT_URL").ok()?;
    let here = ["http://127.0.0.1:", "http://localhost:"].iter().any(|here| endpoint.starts_with(here));
    if here { status(endpoint.trim_end_matches('/')).await } else { None }
}

/// The same with another patience.
pub(super) async fn status_within(endpoint: &str, patience: Duration) -> Option<Status> {
    let body = request(Method::GET, &format!("{endpoint}/_local/status"), patience).await?;
    serde_json::from_slice(&body).ok()
}

/// Asks it to stop; tasks go on running.
pub(super) async fn stop(endpoint: &str) -> Option<()> {
    request(Method::POST, &format!("{endpoint}/_local/stop"), PATIENCE).await.map(drop)
}

async fn request(method: Method, url: &str, patience: Duration) -> Option<Bytes> {
    let request = Request::builder().method(method).uri(url).body(Empty::<Bytes>::new()).ok()?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let exchange = async {
        let response = client.request(request).await.ok()?;
        let success = response.status().is_success();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        success.then_some(body)
    };
    tokio::time::timeout(patience, exchange).await.ok()?
}

//! What the control plane says of itself, over its own port.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};

/// The control plane, as it answers `/_local/status`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The package's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Its instance.
    pub instance: String,
    /// The account it plays.
    pub account: String,
    /// The region it plays.
    pub region: String,
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// What runs.
    pub services: Vec<ServiceStatus>,
}

/// A service that runs on it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Cluster name.
    pub cluster: String,
    /// Service name.
    pub service: String,
    /// Tasks it should have.
    pub desired: u32,
    /// Tasks that run.
    pub running: u32,
    /// Where it is reached.
    pub ports: Vec<Port>,
}

/// A port of a service on this machine.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Container name.
    pub container: String,
    /// The port in the task.
    pub container_port: u16,
    /// `http://127.0.0.1:PORT`, whose port differs when the container's was taken.
    pub url: String,
}

/// Asks for the status; `None` if nothing of ours answers there.
pub(super) async fn status(endpoint: &str) -> Option<Status> {
    let body = request(Method::GET, &format!("{endpoint}/_local/status")).await?;
    serde_json::from_slice(&body).ok()
}

/// Asks it to stop; tasks go on running.
pub(super) async fn stop(endpoint: &str) -> Option<()> {
    request(Method::POST, &format!("{endpoint}/_local/stop"))
        .await
        .map(drop)
}

async fn request(method: Method, url: &str) -> Option<Bytes> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .body(Empty::<Bytes>::new())
        .ok()?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let exchange = async {
        let response = client.request(request).await.ok()?;
        let success = response.status().is_success();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        success.then_some(body)
    };
    tokio::time::timeout(Duration::from_secs(3), exchange)
        .await
        .ok()?
}

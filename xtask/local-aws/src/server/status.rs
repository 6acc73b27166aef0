//! `/_local`: what the control plane says of itself, and how to stop it.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::VERSION;
use crate::cloud::Cloud;
use crate::proxy::Proxy;
use crate::state::ecs::deployment::count;

/// The answer of `GET /_local/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The control plane's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The label value on the engine.
    pub instance: String,
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// Services that are active.
    pub services: Vec<ServiceStatus>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Cluster name.
    pub cluster: String,
    /// Service name.
    pub service: String,
    /// Desired count.
    pub desired: u64,
    /// Running count.
    pub running: u64,
    /// Where its ports are reached.
    pub ports: Vec<PortStatus>,
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortStatus {
    /// Container name.
    pub container: String,
    /// Port in the container.
    pub container_port: u16,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

#[derive(Clone)]
struct Local {
    cloud: Cloud,
    proxy: Arc<Proxy>,
    stop: CancellationToken,
}

pub(super) fn router(cloud: Cloud, proxy: Arc<Proxy>, stop: CancellationToken) -> Router {
    Router::new()
        .route("/_local/status", get(status))
        .route("/_local/stop", post(async |State(local): State<Local>| local.stop.cancel()))
        .with_state(Local { cloud, proxy, stop })
}

async fn status(State(local): State<Local>) -> Json<Status> {
    let Local { cloud, proxy, .. } = local;
    let listening = proxy.listening();
    let ecs = cloud.ecs();
    let services = ecs.services.values().filter(|s| s.is_active()).map(|service| {
        let of_service =
            listening.iter().filter(|l| l.cluster == service.cluster && l.service == service.name);
        ServiceStatus {
            cluster: service.cluster.clone(),
            service: service.name.clone(),
            desired: service.desired,
            running: count(ecs.tasks_of(&service.cluster, &service.name)).running,
            ports: of_service
                .map(|l| PortStatus {
                    container: l.container.clone(),
                    container_port: l.container_port,
                    url: format!("http://{}", l.local_addr),
                })
                .collect(),
        }
    });
    Json(Status {
        version: VERSION.into(),
        pid: std::process::id(),
        instance: cloud.instance().into(),
        account: cloud.account().into(),
        region: cloud.region().into(),
        endpoint: format!("http://{}", cloud.endpoint()),
        services: services.collect(),
    })
}

//! What the scheduler tells the proxy: where each port of a service is served right now.

use std::net::SocketAddr;

/// One container port of a service, and the tasks that serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
    /// The container's name in the task definition.
    pub container: String,
    /// The port that the container listens on.
    pub container_port: u16,
    /// Where the port of each running, healthy task is reached. Empty while there is none: the
    /// route stays as long as the service does.
    pub backends: Vec<SocketAddr>,
}

//! What the scheduler asks of a container engine, and nothing more.
//!
//! Words: a *task* is one network namespace with its containers. The namespace
//! belongs to a *holder*, a container that does nothing but exist; the task's
//! containers join it, so they reach each other at `localhost`, as the
//! containers of one awsvpc task do. Everything made here carries labels that
//! name the instance (the control plane), cluster, task and container, so that
//! it can be found, adopted or removed without any state file.

pub(crate) mod archive;
pub mod docker;
pub mod endpoint;
mod holder;
pub mod labels;
pub mod source;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::BoxStream;

/// A container engine's own ID of a container, 64 hex digits on Docker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(pub String);

/// The network namespace of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderSpec {
    /// 32 hex digits, the last part of the task's ARN.
    pub task_id: String,
    /// Name of the cluster, not its ARN.
    pub cluster: String,
    /// The task's group, `service:NAME` or `family:NAME`.
    pub group: String,
    /// `family:revision`.
    pub task_definition: String,
    /// The host name inside the task, `ip-172-31-0-7.REGION.compute.internal` on AWS.
    pub hostname: String,
    /// TCP ports to publish on the loopback interface, each on a free host port.
    pub ports: Vec<u16>,
    /// Task-level limits; `cpu` in CPU units (1024 = one CPU), memory in MiB.
    /// They bound the task's containers, which the engine sees one by one:
    /// a container with no limit of its own gets the task's.
    pub cpu: Option<u32>,
    /// See `cpu`.
    pub memory_mib: Option<u32>,
}

/// A running network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The holder container.
    pub id: ContainerId,
    /// Container port -> where the host reaches it.
    pub published: BTreeMap<u16, SocketAddr>,
}

/// One container of a task, everything resolved: no secret references are left.
/// `Debug` shows neither environment values nor anything else that may be secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ContainerSpec {
    /// The task it belongs to.
    pub task_id: String,
    /// The cluster's name.
    pub cluster: String,
    /// The container's name in the task definition.
    pub name: String,
    /// Image reference as the task definition has it.
    pub image: String,
    /// Overrides the image's entry point; `None` leaves it.
    pub entry_point: Option<Vec<String>>,
    /// Overrides the image's command; `None` leaves it.
    pub command: Option<Vec<String>>,
    /// Name and value, secrets included.
    pub environment: Vec<(String, String)>,
    /// `user`, `user:group`, `uid`, `uid:gid`.
    pub user: Option<String>,
    /// Working directory inside the container.
    pub working_directory: Option<String>,
    /// Mount the root file system read-only.
    pub read_only_root: bool,
    /// CPU units of the container (a weight), 0 when unset.
    pub cpu: u32,
    /// Hard limit in MiB: the container's, or else the task's.
    pub memory_mib: Option<u32>,
    /// Soft limit in MiB.
    pub memory_reservation_mib: Option<u32>,
    /// Name (`nofile`, …), soft, hard.
    pub ulimits: Vec<(String, i64, i64)>,
    /// Docker health check, `None` leaves the image's off (ECS ignores the image's own).
    pub health_check: Option<HealthCheck>,
    /// How long after the stop signal the container is killed.
    pub stop_timeout: Duration,
    /// Run an init process as PID 1.
    pub init: bool,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// `tmpfs` mounts: container path, size in MiB.
    pub tmpfs: Vec<(String, u32)>,
}

/// A volume that a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name, unique in the task, or among the shared ones.
    pub volume: String,
    /// Whether it outlives the task and all tasks see the same.
    pub shared: bool,
    /// Path in the container.
    pub path: String,
    /// Whether the container may not write.
    pub read_only: bool,
}

impl fmt::Debug for ContainerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerSpec")
            .field("task_id", &self.task_id)
            .field("name", &self.name)
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

/// Docker's health check, which ECS's is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// `["CMD", …]` or `["CMD-SHELL", "…"]`.
    pub command: Vec<String>,
    /// Between two checks.
    pub interval: Duration,
    /// Of one check.
    pub timeout: Duration,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Failures in this time after the start do not count.
    pub start_period: Duration,
}

/// What an image is, once it is on the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// `sha256:…` of the manifest where the engine knows it.
    pub digest: Option<String>,
    /// `linux`.
    pub os: String,
    /// Docker's word: `amd64`, `arm64`.
    pub architecture: String,
}

/// Why the engine could not do it. The text is the engine's own; what ECS calls
/// it (`CannotPullContainerError`, …) is the scheduler's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// The image is not on the engine and cannot be had.
    ImageNotFound(String),
    /// The container was created but does not start: entry point not found,
    /// no permission, wrong architecture (`exec format error`).
    CannotStart(String),
    /// The container to act on is gone. Often as good as success.
    Gone(String),
    /// The engine does not answer.
    Unreachable(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImageNotFound(m)
            | Self::CannotStart(m)
            | Self::Gone(m)
            | Self::Unreachable(m)
            | Self::Other(m) => f.write_str(m),
        }
    }
}

impl std::error::Error for EngineError {}

/// A container as the engine reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The engine's ID.
    pub id: ContainerId,
    /// From its labels.
    pub task_id: String,
    /// From its labels.
    pub cluster: String,
    /// The container's name; `None` for a holder.
    pub container: Option<String>,
    /// What it does now.
    pub status: Status,
    /// Holder only: the ports the host reaches it at.
    pub published: BTreeMap<u16, SocketAddr>,
}

/// The state of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Made, not started.
    Created,
    /// Runs; with what the health check says, if there is one.
    Running(Option<Health>),
    /// Ended.
    Exited {
        /// 128 + signal when killed.
        code: i64,
        /// By the kernel, for memory.
        oom_killed: bool,
    },
}

/// What the health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No verdict yet.
    Starting,
    /// The last check passed.
    Healthy,
    /// `retries` checks in a row failed.
    Unhealthy,
}

/// Something happened to a container of this instance. Events may be lost (the
/// engine restarts), so the scheduler also lists now and then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// Which container.
    pub id: ContainerId,
    /// The task, from its labels.
    pub task_id: String,
    /// The container's name; `None` for a holder.
    pub container: Option<String>,
    /// What it is now.
    pub status: Status,
}

/// One line that a container wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Milliseconds since 1970, UTC.
    pub timestamp_ms: i64,
    /// Without the line's end; invalid UTF-8 is replaced.
    pub message: String,
}

/// A container engine, as the scheduler sees it. Calls may take seconds (a
/// pull); the scheduler never awaits one while it holds a lock.
pub trait Engine: Send + Sync + 'static {
    /// Makes sure the image is on the engine, pulling it if it must, and tells what it is.
    fn ensure_image(&self, reference: &str) -> impl Future<Output = Result<ImageFacts, EngineError>> + Send;

    /// Creates and starts the task's network namespace.
    fn start_holder(&self, spec: &HolderSpec) -> impl Future<Output = Result<Holder, EngineError>> + Send;

    /// Creates a container in the task's namespace and starts it.
    fn start_container(
        &self,
        holder: &ContainerId,
        spec: &ContainerSpec,
    ) -> impl Future<Output = Result<ContainerId, EngineError>> + Send;

    /// Sends the stop signal, waits up to the timeout, then kills. Returns when it ended; a
    /// container that already ended or is gone is success.
    fn stop(
        &self,
        id: &ContainerId,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Removes everything of the task: containers, holder, volumes. Idempotent.
    fn remove_task(&self, task_id: &str) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Everything that carries this instance's label, running or not.
    fn list(&self) -> impl Future<Output = Result<Vec<Observed>, EngineError>> + Send;

    /// Events of this instance's containers from now on. Ends when the connection to the engine does.
    fn events(&self) -> impl Future<Output = Result<BoxStream<'static, EngineEvent>, EngineError>> + Send;

    /// What a container wrote from `since_ms` on, following until it ends.
    fn logs(
        &self,
        id: &ContainerId,
        since_ms: Option<i64>,
    ) -> impl Future<Output = Result<BoxStream<'static, LogLine>, EngineError>> + Send;

    /// Removes everything that carries this instance's label: containers, networks, volumes,
    /// and the holder image if no other instance uses it.
    fn remove_all(&self) -> impl Future<Output = Result<(), EngineError>> + Send;
}

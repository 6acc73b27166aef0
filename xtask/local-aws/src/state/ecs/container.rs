//! The parts of a container definition that are acted on. Everything else is
//! kept as it came ([`super::definition::Definition::body`]).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A container definition (documented: `ContainerDefinition`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerDefinition {
    /// Unique within the task definition.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// CPU units, 0 for none.
    pub cpu: u32,
    /// Hard limit, MiB.
    pub memory: Option<u32>,
    /// Soft limit, MiB.
    pub memory_reservation: Option<u32>,
    /// Whether the task stops when it exits; yes when not said.
    pub essential: Option<bool>,
    /// Overrides the image's.
    pub entry_point: Option<Vec<String>>,
    /// Overrides the image's.
    pub command: Option<Vec<String>>,
    /// Ports.
    pub port_mappings: Vec<PortMapping>,
    /// Plain environment.
    pub environment: Vec<KeyValue>,
    /// References to secrets.
    pub secrets: Vec<Secret>,
    /// Start order.
    pub depends_on: Vec<Dependency>,
    /// Health check.
    pub health_check: Option<HealthCheck>,
    /// Log driver.
    pub log_configuration: Option<LogConfiguration>,
    /// Credentials for a private registry.
    pub repository_credentials: Option<Value>,
    /// User.
    pub user: Option<String>,
    /// Working directory.
    pub working_directory: Option<String>,
    /// Read-only root.
    pub readonly_root_filesystem: Option<bool>,
    /// Limits.
    pub ulimits: Vec<Ulimit>,
    /// Seconds, at most 120 on Fargate.
    pub stop_timeout: Option<u32>,
    /// Seconds to wait for a dependency.
    pub start_timeout: Option<u32>,
    /// Volumes.
    pub mount_points: Vec<MountPoint>,
    /// `initProcessEnabled`, `tmpfs`.
    pub linux_parameters: Option<LinuxParameters>,
    /// Not on Fargate.
    pub privileged: Option<bool>,
    /// Not under awsvpc.
    pub links: Vec<String>,
}

/// A port.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortMapping {
    /// In the container.
    pub container_port: Option<i64>,
    /// On the task's interface: the same under awsvpc.
    pub host_port: Option<i64>,
    /// `tcp` when not said.
    pub protocol: Option<String>,
    /// Name for Service Connect.
    pub name: Option<String>,
}

/// An environment variable.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct KeyValue {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// A secret.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    /// The environment variable.
    pub name: String,
    /// ARN or parameter name.
    pub value_from: String,
}

/// What must be before this container starts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Dependency {
    /// The other container.
    pub container_name: String,
    /// `START`, `COMPLETE`, `SUCCESS` or `HEALTHY`.
    pub condition: String,
}

/// Seconds and counts; the defaults are 30, 5, 3 and 0 (documented: `HealthCheck`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheck {
    /// `["CMD", …]` or `["CMD-SHELL", "…"]`.
    pub command: Vec<String>,
    /// 5 to 300.
    pub interval: Option<u32>,
    /// 2 to 60.
    pub timeout: Option<u32>,
    /// 1 to 10.
    pub retries: Option<u32>,
    /// 0 to 300.
    pub start_period: Option<u32>,
}

/// A log driver with its options.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogConfiguration {
    /// `awslogs`, …
    pub log_driver: String,
    /// Its options.
    pub options: Map<String, Value>,
}

impl LogConfiguration {
    /// An option's text.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).and_then(Value::as_str)
    }
}

/// A limit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ulimit {
    /// `nofile`, …
    pub name: String,
    /// Soft.
    pub soft_limit: i64,
    /// Hard.
    pub hard_limit: i64,
}

/// Where a task volume is mounted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MountPoint {
    /// A volume of the task definition.
    pub source_volume: String,
    /// Path.
    pub container_path: String,
    /// Read-only.
    pub read_only: bool,
}

/// Linux-specific options.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LinuxParameters {
    /// PID 1.
    pub init_process_enabled: bool,
    /// tmpfs mounts.
    pub tmpfs: Vec<Tmpfs>,
}

/// A tmpfs mount.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tmpfs {
    /// Path.
    pub container_path: String,
    /// MiB.
    pub size: u32,
}

impl ContainerDefinition {
    /// Containers are essential unless said otherwise (documented: `ContainerDefinition.essential`).
    pub fn is_essential(&self) -> bool {
        self.essential.unwrap_or(true)
    }

    /// The `awslogs` configuration, if that is the driver.
    pub fn awslogs(&self) -> Option<&LogConfiguration> {
        self.log_configuration.as_ref().filter(|l| l.log_driver == "awslogs")
    }

    /// TCP ports.
    pub fn tcp_ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.port_mappings
            .iter()
            .filter(|p| p.protocol.as_deref().unwrap_or("tcp") == "tcp")
            .filter_map(|p| u16::try_from(p.container_port?).ok())
    }
}

//! The containers of a task.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Extra, Mount, Protocol};

/// A container of a task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct Container {
    /// A key of `[image]`, or a reference (with a `/`, `:` or `@`). Required, unless `task-definition` says it.
    pub(in crate::config) image: Option<String>,
    /// A port the container listens on.
    pub(in crate::config) port: Option<i64>,
    /// Several ports.
    pub(in crate::config) ports: Option<Vec<Port>>,
    /// Whether the task stops with this container. Default: true.
    pub(in crate::config) essential: Option<bool>,
    /// CPU units of this container's share.
    pub(in crate::config) cpu: Option<i64>,
    /// Hard memory limit in MiB.
    pub(in crate::config) memory: Option<i64>,
    /// Soft memory limit in MiB.
    pub(in crate::config) memory_reservation: Option<i64>,
    /// Overrides the image's entry point.
    pub(in crate::config) entrypoint: Option<Vec<String>>,
    /// Overrides the image's command.
    pub(in crate::config) command: Option<Vec<String>>,
    /// Plain environment variables. Not for secrets.
    #[serde(default)]
    pub(in crate::config) environment: BTreeMap<String, Scalar>,
    /// Environment variables from Secrets Manager or SSM Parameter Store: ARN or parameter name.
    #[serde(default)]
    pub(in crate::config) secrets: BTreeMap<String, String>,
    /// The container's health check.
    pub(in crate::config) health_check: Option<HealthCheck>,
    /// Other containers and the condition to wait for before this one starts.
    #[serde(default)]
    pub(in crate::config) depends_on: BTreeMap<String, Condition>,
    /// `user`, `uid`, `uid:gid` …
    pub(in crate::config) user: Option<String>,
    /// Working directory.
    pub(in crate::config) working_directory: Option<String>,
    /// Mount the root file system read-only.
    pub(in crate::config) read_only_root: Option<bool>,
    /// Resource limits, `nofile = 65536` or `nofile = { soft = 1024, hard = 65536 }`.
    #[serde(default)]
    pub(in crate::config) ulimits: BTreeMap<String, Ulimit>,
    /// Seconds between the stop signal and the kill. At most 120 on Fargate. Default: 30.
    pub(in crate::config) stop_timeout: Option<i64>,
    /// Run an init process that reaps zombies and forwards signals.
    pub(in crate::config) init: Option<bool>,
    /// Where the service's `volumes` are seen.
    #[serde(default)]
    pub(in crate::config) mounts: Vec<Mount>,
    /// Docker labels.
    #[serde(default)]
    pub(in crate::config) labels: BTreeMap<String, String>,
    /// Log driver instead of the service's CloudWatch Logs group.
    pub(in crate::config) log: Option<Log>,
    /// Members of the container definition in ECS JSON (camelCase), merged last.
    #[serde(default)]
    pub(in crate::config) extra: Extra,
}

/// A port, or more about it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Port {
    /// The number.
    Number(i64),
    /// With protocol and name.
    Full(PortTable),
}

/// A port with protocol and name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct PortTable {
    /// The number.
    pub(in crate::config) port: i64,
    /// Default: `tcp`.
    pub(in crate::config) protocol: Option<Protocol>,
    /// Name for Service Connect.
    pub(in crate::config) name: Option<String>,
}

/// A value of an environment variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Scalar {
    /// As it is.
    Text(String),
    /// In decimal.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// In decimal.
    Float(f64),
}

/// A container's health check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct HealthCheck {
    /// `["CMD", "program", …]` or `["CMD-SHELL", "…"]`; a string is run by the shell.
    pub(in crate::config) command: Command,
    /// Seconds between checks, 5 to 300. Default: 30.
    pub(in crate::config) interval: Option<i64>,
    /// Seconds a check may take, 2 to 60. Default: 5.
    pub(in crate::config) timeout: Option<i64>,
    /// Failures in a row that count, 1 to 10. Default: 3.
    pub(in crate::config) retries: Option<i64>,
    /// Seconds after the start in which failures do not count, 0 to 300.
    pub(in crate::config) start_period: Option<i64>,
}

/// A command in either form.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Command {
    /// For the shell.
    Shell(String),
    /// Program and arguments.
    Exec(Vec<String>),
}

/// What a container waits for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::config) enum Condition {
    Start,
    Complete,
    Success,
    Healthy,
}

/// A resource limit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Ulimit {
    /// Soft and hard alike.
    Both(i64),
    /// Apart.
    Apart(UlimitTable),
}

/// Soft and hard limit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct UlimitTable {
    /// What the program starts with.
    pub(in crate::config) soft: i64,
    /// What it may raise it to.
    pub(in crate::config) hard: i64,
}

/// A log driver.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct Log {
    /// `awslogs`, `awsfirelens` or `splunk` on Fargate.
    pub(in crate::config) driver: String,
    /// The driver's options.
    #[serde(default)]
    pub(in crate::config) options: BTreeMap<String, String>,
    /// Options whose values are secrets: ARN or parameter name.
    #[serde(default)]
    pub(in crate::config) secret_options: BTreeMap<String, String>,
}

//! Services of deploy.toml, validated: what `plan` and `render` take.

mod capacity;
mod traffic;
mod volume;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use capacity::{FARGATE_PROVIDERS, Launch, Provider};
pub use traffic::{GroupRef, Registry, TargetGroup};
pub use volume::{Efs, Mount, Volume};

use super::image::Platform;

/// An ECS service and the task definition it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// What the file calls it, `[service.KEY]`.
    pub key: String,
    /// Its name on ECS.
    pub name: String,
    /// The task definition's family.
    pub family: String,
    /// What its tasks run on.
    pub launch: Launch,
    /// Fargate platform version, `None` for `LATEST`.
    pub platform_version: Option<String>,
    /// What its images are built for.
    pub platform: Platform,
    /// The team's own task definition in ECS JSON. What the other fields say of one is then what it says.
    pub given: Option<Map<String, Value>>,
    /// ECS JSON merged last into the task definition.
    pub extra: Map<String, Value>,
    /// CPU units.
    pub cpu: Option<u32>,
    /// MiB.
    pub memory: Option<u32>,
    /// GiB, `None` for Fargate's 20.
    pub ephemeral_storage: Option<u32>,
    /// `None`: 1 on creation, untouched afterwards.
    pub desired_count: Option<u32>,
    /// Name or ARN.
    pub execution_role: Option<String>,
    /// Name or ARN.
    pub task_role: Option<String>,
    /// Where the subnets and groups are looked for; `None`: wherever they are.
    pub vpc: Option<Vpc>,
    /// Where its tasks get their addresses.
    pub subnets: Subnets,
    /// `None`: on where a subnet has no NAT.
    pub assign_public_ip: Option<bool>,
    /// Who may come in.
    pub security: Security,
    /// How a rollout goes.
    pub deployment: Deployment,
    /// Seconds.
    pub health_check_grace_period: Option<u32>,
    /// Target groups; `None` leaves those that it has.
    pub target_groups: Option<Vec<TargetGroup>>,
    /// Service registries; `None` leaves those that it has.
    pub registries: Option<Vec<Registry>>,
    /// Whether ECS Exec is on; `None` leaves it.
    pub exec: Option<bool>,
    /// `SERVICE`, `TASK_DEFINITION` or `NONE`; `None`: `SERVICE` on creation, untouched afterwards.
    pub propagate_tags: Option<&'static str>,
    /// Whether ECS keeps zones equal; `None` leaves it.
    pub zone_rebalancing: Option<bool>,
    /// Log group of the containers that have no log driver of their own.
    pub log_group: LogGroup,
    /// Of the service and its task definition.
    pub tags: BTreeMap<String, String>,
    /// In the order of the file.
    pub volumes: Vec<Volume>,
    /// In the order of the file.
    pub containers: Vec<Container>,
}

impl Service {
    /// A service whose containers all log elsewhere needs no group.
    #[must_use]
    pub fn uses_log_group(&self) -> bool {
        self.given.is_none() && self.containers.iter().any(|container| container.log.is_none())
    }
}

/// Which subnets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subnets {
    /// The default ones of the default VPC.
    Default,
    /// All of the VPC that the file names.
    All,
    /// By ID (`subnet-…`) or name (the tag `Name`).
    Listed(Vec<String>),
    /// Those that carry all of these tags.
    Tagged(BTreeMap<String, String>),
}

/// A VPC that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vpc {
    /// `vpc-…`
    Id(String),
    /// By the tag `Name`.
    Name(String),
    /// One that carries all of these tags.
    Tagged(BTreeMap<String, String>),
}

/// Which security groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// None named: the VPC's default group.
    Default,
    /// One that the file declares.
    Own(SecurityGroup),
    /// Existing ones, by ID (`sg-…`) or name.
    Existing(Vec<String>),
    /// Those that carry all of these tags.
    Tagged(BTreeMap<String, String>),
}

/// A security group that the file declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Unique in its VPC.
    pub name: String,
    /// Cannot be changed once created.
    pub description: String,
    /// Who may come in.
    pub ingress: Vec<Ingress>,
}

/// One ingress rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ingress {
    /// `tcp`, `udp`.
    pub protocol: &'static str,
    /// First and last port.
    pub ports: (u16, u16),
    /// From where.
    pub source: Source,
    /// Shown in the console.
    pub description: Option<String>,
}

/// Where traffic comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An IPv4 block.
    Ipv4(String),
    /// An IPv6 block.
    Ipv6(String),
    /// Members of a security group.
    Group(String),
}

/// How a rollout goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Percent of the desired count, where the file says so.
    pub minimum_healthy_percent: Option<u32>,
    /// Percent of the desired count, where the file says so.
    pub maximum_percent: Option<u32>,
    /// When ECS stops a rollout whose tasks fail, where the file says so.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Alarms that stop a rollout, where the file says so.
    pub alarms: Option<Alarms>,
    /// Minutes for which the alarms are watched at the end, where the file says so.
    pub bake_minutes: Option<u32>,
    /// How long to wait for the rollout.
    pub timeout: std::time::Duration,
    /// How often tasks may die alike before the rollout is stopped; `None` never stops it.
    pub crash_limit: Option<u32>,
}

/// CloudWatch alarms that stop a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarms {
    /// With none, no alarm is watched.
    pub names: Vec<String>,
    /// Whether ECS then rolls back.
    pub rollback: bool,
}

/// The deployment circuit breaker, as far as the file speaks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// Whether it watches.
    pub enable: bool,
    /// Whether ECS then rolls back.
    pub rollback: bool,
    /// At how many failed tasks.
    pub threshold: Option<Threshold>,
    /// Whether a task that becomes healthy sets the count back to 0.
    pub reset_on_healthy_task: Option<bool>,
}

/// How many failed tasks trip the circuit breaker.
/// Source: Amazon ECS API Reference, ThresholdConfiguration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// So many.
    Count(u32),
    /// Percent of the desired count, at least 3 and at most 200.
    Percent(u32),
    /// Percent of the desired count.
    UnboundedPercent(u32),
}

/// A CloudWatch log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// `/ecs/KEY`, or `/ecs/KEY-ENVIRONMENT`, unless said otherwise.
    pub name: String,
    /// One of the values that CloudWatch Logs allows; left out: 30 on creation, untouched afterwards.
    pub retention_days: Option<u32>,
}

/// A container of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Unique in the task.
    pub name: String,
    /// What it runs.
    pub image: ContainerImage,
    /// What it listens on.
    pub ports: Vec<Port>,
    /// Whether the task stops with it.
    pub essential: bool,
    /// CPU units.
    pub cpu: Option<u32>,
    /// Hard limit in MiB.
    pub memory: Option<u32>,
    /// Soft limit in MiB.
    pub memory_reservation: Option<u32>,
    /// Overrides the image's.
    pub entrypoint: Option<Vec<String>>,
    /// Overrides the image's.
    pub command: Option<Vec<String>>,
    /// Plain values.
    pub environment: BTreeMap<String, String>,
    /// Name to `valueFrom`.
    pub secrets: BTreeMap<String, String>,
    /// Its health check.
    pub health_check: Option<HealthCheck>,
    /// Other containers and what it waits for.
    pub depends_on: BTreeMap<String, &'static str>,
    /// User it runs as.
    pub user: Option<String>,
    /// Working directory.
    pub working_directory: Option<String>,
    /// Root file system read-only; `None` leaves ECS's default.
    pub read_only_root: Option<bool>,
    /// Name, soft, hard.
    pub ulimits: Vec<(String, i64, i64)>,
    /// Seconds.
    pub stop_timeout: Option<u32>,
    /// An init process as PID 1.
    pub init: Option<bool>,
    /// Where it sees the volumes of the task.
    pub mounts: Vec<Mount>,
    /// Docker labels.
    pub labels: BTreeMap<String, String>,
    /// `None`: the service's log group.
    pub log: Option<Log>,
    /// ECS JSON merged last into the container definition.
    pub extra: Map<String, Value>,
}

impl Container {
    /// A container of which nothing more is said.
    #[must_use]
    pub fn new(name: &str, image: ContainerImage) -> Self {
        Self {
            name: name.to_owned(),
            image,
            ports: Vec::new(),
            essential: true,
            cpu: None,
            memory: None,
            memory_reservation: None,
            entrypoint: None,
            command: None,
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            health_check: None,
            depends_on: BTreeMap::new(),
            user: None,
            working_directory: None,
            read_only_root: None,
            ulimits: Vec::new(),
            stop_timeout: None,
            init: None,
            mounts: Vec::new(),
            labels: BTreeMap::new(),
            log: None,
            extra: Map::new(),
        }
    }
}

/// What a container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerImage {
    /// An image that the file builds, by its key.
    Built(String),
    /// A reference, taken as it is.
    Reference(String),
}

/// A port mapping; under awsvpc the host's port is the container's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The number.
    pub number: u16,
    /// `tcp`, `udp`.
    pub protocol: &'static str,
    /// For Service Connect.
    pub name: Option<String>,
}

/// A container's health check, times in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Begins with `CMD` or `CMD-SHELL`.
    pub command: Vec<String>,
    /// Between two checks.
    pub interval: Option<u32>,
    /// Of one check.
    pub timeout: Option<u32>,
    /// In a row.
    pub retries: Option<u32>,
    /// After the start.
    pub start_period: Option<u32>,
}

/// A log driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `awslogs` and others.
    pub driver: String,
    /// Its options.
    pub options: BTreeMap<String, String>,
    /// Options by `valueFrom`.
    pub secret_options: BTreeMap<String, String>,
}

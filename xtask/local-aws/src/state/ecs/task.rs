//! A task and its containers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::balance::{Balancer, Registration};
use super::container::Dependency;
use super::stop::Stop;
use super::tags::Tag;
use crate::engine::Health;

/// `Task.lastStatus` (documented: "Task lifecycle").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Last {
    /// Its network interface is made.
    Provisioning,
    /// Images are pulled, containers started.
    Pending,
    /// Containers run, health and ports are awaited. Not used: a local task is RUNNING when its containers are.
    Activating,
    /// It runs.
    Running,
    /// It is taken out of the routes: no new connection reaches it.
    Deactivating,
    /// Containers get the stop signal.
    Stopping,
    /// Its network interface is removed.
    Deprovisioning,
    /// It is over.
    Stopped,
}

/// What a container's health check says, in ECS's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthStatus {
    /// No check, or no verdict yet.
    #[default]
    Unknown,
    /// Passed.
    Healthy,
    /// Failed too often.
    Unhealthy,
}

impl From<Health> for HealthStatus {
    fn from(health: Health) -> Self {
        match health {
            Health::Starting => Self::Unknown,
            Health::Healthy => Self::Healthy,
            Health::Unhealthy => Self::Unhealthy,
        }
    }
}

/// How far a container is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ContainerStatus {
    /// Its image is not there yet.
    #[default]
    Pending,
    /// Its image is there; described as `PENDING`.
    Pulled,
    /// It runs.
    Running,
    /// It ended, or never will run.
    Stopped,
}

/// A container of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// The last part of its ARN.
    pub arn_id: String,
    /// Name in the definition.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Whether the task stops with it.
    pub essential: bool,
    /// Whether it has a health check.
    pub checked: bool,
    /// What it waits for before it starts.
    #[serde(default)]
    pub depends_on: Vec<Dependency>,
    /// How long others wait for it, seconds.
    #[serde(default)]
    pub start_timeout: Option<u32>,
    /// When it started.
    #[serde(default)]
    pub started_at: Option<f64>,
    /// CPU units.
    pub cpu: u32,
    /// MiB.
    pub memory: Option<u32>,
    /// MiB.
    pub memory_reservation: Option<u32>,
    /// `sha256:…`.
    pub digest: Option<String>,
    /// The engine's ID.
    pub runtime_id: Option<String>,
    /// How far it is.
    pub status: ContainerStatus,
    /// When it ended by itself or was stopped.
    pub exit_code: Option<i64>,
    /// Why it failed.
    pub reason: Option<String>,
    /// Health.
    pub health: HealthStatus,
}

/// The task's network interface. The address is from the subnet as on AWS, though nothing listens there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// UUID.
    pub attachment: String,
    /// `eni-…`.
    pub id: String,
    /// Subnet.
    pub subnet: String,
    /// `02:…`.
    pub mac: String,
    /// Security group IDs that were asked for; none is the VPC's default group.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Private IPv4 address.
    pub address: String,
    /// Public IPv4 address, if one was asked for: a stand-in that nothing listens at.
    #[serde(default)]
    pub public: Option<String>,
    /// Availability zone of the subnet.
    pub zone: String,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// 32 hex digits.
    pub id: String,
    /// Cluster name.
    pub cluster: String,
    /// `family:revision`.
    pub definition: String,
    /// `service:NAME` or `family:NAME`.
    pub group: String,
    /// The service, if it belongs to one.
    pub service: Option<String>,
    /// `ecs-svc/…` of the deployment, or what `RunTask` was given.
    pub started_by: Option<String>,
    /// Status.
    pub last: Last,
    /// Set once it is to stop.
    pub stop: Option<Stop>,
    /// Containers in order of the definition.
    pub containers: Vec<Container>,
    /// Interface, under awsvpc.
    pub interface: Option<Interface>,
    /// The holder container on the engine.
    pub holder: Option<String>,
    /// Where the host reaches its ports.
    pub published: BTreeMap<u16, SocketAddr>,
    /// The target groups that it is, or was, in.
    #[serde(default)]
    pub balancers: Vec<Balancer>,
    /// Its ports accepted a connection, or it ran long enough.
    pub ready: bool,
    /// Whether its failure was counted already.
    pub counted: bool,
    /// It was healthy once.
    pub was_healthy: bool,
    /// CPU units.
    pub cpu: Option<u32>,
    /// MiB.
    pub memory: Option<u32>,
    /// Members that are described as they were given: launch type, platform version, overrides, …
    pub body: Map<String, Value>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// When it was asked for; seconds since 1970, as all of these.
    pub created_at: f64,
    /// First pull.
    pub pull_started_at: Option<f64>,
    /// Last pull.
    pub pull_stopped_at: Option<f64>,
    /// RUNNING.
    pub started_at: Option<f64>,
    /// Told to stop.
    pub stopping_at: Option<f64>,
    /// An essential container ended.
    pub execution_stopped_at: Option<f64>,
    /// STOPPED.
    pub stopped_at: Option<f64>,
    /// Grows with each change (documented: `Task.version`).
    pub version: u64,
}

impl Task {
    /// Whether it is to run.
    pub fn wanted(&self) -> bool {
        self.stop.is_none()
    }

    /// `healthStatus`: that of the essential containers, which is not known of one without a check (documented:
    /// `HealthCheck`, with examples).
    pub fn described_health(&self) -> HealthStatus {
        match self.health() {
            HealthStatus::Healthy if self.containers.iter().any(|c| c.essential && !c.checked) => {
                HealthStatus::Unknown
            }
            health => health,
        }
    }

    /// What the service scheduler goes by: healthy if all essential containers that have a check are, unhealthy if one
    /// is (documented: `DeploymentConfiguration.minimumHealthyPercent`).
    pub fn health(&self) -> HealthStatus {
        let checked = || self.containers.iter().filter(|c| c.essential && c.checked).map(|c| c.health);
        if checked().any(|h| h == HealthStatus::Unhealthy) {
            HealthStatus::Unhealthy
        } else if checked().next().is_some() && checked().all(|h| h == HealthStatus::Healthy) {
            HealthStatus::Healthy
        } else {
            HealthStatus::Unknown
        }
    }

    /// Whether it has a health check at all.
    pub fn has_check(&self) -> bool {
        self.containers.iter().any(|c| c.essential && c.checked)
    }

    /// Whether it counts towards the minimum healthy percent (documented:
    /// `DeploymentConfiguration.minimumHealthyPercent`): with a health check once it passed, without
    /// one some time after RUNNING, which here ends early when its ports accept connections; behind a
    /// target group once it is healthy there.
    pub fn is_healthy(&self) -> bool {
        self.wanted()
            && self.last == Last::Running
            && self.ready
            && (!self.has_check() || self.health() == HealthStatus::Healthy)
            && self.balancers.iter().all(|balancer| balancer.state == Registration::Healthy)
    }

    /// Not running yet.
    pub fn is_pending(&self) -> bool {
        matches!(self.last, Last::Provisioning | Last::Pending | Last::Activating)
    }

    /// The container of this name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|c| c.name == name)
    }
}

/// AWS leaves absent members out.
pub fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, v| !v.is_null());
    }
    value
}

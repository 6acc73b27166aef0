//! State of ECS: clusters, task definitions, services with their deployments,
//! and tasks.
//!
//! Words: the *desired* state is what the API asked for, the *observed* one
//! what the engine told. `reconcile` moves services towards the desired state
//! by creating and stopping tasks; each task then says what it needs next
//! ([`steps`]). Nothing here knows a clock, HTTP or Docker: time is
//! passed in, and what is to be done is returned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::ids::Ids;
use crate::state::elb::Elb;

pub mod bake;
pub mod balance;
pub mod breaker;
mod capacity;
pub mod cluster;
pub mod container;
pub mod create;
pub mod definition;
mod dependency;
pub mod deployment;
mod describe;
pub mod event;
mod failure;
mod fargate;
pub mod launch;
pub mod network;
pub mod plan;
pub mod reference;
mod rollout;
pub mod rules;
pub mod service;
pub mod steps;
pub mod stop;
mod supported;
pub mod tags;
pub mod task;
pub mod transition;
pub mod update;
mod validate;

#[cfg(test)]
mod tests;

pub use reference::Place;

use cluster::Cluster;
use definition::Family;
use rules::Rules;
use service::Service;
use task::Task;

/// Stopped tasks, deleted services and finished service deployments are described for about an hour
/// (documented for tasks: `DescribeTasks`, "Stopped tasks appear … for at least one hour").
pub const RETENTION: f64 = 3600.0;

/// How long things take that take minutes on AWS. Every value is a scaled-down stand-in (assumed).
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// A running task without a port and without a health check counts as healthy after this (40 s on
    /// AWS; documented: `DeploymentConfiguration.minimumHealthyPercent`).
    pub settle: f64,
    /// A running task whose ports accept no connection counts as healthy after this anyway, for the
    /// same reason.
    pub port_wait: f64,
    /// Wait after the first failed start; doubles with each further one (documented: "Service
    /// throttle logic").
    pub throttle: f64,
    /// The longest such wait (15 minutes on AWS).
    pub throttle_max: f64,
    /// Seconds here of a second between two health checks of a target group.
    pub target_check: f64,
    /// How long alarms are watched after the steady state (documented: computed from the alarms, less than five minutes).
    pub bake: f64,
    /// A minute of a bake time that is configured.
    pub bake_minute: f64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            settle: 1.0,
            port_wait: 10.0,
            throttle: 0.5,
            throttle_max: 15.0,
            target_check: 0.1,
            bake: 2.0,
            bake_minute: 1.0,
        }
    }
}

/// Everything ECS knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ecs {
    /// Account and region.
    pub place: Place,
    /// New identifiers.
    pub ids: Ids,
    /// By name; deleted ones stay, `INACTIVE`.
    pub clusters: BTreeMap<String, Cluster>,
    /// By family.
    pub families: BTreeMap<String, Family>,
    /// By `cluster/name`.
    pub services: BTreeMap<String, Service>,
    /// By task ID.
    pub tasks: BTreeMap<String, Task>,
    /// Subnets that a network configuration named, as EC2 told them.
    #[serde(default)]
    pub subnets: BTreeMap<String, network::Subnet>,
    /// Target groups: what they say of a task is part of its health.
    #[serde(default)]
    pub elb: Elb,
    /// Not state, but policy.
    #[serde(skip)]
    pub timing: Timing,
    /// The same for what nobody documents.
    #[serde(skip)]
    pub rules: Rules,
    /// Grows with every change, so that one who saves knows when to.
    #[serde(skip)]
    pub generation: u64,
    /// The generation that the last round left as it was, and until when time alone changes nothing.
    #[serde(skip)]
    quiet: Option<(u64, f64)>,
}

impl Ecs {
    /// An account that never used ECS.
    pub fn new(place: Place, ids: Ids) -> Self {
        Self {
            place,
            ids,
            clusters: BTreeMap::new(),
            families: BTreeMap::new(),
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            subnets: BTreeMap::new(),
            elb: Elb::default(),
            timing: Timing::default(),
            rules: Rules::default(),
            generation: 0,
            quiet: None,
        }
    }

    /// The service of this name in an active cluster, deleted ones included.
    pub fn service(&self, cluster: &str, name: &str) -> Option<&Service> {
        self.services.get(&service_key(cluster, name))
    }

    /// The service, which must exist.
    pub fn service_mut(&mut self, cluster: &str, name: &str) -> Result<&mut Service, ApiError> {
        self.services
            .get_mut(&service_key(cluster, name))
            .ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))
    }

    /// The tasks of a service.
    pub fn tasks_of<'a>(&'a self, cluster: &'a str, service: &'a str) -> impl Iterator<Item = &'a Task> {
        self.tasks.values().filter(move |t| t.cluster == cluster && t.service.as_deref() == Some(service))
    }

    /// Brings every service closer to what is desired, and forgets what is older than the retention.
    pub fn reconcile(&mut self, now: f64) {
        self.forget(now);
        if self.quiet.is_some_and(|(generation, until)| generation == self.generation && now < until) {
            return;
        }
        let before = self.generation;
        let keys: Vec<String> = self.services.keys().cloned().collect();
        for key in keys {
            rollout::reconcile(self, &key, now);
        }
        let until = || steps::next_deadline(self, now).unwrap_or(f64::INFINITY);
        self.quiet = (before == self.generation).then(|| (before, until()));
    }

    fn forget(&mut self, now: f64) {
        let old = |at: Option<f64>| at.is_some_and(|at| now - at > RETENTION);
        let before = (self.tasks.len(), self.services.len());
        self.tasks.retain(|_, task| !old(task.stopped_at));
        self.services.retain(|_, service| !old(service.deleted_at));
        if before != (self.tasks.len(), self.services.len()) {
            self.touch();
        }
    }

    /// Notes that something changed.
    pub fn touch(&mut self) {
        self.generation += 1;
    }
}

/// How services are keyed: names are unique within a cluster (documented: `CreateService.serviceName`).
pub fn service_key(cluster: &str, name: &str) -> String {
    format!("{cluster}/{name}")
}

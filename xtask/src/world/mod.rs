//! What is there now: everything that `plan` needs to know, read in as few round
//! trips as the calls' dependencies allow. Nothing here changes anything.

mod ecr;
mod groups;
mod logs;
mod network;
mod service;
mod targets;

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;
use tokio::try_join;

use crate::aws::Aws;
use crate::config::Config;
use crate::error::Result;
use crate::event::Events;
use crate::push::RegistryAuth;

pub use ecr::{registry, tagged};
pub(crate) use groups::groups_of;
pub use logs::LogGroup;
pub(crate) use network::place_of;
pub use network::{Network, Rule, SecurityGroup, Subnet};
pub use service::{CurrentService, current, task_definition};

/// A snapshot of the account, as far as deploy.toml speaks of it.
#[derive(Clone, Debug)]
pub struct World {
    /// When the last of it was read.
    pub at: Instant,
    /// 12 digits.
    pub account: String,
    /// How to log in to the registry.
    pub registry: RegistryAuth,
    /// Repository name to its URI, of those that exist.
    pub repositories: BTreeMap<String, String>,
    /// Whether the cluster is there and active.
    pub cluster_active: bool,
    /// The capacity providers that the cluster may use.
    pub cluster_providers: Vec<String>,
    /// By name, those that exist.
    pub log_groups: BTreeMap<String, LogGroup>,
    /// Service name to where its tasks go.
    pub networks: BTreeMap<String, Network>,
    /// Target group name to its ARN, of those that exist.
    pub target_groups: BTreeMap<String, String>,
    /// Service name to the service, of those that exist and are active.
    pub services: BTreeMap<String, CurrentService>,
    /// Family to its newest active task definition, as ECS JSON, of those that exist.
    pub families: BTreeMap<String, Value>,
}

/// Reads it all, independent calls at once.
///
/// # Errors
/// A call failed, or the file names a network that is not there.
pub async fn read(aws: &Aws, config: &Config, events: &Events) -> Result<World> {
    let (registry, repositories, log_groups, networks, target_groups, found) = try_join!(
        ecr::registry(aws),
        ecr::repositories(aws, config),
        logs::groups(aws, config, events),
        network::networks(aws, config, events),
        targets::groups(aws, config),
        service::read(aws, config),
    )?;
    let (account, registry) = registry;
    let service::Found { cluster, services, families } = found;
    Ok(World {
        at: Instant::now(),
        account,
        registry,
        repositories,
        cluster_active: cluster.is_some(),
        cluster_providers: cluster.unwrap_or_default(),
        log_groups,
        networks,
        target_groups,
        services,
        families,
    })
}

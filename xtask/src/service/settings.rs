//! Settings of a service beside its task definition, network and count: what the file declares of them, in
//! ECS's types, and what of it differs. A setting that the file leaves out is nobody's to change. Pure.

use aws_sdk_ecs::types::{
    AvailabilityZoneRebalancing, CapacityProviderStrategyItem, LaunchType, LoadBalancer, PropagateTags,
    Service, ServiceRegistry,
};

use super::decide::count;
use crate::config::service::{self as config, Launch, Provider, Registry};
use crate::ensure::Network;
use crate::plan::Target;

/// Members of CreateService and UpdateService; `None` is not sent. An empty list takes away what is there.
/// Source: Amazon ECS API Reference, UpdateService.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `capacityProviderStrategy`; empty goes back to the launch type.
    pub providers: Option<Vec<CapacityProviderStrategyItem>>,
    /// `loadBalancers`.
    pub balancers: Option<Vec<LoadBalancer>>,
    /// `serviceRegistries`.
    pub registries: Option<Vec<ServiceRegistry>>,
    /// `enableExecuteCommand`.
    pub exec: Option<bool>,
    /// `propagateTags`.
    pub propagate_tags: Option<PropagateTags>,
    /// `availabilityZoneRebalancing`.
    pub rebalancing: Option<AvailabilityZoneRebalancing>,
}

impl Settings {
    /// What the file declares.
    pub(super) fn declared(wanted: &config::Service, network: &Network) -> Self {
        let providers = match &wanted.launch {
            Launch::Unsaid => None,
            Launch::Fargate | Launch::Ec2 => Some(Vec::new()),
            Launch::Providers(providers) => Some(providers.iter().filter_map(provider).collect()),
        };
        let switch = |on| {
            if on { AvailabilityZoneRebalancing::Enabled } else { AvailabilityZoneRebalancing::Disabled }
        };
        Self {
            providers,
            balancers: network.target_groups.as_ref().map(|targets| targets.iter().map(balancer).collect()),
            registries: wanted.registries.as_ref().map(|all| all.iter().map(registry).collect()),
            exec: wanted.exec,
            propagate_tags: wanted.propagate_tags.map(PropagateTags::from),
            rebalancing: wanted.zone_rebalancing.map(switch),
        }
    }

    /// What of it is not so yet. Lists have no order.
    pub(super) fn differing(self, now: &Service) -> Self {
        let propagated = now.propagate_tags().cloned().unwrap_or(PropagateTags::None);
        Self {
            providers: self.providers.filter(|wanted| differ(wanted, now.capacity_provider_strategy())),
            balancers: self.balancers.filter(|wanted| differ(wanted, now.load_balancers())),
            registries: self.registries.filter(|wanted| differ(wanted, now.service_registries())),
            exec: self.exec.filter(|wanted| *wanted != now.enable_execute_command()),
            propagate_tags: self.propagate_tags.filter(|wanted| *wanted != propagated),
            rebalancing: self
                .rebalancing
                .filter(|wanted| now.availability_zone_rebalancing() != Some(wanted)),
        }
    }

    /// Whether ECS replaces tasks for it. It would not for another strategy, but asks for it to be forced (observed:
    /// pipe-cd/pipecd#6385, "you must force a new deployment").
    #[must_use]
    pub fn starts_deployment(&self) -> bool {
        self.providers.is_some() || self.balancers.is_some() || self.registries.is_some()
    }

    /// In the words of deploy.toml.
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> {
        let named = [
            (self.providers.is_some(), "capacity providers"),
            (self.balancers.is_some(), "target groups"),
            (self.registries.is_some(), "service registries"),
            (self.exec.is_some(), "exec"),
            (self.propagate_tags.is_some(), "propagated tags"),
            (self.rebalancing.is_some(), "availability zone rebalancing"),
        ];
        named.into_iter().filter(|(differs, _)| *differs).map(|(_, word)| word)
    }
}

/// The launch type to create a service with; none beside capacity providers.
pub(super) const fn launch_type(launch: &Launch) -> Option<LaunchType> {
    match launch {
        Launch::Unsaid | Launch::Fargate => Some(LaunchType::Fargate),
        Launch::Ec2 => Some(LaunchType::Ec2),
        Launch::Providers(_) => None,
    }
}

/// `None` cannot be: the name is there.
fn provider(provider: &Provider) -> Option<CapacityProviderStrategyItem> {
    let item = CapacityProviderStrategyItem::builder().capacity_provider(&provider.name);
    item.weight(count(provider.weight)).base(count(provider.base)).build().ok()
}

fn balancer(target: &Target) -> LoadBalancer {
    LoadBalancer::builder()
        .target_group_arn(&target.arn)
        .container_name(&target.container)
        .container_port(target.port.into())
        .build()
}

fn registry(registry: &Registry) -> ServiceRegistry {
    let (container, port) = registry.target.clone().unzip();
    ServiceRegistry::builder()
        .registry_arn(&registry.arn)
        .set_container_name(container)
        .set_container_port(port.map(i32::from))
        .build()
}

fn differ<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.len() != b.len() || a.iter().any(|one| !b.contains(one))
}

//! Settings of a service beside its task definition, network and count, before and after. Pure.

use aws_sdk_ecs::types::{
    AvailabilityZoneRebalancing, CapacityProviderStrategyItem, LoadBalancer, Service, ServiceRegistry,
};

use super::document::Difference;
use crate::register::short;
use crate::service::Settings;

/// Key by key.
pub(super) fn differences(changes: &Settings, now: &Service) -> Vec<Difference> {
    let list = |key: &str, to: Option<Vec<String>>, from: Vec<String>| {
        let words = |all: Vec<String>| (!all.is_empty()).then(|| all.join(", "));
        to.map(|to| Difference::new(key, words(from), words(to)))
    };
    let one = |key: &str, to: Option<String>, from: Option<String>| {
        to.map(|to| Difference::new(key, from, Some(to)))
    };
    let on =
        |value: &AvailabilityZoneRebalancing| (*value == AvailabilityZoneRebalancing::Enabled).to_string();
    let all = [
        list(
            "capacity-providers",
            changes.providers.as_deref().map(providers),
            providers(now.capacity_provider_strategy()),
        ),
        list("target-groups", changes.balancers.as_deref().map(balancers), balancers(now.load_balancers())),
        list(
            "service-registries",
            changes.registries.as_deref().map(registries),
            registries(now.service_registries()),
        ),
        one("exec", changes.exec.map(|on| on.to_string()), Some(now.enable_execute_command().to_string())),
        one(
            "propagate-tags",
            changes.propagate_tags.as_ref().map(|from| from.as_str().to_lowercase()),
            now.propagate_tags().map(|from| from.as_str().to_lowercase()),
        ),
        one(
            "availability-zone-rebalancing",
            changes.rebalancing.as_ref().map(on),
            now.availability_zone_rebalancing().map(on),
        ),
    ];
    all.into_iter().flatten().collect()
}

fn providers(all: &[CapacityProviderStrategyItem]) -> Vec<String> {
    let words = |one: &CapacityProviderStrategyItem| {
        format!("{} weight {} base {}", one.capacity_provider(), one.weight(), one.base())
    };
    all.iter().map(words).collect()
}

/// `web to app:3000`
fn balancers(all: &[LoadBalancer]) -> Vec<String> {
    let words = |one: &LoadBalancer| {
        // `targetgroup/NAME/ID`
        let name = one.target_group_arn().and_then(|arn| arn.rsplit('/').nth(1)).unwrap_or_default();
        let port = one.container_port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{name} to {}{port}", one.container_name().unwrap_or_default())
    };
    all.iter().map(words).collect()
}

fn registries(all: &[ServiceRegistry]) -> Vec<String> {
    all.iter().map(|one| short(one.registry_arn().unwrap_or_default()).to_owned()).collect()
}

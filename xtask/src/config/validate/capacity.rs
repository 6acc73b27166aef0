//! What tasks run on: launch type or capacity providers, and what each of them rules out.

use std::collections::BTreeSet;

use super::Check;
use crate::config::raw;
use crate::config::service::{Launch, Provider};
use crate::config::source::Path;

pub(super) fn launch(
    check: &mut Check<'_>,
    at: &Path,
    launch_type: Option<raw::LaunchType>,
    providers: Option<Vec<raw::CapacityProvider>>,
) -> Launch {
    let Some(providers) = providers else {
        return match launch_type {
            None => Launch::Unsaid,
            Some(raw::LaunchType::Fargate) => Launch::Fargate,
            Some(raw::LaunchType::Ec2) => Launch::Ec2,
        };
    };
    let at_list = at.at("capacity-providers");
    if launch_type.is_some() {
        // Source: Amazon ECS API Reference, CreateService (`capacityProviderStrategy`).
        let help = "the provider `FARGATE` is what the launch type would be".to_owned();
        check.key(&at_list, "`launch-type` and `capacity-providers` exclude each other", "", [help]);
    }
    let providers: Vec<_> = providers
        .into_iter()
        .enumerate()
        .filter_map(|(index, table)| provider(check, &at_list.at(index), table))
        .collect();
    strategy(check, &at_list, &providers);
    Launch::Providers(providers)
}

/// Ranges: Amazon ECS API Reference, CapacityProviderStrategyItem. A weight of 1 is the console's default; the
/// API's is 0, with which a single provider gets no task.
fn provider(check: &mut Check<'_>, at: &Path, table: raw::CapacityProvider) -> Option<Provider> {
    let weight = check.integer(&at.at("weight"), table.weight.unwrap_or(1), 0..=1000);
    let base = check.integer(&at.at("base"), table.base.unwrap_or(0), 0..=100_000);
    Some(Provider { name: table.name, weight: weight?, base: base? })
}

/// Source: Amazon ECS API Reference, CreateService (`capacityProviderStrategy`: at most 20) and
/// CapacityProviderStrategyItem (one base; some weight); Amazon ECS Developer Guide, "Amazon ECS capacity
/// providers" (one kind).
fn strategy(check: &mut Check<'_>, at: &Path, providers: &[Provider]) {
    let mut seen = BTreeSet::new();
    for (index, provider) in providers.iter().enumerate() {
        if !seen.insert(&provider.name) {
            check.value(&at.at(index).at("name"), format!("`{}` is named twice", provider.name), "", []);
        }
    }
    if providers.is_empty() || providers.len() > 20 {
        check.value(at, "a strategy has 1 to 20 capacity providers", "", []);
        return;
    }
    if let Some((index, _)) = providers.iter().enumerate().filter(|(_, one)| one.base > 0).nth(1) {
        check.value(&at.at(index).at("base"), "only one capacity provider can have a base", "", []);
    }
    if providers.iter().all(|provider| provider.weight == 0) {
        let help = "give one of them a `weight` of at least 1".to_owned();
        check.value(at, "no capacity provider has a weight", "", [help]);
    }
    let fargate = providers.iter().filter(|provider| provider.is_fargate()).count();
    if fargate != 0 && fargate != providers.len() {
        let help = "either `FARGATE` and `FARGATE_SPOT`, or Auto Scaling groups".to_owned();
        check.value(at, "the capacity providers are of two kinds", "", [help]);
    }
}

/// Keys that only Fargate knows.
/// Source: Amazon ECS API Reference, CreateService (`platformVersion`), AwsVpcConfiguration (`assignPublicIp`),
/// EphemeralStorage.
pub(super) fn only_on_fargate(check: &mut Check<'_>, at: &Path, table: &raw::Service, launch: &Launch) {
    if launch.is_fargate() {
        return;
    }
    let given = [
        ("platform-version", table.platform_version.is_some()),
        ("ephemeral-storage", table.ephemeral_storage.is_some()),
        ("assign-public-ip", table.assign_public_ip == Some(true)),
    ];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        let help = "leave it out: the tasks of this service run on EC2 instances".to_owned();
        check.key(&at.at(key), format!("`{key}` is for Fargate only"), "", [help]);
    }
}

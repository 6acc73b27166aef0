//! The one call that starts it all.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, DeploymentAlarms, DeploymentCircuitBreaker, DeploymentConfiguration,
    NetworkConfiguration, PropagateTags, Service, Tag, ThresholdConfiguration, ThresholdType,
};

use super::decide::{Change, Changes, count};
use super::once;
use super::settings::{Settings, launch_type};
use crate::aws::{Aws, OURS, fault};
use crate::config::{self, service::Threshold};
use crate::ensure::Network;
use crate::error::{Result, bug};
use crate::event::{Done, Events, Phase};
use crate::plan::{SETTINGS_TAG, record};
use crate::register::Registered;

/// Carries out the change; returns the service as the call answered, or `None` if no call was needed.
/// `before` is the service as it was.
///
/// # Errors
/// The call failed.
#[expect(clippy::too_many_arguments, reason = "each is what another step made")]
pub async fn apply(
    aws: &Aws,
    cluster: &str,
    wanted: &config::service::Service,
    before: Option<&Service>,
    change: &Change,
    registered: &Registered,
    network: &Network,
    events: &Events,
) -> Result<Option<Service>> {
    let step = events.start(Phase::Service, wanted.name.as_str());
    let (service, done, message) = match change {
        Change::None => (None, Done::Unchanged, "nothing to change".to_owned()),
        Change::Follow => (None, Done::Unchanged, "nothing to change, a rollout is in progress".to_owned()),
        Change::Create => (
            Some(create(aws, cluster, wanted, registered, network).await?),
            Done::Changed,
            "created".to_owned(),
        ),
        Change::Update(changes) => {
            let only_tags = before.filter(|_| changes.only_tags());
            let service = match only_tags {
                Some(before) => before.clone(),
                None => update(aws, cluster, &wanted.name, before, changes, registered, network).await?,
            };
            let tagged = tag(aws, &service, &changes.tags, events).await?;
            match only_tags {
                Some(_) if !tagged => (None, Done::Unchanged, "nothing to change".to_owned()),
                _ => (Some(service), Done::Changed, format!("updated: {}", changes.words())),
            }
        }
    };
    step.finish(done, message);
    Ok(service)
}

async fn create(
    aws: &Aws,
    cluster: &str,
    wanted: &config::service::Service,
    registered: &Registered,
    network: &Network,
) -> Result<Service> {
    let declared = &wanted.deployment;
    let deployment = DeploymentConfiguration::builder()
        .minimum_healthy_percent(declared.minimum_healthy_percent.map_or(100, count))
        .maximum_percent(declared.maximum_percent.map_or(200, count))
        .deployment_circuit_breaker(breaker(declared.circuit_breaker.as_ref(), None))
        .set_alarms(declared.alarms.as_ref().and_then(|declared| alarms(declared, None)))
        .set_bake_time_in_minutes(declared.bake_minutes.map(count))
        .build();
    let settings = Settings::declared(wanted, network);
    let call = aws
        .ecs
        .create_service()
        .cluster(cluster)
        .service_name(&wanted.name)
        // An answer that is lost is asked for again, not a second service.
        .client_token(token())
        .task_definition(&registered.arn)
        .desired_count(wanted.desired_count.map_or(1, count))
        .set_launch_type(launch_type(&wanted.launch))
        .set_capacity_provider_strategy(settings.providers.filter(|providers| !providers.is_empty()))
        .set_load_balancers(settings.balancers.filter(|balancers| !balancers.is_empty()))
        .set_service_registries(settings.registries.filter(|registries| !registries.is_empty()))
        .set_enable_execute_command(settings.exec)
        .set_availability_zone_rebalancing(settings.rebalancing)
        .set_platform_version(wanted.platform_version.clone())
        .network_configuration(network_configuration(network)?)
        .deployment_configuration(deployment)
        .set_health_check_grace_period_seconds(wanted.health_check_grace_period.map(count))
        .propagate_tags(settings.propagate_tags.unwrap_or(PropagateTags::Service))
        .set_tags(Some(tags(wanted)));
    let mut pause = Duration::from_millis(500);
    loop {
        match call.clone().send().await {
            Ok(answer) => {
                return answer
                    .service()
                    .cloned()
                    .ok_or_else(|| bug("CreateService answered without a service"));
            }
            Err(error) if role_not_there_yet(&error) && pause < Duration::from_secs(20) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => return Err(fault("ecs:CreateService", &wanted.name, error)),
        }
    }
}

/// The first service of a fresh account races the creation of its service-linked role.
/// Source: observed, "Unable to assume the service linked role. Please verify that the ECS
/// service linked role exists."
fn role_not_there_yet<R>(
    error: &aws_smithy_runtime_api::client::result::SdkError<
        aws_sdk_ecs::operation::create_service::CreateServiceError,
        R,
    >,
) -> bool {
    use aws_smithy_types::error::metadata::ProvideErrorMetadata;
    error.message().is_some_and(|message| message.contains("service linked role"))
}

async fn update(
    aws: &Aws,
    cluster: &str,
    name: &str,
    before: Option<&Service>,
    changes: &Changes,
    registered: &Registered,
    network: &Network,
) -> Result<Service> {
    let network = if changes.network { Some(network_configuration(network)?) } else { None };
    let settings = &changes.settings;
    // Another strategy has to be forced: see `Settings::starts_deployment`.
    let forced = changes.force || settings.providers.is_some();
    let call = aws
        .ecs
        .update_service()
        .cluster(cluster)
        .service(name)
        .set_task_definition(changes.task_definition.then(|| registered.arn.clone()))
        .set_network_configuration(network)
        .set_platform_version(changes.platform_version.clone())
        .set_desired_count(changes.desired_count)
        .set_deployment_configuration(changes.deployment.clone())
        .set_health_check_grace_period_seconds(changes.grace_period)
        .set_capacity_provider_strategy(settings.providers.clone())
        .set_load_balancers(settings.balancers.clone())
        .set_service_registries(settings.registries.clone())
        .set_enable_execute_command(settings.exec)
        .set_propagate_tags(settings.propagate_tags.clone())
        .set_availability_zone_rebalancing(settings.rebalancing.clone())
        .set_force_new_deployment(forced.then_some(true));
    once::update(aws, cluster, name, before, call).await
}

/// 32 characters that no other call has.
/// Source: Amazon ECS API Reference, "Ensuring idempotency": at most 36 ASCII characters.
fn token() -> String {
    let random = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// Sets tags; whether they are set. The record of the settings is no reason to fail: nothing runs by it.
async fn tag(aws: &Aws, service: &Service, tags: &[(String, String)], events: &Events) -> Result<bool> {
    if tags.is_empty() {
        return Ok(true);
    }
    let declared = tags.iter().any(|(key, _)| key != SETTINGS_TAG);
    let arn = service.service_arn().unwrap_or_default();
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    match aws.ecs.tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await {
        Ok(_) => Ok(true),
        Err(error) if !declared && fault::denied(&error) => {
            let name = service.service_name().unwrap_or_default();
            events.note(format!(
                "service {name}: without ecs:TagResource it is not recorded what was set, so that what somebody \
                 sets by hand will not be told from what changed in deploy.toml"
            ));
            Ok(false)
        }
        Err(error) => Err(fault("ecs:TagResource", arn, error)),
    }
}

fn network_configuration(network: &Network) -> Result<NetworkConfiguration> {
    let public = if network.assign_public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
    let groups = (!network.security_groups.is_empty()).then(|| network.security_groups.clone());
    let vpc = AwsVpcConfiguration::builder()
        .set_subnets(Some(network.subnets.clone()))
        .set_security_groups(groups)
        .assign_public_ip(public);
    Ok(NetworkConfiguration::builder().awsvpc_configuration(vpc.build().map_err(bug)?).build())
}

/// The circuit breaker that the file declares; on with rollback where it says nothing, since one that only
/// stops leaves a service without tasks. Thresholds that were set by hand stay.
pub(super) fn breaker(
    declared: Option<&config::service::CircuitBreaker>,
    now: Option<&DeploymentCircuitBreaker>,
) -> DeploymentCircuitBreaker {
    let (enable, rollback) = declared.map_or((true, true), |declared| (declared.enable, declared.rollback));
    let mut breaker = now.cloned().unwrap_or_else(|| DeploymentCircuitBreaker::builder().build());
    (breaker.enable, breaker.rollback) = (enable, rollback);
    // What is said to be AWS's default needs no word where AWS answers with none.
    let reset = declared.and_then(|declared| declared.reset_on_healthy_task);
    if reset.is_some_and(|reset| breaker.reset_on_healthy_task.unwrap_or(true) != reset) {
        breaker.reset_on_healthy_task = reset;
    }
    let threshold = declared.and_then(|declared| declared.threshold);
    let default = threshold == Some(Threshold::Percent(50)) && breaker.threshold_configuration.is_none();
    if let Some(threshold) = threshold.filter(|_| !default).and_then(configuration) {
        breaker.threshold_configuration = Some(threshold);
    }
    breaker
}

/// The alarms that the file declares; none where it declares none and there are none.
pub(super) fn alarms(
    declared: &config::service::Alarms,
    now: Option<&DeploymentAlarms>,
) -> Option<DeploymentAlarms> {
    let enable = !declared.names.is_empty();
    if !enable && now.is_none_or(|now| !now.enable()) {
        return now.cloned();
    }
    let mut names = declared.names.clone();
    // The same names in another order are the same alarms.
    let sorted = |names: &[String]| names.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    if let Some(now) = now.filter(|now| sorted(now.alarm_names()) == sorted(&names)) {
        names = now.alarm_names().to_vec();
    }
    let alarms = DeploymentAlarms::builder().set_alarm_names(Some(names));
    alarms.enable(enable).rollback(enable && declared.rollback).build().ok()
}

/// `None` cannot be: both members are there.
fn configuration(threshold: Threshold) -> Option<ThresholdConfiguration> {
    let (kind, value) = match threshold {
        Threshold::Count(value) => (ThresholdType::Count, value),
        Threshold::Percent(value) => (ThresholdType::BoundedPercent, value),
        Threshold::UnboundedPercent(value) => (ThresholdType::UnboundedPercent, value),
    };
    ThresholdConfiguration::builder().r#type(kind).value(count(value)).build().ok()
}

fn tags(wanted: &config::service::Service) -> Vec<Tag> {
    let declared = wanted.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let record = record(wanted);
    let record = Some((SETTINGS_TAG, record.as_str())).filter(|(_, record)| !record.is_empty());
    let all = std::iter::once(OURS).chain(declared).chain(record);
    all.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

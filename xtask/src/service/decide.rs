//! What has to happen to a service. Pure.

use aws_sdk_ecs::types::{Deployment, DeploymentConfiguration, DeploymentRolloutState};

use super::settings::{Settings, launch_type};
use crate::config;
use crate::ensure::Network;
use crate::error::{Error, Kind, Result};
use crate::plan::{SETTINGS_TAG, record};
use crate::register::{Registered, short};
use crate::world::CurrentService;

/// What has to happen to a service.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is not there.
    Create,
    /// Some of its settings differ.
    Update(Box<Changes>),
    /// It is what the file says, and nothing is in progress.
    None,
    /// It is what the file says, and its rollout is still in progress: an earlier run's.
    Follow,
}

/// The settings that differ; only these are sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Another task definition.
    pub task_definition: bool,
    /// Another network.
    pub network: bool,
    /// Another platform version.
    pub platform_version: Option<String>,
    /// Another desired count.
    pub desired_count: Option<i32>,
    /// Another deployment configuration, whole: members that the file leaves out keep their value.
    pub deployment: Option<DeploymentConfiguration>,
    /// Another grace period.
    pub grace_period: Option<i32>,
    /// Other settings.
    pub settings: Settings,
    /// Declared tags that are missing or differ: key and value.
    pub tags: Vec<(String, String)>,
    /// The revision is the same but its last rollout failed, or the user asked for it.
    pub force: bool,
}

impl Changes {
    /// Whether ECS replaces tasks for it; the others are changes in place.
    /// Source: Amazon ECS API Reference, UpdateService.
    #[must_use]
    pub fn starts_deployment(&self) -> bool {
        let revision = self.task_definition || self.network || self.platform_version.is_some();
        revision || self.force || self.settings.starts_deployment()
    }

    /// Whether nothing but tags differs, for which there is a call of its own.
    #[must_use]
    pub fn only_tags(&self) -> bool {
        *self == Self { tags: self.tags.clone(), ..Self::default() }
    }

    /// In the words of deploy.toml.
    #[must_use]
    pub fn words(&self) -> String {
        let named = [
            (self.task_definition, "task definition"),
            (self.network, "network"),
            (self.platform_version.is_some(), "platform version"),
            (self.desired_count.is_some(), "desired count"),
            (self.deployment.is_some(), "deployment settings"),
            (self.grace_period.is_some(), "grace period"),
            (self.tags.iter().any(|(key, _)| key != SETTINGS_TAG), "tags"),
            (self.force, "new deployment forced"),
        ];
        let named = named.iter().filter(|(differs, _)| *differs).map(|(_, word)| *word);
        let named: Vec<_> = named.chain(self.settings.words()).collect();
        if named.is_empty() { "record of its settings".to_owned() } else { named.join(", ") }
    }
}

/// What to do about somebody else's deployment in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflict {
    /// Leave it alone and fail.
    #[default]
    Fail,
    /// Wait until it has ended.
    Wait,
    /// Start ours all the same; ECS then stops theirs.
    Supersede,
}

/// Decides what has to happen. `registered` is the task definition to run, if one is registered
/// that says the same as the file.
///
/// # Errors
/// What the API cannot change ([`Kind::Preflight`]), or somebody else's rollout in progress
/// ([`Kind::Conflict`]).
pub fn decide(
    wanted: &config::service::Service,
    current: Option<&CurrentService>,
    registered: Option<&Registered>,
    network: &Network,
    force: bool,
    conflict: Conflict,
) -> Result<Change> {
    let Some(current) = current else {
        return Ok(Change::Create);
    };
    check_replaceable(wanted, current)?;
    let service = &current.service;
    let primary = service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"));
    let state = primary.and_then(Deployment::rollout_state);
    let same_definition =
        registered.is_some_and(|registered| service.task_definition() == Some(registered.arn.as_str()));
    let failed = state == Some(&DeploymentRolloutState::Failed);
    let in_progress = state == Some(&DeploymentRolloutState::InProgress);
    let changes = Changes {
        task_definition: !same_definition,
        network: network_differs(service, network),
        platform_version: platform_version(wanted, service),
        desired_count: wanted.desired_count.map(count).filter(|count| *count != service.desired_count()),
        deployment: deployment_configuration(wanted, service.deployment_configuration()),
        grace_period: wanted
            .health_check_grace_period
            .map(count)
            .filter(|s| Some(*s) != service.health_check_grace_period_seconds()),
        settings: Settings::declared(wanted, network).differing(service),
        tags: missing_tags(wanted, service),
        force: force || (same_definition && failed),
    };
    if in_progress && changes.starts_deployment() && conflict != Conflict::Supersede {
        return Err(in_the_way(&wanted.name, primary));
    }
    Ok(match changes {
        changes if changes != Changes::default() => Change::Update(Box::new(changes)),
        _ if in_progress || service.running_count() != service.desired_count() => Change::Follow,
        _ => Change::None,
    })
}

/// UpdateService takes no launch type; to capacity providers and back it goes.
/// Source: Amazon ECS API Reference, UpdateService (`capacityProviderStrategy`, valid transitions).
fn check_replaceable(wanted: &config::service::Service, current: &CurrentService) -> Result<()> {
    let (Some(now), Some(next)) = (current.service.launch_type(), launch_type(&wanted.launch)) else {
        return Ok(());
    };
    if *now == next {
        return Ok(());
    }
    let message = format!(
        "`service.{}` runs with launch type {}, which cannot be changed to {}",
        wanted.key,
        now.as_str(),
        next.as_str()
    );
    Err(Error::new(Kind::Preflight, message)
        .hint("give the service another name in deploy.toml, deploy, then delete the old one")
        .hint("or use `capacity-providers`, to which a service can be changed"))
}

fn in_the_way(service: &str, primary: Option<&Deployment>) -> Error {
    let definition = primary.and_then(Deployment::task_definition).map(short).unwrap_or_default();
    Error::new(Kind::Conflict, format!("a rollout of `{definition}` is in progress on service `{service}`"))
        .hint("wait for it: `--on-conflict wait`")
        .hint("or take over: `--on-conflict supersede` starts this one, and ECS stops the other")
}

fn network_differs(service: &aws_sdk_ecs::types::Service, wanted: &Network) -> bool {
    let current = service.network_configuration().and_then(|network| network.awsvpc_configuration());
    let Some(current) = current else { return true };
    let public =
        current.assign_public_ip().map(aws_sdk_ecs::types::AssignPublicIp::as_str) == Some("ENABLED");
    let sorted = |ids: &[String]| {
        let mut ids = ids.to_vec();
        ids.sort();
        ids
    };
    // With no group named, AWS puts the VPC's default one.
    let groups_differ = !wanted.security_groups.is_empty()
        && sorted(current.security_groups()) != sorted(&wanted.security_groups);
    public != wanted.assign_public_ip || sorted(current.subnets()) != sorted(&wanted.subnets) || groups_differ
}

fn missing_tags(
    wanted: &config::service::Service,
    current: &aws_sdk_ecs::types::Service,
) -> Vec<(String, String)> {
    let has = |key: &str, value: &str| {
        current.tags().iter().any(|tag| (tag.key(), tag.value()) == (Some(key), Some(value)))
    };
    let record = Some(record(wanted)).filter(|record| !record.is_empty());
    let record = record.map(|record| (SETTINGS_TAG.to_owned(), record));
    let declared = wanted.tags.iter().map(|(key, value)| (key.clone(), value.clone()));
    declared.chain(record).filter(|(key, value)| !has(key, value)).collect()
}

fn platform_version(
    wanted: &config::service::Service,
    current: &aws_sdk_ecs::types::Service,
) -> Option<String> {
    wanted.platform_version.clone().filter(|version| current.platform_version() != Some(version))
}

/// The whole configuration to send, if what the file declares differs from what is there: all
/// that it leaves out (strategy, bake time, hooks, alarms) stays as it is.
fn deployment_configuration(
    wanted: &config::service::Service,
    current: Option<&DeploymentConfiguration>,
) -> Option<DeploymentConfiguration> {
    let declared = &wanted.deployment;
    let now = current.cloned().unwrap_or_else(|| DeploymentConfiguration::builder().build());
    let mut next = now.clone();
    next.minimum_healthy_percent =
        declared.minimum_healthy_percent.map(count).or(now.minimum_healthy_percent);
    next.maximum_percent = declared.maximum_percent.map(count).or(now.maximum_percent);
    if let Some(declared) = &declared.alarms {
        next.alarms = super::call::alarms(declared, now.alarms.as_ref());
    }
    next.bake_time_in_minutes = declared.bake_minutes.map(count).or(now.bake_time_in_minutes);
    if let Some(declared) = &declared.circuit_breaker {
        let now = now.deployment_circuit_breaker.as_ref();
        next.deployment_circuit_breaker = Some(super::call::breaker(Some(declared), now));
    }
    (next != now).then_some(next)
}

/// Numbers of deploy.toml are small: they were checked against AWS's limits.
pub(super) fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{self as ecs, LaunchType};
    use std::path::Path;

    fn wanted(extra: &str) -> config::service::Service {
        let text = format!(
            "cluster = \"c\"\nimage.server = {{ bin = \"server\" }}\n[service.web]\ncpu = 256\nmemory = 512\n\
             execution-role = \"role\"\n{extra}\ncontainer.app = {{ image = \"server\", port = 80 }}\n"
        );
        config::parse(&text, Path::new("/nowhere")).expect("the file is valid").services.remove(0)
    }

    fn network() -> Network {
        Network {
            subnets: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
            security_groups: vec!["sg-1".to_owned()],
            assign_public_ip: true,
            target_groups: None,
        }
    }

    fn registered() -> Registered {
        Registered { arn: "arn:aws:ecs:r:1:task-definition/web:2".to_owned() }
    }

    /// A steady service with one task that runs `registered()` in `network()`.
    fn steady() -> ecs::builders::ServiceBuilder {
        let vpc = ecs::AwsVpcConfiguration::builder()
            .subnets("subnet-2")
            .subnets("subnet-1")
            .security_groups("sg-1")
            .assign_public_ip(ecs::AssignPublicIp::Enabled);
        let network =
            ecs::NetworkConfiguration::builder().awsvpc_configuration(vpc.build().expect("complete"));
        let breaker = ecs::DeploymentCircuitBreaker::builder().enable(true).rollback(true).build();
        let deployment = DeploymentConfiguration::builder()
            .minimum_healthy_percent(100)
            .maximum_percent(200)
            .deployment_circuit_breaker(breaker);
        let primary =
            Deployment::builder().status("PRIMARY").rollout_state(DeploymentRolloutState::Completed);
        ecs::Service::builder()
            .deployments(primary.build())
            .task_definition(registered().arn)
            .launch_type(LaunchType::Fargate)
            .desired_count(1)
            .running_count(1)
            .network_configuration(network.build())
            .deployment_configuration(deployment.build())
    }

    /// What the last deploy set was what the file says.
    fn decided(extra: &str, service: ecs::builders::ServiceBuilder, force: bool) -> Result<Change> {
        let tag = ecs::Tag::builder().key(SETTINGS_TAG).value(record(&wanted(extra))).build();
        let current = CurrentService { service: service.tags(tag).build(), task_definition: None };
        decide(&wanted(extra), Some(&current), Some(&registered()), &network(), force, Conflict::Fail)
    }

    fn words(change: Result<Change>) -> String {
        match change {
            Ok(Change::Update(changes)) => changes.words(),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.message,
        }
    }

    fn in_state(state: DeploymentRolloutState) -> ecs::builders::ServiceBuilder {
        let primary =
            Deployment::builder().status("PRIMARY").rollout_state(state).task_definition("td/web:1");
        steady().set_deployments(Some(vec![primary.build()]))
    }

    #[test]
    fn what_is_not_there_is_created() {
        let change = decide(&wanted(""), None, Some(&registered()), &network(), false, Conflict::Fail);
        assert_eq!(change.expect("no conflict"), Change::Create);
    }

    #[test]
    fn what_is_as_the_file_says_is_left_alone() {
        assert_eq!(words(decided("", steady(), false)), "None");
        let all = "desired-count = 1\ndeployment = { minimum-healthy-percent = 100, circuit-breaker = true }";
        assert_eq!(words(decided(all, steady(), false)), "None");
    }

    #[test]
    fn what_was_set_is_recorded_where_it_is_not() {
        let current = CurrentService { service: steady().build(), task_definition: None };
        let wanted = wanted("desired-count = 1");
        let change = decide(&wanted, Some(&current), Some(&registered()), &network(), false, Conflict::Fail);
        let Ok(Change::Update(changes)) = change else { panic!("{change:?}") };
        assert!(changes.only_tags() && !changes.starts_deployment());
        assert_eq!(changes.tags, [(SETTINGS_TAG.to_owned(), "desired-count=1".to_owned())]);
        assert_eq!(changes.words(), "record of its settings");
    }

    #[test]
    fn a_count_that_is_not_declared_is_left_alone() {
        assert_eq!(words(decided("", steady().desired_count(7).running_count(7), false)), "None");
    }

    #[test]
    fn only_what_differs_is_sent() {
        assert_eq!(words(decided("desired-count = 3", steady(), false)), "desired count");
        assert_eq!(words(decided("", steady().task_definition("other"), false)), "task definition");
        assert_eq!(
            words(decided("deployment = { maximum-percent = 150 }", steady(), false)),
            "deployment settings"
        );
        let grace = "target-groups = [{ name = \"t\" }]\nhealth-check-grace-period = 9";
        assert_eq!(words(decided(grace, steady(), false)), "grace period");
    }

    #[test]
    fn settings_that_the_file_leaves_out_keep_their_value() {
        let Ok(Change::Update(changes)) = decided("deployment = { maximum-percent = 150 }", steady(), false)
        else {
            panic!("an update")
        };
        let sent = changes.deployment.expect("it is sent");
        assert_eq!((sent.minimum_healthy_percent(), sent.maximum_percent()), (Some(100), Some(150)));
        assert!(
            sent.deployment_circuit_breaker().is_some_and(|breaker| breaker.enable() && breaker.rollback())
        );
    }

    #[test]
    fn a_breaker_is_changed_where_it_is_not_what_the_file_says() {
        let breaker = |words: &str| format!("deployment = {{ circuit-breaker = {words} }}");
        for same in ["true", "{ }", "{ threshold-percent = 50, reset-on-healthy-task = true }"] {
            assert_eq!(words(decided(&breaker(same), steady(), false)), "None", "{same}");
        }
        let sent = |words: &str| match decided(&breaker(words), steady(), false) {
            Ok(Change::Update(changes)) => {
                changes.deployment.and_then(|sent| sent.deployment_circuit_breaker)
            }
            other => panic!("{other:?}"),
        };
        let counted = sent("{ threshold = 5, rollback = false }").expect("it is sent");
        let threshold = counted.threshold_configuration().expect("it has a threshold");
        assert_eq!((threshold.r#type().as_str(), threshold.value()), ("COUNT", 5));
        assert_eq!((counted.enable(), counted.rollback()), (true, false));
        assert!(sent("false").is_some_and(|off| !off.enable() && !off.rollback()));
    }

    #[test]
    fn a_failed_rollout_of_the_same_revision_is_tried_again() {
        assert_eq!(
            words(decided("", in_state(DeploymentRolloutState::Failed), false)),
            "new deployment forced"
        );
        assert_eq!(words(decided("", steady(), true)), "new deployment forced");
    }

    #[test]
    fn a_rollout_of_the_same_revision_is_followed() {
        assert_eq!(words(decided("", in_state(DeploymentRolloutState::InProgress), false)), "Follow");
        assert_eq!(words(decided("", steady().running_count(0), false)), "Follow");
    }

    #[test]
    fn somebody_elses_rollout_is_in_the_way() {
        let service = || in_state(DeploymentRolloutState::InProgress).task_definition("other");
        let error = decided("", service(), false).expect_err("a conflict");
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::Conflict, "a rollout of `web:1` is in progress on service `web`")
        );
        let current = CurrentService { service: service().build(), task_definition: None };
        let change =
            decide(&wanted(""), Some(&current), Some(&registered()), &network(), false, Conflict::Supersede);
        assert_eq!(words(change), "task definition");
    }

    #[test]
    fn what_the_api_cannot_change_is_refused() {
        let error = decided("", steady().launch_type(LaunchType::Ec2), false).expect_err("refused");
        assert_eq!(error.kind, Kind::Preflight);
    }

    fn strategy(name: &str, weight: i32) -> ecs::CapacityProviderStrategyItem {
        let item = ecs::CapacityProviderStrategyItem::builder().capacity_provider(name);
        item.weight(weight).build().expect("it has a name")
    }

    /// A steady service with capacity providers instead of a launch type.
    fn spread() -> ecs::builders::ServiceBuilder {
        let items = vec![strategy("FARGATE", 1), strategy("FARGATE_SPOT", 3)];
        steady().set_launch_type(None).set_capacity_provider_strategy(Some(items))
    }

    #[test]
    fn capacity_providers_are_changed_by_a_new_deployment() {
        let both = "capacity-providers = [{ name = \"FARGATE_SPOT\", weight = 3 }, { name = \"FARGATE\" }]";
        assert_eq!(words(decided(both, spread(), false)), "None", "in any order");
        assert_eq!(words(decided("", spread(), false)), "None", "what is not declared is left alone");
        for (file, now) in [(both, steady()), ("launch-type = \"FARGATE\"", spread())] {
            let Ok(Change::Update(changes)) = decided(file, now, false) else { panic!("an update") };
            assert_eq!(changes.words(), "capacity providers");
            assert!(changes.starts_deployment());
        }
    }

    #[test]
    fn settings_are_sent_where_they_differ() {
        let off = "exec = false\npropagate-tags = \"NONE\"\nservice-registries = []\n";
        assert_eq!(words(decided(off, steady(), false)), "None");
        let on = "task-role = \"r\"\nexec = true\npropagate-tags = \"SERVICE\"\navailability-zone-rebalancing = false\n";
        assert_eq!(
            words(decided(on, steady(), false)),
            "exec, propagated tags, availability zone rebalancing"
        );
        let registry = "service-registries = [{ arn = \"arn:aws:servicediscovery:r:1:service/srv-1\" }]";
        assert_eq!(words(decided(registry, steady(), false)), "service registries");
    }

    #[test]
    fn target_groups_are_compared_whole() {
        let target =
            |port| crate::plan::Target { arn: "arn:t".to_owned(), container: "app".to_owned(), port };
        let balancer = ecs::LoadBalancer::builder().target_group_arn("arn:t").container_name("app");
        let service = || steady().load_balancers(balancer.clone().container_port(80).build());
        let decided = |targets: Option<Vec<crate::plan::Target>>| {
            let current = CurrentService { service: service().build(), task_definition: None };
            let network = Network { target_groups: targets, ..network() };
            words(decide(&wanted(""), Some(&current), Some(&registered()), &network, false, Conflict::Fail))
        };
        assert_eq!(decided(None), "None");
        assert_eq!(decided(Some(vec![target(80)])), "None");
        assert_eq!(decided(Some(vec![target(81)])), "target groups");
        assert_eq!(decided(Some(Vec::new())), "target groups", "taken away");
    }

    #[test]
    fn alarms_and_bake_time_are_deployment_settings() {
        let file = "deployment = { alarms = [\"errors\"], bake-time-minutes = 5 }";
        let Ok(Change::Update(changes)) = decided(file, steady(), false) else { panic!("an update") };
        let sent = changes.deployment.expect("it is sent");
        let alarms = sent.alarms().expect("they are sent");
        assert_eq!(
            (alarms.alarm_names(), alarms.enable(), alarms.rollback()),
            (&["errors".to_owned()][..], true, true)
        );
        assert_eq!(sent.bake_time_in_minutes(), Some(5));
        assert_eq!(words(decided(file, steady().deployment_configuration(sent), false)), "None");
        assert_eq!(words(decided("deployment = { alarms = [] }", steady(), false)), "None", "none are none");
    }
}

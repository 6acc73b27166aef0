//! `CreateService`.

use serde_json::{Map, Value, json};

use super::balance;
use super::breaker::{self, DeploymentConfiguration};
use super::definition::Definition;
use super::deployment::Revision;
use super::launch::is_fargate;
use super::service::{Lifecycle, Service};
use super::tags::{self, Tag};
use super::{Ecs, event, network, service_key, supported};
use crate::error::ApiError;

/// Members that make a revision: a change of one starts a deployment (documented: each one's "This
/// parameter triggers a new service deployment" in `UpdateService`).
pub(super) const REVISION: [&str; 9] = [
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "loadBalancers",
    "serviceRegistries",
    "networkConfiguration",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// Members that change in place (documented: "This parameter doesn't trigger a new service deployment").
pub(super) const IN_PLACE: [&str; 8] = [
    "deploymentConfiguration",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
    "availabilityZoneRebalancing",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "propagateTags",
];

pub(super) fn invalid(why: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", why)
}

/// Takes the named members that are there.
pub(super) fn pick(input: &Map<String, Value>, members: &[&str]) -> Map<String, Value> {
    members.iter().filter_map(|m| input.get(*m).map(|v| ((*m).to_owned(), v.clone()))).collect()
}

impl Ecs {
    /// Creates a service; its cluster and name.
    pub fn create_service(
        &mut self,
        mut input: Map<String, Value>,
        now: f64,
    ) -> Result<(String, String), ApiError> {
        let text =
            |input: &Map<String, Value>, m: &str| input.get(m).and_then(Value::as_str).map(str::to_owned);
        let cluster = self.cluster_name(text(&input, "cluster").as_deref())?;
        let name = text(&input, "serviceName").unwrap_or_default();
        validate_name(&name)?;
        let definition =
            text(&input, "taskDefinition").ok_or_else(|| invalid("Task Definition can not be blank."))?;
        let definition = self.runnable_definition(&definition)?.clone();
        let desired = desired_count(&input)?.ok_or_else(|| {
            invalid("The desired count must be specified for services with the REPLICA scheduling strategy.")
        })?;
        supported::members(&input)?;
        let launch_type = text(&input, "launchType");
        self.place_on_fargate(&cluster, &definition, &mut input)?;
        supported::placement(&input, &input)?;
        network::validate(&definition, &mut input)?;
        self.check_balancers(&definition, &mut input)?;
        balance::check_grace(&input, &input)?;
        let tags: Vec<Tag> = match input.get("tags") {
            Some(tags) => serde_json::from_value(tags.clone()).map_err(|e| invalid(e.to_string()))?,
            None => Vec::new(),
        };
        tags::validate(&tags)?;
        let settings = settings(&input)?;
        let revision = Revision {
            id: self.ids.digits(19),
            definition: definition.name(),
            config: pick(&input, &REVISION).into(),
            created_at: now,
        };
        let key = service_key(&cluster, &name);
        if let Some(there) = self.services.get(&key).filter(|s| !s.is_inactive()) {
            return idempotent(there, &revision, &settings, desired).map(|()| (cluster, name));
        }
        let mut service = Service {
            name: name.clone(),
            cluster: cluster.clone(),
            lifecycle: Lifecycle::Active,
            desired,
            settings: settings.into(),
            deployments: Vec::new(),
            revisions: Vec::new(),
            history: Vec::new(),
            last_completed: None,
            events: Vec::new(),
            tags,
            client_token: text(&input, "clientToken"),
            steady: false,
            failures: 0,
            unstarted: 0,
            retry_at: None,
            baked_at: None,
            hosted: hosted(launch_type.as_deref(), &definition),
            created_at: now,
            deleted_at: None,
        };
        let placed = service.hosted || is_fargate(&input);
        service.deploy(&mut self.ids, &self.rules, revision, now);
        if !placed && desired > 0 {
            service.tell(&mut self.ids, event::no_instances(&name), now);
        }
        self.touch();
        self.services.insert(key, service);
        Ok((cluster, name))
    }
}

/// Who names the launch type EC2 has instances in the cluster: this machine is one of them. Who names none at all
/// gets EC2 too, and finds what an account without instances shows.
fn hosted(launch_type: Option<&str>, definition: &Definition) -> bool {
    launch_type == Some("EC2") && definition.text("networkMode") == Some("awsvpc")
}

/// Creating a service again is fine if it is the same one (observed: both messages, in public clients that
/// match them; that the same values are accepted is assumed from the first).
fn idempotent(
    there: &Service,
    revision: &Revision,
    settings: &Map<String, Value>,
    desired: u64,
) -> Result<(), ApiError> {
    if there.lifecycle == Lifecycle::Draining {
        return Err(invalid("Unable to Start a service that is still Draining."));
    }
    let same = there.current_revision().is_some_and(|r| {
        r.definition == revision.definition && r.config == revision.config && *there.settings == *settings
    });
    if same && there.desired == desired {
        Ok(())
    } else {
        Err(invalid("Creation of service was not idempotent."))
    }
}

/// Documented: `CreateService.serviceName`; observed: badmintoncryer/cdk-preflight, `pf-ecs-service-name`.
fn validate_name(name: &str) -> Result<(), ApiError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 255 || !name.chars().all(fits) {
        return Err(invalid(format!("ServiceName must match ^[a-zA-Z0-9\\-_]{{1,255}}$, but was {name}")));
    }
    Ok(())
}

pub(super) fn desired_count(input: &Map<String, Value>) -> Result<Option<u64>, ApiError> {
    match input.get("desiredCount") {
        None => Ok(None),
        Some(count) => match count.as_u64() {
            Some(count) if count <= 5000 => Ok(Some(count)), // documented: service quotas
            _ => Err(invalid("The desired count must be between 0 and 5000.")),
        },
    }
}

fn settings(input: &Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let mut out = pick(input, &IN_PLACE);
    let configuration = breaker::with_defaults(input.get("deploymentConfiguration"));
    out.insert("deploymentConfiguration".into(), configuration);
    validate_configuration(&out)?;
    out.insert("schedulingStrategy".into(), json!("REPLICA"));
    out.insert("deploymentController".into(), json!({"type": "ECS"}));
    for (member, value) in [
        ("enableECSManagedTags", json!(false)),
        ("enableExecuteCommand", json!(false)),
        ("propagateTags", json!("NONE")),
        ("healthCheckGracePeriodSeconds", json!(0)),
        ("availabilityZoneRebalancing", json!("ENABLED")),
    ] {
        out.entry(member).or_insert(value);
    }
    Ok(out)
}

/// Observed (badmintoncryer/cdk-preflight: `pf-ecs-service-deployment-percent`,
/// `pf-ecs-svc-min-healthy-over-max-percent`).
pub(super) fn validate_configuration(settings: &Map<String, Value>) -> Result<(), ApiError> {
    let raw = settings.get("deploymentConfiguration").cloned().unwrap_or_default();
    let config: DeploymentConfiguration = serde_json::from_value(raw.clone())
        .map_err(|e| invalid(format!("Invalid deploymentConfiguration: {e}")))?;
    if config.maximum_percent == 100 && config.minimum_healthy_percent == 100 {
        return Err(invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    if config.maximum_percent < 100 {
        return Err(invalid("maximumPercent must be at least 100"));
    }
    if config.minimum_healthy_percent > 100 {
        return Err(invalid("minimumHealthyPercent must be at most 100"));
    }
    supported::configuration(&raw, &config)
}

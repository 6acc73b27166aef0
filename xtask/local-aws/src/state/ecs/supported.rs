//! What this control plane does not do is refused, not ignored; and what no deployment may be configured to.

use serde_json::{Map, Value};

use super::breaker::{DeploymentConfiguration, Threshold};
use super::create::invalid;
use super::launch::is_fargate;
use crate::error::ApiError;

type Check = Result<(), ApiError>;

fn unsupported(what: &str) -> Check {
    let why = format!("{what} not supported by the local control plane.");
    Err(ApiError::new("UnsupportedFeatureException", why))
}

/// Members of `CreateService` and `UpdateService`.
pub(super) fn members(input: &Map<String, Value>) -> Check {
    let is = |member: &str, wanted: &str| input.get(member).is_none_or(|value| value == wanted);
    if input.get("deploymentController").is_some_and(|c| c["type"] != "ECS") {
        return unsupported("A deployment controller other than ECS is");
    }
    if !is("schedulingStrategy", "REPLICA") {
        return unsupported("The DAEMON scheduling strategy is");
    }
    if input.get("serviceConnectConfiguration").is_some_and(|c| c["enabled"] == true) {
        return unsupported("Service Connect is");
    }
    let lists = [
        ("serviceRegistries", "Service discovery is"),
        ("volumeConfigurations", "Volumes that are configured at launch are"),
        ("vpcLatticeConfigurations", "VPC Lattice is"),
        ("gatewayConnectors", "Gateway connectors are"),
    ];
    for (member, what) in lists {
        if is_given(input.get(member)) {
            return unsupported(what);
        }
    }
    Ok(())
}

fn is_given(value: Option<&Value>) -> bool {
    value.is_some_and(|v| v.as_array().map_or(!v.is_null(), |list| !list.is_empty()))
}

/// Observed (badmintoncryer/cdk-preflight, `pf-ecs-service-fargate-placement`).
pub(super) fn placement(config: &Map<String, Value>, input: &Map<String, Value>) -> Check {
    let kinds = [("placementConstraints", "constraints"), ("placementStrategy", "strategies")];
    for (member, what) in kinds {
        if is_fargate(config) && is_given(input.get(member)) {
            return Err(invalid(format!("Placement {what} are not supported with FARGATE launch type.")));
        }
    }
    Ok(())
}

/// `deploymentConfiguration`. The messages are assumed.
pub(super) fn configuration(raw: &Value, config: &DeploymentConfiguration) -> Check {
    if raw["strategy"].as_str().is_some_and(|s| s != "ROLLING") {
        return unsupported("A deployment strategy other than ROLLING is");
    }
    if is_given(raw.get("lifecycleHooks")) {
        return unsupported("A lifecycle hook is");
    }
    if raw["earlySuccessCriteria"]["enable"] == true {
        return unsupported("An early success criterion is");
    }
    // Documented: `DeploymentConfiguration`, "only valid when the deployment strategy is …".
    for (member, strategy) in [("linearConfiguration", "LINEAR"), ("canaryConfiguration", "CANARY")] {
        if is_given(raw.get(member)) {
            let why = format!("{member} is only valid when the deployment strategy is {strategy}.");
            return Err(invalid(why));
        }
    }
    // Documented: hashicorp/terraform-provider-aws, `bake_time_in_minutes`.
    if config.bake_time_in_minutes > 1440 {
        return Err(invalid("bakeTimeInMinutes must be between 0 and 1440."));
    }
    if config.alarms.enable && config.alarms.alarm_names.is_empty() {
        return Err(invalid("alarmNames can not be empty when alarms are enabled."));
    }
    threshold(&config.deployment_circuit_breaker.threshold_configuration)
}

/// Percentages documented: "How the Amazon ECS deployment circuit breaker detects failures"; a count of at least one is assumed.
fn threshold(threshold: &Threshold) -> Check {
    let percent = (1..=100).contains(&threshold.value);
    match threshold.kind.as_str() {
        "COUNT" if threshold.value > 0 => Ok(()),
        "COUNT" => Err(invalid("The threshold value must be at least 1.")),
        "BOUNDED_PERCENT" | "UNBOUNDED_PERCENT" if percent => Ok(()),
        "BOUNDED_PERCENT" | "UNBOUNDED_PERCENT" => {
            Err(invalid("The threshold value must be between 1 and 100."))
        }
        kind => Err(invalid(format!("{kind} is no type of a threshold."))),
    }
}

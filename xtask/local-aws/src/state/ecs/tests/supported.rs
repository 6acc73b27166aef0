//! What services are refused.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{Program, World};

fn refusals(member: &str, values: &[Value]) -> String {
    let mut world = World::new();
    let good = world.register(Program::Runs);
    world.create(&good, 1, &json!({}));
    let refused = values.iter().map(|value| match world.update(json!({ member: value })) {
        Ok(()) => "accepted".to_owned(),
        Err(error) => format!("{}: {}", error.code, error.message),
    });
    refused.collect::<Vec<_>>().join("\n")
}

#[test]
fn configurations() {
    let breaker = |kind: &str, value: u64| {
        let threshold = json!({"type": kind, "value": value});
        json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true, "thresholdConfiguration": threshold}})
    };
    let values = [
        json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1}),
        json!({"lifecycleHooks": [{"lifecycleStages": ["POST_SCALE_UP"]}]}),
        json!({"lifecycleHooks": []}),
        json!({"earlySuccessCriteria": {"enable": true, "healthyPercent": 100}}),
        json!({"earlySuccessCriteria": {"enable": false}, "canaryConfiguration": {"canaryPercent": 10}}),
        json!({"earlySuccessCriteria": null, "canaryConfiguration": null, "bakeTimeInMinutes": 1441}),
        json!({"alarms": {"alarmNames": [], "enable": true, "rollback": true}, "bakeTimeInMinutes": 1440}),
        breaker("COUNT", 0),
        breaker("BOUNDED_PERCENT", 101),
        breaker("NONE", 1),
        breaker("UNBOUNDED_PERCENT", 100),
    ];
    assert_snapshot!(refusals("deploymentConfiguration", &values), @r"
    UnsupportedFeatureException: A deployment strategy other than ROLLING is not supported by the local control plane.
    UnsupportedFeatureException: A lifecycle hook is not supported by the local control plane.
    accepted
    UnsupportedFeatureException: An early success criterion is not supported by the local control plane.
    InvalidParameterException: canaryConfiguration is only valid when the deployment strategy is CANARY.
    InvalidParameterException: bakeTimeInMinutes must be between 0 and 1440.
    InvalidParameterException: alarmNames can not be empty when alarms are enabled.
    InvalidParameterException: The threshold value must be at least 1.
    InvalidParameterException: The threshold value must be between 1 and 100.
    InvalidParameterException: NONE is no type of a threshold.
    accepted
    ");
}

#[test]
fn members() {
    let tried = [
        ("deploymentController", [json!({"type": "ECS"}), json!({"type": "EXTERNAL"})]),
        ("placementConstraints", [json!([]), json!([{"type": "distinctInstance"}])]),
        ("placementStrategy", [json!([]), json!([{"type": "random"}])]),
        ("serviceConnectConfiguration", [json!({"enabled": false}), json!({"enabled": true})]),
        ("volumeConfigurations", [json!([]), json!([{"name": "v"}])]),
        ("serviceRegistries", [json!([]), json!([{"registryArn": "arn:r"}])]),
        ("vpcLatticeConfigurations", [json!([]), json!([{"portName": "p"}])]),
    ];
    let answers: Vec<String> = tried.iter().map(|(member, values)| refusals(member, values)).collect();
    assert_snapshot!(answers.join("\n"), @r"
    accepted
    UnsupportedFeatureException: A deployment controller other than ECS is not supported by the local control plane.
    accepted
    InvalidParameterException: Placement constraints are not supported with FARGATE launch type.
    accepted
    InvalidParameterException: Placement strategies are not supported with FARGATE launch type.
    accepted
    UnsupportedFeatureException: Service Connect is not supported by the local control plane.
    accepted
    UnsupportedFeatureException: Volumes that are configured at launch are not supported by the local control plane.
    accepted
    UnsupportedFeatureException: Service discovery is not supported by the local control plane.
    accepted
    UnsupportedFeatureException: VPC Lattice is not supported by the local control plane.
    ");
}

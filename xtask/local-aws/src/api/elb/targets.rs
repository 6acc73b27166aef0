//! Targets: registered, deregistered, and how they are.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::change;
use super::errors::invalid;
use super::groups::find;
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::elb::TargetGroup;
use crate::state::elb::target::Target;

/// Input of `RegisterTargets` and `DeregisterTargets`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Targets {
    target_group_arn: String,
    targets: Vec<Description>,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeTargetHealth {
    target_group_arn: String,
    #[serde(default)]
    targets: Vec<Description>,
}

/// `TargetDescription`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    id: String,
    port: Option<u16>,
    availability_zone: Option<String>,
}

pub(super) fn register(cloud: &Cloud, input: &Targets) -> Result<Value, ApiError> {
    change(cloud, |ecs| {
        let group = find(&ecs.elb, &input.target_group_arn)?;
        let targets = input.targets.iter().map(|given| target(group, given));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        for target in targets {
            // Registering a target again changes nothing (assumed).
            let group = ecs.elb.group(&input.target_group_arn);
            if group.and_then(|group| group.target(&target.id, target.port)).is_none() {
                ecs.elb.register(&input.target_group_arn, target);
            }
        }
        Ok(json!({}))
    })
}

/// The sense of both messages is documented (`RegisterTargets`), their words are assumed.
fn target(group: &TargetGroup, given: &Description) -> Result<Target, ApiError> {
    if group.target_type == "instance" {
        return Err(ApiError::new(
            "InvalidTarget",
            format!(
                "The following targets are not in a running state and cannot be registered: '{}'",
                given.id
            ),
        ));
    }
    if given.id.parse::<Ipv4Addr>().is_err() {
        return Err(invalid(format!("The IP address '{}' is not a valid IPv4 address", given.id)));
    }
    let target = Target::new(given.id.clone(), given.port.unwrap_or(group.port));
    Ok(target.in_zone(given.availability_zone.clone()))
}

/// Nothing is left to drain: it is gone at once (scaled down).
pub(super) fn deregister(cloud: &Cloud, input: &Targets) -> Result<Value, ApiError> {
    change(cloud, |ecs| {
        let port = find(&ecs.elb, &input.target_group_arn)?.port;
        for given in &input.targets {
            ecs.elb.forget(&input.target_group_arn, &given.id, given.port.unwrap_or(port));
        }
        Ok(json!({}))
    })
}

/// Of the targets that were asked for, or of all.
pub(super) fn health(cloud: &Cloud, input: &DescribeTargetHealth) -> Result<Value, ApiError> {
    let ecs = cloud.ecs();
    let group = find(&ecs.elb, &input.target_group_arn)?;
    let asked = input.targets.iter().map(|given| {
        let port = given.port.unwrap_or(group.port);
        group
            .target(&given.id, port)
            .map_or_else(|| absent(group, &given.id, port), |found| render(group, found))
    });
    let all: Vec<Value> = match input.targets.is_empty() {
        true => group.targets.iter().map(|target| render(group, target)).collect(),
        false => asked.collect(),
    };
    Ok(json!({"TargetHealthDescriptions": all}))
}

fn render(group: &TargetGroup, target: &Target) -> Value {
    let reason = target.state.reason();
    json!({
        "Target": {"Id": target.id, "Port": target.port, "AvailabilityZone": target.zone},
        "HealthCheckPort": group.check.port_of(target.port).to_string(),
        "TargetHealth": {
            "State": target.state.word(),
            "Reason": reason.as_ref().map(|(code, _)| code),
            "Description": reason.as_ref().map(|(_, description)| description),
        },
    })
}

/// Documented: "Health checks for your target groups", reason codes.
fn absent(group: &TargetGroup, id: &str, port: u16) -> Value {
    json!({
        "Target": {"Id": id, "Port": port},
        "HealthCheckPort": group.check.port_of(port).to_string(),
        "TargetHealth": {
            "State": "unused",
            "Reason": "Target.NotRegistered",
            "Description": "Target is not registered to the target group",
        },
    })
}

//! Attributes of target groups: kept and told, but for none of them anything is done here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::change;
use super::errors::invalid;
use super::groups::{OneGroup, find, find_mut};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::elb::TargetGroup;

/// What every group has (documented: "Target group attributes", "Edit target group attributes").
const DEFAULTS: [(&str, &str); 3] = [
    ("deregistration_delay.timeout_seconds", "300"),
    ("stickiness.enabled", "false"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
];

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyAttributes {
    target_group_arn: String,
    attributes: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn describe(cloud: &Cloud, input: &OneGroup) -> Result<Value, ApiError> {
    Ok(render(find(&cloud.ecs().elb, &input.target_group_arn)?))
}

pub(super) fn modify(cloud: &Cloud, input: &ModifyAttributes) -> Result<Value, ApiError> {
    let known = |key: &str| {
        let prefixes = ["deregistration_delay.", "stickiness.", "load_balancing.", "slow_start.", "target_"];
        prefixes.iter().any(|prefix| key.starts_with(prefix)) || key == "preserve_client_ip.enabled"
    };
    if let Some(unknown) = input.attributes.iter().find(|attribute| !known(&attribute.key)) {
        let why = format!("Target group attribute key '{}' is not recognized", unknown.key);
        return Err(ApiError::new("InvalidConfigurationRequest", why));
    }
    let delay = input.attributes.iter().find(|a| a.key == "deregistration_delay.timeout_seconds");
    if delay.is_some_and(|delay| !delay.value.parse::<u32>().is_ok_and(|seconds| seconds <= 3600)) {
        return Err(invalid(
            "'deregistration_delay.timeout_seconds' value must be between '0-3600' inclusive",
        ));
    }
    change(cloud, |ecs| {
        let group = find_mut(&mut ecs.elb, &input.target_group_arn)?;
        group.attributes.extend(input.attributes.iter().map(|a| (a.key.clone(), a.value.clone())));
        Ok(render(group))
    })
}

fn render(group: &TargetGroup) -> Value {
    let mut all: BTreeMap<String, String> = DEFAULTS.map(|(key, value)| (key.into(), value.into())).into();
    all.extend(group.attributes.clone());
    let all: Vec<Value> = all.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({"Attributes": all})
}

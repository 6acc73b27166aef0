//! Target groups.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::change;
use super::errors::{
    duplicate, group_not_found, in_use, invalid, load_balancer_not_found, no_arn, unsupported,
};
use super::settings::{Matcher, Settings};
use super::tags::{Tag, checked};
use crate::api::paging::page;
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::elb::check::HealthCheck;
use crate::state::elb::{Elb, TargetGroup};

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateTargetGroup {
    name: String,
    protocol: Option<String>,
    protocol_version: Option<String>,
    port: Option<u16>,
    vpc_id: Option<String>,
    target_type: Option<String>,
    ip_address_type: Option<String>,
    health_check_enabled: Option<bool>,
    health_check_protocol: Option<String>,
    health_check_port: Option<String>,
    health_check_path: Option<String>,
    health_check_interval_seconds: Option<u32>,
    health_check_timeout_seconds: Option<u32>,
    healthy_threshold_count: Option<u32>,
    unhealthy_threshold_count: Option<u32>,
    matcher: Option<Matcher>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyTargetGroup {
    target_group_arn: String,
    health_check_enabled: Option<bool>,
    health_check_protocol: Option<String>,
    health_check_port: Option<String>,
    health_check_path: Option<String>,
    health_check_interval_seconds: Option<u32>,
    health_check_timeout_seconds: Option<u32>,
    healthy_threshold_count: Option<u32>,
    unhealthy_threshold_count: Option<u32>,
    matcher: Option<Matcher>,
}

/// Input of what is about one target group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OneGroup {
    pub(super) target_group_arn: String,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeTargetGroups {
    load_balancer_arn: Option<String>,
    #[serde(default)]
    target_group_arns: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<usize>,
}

/// The group of this ARN.
pub(super) fn find<'a>(elb: &'a Elb, arn: &str) -> Result<&'a TargetGroup, ApiError> {
    if !arn.contains(":targetgroup/") {
        return Err(no_arn(arn));
    }
    elb.group(arn).ok_or_else(group_not_found)
}

/// The same, to change it.
pub(super) fn find_mut<'a>(elb: &'a mut Elb, arn: &str) -> Result<&'a mut TargetGroup, ApiError> {
    find(elb, arn)?;
    elb.group_mut(arn).ok_or_else(group_not_found)
}

/// One that is there with the same settings is the answer too (documented: `CreateTargetGroup` is idempotent).
pub(super) fn create(cloud: &Cloud, input: &CreateTargetGroup) -> Result<Value, ApiError> {
    let mut group = wanted(cloud, input)?;
    change(cloud, |ecs| {
        if let Some(there) = ecs.elb.groups().find(|there| there.name == group.name) {
            let same = there.is_like(&group);
            return if same {
                Ok(json!({"TargetGroups": [render(there)]}))
            } else {
                Err(duplicate(&group.name))
            };
        }
        let resource = format!("targetgroup/{}/{}", group.name, ecs.ids.hex(16));
        group.arn = cloud.arn("elasticloadbalancing", &resource);
        let answer = json!({"TargetGroups": [render(&group)]});
        ecs.elb.add(group);
        Ok(answer)
    })
}

fn wanted(cloud: &Cloud, input: &CreateTargetGroup) -> Result<TargetGroup, ApiError> {
    check_name(&input.name)?;
    check_kind(input)?;
    let protocol = input.protocol.as_deref().ok_or_else(|| invalid("A protocol must be specified"))?;
    if !["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP"].contains(&protocol) {
        return Err(unsupported(&format!("The protocol {protocol}")));
    }
    let port = input.port.filter(|port| *port > 0).ok_or_else(|| invalid("A port must be specified"))?;
    let vpc = input.vpc_id.as_deref().ok_or_else(|| invalid("A VPC ID must be specified"))?;
    if cloud.ec2().read(|ec2| ec2.vpc.id != vpc) {
        return Err(invalid(format!("The VPC ID '{vpc}' is not found")));
    }
    let settings = Settings {
        protocol: input.health_check_protocol.as_deref(),
        port: input.health_check_port.as_deref(),
        path: input.health_check_path.as_deref(),
        interval: input.health_check_interval_seconds,
        timeout: input.health_check_timeout_seconds,
        healthy: input.healthy_threshold_count,
        unhealthy: input.unhealthy_threshold_count,
        matcher: input.matcher.as_ref(),
    };
    Ok(TargetGroup {
        arn: String::new(),
        name: input.name.clone(),
        protocol: protocol.to_owned(),
        port,
        vpc: vpc.to_owned(),
        target_type: input.target_type.clone().unwrap_or_else(|| "instance".into()),
        check: settings.on(HealthCheck::of(protocol, input.health_check_protocol.as_deref()))?,
        attributes: BTreeMap::new(),
        tags: checked(&input.tags)?,
        targets: Vec::new(),
    })
}

/// Documented: `CreateTargetGroup.Name`; observed but for the length: public logs of Terraform.
fn check_name(name: &str) -> Result<(), ApiError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || name.len() > 32 {
        return Err(invalid(format!(
            "Target group name '{name}' cannot be longer than '32' characters, or empty"
        )));
    }
    if !name.chars().all(fits) {
        return Err(invalid(format!(
            "Target group name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        )));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(invalid(format!("Target group name '{name}' cannot begin or end with '-'")));
    }
    Ok(())
}

fn check_kind(input: &CreateTargetGroup) -> Result<(), ApiError> {
    match (input.target_type.as_deref(), input.protocol_version.as_deref(), input.ip_address_type.as_deref())
    {
        (Some(kind), _, _) if !["ip", "instance"].contains(&kind) => {
            Err(unsupported(&format!("The target type {kind}")))
        }
        (_, Some(version), _) if version != "HTTP1" => {
            Err(unsupported(&format!("The protocol version {version}")))
        }
        (_, _, Some(kind)) if kind != "ipv4" => Err(unsupported(&format!("The IP address type {kind}"))),
        _ if input.health_check_enabled == Some(false) => Err(invalid(
            "Health check enabled must be true for target groups with target type 'ip' or 'instance'",
        )),
        _ => Ok(()),
    }
}

pub(super) fn modify(cloud: &Cloud, input: &ModifyTargetGroup) -> Result<Value, ApiError> {
    let settings = Settings {
        protocol: input.health_check_protocol.as_deref(),
        port: input.health_check_port.as_deref(),
        path: input.health_check_path.as_deref(),
        interval: input.health_check_interval_seconds,
        timeout: input.health_check_timeout_seconds,
        healthy: input.healthy_threshold_count,
        unhealthy: input.unhealthy_threshold_count,
        matcher: input.matcher.as_ref(),
    };
    if input.health_check_enabled == Some(false) {
        return Err(unsupported("A target group without health checks"));
    }
    change(cloud, |ecs| {
        let group = find_mut(&mut ecs.elb, &input.target_group_arn)?;
        group.check = settings.on(group.check.clone())?;
        Ok(json!({"TargetGroups": [render(group)]}))
    })
}

/// One that is not there is deleted already (assumed; it is so with load balancers, documented).
pub(super) fn delete(cloud: &Cloud, input: &OneGroup) -> Result<Value, ApiError> {
    let arn = &input.target_group_arn;
    change(cloud, |ecs| {
        if !arn.contains(":targetgroup/") {
            return Err(no_arn(arn));
        }
        if ecs.uses_target_group(arn) {
            return Err(in_use(arn));
        }
        ecs.elb.remove(arn);
        Ok(json!({}))
    })
}

pub(super) fn describe(cloud: &Cloud, input: &DescribeTargetGroups) -> Result<Value, ApiError> {
    if input.load_balancer_arn.is_some() {
        return Err(load_balancer_not_found());
    }
    let ecs = cloud.ecs();
    for arn in &input.target_group_arns {
        find(&ecs.elb, arn)?;
    }
    if input.names.iter().any(|name| !ecs.elb.groups().any(|group| group.name == *name)) {
        return Err(group_not_found());
    }
    let all = input.target_group_arns.is_empty() && input.names.is_empty();
    let asked = |group: &&TargetGroup| {
        all || input.target_group_arns.contains(&group.arn) || input.names.contains(&group.name)
    };
    let found: Vec<&TargetGroup> = ecs.elb.groups().filter(asked).collect();
    // 400 a page where nothing is said (documented: `PageSize`).
    let limit = input.page_size.unwrap_or(400).clamp(1, 400);
    let (part, next) = page(found, |group| group.arn.clone(), limit, input.marker.as_deref())
        .map_err(|_| invalid("The marker is invalid"))?;
    let mut answer = json!({"TargetGroups": part.into_iter().map(render).collect::<Vec<_>>()});
    if let Some(marker) = next {
        answer["NextMarker"] = marker.into();
    }
    Ok(answer)
}

fn render(group: &TargetGroup) -> Value {
    let check = &group.check;
    let application = matches!(group.protocol.as_str(), "HTTP" | "HTTPS");
    json!({
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "Protocol": group.protocol,
        "ProtocolVersion": application.then_some("HTTP1"),
        "Port": group.port,
        "VpcId": group.vpc,
        "TargetType": group.target_type,
        "IpAddressType": "ipv4",
        "LoadBalancerArns": [],
        "HealthCheckEnabled": true,
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPort": check.port,
        "HealthCheckPath": check.path,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy,
        "UnhealthyThresholdCount": check.unhealthy,
        "Matcher": check.matcher.as_ref().map(|code| json!({"HttpCode": code})),
    })
}

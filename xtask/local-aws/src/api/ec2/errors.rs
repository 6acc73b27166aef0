//! EC2's errors, in its words where a public source shows them.

use crate::error::ApiError;
use crate::state::ec2::groups::{DuplicateRule, Permission};

/// `InvalidParameterValue`, with its own message each time.
pub(super) fn invalid_value(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

/// Observed (getmoto/moto, `moto/ec2/exceptions.py`).
pub(super) fn missing_parameter(name: &str) -> ApiError {
    ApiError::new("MissingParameter", format!("The request must contain the parameter {name}"))
}

/// Observed (public logs of Terraform and the SDKs).
pub(in crate::api) fn group_not_found(id: &str) -> ApiError {
    ApiError::new("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

/// Observed (public logs of Terraform and the SDKs).
pub(super) fn group_not_found_by_name(name: &str, vpc: &str) -> ApiError {
    let message = format!("The security group '{name}' does not exist in default VPC '{vpc}'");
    ApiError::new("InvalidGroup.NotFound", message)
}

/// Observed (getmoto/moto, of other resources).
pub(super) fn malformed_group(id: &str) -> ApiError {
    ApiError::new("InvalidGroupId.Malformed", format!("Invalid id: \"{id}\" (expecting \"sg-...\")"))
}

/// Observed (public logs of Terraform and the SDKs).
pub(super) fn duplicate_group(name: &str, vpc: &str) -> ApiError {
    let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
    ApiError::new("InvalidGroup.Duplicate", message)
}

/// Observed (terraform-aws-modules/terraform-aws-security-group#351 for UDP, hashicorp/terraform#1874 for groups);
/// the form of protocols without ports is assumed.
pub(super) fn duplicate_rule(DuplicateRule(permission): DuplicateRule) -> ApiError {
    let Permission { protocol, from, to, peer } = permission;
    let protocol = if protocol == "-1" { "ALL".to_owned() } else { protocol.to_uppercase() };
    let ports = match (from, to) {
        (Some(from), Some(to)) if protocol.starts_with("ICMP") => format!(", type: {from}, code: {to}"),
        (Some(from), Some(to)) => format!(", from port: {from}, to port: {to}"),
        _ => String::new(),
    };
    let peer = peer.as_str();
    ApiError::new(
        "InvalidPermission.Duplicate",
        format!("the specified rule \"peer: {peer}, {protocol}{ports}, ALLOW\" already exists"),
    )
}

/// Observed (public logs of Terraform and the SDKs).
pub(in crate::api) fn subnet_not_found(id: &str) -> ApiError {
    ApiError::new("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))
}

/// Observed (public logs of Terraform and the SDKs).
pub(super) fn vpc_not_found(id: &str) -> ApiError {
    ApiError::new("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist"))
}

/// What is asked for by ID, but isn't there. Observed (getmoto/moto) but for rules, gateways and
/// endpoints, whose words are assumed.
pub(super) fn not_found(kind: &str, id: &str) -> ApiError {
    let (code, message) = match kind {
        "subnet" => return subnet_not_found(id),
        "vpc" => return vpc_not_found(id),
        "security-group" if !id.starts_with("sg-") => return malformed_group(id),
        "security-group" => return group_not_found(id),
        "route-table" => ("InvalidRouteTableID.NotFound", format!("The routeTable ID '{id}' does not exist")),
        "internet-gateway" => {
            ("InvalidInternetGatewayID.NotFound", format!("The internetGateway ID '{id}' does not exist"))
        }
        "network-interface" => {
            ("InvalidNetworkInterfaceID.NotFound", format!("The networkInterface ID '{id}' does not exist"))
        }
        "nat-gateway" => ("NatGatewayNotFound", format!("NatGateway {id} was not found")),
        "vpc-endpoint" => {
            ("InvalidVpcEndpointId.NotFound", format!("The Vpc Endpoint Id '{id}' does not exist"))
        }
        "security-group-rule" => (
            "InvalidSecurityGroupRuleId.NotFound",
            format!("The security group rule ID '{id}' does not exist"),
        ),
        _ => ("InvalidID", format!("The ID '{id}' is not valid")),
    };
    ApiError::new(code, message)
}

//! Security groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{
    duplicate_group, group_not_found_by_name, invalid_value, missing_parameter, not_found, vpc_not_found,
};
use super::permissions::{group_by_name, render};
use super::select::{Resource, describe_input, one, select, tag_set};
use super::tags::{TagSpecification, tags_for};
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::state::ec2::groups::{DuplicateName, Peer, SecurityGroup};
use crate::state::ec2::{Ec2, Tags};

describe_input!(DescribeSecurityGroups, "GroupId", names: "GroupName");

impl Resource for SecurityGroup {
    const FILTERS: &'static [&'static str] = &[
        "description",
        "egress.ip-permission.cidr",
        "egress.ip-permission.from-port",
        "egress.ip-permission.group-id",
        "egress.ip-permission.group-name",
        "egress.ip-permission.ipv6-cidr",
        "egress.ip-permission.prefix-list-id",
        "egress.ip-permission.protocol",
        "egress.ip-permission.to-port",
        "egress.ip-permission.user-id",
        "group-id",
        "group-name",
        "ip-permission.cidr",
        "ip-permission.from-port",
        "ip-permission.group-id",
        "ip-permission.group-name",
        "ip-permission.ipv6-cidr",
        "ip-permission.prefix-list-id",
        "ip-permission.protocol",
        "ip-permission.to-port",
        "ip-permission.user-id",
        "owner-id",
        "vpc-id",
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }

    fn values(&self, filter: &str) -> Vec<String> {
        match filter {
            "description" => one(&self.description),
            "group-id" => one(&self.id),
            "group-name" => one(&self.name),
            "owner-id" => one(ACCOUNT),
            "vpc-id" => one(&self.vpc),
            _ => match filter.strip_prefix("egress.ip-permission.") {
                Some(part) => permission_values(self, true, part),
                None => {
                    permission_values(self, false, filter.strip_prefix("ip-permission.").unwrap_or_default())
                }
            },
        }
    }
}

fn permission_values(group: &SecurityGroup, egress: bool, part: &str) -> Vec<String> {
    let permissions = group.rules(egress).map(|rule| &rule.permission);
    let value = |p: &crate::state::ec2::groups::Permission| match (part, &p.peer) {
        ("cidr", Peer::Ipv4(cidr)) | ("ipv6-cidr", Peer::Ipv6(cidr)) => Some(cidr.clone()),
        ("group-id", Peer::Group(id)) | ("prefix-list-id", Peer::PrefixList(id)) => Some(id.clone()),
        ("user-id", Peer::Group(_)) => Some(ACCOUNT.to_owned()),
        ("protocol", _) => Some(p.protocol.clone()),
        ("from-port", _) => p.from.map(|port| port.to_string()),
        ("to-port", _) => p.to.map(|port| port.to_string()),
        _ => None,
    };
    permissions.filter_map(value).collect()
}

pub(super) fn describe(cloud: &Cloud, input: &DescribeSecurityGroups) -> Result<Value, ApiError> {
    let (groups, vpc) = cloud.ec2().read(|ec2| {
        let groups: Vec<SecurityGroup> = ec2.groups.values().cloned().collect();
        (groups, ec2.vpc.id.clone())
    });
    if let Some(name) = input.names.iter().find(|name| !groups.iter().any(|group| group.name == **name)) {
        return Err(group_not_found_by_name(name, &vpc));
    }
    let named = |group: &SecurityGroup| input.names.is_empty() || input.names.contains(&group.name);
    let groups = groups.into_iter().filter(named).collect();
    select(groups, &input.query("security-group"), "securityGroupInfo", |group: &SecurityGroup| {
        json!({
            "groupId": group.id,
            "groupName": group.name,
            "groupDescription": group.description,
            "securityGroupArn": Ec2::arn(cloud.region(), "security-group", &group.id),
            "ownerId": ACCOUNT,
            "vpcId": group.vpc,
            "ipPermissions": render(group.rules(false)),
            "ipPermissionsEgress": render(group.rules(true)),
            "tagSet": tag_set(&group.tags),
        })
    })
}

#[derive(Debug, Deserialize)]
pub struct CreateSecurityGroup {
    #[serde(rename = "GroupName")]
    name: Option<String>,
    #[serde(rename = "GroupDescription")]
    description: Option<String>,
    #[serde(rename = "VpcId")]
    vpc: Option<String>,
    #[serde(rename = "TagSpecification", default)]
    tag_specifications: Vec<TagSpecification>,
}

pub(super) fn create(cloud: &Cloud, input: CreateSecurityGroup) -> Result<Value, ApiError> {
    let name = input.name.ok_or_else(|| missing_parameter("GroupName"))?;
    let description = input.description.ok_or_else(|| missing_parameter("GroupDescription"))?;
    check_name(&name, &description)?;
    let tags = tags_for("security-group", &input.tag_specifications)?;
    let (id, egress) = {
        let mut ids = cloud.ids();
        (ids.ec2("sg"), ids.ec2("sgr"))
    };
    cloud.ec2().change(|ec2| {
        let vpc = input.vpc.unwrap_or_else(|| ec2.vpc.id.clone());
        if vpc != ec2.vpc.id {
            return Err(vpc_not_found(&vpc));
        }
        let duplicate = duplicate_group(&name, &vpc);
        let mut group = SecurityGroup::new(id.clone(), name, description, vpc).with_egress(egress);
        group.tags.clone_from(&tags);
        ec2.create_group(group).map_err(|DuplicateName| duplicate)
    })?;
    let arn = Ec2::arn(cloud.region(), "security-group", &id);
    Ok(json!({"groupId": id, "securityGroupArn": arn, "tagSet": tag_set(&tags)}))
}

/// Documented: CreateSecurityGroup. Observed: badmintoncryer/cdk-preflight (`default`), pulumi/pulumi-awsx#328;
/// the last two messages are assumed.
fn check_name(name: &str, description: &str) -> Result<(), ApiError> {
    const OTHERS: &str = "._-:/()#,@[]+=&;{}!$* ";
    let fits = |text: &str| {
        text.len() <= 255 && text.chars().all(|c| c.is_ascii_alphanumeric() || OTHERS.contains(c))
    };
    if name == "default" {
        return Err(invalid_value("Cannot use reserved security group name: default"));
    }
    if name.starts_with("sg-") {
        let why = "Group names may not be in the format sg-*.";
        return Err(invalid_value(format!("Value ({name}) for parameter GroupName is invalid. {why}")));
    }
    if name.is_empty() || !fits(name) {
        let message = format!(
            "Value ({name}) for parameter GroupName is invalid. Character sets beyond ASCII are not supported."
        );
        return Err(invalid_value(message));
    }
    if description.is_empty() || !fits(description) {
        return Err(invalid_value(
            "Invalid security group description. Valid descriptions are strings less than 256 characters from the \
             following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        ));
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteSecurityGroup {
    group_id: Option<String>,
    group_name: Option<String>,
}

pub(super) fn delete(cloud: &Cloud, input: &DeleteSecurityGroup) -> Result<Value, ApiError> {
    let used = super::interfaces::used_groups(cloud);
    let id = cloud.ec2().change(|ec2| {
        let id = find(ec2, input.group_id.as_deref(), input.group_name.as_deref())?;
        if ec2.security_group(&id).is_some_and(SecurityGroup::is_default) {
            let message =
                format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
            return Err(ApiError::new("CannotDelete", message));
        }
        if ec2.is_referenced(&id) || used.contains(&id) {
            // Observed (public Terraform logs).
            return Err(ApiError::new(
                "DependencyViolation",
                format!("resource {id} has a dependent object"),
            ));
        }
        ec2.groups.remove(&id);
        Ok(id)
    })?;
    Ok(json!({"return": true, "groupId": id}))
}

/// The ID of the group that a call names.
pub(super) fn find(ec2: &Ec2, id: Option<&str>, name: Option<&str>) -> Result<String, ApiError> {
    match (id, name) {
        (Some(id), _) if ec2.security_group(id).is_some() => Ok(id.to_owned()),
        (Some(id), _) => Err(not_found("security-group", id)),
        (None, Some(name)) => group_by_name(ec2, name),
        (None, None) => Err(missing_parameter("groupName or groupId")),
    }
}

//! Rules of security groups: authorize, revoke, describe.

use serde_json::{Value, json};

use super::errors::{duplicate_rule, missing_parameter, not_found};
use super::groups::find;
use super::permissions::{self, RulesInput, render_one};
use super::select::{Resource, describe_input, one, select, tag_set};
use super::tags::tags_for;
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::state::ec2::groups::{Peer, Revoked, Rule, SecurityGroup};
use crate::state::ec2::{Ec2, Tags};

pub(super) fn authorize(cloud: &Cloud, egress: bool, input: &RulesInput) -> Result<Value, ApiError> {
    let tags = tags_for("security-group-rule", &input.tag_specifications)?;
    let (group, rules) = cloud.ec2().change(|ec2| {
        let id = find(ec2, input.group_id.as_deref(), input.group_name.as_deref())?;
        let rules: Vec<Rule> = permissions::parse(ec2, input)?
            .into_iter()
            .map(|(permission, description)| Rule {
                description,
                tags: tags.clone(),
                ..Rule::of(cloud.ids().ec2("sgr"), egress, permission)
            })
            .collect();
        group_mut(ec2, &id)?.authorize(rules.clone()).map_err(duplicate_rule)?;
        Ok::<_, ApiError>((id, rules))
    })?;
    let rendered: Vec<Value> = rules.iter().map(|rule| render(cloud, &group, rule)).collect();
    Ok(json!({"return": true, "securityGroupRuleSet": rendered}))
}

/// In a default VPC what isn't there is told, not refused (documented: RevokeSecurityGroupIngress).
pub(super) fn revoke(cloud: &Cloud, egress: bool, input: &RulesInput) -> Result<Value, ApiError> {
    let (group, revoked) = cloud.ec2().change(|ec2| {
        let id = find(ec2, input.group_id.as_deref(), input.group_name.as_deref())?;
        let revoked = if input.rule_ids.is_empty() {
            let permissions = permissions::parse(ec2, input)?.into_iter().map(|(p, _)| p).collect();
            group_mut(ec2, &id)?.revoke(egress, permissions)
        } else {
            by_id(group_mut(ec2, &id)?, egress, &input.rule_ids)?
        };
        Ok::<_, ApiError>((id, revoked))
    })?;
    let rules: Vec<Value> = revoked.rules.iter().map(|rule| render_revoked(&group, rule)).collect();
    let unknown: Vec<Value> = revoked.unknown.iter().map(render_one).collect();
    Ok(json!({"return": true, "revokedSecurityGroupRuleSet": rules, "unknownIpPermissionSet": unknown}))
}

fn by_id(group: &mut SecurityGroup, egress: bool, ids: &[String]) -> Result<Revoked, ApiError> {
    let mut revoked = Revoked::default();
    for id in ids {
        let at = group.rules.iter().position(|rule| rule.id == *id && rule.egress == egress);
        let at = at.ok_or_else(|| not_found("security-group-rule", id))?;
        revoked.rules.push(group.rules.remove(at));
    }
    Ok(revoked)
}

fn group_mut<'a>(ec2: &'a mut Ec2, id: &str) -> Result<&'a mut SecurityGroup, ApiError> {
    ec2.groups.get_mut(id).ok_or_else(|| not_found("security-group", id))
}

describe_input!(DescribeSecurityGroupRules, "SecurityGroupRuleId");

struct InGroup {
    rule: Rule,
    group: String,
}

impl Resource for InGroup {
    const FILTERS: &'static [&'static str] = &["group-id", "security-group-rule-id"];

    fn id(&self) -> &str {
        &self.rule.id
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.rule.tags)
    }

    fn values(&self, filter: &str) -> Vec<String> {
        match filter {
            "group-id" => one(&self.group),
            "security-group-rule-id" => one(&self.rule.id),
            _ => Vec::new(),
        }
    }
}

pub(super) fn describe(cloud: &Cloud, input: &DescribeSecurityGroupRules) -> Result<Value, ApiError> {
    let rules = cloud.ec2().read(|ec2| {
        let of = |group: &SecurityGroup| -> Vec<InGroup> {
            let rules = group.rules.iter().cloned();
            rules.map(|rule| InGroup { rule, group: group.id.clone() }).collect()
        };
        ec2.groups.values().flat_map(of).collect()
    });
    let query = input.query("security-group-rule");
    select(rules, &query, "securityGroupRuleSet", |of: &InGroup| render(cloud, &of.group, &of.rule))
}

/// `ModifySecurityGroupRules` and the like are not answered; a rule's description stays as it was authorized.
fn render(cloud: &Cloud, group: &str, rule: &Rule) -> Value {
    let mut rendered = render_revoked(group, rule);
    if let Peer::Group(id) = &rule.permission.peer {
        rendered["referencedGroupInfo"] = json!({"groupId": id, "userId": ACCOUNT});
        rendered["referencedGroupId"].take();
    }
    rendered["groupOwnerId"] = ACCOUNT.into();
    rendered["securityGroupRuleArn"] = Ec2::arn(cloud.region(), "security-group-rule", &rule.id).into();
    rendered["tagSet"] = tag_set(&rule.tags);
    rendered
}

/// Ports are -1 where there are none (documented: SecurityGroupRule).
fn render_revoked(group: &str, rule: &Rule) -> Value {
    let permission = &rule.permission;
    let (member, peer) = match &permission.peer {
        Peer::Ipv4(cidr) => ("cidrIpv4", cidr),
        Peer::Ipv6(cidr) => ("cidrIpv6", cidr),
        Peer::Group(id) => ("referencedGroupId", id),
        Peer::PrefixList(id) => ("prefixListId", id),
    };
    json!({
        "securityGroupRuleId": rule.id,
        "groupId": group,
        "isEgress": rule.egress,
        "ipProtocol": permission.protocol,
        "fromPort": permission.from.unwrap_or(-1),
        "toPort": permission.to.unwrap_or(-1),
        "description": rule.description,
        member: peer,
    })
}

/// An egress call must name the group by its ID (documented: AuthorizeSecurityGroupEgress).
pub(super) fn check_egress(input: &RulesInput) -> Result<(), ApiError> {
    match input.group_id {
        Some(_) => Ok(()),
        None => Err(missing_parameter("groupId")),
    }
}

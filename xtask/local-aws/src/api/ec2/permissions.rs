//! Permissions as calls write them, and as answers show them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{group_not_found, group_not_found_by_name, invalid_value, missing_parameter};
use crate::cloud::ACCOUNT;
use crate::error::ApiError;
use crate::state::ec2::Ec2;
use crate::state::ec2::address::{ipv4_range, ipv6_range};
use crate::state::ec2::groups::{Peer, Permission, Rule};

/// Rules by their properties: a list of permissions, or one in members of its own
/// (`--protocol`, `--port`, `--cidr` of the AWS CLI).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RulesInput {
    pub(super) group_id: Option<String>,
    pub(super) group_name: Option<String>,
    pub(super) ip_permissions: Vec<IpPermission>,
    cidr_ip: Option<String>,
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    source_security_group_name: Option<String>,
    #[serde(rename = "SecurityGroupRuleId")]
    pub(super) rule_ids: Vec<String>,
    #[serde(rename = "TagSpecification")]
    pub(super) tag_specifications: Vec<super::tags::TagSpecification>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct IpPermission {
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    groups: Vec<GroupPair>,
    ip_ranges: Vec<Range>,
    ipv6_ranges: Vec<Range>,
    prefix_list_ids: Vec<Range>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GroupPair {
    group_id: Option<String>,
    group_name: Option<String>,
    description: Option<String>,
}

/// An address range or a prefix list; which, the list that it is in tells.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Range {
    cidr_ip: Option<String>,
    cidr_ipv6: Option<String>,
    prefix_list_id: Option<String>,
    description: Option<String>,
}

/// A permission with the description that its rule gets.
pub(super) type Described = (Permission, Option<String>);

/// Every permission of the call, each with one peer.
pub(super) fn parse(ec2: &Ec2, input: &RulesInput) -> Result<Vec<Described>, ApiError> {
    let mut all = Vec::new();
    for permission in &input.ip_permissions {
        let (protocol, ports) =
            protocol(permission.ip_protocol.as_deref(), permission.from_port, permission.to_port)?;
        for (peer, description) in peers(ec2, permission)? {
            all.push((
                Permission { protocol: protocol.clone(), from: ports.0, to: ports.1, peer },
                description,
            ));
        }
    }
    if input.ip_permissions.is_empty() {
        all.push((flat(ec2, input)?, None));
    }
    let twice =
        |(n, (permission, _)): (usize, &Described)| all[..n].iter().any(|(other, _)| other == permission);
    if all.iter().enumerate().any(twice) {
        // Observed (hashicorp/terraform-provider-aws#29492).
        return Err(invalid_value("The same permission must not appear multiple times"));
    }
    Ok(all)
}

fn flat(ec2: &Ec2, input: &RulesInput) -> Result<Permission, ApiError> {
    let peer = match (&input.cidr_ip, &input.source_security_group_name) {
        (Some(cidr), _) => Peer::Ipv4(ipv4(cidr)?),
        (None, Some(name)) => Peer::Group(group_by_name(ec2, name)?),
        (None, None) => return Err(missing_parameter("ipPermissions")),
    };
    // A group as the only member means everything from it (documented: AuthorizeSecurityGroupIngress).
    let default = input.source_security_group_name.as_ref().map(|_| "-1");
    let (protocol, ports) =
        protocol(input.ip_protocol.as_deref().or(default), input.from_port, input.to_port)?;
    Ok(Permission { protocol, from: ports.0, to: ports.1, peer })
}

fn peers(ec2: &Ec2, permission: &IpPermission) -> Result<Vec<(Peer, Option<String>)>, ApiError> {
    let mut peers = Vec::new();
    for range in &permission.ip_ranges {
        let cidr = range.cidr_ip.as_deref().ok_or_else(|| missing_parameter("cidrIp"))?;
        peers.push((Peer::Ipv4(ipv4(cidr)?), range.description.clone()));
    }
    for range in &permission.ipv6_ranges {
        let cidr = range.cidr_ipv6.as_deref().ok_or_else(|| missing_parameter("cidrIpv6"))?;
        let cidr = ipv6_range(cidr).ok_or_else(|| malformed(cidr))?;
        peers.push((Peer::Ipv6(cidr), range.description.clone()));
    }
    for list in &permission.prefix_list_ids {
        let id = list.prefix_list_id.clone().ok_or_else(|| missing_parameter("prefixListId"))?;
        peers.push((Peer::PrefixList(id), list.description.clone()));
    }
    for pair in &permission.groups {
        peers.push((Peer::Group(paired_group(ec2, pair)?), pair.description.clone()));
    }
    if peers.is_empty() {
        return Err(missing_parameter("ipPermissions"));
    }
    Ok(peers)
}

fn paired_group(ec2: &Ec2, pair: &GroupPair) -> Result<String, ApiError> {
    match (&pair.group_id, &pair.group_name) {
        (Some(id), _) if ec2.security_group(id).is_some() => Ok(id.clone()),
        (Some(id), _) => Err(group_not_found(id)),
        (None, Some(name)) => group_by_name(ec2, name),
        (None, None) => Err(missing_parameter("groupId")),
    }
}

/// In the default VPC, where names will do.
pub(super) fn group_by_name(ec2: &Ec2, name: &str) -> Result<String, ApiError> {
    let found = ec2.groups.values().find(|group| group.name == name);
    found.map(|group| group.id.clone()).ok_or_else(|| group_not_found_by_name(name, &ec2.vpc.id))
}

fn ipv4(cidr: &str) -> Result<String, ApiError> {
    ipv4_range(cidr).ok_or_else(|| malformed(cidr))
}

/// Observed (public Terraform logs).
fn malformed(cidr: &str) -> ApiError {
    invalid_value(format!("CIDR block {cidr} is malformed"))
}

type Ports = (Option<i32>, Option<i32>);

/// The protocol by its name, with the ports that it takes. Observed: nanovms/ops#735 (none),
/// hashicorp/terraform-provider-aws#1793 (`all`, which the CLI takes and EC2 does not).
fn protocol(name: Option<&str>, from: Option<i32>, to: Option<i32>) -> Result<(String, Ports), ApiError> {
    let Some(name) = name.map(str::to_ascii_lowercase) else {
        return Err(invalid_value(
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.",
        ));
    };
    let name = match name.as_str() {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        other => other,
    };
    match name {
        "-1" => Ok((name.to_owned(), (None, None))),
        "tcp" | "udp" => Ok((name.to_owned(), ports(from, to)?)),
        "icmp" | "icmpv6" => Ok((name.to_owned(), (Some(from.unwrap_or(-1)), Some(to.unwrap_or(-1))))),
        number if number.parse::<u8>().is_ok() => Ok((number.to_owned(), (None, None))),
        other => Err(invalid_value(format!("Invalid value '{other}' for IP protocol. Unknown protocol."))),
    }
}

/// Observed: aws-cloudformation/cfn-lint#2999 (of ICMP; until 2021 the two sentences stood the other way
/// round, aws/aws-sdk-go-v2#1203). Out of range: boto/boto3#336; the last one is assumed.
fn ports(from: Option<i32>, to: Option<i32>) -> Result<Ports, ApiError> {
    let (Some(from), Some(to)) = (from, to) else {
        let message = "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.";
        return Err(invalid_value(message));
    };
    if let Some(port) = [from, to].into_iter().find(|port| !(0..=65535).contains(port)) {
        return Err(invalid_value(format!("TCP/UDP port ({port}) out of range")));
    }
    if from > to {
        return Err(invalid_value(format!("Invalid TCP/UDP port range ({from}:{to})")));
    }
    Ok((Some(from), Some(to)))
}

/// `ipPermissions`: rules of the same protocol and ports are one, with several peers.
pub(super) fn render<'a>(rules: impl Iterator<Item = &'a Rule>) -> Value {
    let mut merged: Vec<Value> = Vec::new();
    for rule in rules {
        let head = head(&rule.permission);
        let at =
            merged.iter().position(|m| ["ipProtocol", "fromPort", "toPort"].iter().all(|k| m[k] == head[k]));
        let at = at.unwrap_or_else(|| {
            merged.push(head);
            merged.len() - 1
        });
        let (list, peer) = peer(rule);
        if let Some(peers) = merged[at][list].as_array_mut() {
            peers.push(peer);
        }
    }
    merged.into()
}

/// One permission alone, as `unknownIpPermissionSet` has it.
pub(super) fn render_one(permission: &Permission) -> Value {
    render(std::iter::once(&Rule::of(String::new(), false, permission.clone())))[0].take()
}

fn head(permission: &Permission) -> Value {
    let mut head = json!({
        "ipProtocol": permission.protocol,
        "groups": [],
        "ipRanges": [],
        "ipv6Ranges": [],
        "prefixListIds": [],
    });
    if let (Some(from), Some(to)) = (permission.from, permission.to) {
        head["fromPort"] = from.into();
        head["toPort"] = to.into();
    }
    head
}

fn peer(rule: &Rule) -> (&'static str, Value) {
    let (list, mut peer) = match &rule.permission.peer {
        Peer::Ipv4(cidr) => ("ipRanges", json!({"cidrIp": cidr})),
        Peer::Ipv6(cidr) => ("ipv6Ranges", json!({"cidrIpv6": cidr})),
        Peer::Group(id) => ("groups", json!({"groupId": id, "userId": ACCOUNT})),
        Peer::PrefixList(id) => ("prefixListIds", json!({"prefixListId": id})),
    };
    if let Some(description) = &rule.description {
        peer["description"] = description.as_str().into();
    }
    (list, peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, from: Option<i32>, to: Option<i32>) -> String {
        match protocol(Some(name), from, to) {
            Ok((name, ports)) => format!("{name} {ports:?}"),
            Err(e) => e.message,
        }
    }

    #[test]
    fn protocols_and_ports() {
        insta::assert_snapshot!(check("6", Some(80), Some(81)), @"tcp (Some(80), Some(81))");
        insta::assert_snapshot!(check("-1", Some(80), Some(81)), @"-1 (None, None)");
        insta::assert_snapshot!(check("all", None, None), @"Invalid value 'all' for IP protocol. Unknown protocol.");
        insta::assert_snapshot!(check("ICMP", None, None), @"icmp (Some(-1), Some(-1))");
        insta::assert_snapshot!(check("50", Some(1), None), @"50 (None, None)");
        insta::assert_snapshot!(check("foo", None, None), @"Invalid value 'foo' for IP protocol. Unknown protocol.");
        insta::assert_snapshot!(
            check("tcp", Some(80), None),
            @"Invalid value for portRange. Must specify both from and to ports with TCP/UDP."
        );
        insta::assert_snapshot!(check("tcp", Some(81), Some(80)), @"Invalid TCP/UDP port range (81:80)");
        insta::assert_snapshot!(check("udp", Some(0), Some(65536)), @"TCP/UDP port (65536) out of range");
    }

    #[test]
    fn peers_of_the_same_ports_are_one_permission() {
        let rule = |port, cidr: &str| {
            let peer = Peer::Ipv4(cidr.to_owned());
            let permission = Permission { protocol: "tcp".into(), from: Some(port), to: Some(port), peer };
            Rule::of("sgr-1".into(), false, permission)
        };
        let rules = [rule(80, "10.0.0.0/8"), rule(81, "10.0.0.0/8"), rule(80, "11.0.0.0/8")];
        let rendered = render(rules.iter());
        assert_eq!(rendered.as_array().map(Vec::len), Some(2));
        assert_eq!(rendered[0]["ipRanges"], json!([{"cidrIp": "10.0.0.0/8"}, {"cidrIp": "11.0.0.0/8"}]));
    }
}

//! Subnets, their way out, and security groups.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, RouteTable, SecurityGroupRule};

use crate::aws::fault::chain;
use crate::aws::{Aws, OURS, fault};
use crate::config::Config;
use crate::config::service::{Ingress, Security, Service, Source, Subnets};
use crate::error::{Error, Kind, Result};
use crate::event::Events;

/// Where a service's tasks go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The VPC of the subnets.
    pub vpc: String,
    /// Sorted by ID.
    pub subnets: Vec<Subnet>,
    /// The declared security group, if it exists.
    pub security_group: Option<SecurityGroup>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    /// `subnet-…`
    pub id: String,
    /// Whether its default route goes to an internet gateway, which a task reaches with a
    /// public IP only. `None` when the route tables were not read.
    pub needs_public_ip: Option<bool>,
}

/// A security group that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`
    pub id: String,
    /// Its ingress rules.
    pub rules: Vec<Rule>,
}

/// An ingress rule that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `sgr-…`
    pub id: String,
    /// Whether this tool made it.
    pub ours: bool,
    /// What it says; `None` if deploy.toml could not say it (ICMP, prefix lists).
    pub ingress: Option<Ingress>,
}

/// Service name to its network.
pub(super) async fn networks(
    aws: &Aws,
    config: &Config,
    events: &Events,
) -> Result<BTreeMap<String, Network>> {
    let each = config.services.iter().map(|service| network(aws, service, events));
    futures_util::future::try_join_all(each).await.map(|found| found.into_iter().collect())
}

async fn network(aws: &Aws, service: &Service, events: &Events) -> Result<(String, Network)> {
    let (found, groups, ()) =
        tokio::try_join!(subnets(aws, service), groups_by_name(aws, service), groups_exist(aws, service))?;
    let vpcs: BTreeSet<&str> = found.iter().map(|(_, vpc)| vpc.as_str()).collect();
    let mut vpcs = vpcs.into_iter();
    let (Some(vpc), None) = (vpcs.next(), vpcs.next()) else {
        let message = format!("the subnets of `service.{}` lie in several VPCs", service.name);
        return Err(Error::new(Kind::Preflight, message)
            .hint("a service's tasks live in one VPC: name subnets of one"));
    };
    let group = groups.iter().find(|(_, of)| of == vpc).map(|(id, _)| id.clone());
    let (routes, security_group) =
        tokio::try_join!(way_out(aws, service, vpc, events), with_rules(aws, group))?;
    let mut subnets: Vec<_> = found.iter().map(|(id, _)| subnet(id, routes.as_deref())).collect();
    subnets.sort();
    Ok((service.name.clone(), Network { vpc: vpc.to_owned(), subnets, security_group }))
}

fn subnet(id: &str, routes: Option<&[RouteTable]>) -> Subnet {
    Subnet { id: id.to_owned(), needs_public_ip: routes.map(|tables| needs_public_ip(id, tables)) }
}

fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// ID and VPC of the subnets that the file means.
async fn subnets(aws: &Aws, service: &Service) -> Result<Vec<(String, String)>> {
    let call = aws.ec2.describe_subnets();
    let call = match &service.subnets {
        Subnets::Default => call.filters(filter("default-for-az", ["true"])),
        Subnets::Ids(ids) => call.set_subnet_ids(Some(ids.clone())),
        Subnets::Tagged(tags) => {
            let filters =
                tags.iter().map(|(key, value)| filter(&format!("tag:{key}"), [value.as_str()])).collect();
            call.set_filters(Some(filters))
        }
    };
    let answer = match call.send().await {
        Ok(answer) => answer,
        Err(error) if fault::is(&error, "InvalidSubnetID.NotFound") => {
            return Err(no_subnets(service, &aws.region));
        }
        Err(error) => return Err(fault("ec2:DescribeSubnets", &service.name, error)),
    };
    let pair = |subnet: &aws_sdk_ec2::types::Subnet| {
        Some((subnet.subnet_id()?.to_owned(), subnet.vpc_id()?.to_owned()))
    };
    let found: Vec<_> = answer.subnets().iter().filter_map(pair).collect();
    if found.is_empty() { Err(no_subnets(service, &aws.region)) } else { Ok(found) }
}

fn no_subnets(service: &Service, region: &str) -> Error {
    let name = &service.name;
    match &service.subnets {
        Subnets::Default => Error::new(Kind::Preflight, format!("there is no default VPC in {region}")).hint(
            format!("name subnets in `service.{name}.subnets`, or make one: `aws ec2 create-default-vpc`"),
        ),
        _ => Error::new(Kind::Preflight, format!("no subnet in {region} fits `service.{name}.subnets`"))
            .hint("`aws ec2 describe-subnets` lists those of the region: is it the right one?"),
    }
}

/// ID and VPC of the groups that carry the declared name; a name is unique in its VPC only.
async fn groups_by_name(aws: &Aws, service: &Service) -> Result<Vec<(String, String)>> {
    let Security::Own(group) = &service.security else {
        return Ok(Vec::new());
    };
    let call = aws.ec2.describe_security_groups().filters(filter("group-name", [group.name.as_str()]));
    let answer =
        call.send().await.map_err(|error| fault("ec2:DescribeSecurityGroups", &group.name, error))?;
    let pair = |group: &aws_sdk_ec2::types::SecurityGroup| {
        Some((group.group_id()?.to_owned(), group.vpc_id()?.to_owned()))
    };
    Ok(answer.security_groups().iter().filter_map(pair).collect())
}

/// Existing groups that the file names by ID.
async fn groups_exist(aws: &Aws, service: &Service) -> Result<()> {
    let Security::Existing(ids) = &service.security else { return Ok(()) };
    match aws.ec2.describe_security_groups().set_group_ids(Some(ids.clone())).send().await {
        Ok(_) => Ok(()),
        Err(error) if fault::denied(&error) => Ok(()),
        Err(error) if fault::is(&error, "InvalidGroup.NotFound") => {
            let message =
                format!("a group of `service.{}.security-groups` is not in {}", service.name, aws.region);
            Err(Error::new(Kind::Preflight, message)
                .caused_by(chain(&error))
                .hint("`aws ec2 describe-security-groups` lists those of the region: is it the right one?"))
        }
        Err(error) => Err(fault("ec2:DescribeSecurityGroups", &ids.join(", "), error)),
    }
}

/// The VPC's route tables, where the file leaves the public IP to us.
async fn way_out(
    aws: &Aws,
    service: &Service,
    vpc: &str,
    events: &Events,
) -> Result<Option<Vec<RouteTable>>> {
    if service.assign_public_ip.is_some() {
        return Ok(None);
    }
    match aws.ec2.describe_route_tables().filters(filter("vpc-id", [vpc])).send().await {
        Ok(answer) => Ok(Some(answer.route_tables().to_vec())),
        Err(error) if fault::denied(&error) => {
            events.note(
                "route tables may not be read: tasks get a public IP only if `assign-public-ip` says so",
            );
            Ok(None)
        }
        Err(error) => Err(fault("ec2:DescribeRouteTables", vpc, error)),
    }
}

/// Whether a subnet's default route is an internet gateway. A subnet without a table of its
/// own has the VPC's main one.
/// Source: Amazon VPC User Guide, "Subnet route tables".
fn needs_public_ip(subnet: &str, tables: &[RouteTable]) -> bool {
    let own = |table: &&RouteTable| table.associations().iter().any(|a| a.subnet_id() == Some(subnet));
    let main = |table: &&RouteTable| table.associations().iter().any(|a| a.main() == Some(true));
    let table = tables.iter().find(own).or_else(|| tables.iter().find(main));
    table.is_some_and(|table| {
        table.routes().iter().any(|route| {
            route.destination_cidr_block() == Some("0.0.0.0/0")
                && route.gateway_id().is_some_and(|gateway| gateway.starts_with("igw-"))
        })
    })
}

async fn with_rules(aws: &Aws, group: Option<String>) -> Result<Option<SecurityGroup>> {
    let Some(id) = group else { return Ok(None) };
    let call = aws.ec2.describe_security_group_rules().filters(filter("group-id", [id.as_str()]));
    let answer = call.send().await.map_err(|error| fault("ec2:DescribeSecurityGroupRules", &id, error))?;
    let ingress = answer.security_group_rules().iter().filter(|rule| rule.is_egress() != Some(true));
    let rules = ingress.filter_map(rule_of).collect();
    Ok(Some(SecurityGroup { id, rules }))
}

fn rule_of(rule: &SecurityGroupRule) -> Option<Rule> {
    let ours = rule.tags().iter().any(|tag| (tag.key(), tag.value()) == (Some(OURS.0), Some(OURS.1)));
    Some(Rule { id: rule.security_group_rule_id()?.to_owned(), ours, ingress: ingress_of(rule) })
}

fn ingress_of(rule: &SecurityGroupRule) -> Option<Ingress> {
    let protocol = match rule.ip_protocol()? {
        "tcp" | "6" => "tcp",
        "udp" | "17" => "udp",
        _ => return None,
    };
    let group = rule.referenced_group_info().and_then(|group| group.group_id());
    let source = match (rule.cidr_ipv4(), rule.cidr_ipv6(), group) {
        (Some(block), ..) => Source::Ipv4(block.to_owned()),
        (_, Some(block), _) => Source::Ipv6(block.to_owned()),
        (.., Some(group)) => Source::Group(group.to_owned()),
        _ => return None,
    };
    let ports = (u16::try_from(rule.from_port()?).ok()?, u16::try_from(rule.to_port()?).ok()?);
    Some(Ingress { protocol, ports, source, description: rule.description().map(str::to_owned) })
}

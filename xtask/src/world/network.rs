//! Subnets, their way out, and security groups.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, RouteTable, SecurityGroupRule, Subnet as Ec2Subnet};

use super::groups;
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
    /// IDs of the existing groups that the file names.
    pub groups: Vec<String>,
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
    let declared = groups::vpc(aws, service).await?;
    let (found, own, existing) = tokio::try_join!(
        subnets(aws, service, declared.as_deref()),
        groups_by_name(aws, service),
        groups::look(aws, service)
    )?;
    let vpc = the_vpc(service, &found, declared.as_deref())?;
    let group = own.iter().find(|(_, of)| of == vpc).map(|(id, _)| id.clone());
    let groups = groups::in_vpc(service, existing, vpc, &aws.region)?;
    let (routes, security_group) =
        tokio::try_join!(way_out(aws, service, vpc, events), with_rules(aws, group))?;
    let mut subnets: Vec<_> = found.iter().map(|(id, _)| subnet(id, routes.as_deref())).collect();
    subnets.sort();
    Ok((service.name.clone(), Network { vpc: vpc.to_owned(), subnets, security_group, groups }))
}

/// The VPC of a service's subnets, and their IDs.
///
/// # Errors
/// A call failed, or the file names what is not there ([`Kind::Preflight`]).
pub(crate) async fn place_of(aws: &Aws, service: &Service) -> Result<(String, Vec<String>)> {
    let declared = groups::vpc(aws, service).await?;
    let found = subnets(aws, service, declared.as_deref()).await?;
    let vpc = the_vpc(service, &found, declared.as_deref())?.to_owned();
    Ok((vpc, found.into_iter().map(|(id, _)| id).collect()))
}

/// The one VPC that all the subnets are in, and that the file names, if it names one.
fn the_vpc<'f>(service: &Service, found: &'f [(String, String)], declared: Option<&str>) -> Result<&'f str> {
    let vpcs: BTreeSet<&str> = found.iter().map(|(_, vpc)| vpc.as_str()).collect();
    let mut vpcs = vpcs.into_iter();
    let (Some(vpc), None) = (vpcs.next(), vpcs.next()) else {
        let message = format!("the subnets of `service.{}` lie in several VPCs", service.key);
        return Err(Error::new(Kind::Preflight, message)
            .hint("a service's tasks live in one VPC: name subnets of one"));
    };
    match declared {
        Some(declared) if declared != vpc => {
            let message = format!("the subnets of `service.{}` lie in {vpc}, not in {declared}", service.key);
            Err(Error::new(Kind::Preflight, message).hint("name subnets of the `vpc`, or leave `vpc` out"))
        }
        _ => Ok(vpc),
    }
}

fn subnet(id: &str, routes: Option<&[RouteTable]>) -> Subnet {
    Subnet { id: id.to_owned(), needs_public_ip: routes.map(|tables| needs_public_ip(id, tables)) }
}

pub(super) fn tag_filters(tags: &BTreeMap<String, String>) -> Vec<Filter> {
    tags.iter().map(|(key, value)| filter(&format!("tag:{key}"), [value.as_str()])).collect()
}

pub(super) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// ID and VPC of the subnets that the file means.
async fn subnets(aws: &Aws, service: &Service, vpc: Option<&str>) -> Result<Vec<(String, String)>> {
    let filters = match &service.subnets {
        Subnets::Default => vec![filter("default-for-az", ["true"])],
        Subnets::All => Vec::new(),
        Subnets::Listed(listed) => return listed_subnets(aws, service, vpc, listed).await,
        Subnets::Tagged(tags) => tag_filters(tags),
    };
    let found = filtered(aws, service, vpc, filters).await?;
    let found: Vec<_> = found.iter().filter_map(place).collect();
    if found.is_empty() { Err(no_subnets(service, &aws.region)) } else { Ok(found) }
}

/// By ID, and by the tag `Name`: each has to be there.
async fn listed_subnets(
    aws: &Aws,
    service: &Service,
    vpc: Option<&str>,
    listed: &[String],
) -> Result<Vec<(String, String)>> {
    let (ids, names): (Vec<_>, Vec<_>) = listed.iter().cloned().partition(|one| one.starts_with("subnet-"));
    let by_name = async {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        filtered(aws, service, vpc, vec![filter("tag:Name", names.clone())]).await
    };
    let (by_id, by_name) = tokio::try_join!(subnets_by_id(aws, service, &ids), by_name)?;
    let has_name = |subnet: &Ec2Subnet, name: &str| {
        subnet.tags().iter().any(|tag| (tag.key(), tag.value()) == (Some("Name"), Some(name)))
    };
    if let Some(missing) = names.iter().find(|name| !by_name.iter().any(|subnet| has_name(subnet, name))) {
        let message = format!(
            "no subnet in {} has the name `{missing}`, as `service.{}.subnets` says",
            aws.region, service.key
        );
        return Err(Error::new(Kind::Preflight, message)
            .hint("a subnet's name is its tag `Name`: `aws ec2 describe-subnets` shows it"));
    }
    Ok(by_id.iter().chain(&by_name).filter_map(place).collect())
}

async fn subnets_by_id(aws: &Aws, service: &Service, ids: &[String]) -> Result<Vec<Ec2Subnet>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    match aws.ec2.describe_subnets().set_subnet_ids(Some(ids.to_vec())).send().await {
        Ok(answer) => Ok(answer.subnets().to_vec()),
        Err(error) if fault::is(&error, "InvalidSubnetID.NotFound") => Err(no_subnets(service, &aws.region)),
        Err(error) => Err(fault("ec2:DescribeSubnets", &service.name, error)),
    }
}

async fn filtered(
    aws: &Aws,
    service: &Service,
    vpc: Option<&str>,
    mut filters: Vec<Filter>,
) -> Result<Vec<Ec2Subnet>> {
    filters.extend(vpc.map(|vpc| filter("vpc-id", [vpc])));
    let answer = aws.ec2.describe_subnets().set_filters(Some(filters)).send().await;
    Ok(answer.map_err(|error| fault("ec2:DescribeSubnets", &service.name, error))?.subnets().to_vec())
}

fn place(subnet: &Ec2Subnet) -> Option<(String, String)> {
    Some((subnet.subnet_id()?.to_owned(), subnet.vpc_id()?.to_owned()))
}

fn no_subnets(service: &Service, region: &str) -> Error {
    let name = &service.key;
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

/// The VPC's route tables, where the file leaves the public IP to us.
async fn way_out(
    aws: &Aws,
    service: &Service,
    vpc: &str,
    events: &Events,
) -> Result<Option<Vec<RouteTable>>> {
    if service.assign_public_ip.is_some() || !service.launch.is_fargate() {
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

//! Existing security groups that the file names, and the VPC that it names.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, SecurityGroup};

use super::network::{filter, tag_filters};
use crate::aws::fault::chain;
use crate::aws::{Aws, fault};
use crate::config::service::{Security, Service, Vpc};
use crate::error::{Error, Kind, Result};

/// A security group that exists.
pub(super) struct Found {
    id: String,
    name: String,
    vpc: String,
}

/// What was found of the groups that the file names or describes.
pub(super) enum Groups {
    /// They may not be described: IDs are taken at their word.
    Unseen(Vec<String>),
    /// All that fit, in any VPC.
    Seen(Vec<Found>),
}

/// Looks for the groups; those of a name or tag are told apart by their VPC later.
pub(super) async fn look(aws: &Aws, service: &Service) -> Result<Groups> {
    let found = match &service.security {
        Security::Existing(listed) => {
            let (ids, names): (Vec<_>, Vec<_>) =
                listed.iter().cloned().partition(|one| one.starts_with("sg-"));
            let by_name = (!names.is_empty()).then(|| vec![filter("group-name", names.clone())]);
            let (by_id, by_name) =
                tokio::try_join!(by_ids(aws, service, &ids), filtered(aws, service, by_name))?;
            match by_id {
                None if names.is_empty() => return Ok(Groups::Unseen(ids)),
                by_id => by_id.into_iter().flatten().chain(by_name).collect(),
            }
        }
        Security::Tagged(tags) => filtered(aws, service, Some(tag_filters(tags))).await?,
        Security::Own(_) | Security::Default => Vec::new(),
    };
    Ok(Groups::Seen(found))
}

/// IDs of the existing groups that the file names, which have to be in this VPC; `None` if they may not be described.
///
/// # Errors
/// A call failed, or the file names what is not there ([`Kind::Preflight`]).
pub(crate) async fn groups_of(aws: &Aws, service: &Service, vpc: &str) -> Result<Option<Vec<String>>> {
    match look(aws, service).await? {
        Groups::Unseen(_) => Ok(None),
        seen => in_vpc(service, seen, vpc, &aws.region).map(Some),
    }
}

/// IDs of the groups in this VPC, in the order of the file.
pub(super) fn in_vpc(service: &Service, groups: Groups, vpc: &str, region: &str) -> Result<Vec<String>> {
    let found = match groups {
        Groups::Unseen(ids) => return Ok(ids),
        Groups::Seen(found) => found,
    };
    let here = || found.iter().filter(|group| group.vpc == vpc);
    match &service.security {
        Security::Existing(listed) => listed
            .iter()
            .map(|one| match here().find(|group| group.id == *one || group.name == *one) {
                Some(group) => Ok(group.id.clone()),
                None => Err(missing(service, one, &found, vpc, region)),
            })
            .collect(),
        Security::Tagged(_) => {
            let ids: Vec<_> = here().map(|group| group.id.clone()).collect();
            // Source: Amazon ECS API Reference, AwsVpcConfiguration (at most five).
            match ids.len() {
                0 => Err(missing(service, "with these tags", &found, vpc, region)),
                1..=5 => Ok(ids),
                many => {
                    let message =
                        format!("{many} groups carry the tags of `service.{}.security-groups`", service.key);
                    Err(Error::new(Kind::Preflight, message).hint("a service takes five: name one tag more"))
                }
            }
        }
        Security::Own(_) | Security::Default => Ok(Vec::new()),
    }
}

fn missing(service: &Service, which: &str, found: &[Found], vpc: &str, region: &str) -> Error {
    let at = format!("`service.{}.security-groups`", service.key);
    match found.iter().find(|group| group.id == which || group.name == which) {
        Some(other) => {
            let message = format!("`{which}` of {at} is in {}, the subnets are in {vpc}", other.vpc);
            Error::new(Kind::Preflight, message).hint("a task's groups are those of its VPC")
        }
        None => {
            Error::new(Kind::Preflight, format!("no security group in {region} is `{which}`, as {at} says"))
                .hint("`aws ec2 describe-security-groups` lists those of the region: is it the right one?")
        }
    }
}

/// `None` if they may not be described.
async fn by_ids(aws: &Aws, service: &Service, ids: &[String]) -> Result<Option<Vec<Found>>> {
    if ids.is_empty() {
        return Ok(Some(Vec::new()));
    }
    match aws.ec2.describe_security_groups().set_group_ids(Some(ids.to_vec())).send().await {
        Ok(answer) => Ok(Some(answer.security_groups().iter().filter_map(found).collect())),
        Err(error) if fault::denied(&error) => Ok(None),
        Err(error) if fault::is(&error, "InvalidGroup.NotFound") => {
            let message =
                format!("a group of `service.{}.security-groups` is not in {}", service.key, aws.region);
            Err(Error::new(Kind::Preflight, message)
                .caused_by(chain(&error))
                .hint("`aws ec2 describe-security-groups` lists those of the region: is it the right one?"))
        }
        Err(error) => Err(fault("ec2:DescribeSecurityGroups", &ids.join(", "), error)),
    }
}

async fn filtered(aws: &Aws, service: &Service, filters: Option<Vec<Filter>>) -> Result<Vec<Found>> {
    let Some(filters) = filters else { return Ok(Vec::new()) };
    let answer = aws.ec2.describe_security_groups().set_filters(Some(filters)).send().await;
    let answer = answer.map_err(|error| fault("ec2:DescribeSecurityGroups", &service.name, error))?;
    Ok(answer.security_groups().iter().filter_map(found).collect())
}

fn found(group: &SecurityGroup) -> Option<Found> {
    let (id, name, vpc) = (group.group_id()?, group.group_name()?, group.vpc_id()?);
    Some(Found { id: id.to_owned(), name: name.to_owned(), vpc: vpc.to_owned() })
}

/// ID of the VPC that the file names, if it names one.
pub(super) async fn vpc(aws: &Aws, service: &Service) -> Result<Option<String>> {
    let filters = match &service.vpc {
        None => return Ok(None),
        Some(Vpc::Id(id)) => return Ok(Some(id.clone())),
        Some(Vpc::Name(name)) => tag_filters(&BTreeMap::from([("Name".to_owned(), name.clone())])),
        Some(Vpc::Tagged(tags)) => tag_filters(tags),
    };
    let answer = aws.ec2.describe_vpcs().set_filters(Some(filters)).send().await;
    let answer = answer.map_err(|error| fault("ec2:DescribeVpcs", &service.name, error))?;
    let ids: Vec<&str> = answer.vpcs().iter().filter_map(|vpc| vpc.vpc_id()).collect();
    match ids.as_slice() {
        [id] => Ok(Some((*id).to_owned())),
        ids => {
            let count = if ids.is_empty() {
                "no VPC fits".to_owned()
            } else {
                format!("several VPCs fit ({})", ids.join(", "))
            };
            let message = format!("{count} `service.{}.vpc` in {}", service.key, aws.region);
            Err(Error::new(Kind::Preflight, message)
                .hint("`aws ec2 describe-vpcs` lists those of the region"))
        }
    }
}

//! Where tasks go: subnets of one VPC with a way to their registries, security groups of that VPC.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, SecurityGroup};
use futures_util::future::join_all;

use super::routes::{self, Needs, Roads};
use super::{PATIENCE, Subject, failed, unseen};
use crate::aws::Aws;
use crate::config::service::{Security, Service, Source};
use crate::finding::Finding;
use crate::world;

/// Where a service's tasks go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) vpc: String,
    pub(super) subnets: Vec<String>,
    /// What was found of the existing groups that the file names; nothing if that is known elsewhere.
    groups: Option<Finding>,
}

/// By service, or what is wrong with its subnets.
pub(super) type Placed = BTreeMap<String, Result<Place, Finding>>;

/// Looks up each service's subnets and groups.
pub(super) async fn place(aws: &Aws, services: &[&Service]) -> Placed {
    let each = services.iter().map(|service| async move {
        let late = || Err(Finding::unknown(format!("subnets of {}", service.name), "no answer in time"));
        let place = tokio::time::timeout(PATIENCE, one_place(aws, service)).await;
        (service.name.clone(), place.unwrap_or_else(|_| late()))
    });
    join_all(each).await.into_iter().collect()
}

async fn one_place(aws: &Aws, service: &Service) -> Result<Place, Finding> {
    let (vpc, subnets) = world::place_of(aws, service)
        .await
        .map_err(|error| failed(format!("subnets of {}", service.name), &error))?;
    let groups = groups(aws, service, &vpc).await;
    Ok(Place { vpc, subnets, groups })
}

async fn groups(aws: &Aws, service: &Service, vpc: &str) -> Option<Finding> {
    let subject = format!("security groups of {}", service.name);
    match world::groups_of(aws, service, vpc).await {
        Ok(Some(ids)) if ids.is_empty() => None,
        Ok(Some(ids)) => {
            Some(Finding::verified(subject, format!("{}, in {vpc} as the subnets", ids.join(", "))))
        }
        Ok(None) => {
            let operation = "ec2:DescribeSecurityGroups";
            Some(Finding::unknown(subject, format!("`{operation}` is denied")).needs(operation))
        }
        Err(error) => Some(failed(subject, &error)),
    }
}

/// What the world tells already.
pub(super) fn known(networks: &BTreeMap<String, world::Network>) -> Placed {
    let place = |network: &world::Network| Place {
        vpc: network.vpc.clone(),
        subnets: network.subnets.iter().map(|subnet| subnet.id.clone()).collect(),
        groups: None,
    };
    networks.iter().map(|(name, network)| (name.clone(), Ok(place(network)))).collect()
}

/// Subnets, routes and groups of each service. What services share is asked once.
pub(super) async fn check(aws: &Aws, subjects: &[Subject<'_>], placed: &Placed) -> Vec<Finding> {
    let vpcs: BTreeSet<&str> = placed.values().flatten().map(|place| place.vpc.as_str()).collect();
    let roads = vpcs.into_iter().map(|vpc| async move { (vpc, roads(aws, vpc).await) });
    let sources: BTreeSet<&str> = subjects.iter().flat_map(|subject| sources(subject.service)).collect();
    let (roads, sources) = tokio::join!(join_all(roads), sources_exist(aws, &sources));
    let roads: BTreeMap<&str, Result<Roads, Finding>> = roads.into_iter().collect();
    let mut found = Vec::new();
    for subject in subjects {
        match placed.get(&subject.service.name) {
            Some(Ok(place)) => found.extend(of_service(subject, place, roads.get(place.vpc.as_str()))),
            Some(Err(finding)) => found.push(finding.clone()),
            None => {}
        }
    }
    found.extend(sources);
    found
}

fn of_service(subject: &Subject<'_>, place: &Place, roads: Option<&Result<Roads, Finding>>) -> Vec<Finding> {
    let name = &subject.service.name;
    let count = place.subnets.len();
    let mut found =
        vec![Finding::verified(format!("subnets of {name}"), format!("{count}, all in {}", place.vpc))];
    found.extend(place.groups.clone());
    let route = format!("way of {name} to its registries");
    found.push(match roads {
        // Source: Amazon ECS Developer Guide, "Amazon ECS networking": on EC2 the instance's agent pulls.
        _ if !subject.service.launch.is_fargate() => {
            Finding::unknown(route, "its instances pull, and are not looked at")
        }
        Some(Ok(roads)) => routes::judge(&route, &place.subnets, roads, &needs(subject)),
        Some(Err(finding)) => Finding { subject: route, ..finding.clone() },
        None => Finding::unknown(route, "its VPC was not looked at"),
    });
    found
}

fn needs(subject: &Subject<'_>) -> Needs {
    let refers = &subject.refers;
    let mut endpoints = Vec::new();
    if refers.pulls_from_ecr() {
        endpoints.extend([".ecr.api", ".ecr.dkr", ".s3"]);
    }
    if !refers.log_groups.is_empty() {
        endpoints.push(".logs");
    }
    if refers.secrets.iter().any(|secret| secret.contains(":secretsmanager:")) {
        endpoints.push(".secretsmanager");
    }
    if refers.secrets.iter().any(|secret| !secret.contains(":secretsmanager:")) {
        endpoints.push(".ssm");
    }
    Needs {
        endpoints,
        elsewhere: refers.other_registries().into_iter().map(str::to_owned).collect(),
        public_ip: subject.service.assign_public_ip,
    }
}

fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

async fn roads(aws: &Aws, vpc: &str) -> Result<Roads, Finding> {
    let of_vpc = || filter("vpc-id", &[vpc]);
    let (tables, endpoints) = tokio::join!(
        aws.ec2.describe_route_tables().filters(of_vpc()).send(),
        aws.ec2.describe_vpc_endpoints().filters(of_vpc()).send(),
    );
    let tables = tables.map_err(|error| unseen("", "ec2:DescribeRouteTables", error))?;
    let endpoints = endpoints
        .map(|answer| answer.vpc_endpoints().to_vec())
        .map_err(|error| unseen("way to its registries", "ec2:DescribeVpcEndpoints", error));
    Ok(Roads { tables: tables.route_tables().to_vec(), endpoints })
}

/// Groups that may come in.
fn sources(service: &Service) -> impl Iterator<Item = &str> {
    let rules = match &service.security {
        Security::Own(group) => group.ingress.as_slice(),
        Security::Existing(_) | Security::Tagged(_) | Security::Default => &[],
    };
    rules.iter().filter_map(|rule| match &rule.source {
        Source::Group(id) => Some(id.as_str()),
        Source::Ipv4(_) | Source::Ipv6(_) => None,
    })
}

/// Whatever their VPC, which may be a peer. By filter, which leaves out what is not there instead of failing.
async fn sources_exist(aws: &Aws, ids: &BTreeSet<&str>) -> Option<Finding> {
    if ids.is_empty() {
        return None;
    }
    const SUBJECT: &str = "security groups of ingress rules";
    let ids: Vec<&str> = ids.iter().copied().collect();
    match aws.ec2.describe_security_groups().filters(filter("group-id", &ids)).send().await {
        Ok(answer) => Some(all_there(SUBJECT, &ids, answer.security_groups())),
        Err(error) => Some(unseen(SUBJECT, "ec2:DescribeSecurityGroups", error)),
    }
}

fn all_there(subject: &str, wanted: &[&str], groups: &[SecurityGroup]) -> Finding {
    let there = |id: &&&str| groups.iter().any(|group| group.group_id() == Some(**id));
    let missing: Vec<&str> = wanted.iter().filter(|id| !there(id)).copied().collect();
    if missing.is_empty() {
        return Finding::verified(subject, format!("{} are there", wanted.join(", ")));
    }
    Finding::refuted(subject, format!("there is no {}", missing.join(", ")))
        .fix("`aws ec2 describe-security-groups` lists those of the region")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    #[test]
    fn groups_that_may_come_in_have_to_be_there() {
        let groups = [SecurityGroup::builder().group_id("sg-1").build()];
        assert_eq!(all_there("groups", &["sg-1"], &groups).state, State::Verified);
        let found = all_there("groups", &["sg-1", "sg-2"], &groups);
        assert_eq!((found.state, found.message.as_str()), (State::Refuted, "there is no sg-2"));
    }
}

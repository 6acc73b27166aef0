//! Makes what the plan says is missing. Every create is an *ensure*: something that
//! appeared in the meantime is as good as made here.

use std::collections::BTreeMap;

use aws_sdk_ec2::types as ec2;
use aws_sdk_ecr::types as ecr;
use aws_sdk_ecs::types as ecs;

use crate::aws::{Aws, OURS, fault};
use crate::config::service::{Ingress, Source};
use crate::error::Result;
use crate::event::{Done, Events, Phase};
use crate::plan::{GroupPlan, LogGroup, NetworkPlan, SecurityPlan, Target};
use crate::world::CurrentService;

/// Where a service's tasks go, everything there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// IDs.
    pub subnets: Vec<String>,
    /// IDs; none for the VPC's default group.
    pub security_groups: Vec<String>,
    /// Whether tasks get a public IP.
    pub assign_public_ip: bool,
    /// The target groups that the file names; `None` leaves those that the service has.
    pub target_groups: Option<Vec<Target>>,
}

impl Network {
    /// As it will be: a security group that is still to be made is named in place of its ID.
    #[must_use]
    pub fn expected(plan: &NetworkPlan) -> Self {
        let security_groups = match &plan.security {
            SecurityPlan::Existing(ids) => ids.clone(),
            SecurityPlan::Own(GroupPlan { id: Some(id), .. }) => vec![id.clone()],
            SecurityPlan::Own(group) => vec![format!("{} (to be created)", group.name)],
        };
        Self {
            subnets: plan.subnets.clone(),
            security_groups,
            assign_public_ip: plan.assign_public_ip,
            target_groups: plan.target_groups.clone(),
        }
    }

    /// With no group declared, the groups that a service has stay as they are.
    #[must_use]
    pub fn or_current(&self, current: Option<&CurrentService>) -> Self {
        let mut network = self.clone();
        let now = current.and_then(|current| current.service.network_configuration());
        if let Some(now) = now.and_then(|network| network.awsvpc_configuration())
            && network.security_groups.is_empty()
        {
            network.security_groups = now.security_groups().to_vec();
        }
        network
    }
}

/// Creates a repository and returns its URI.
///
/// # Errors
/// The call failed for another reason than that it exists.
pub async fn repository(aws: &Aws, name: &str, events: &Events) -> Result<String> {
    let step = events.start(Phase::Ensure, format!("repository {name}"));
    let tag = ecr::Tag::builder().key(OURS.0).value(OURS.1).build().map_err(crate::error::bug)?;
    match aws.ecr.create_repository().repository_name(name).tags(tag).send().await {
        Ok(answer) => {
            step.finish(Done::Changed, "created");
            Ok(answer.repository().and_then(|made| made.repository_uri()).unwrap_or_default().to_owned())
        }
        Err(error) if fault::is(&error, "RepositoryAlreadyExistsException") => {
            let answer = aws.ecr.describe_repositories().repository_names(name).send().await;
            let answer = answer.map_err(|error| fault("ecr:DescribeRepositories", name, error))?;
            step.finish(Done::Unchanged, "exists");
            Ok(answer
                .repositories()
                .first()
                .and_then(|found| found.repository_uri())
                .unwrap_or_default()
                .to_owned())
        }
        Err(error) => Err(fault("ecr:CreateRepository", name, error)),
    }
}

/// Creates the cluster; on AWS this succeeds for one that exists.
/// Source: Amazon ECS API Reference, CreateCluster (observed to be idempotent).
///
/// # Errors
/// The call failed.
pub async fn cluster(aws: &Aws, name: &str, providers: &[String], events: &Events) -> Result<()> {
    let step = events.start(Phase::Ensure, format!("cluster {name}"));
    let tag = ecs::Tag::builder().key(OURS.0).value(OURS.1).build();
    let call = aws.ecs.create_cluster().cluster_name(name).tags(tag);
    let call = call.set_capacity_providers((!providers.is_empty()).then(|| providers.to_vec()));
    let answer = call.send().await;
    answer.map_err(|error| fault("ecs:CreateCluster", name, error))?;
    step.finish(Done::Changed, "created");
    Ok(())
}

/// Tells the cluster of capacity providers that every account has; those that it has, and its default strategy, stay.
/// Source: Amazon ECS API Reference, PutClusterCapacityProviders (both lists are replaced as a whole).
///
/// # Errors
/// A call failed.
pub async fn capacity_providers(aws: &Aws, cluster: &str, missing: &[String], events: &Events) -> Result<()> {
    let step = events.start(Phase::Ensure, format!("cluster {cluster}"));
    let answer = aws.ecs.describe_clusters().clusters(cluster).send().await;
    let answer = answer.map_err(|error| fault("ecs:DescribeClusters", cluster, error))?;
    let now = answer.clusters().first();
    let mut providers = now.map(|now| now.capacity_providers().to_vec()).unwrap_or_default();
    providers.extend(missing.iter().filter(|name| !providers.contains(name)).cloned().collect::<Vec<_>>());
    let strategy = now.map(|now| now.default_capacity_provider_strategy().to_vec()).unwrap_or_default();
    let call = aws.ecs.put_cluster_capacity_providers().cluster(cluster);
    let call =
        call.set_capacity_providers(Some(providers)).set_default_capacity_provider_strategy(Some(strategy));
    call.send().await.map_err(|error| fault("ecs:PutClusterCapacityProviders", cluster, error))?;
    step.finish(Done::Changed, format!("has capacity provider {}", missing.join(", ")));
    Ok(())
}

/// Creates a log group and sets its retention.
///
/// # Errors
/// A call failed for another reason than that the group exists.
pub async fn log_group(aws: &Aws, group: &LogGroup, events: &Events) -> Result<()> {
    let name = &group.name;
    let step = events.start(Phase::Ensure, format!("log group {name}"));
    if group.create {
        match aws.logs.create_log_group().log_group_name(name).tags(OURS.0, OURS.1).send().await {
            Ok(_) => {}
            Err(error) if fault::is(&error, "ResourceAlreadyExistsException") => {}
            Err(error) => return Err(fault("logs:CreateLogGroup", name, error)),
        }
    }
    if let Some(days) = group.retention_days {
        let days_sent = i32::try_from(days).map_err(crate::error::bug)?;
        let answer =
            aws.logs.put_retention_policy().log_group_name(name).retention_in_days(days_sent).send().await;
        answer.map_err(|error| fault("logs:PutRetentionPolicy", name, error))?;
    }
    let days = group.retention_days.map(|days| format!(", kept {days} days")).unwrap_or_default();
    step.finish(
        Done::Changed,
        if group.create { format!("created{days}") } else { format!("changed{days}") },
    );
    Ok(())
}

/// Makes each network ready. Services that share a security group share its plan's work.
///
/// # Errors
/// A call failed.
pub async fn networks(
    aws: &Aws,
    plans: &BTreeMap<String, NetworkPlan>,
    events: &Events,
) -> Result<BTreeMap<String, Network>> {
    let mut groups: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut networks = BTreeMap::new();
    for (service, plan) in plans {
        let security_groups = match &plan.security {
            SecurityPlan::Existing(ids) => ids.clone(),
            SecurityPlan::Own(group) => {
                let key = (group.vpc.clone(), group.name.clone());
                let id = match groups.get(&key) {
                    Some(id) => id.clone(),
                    None => security_group(aws, group, events).await?,
                };
                groups.insert(key, id.clone());
                vec![id]
            }
        };
        let network = Network {
            subnets: plan.subnets.clone(),
            security_groups,
            assign_public_ip: plan.assign_public_ip,
            target_groups: plan.target_groups.clone(),
        };
        networks.insert(service.clone(), network);
    }
    Ok(networks)
}

async fn security_group(aws: &Aws, plan: &GroupPlan, events: &Events) -> Result<String> {
    if let Some(id) = plan.id.as_ref().filter(|_| plan.authorize.is_empty() && plan.revoke.is_empty()) {
        return Ok(id.clone());
    }
    let step = events.start(Phase::Ensure, format!("security group {}", plan.name));
    let id = match &plan.id {
        Some(id) => id.clone(),
        None => create_group(aws, plan).await?,
    };
    // First open, then close: a rule that only changed its source leaves no gap.
    for rule in &plan.authorize {
        authorize(aws, &id, rule).await?;
    }
    if !plan.revoke.is_empty() {
        let ids = plan.revoke.iter().map(|rule| rule.id.clone()).collect();
        let call = aws.ec2.revoke_security_group_ingress().group_id(&id);
        let answer = call.set_security_group_rule_ids(Some(ids)).send().await;
        match answer {
            Ok(_) => {}
            Err(error) if fault::is(&error, "InvalidSecurityGroupRuleId.NotFound") => {}
            Err(error) => return Err(fault("ec2:RevokeSecurityGroupIngress", &plan.name, error)),
        }
    }
    let verb = if plan.id.is_some() { "changed" } else { "created" };
    step.finish(
        Done::Changed,
        format!("{id} {verb}, {} rules added, {} removed", plan.authorize.len(), plan.revoke.len()),
    );
    Ok(id)
}

async fn create_group(aws: &Aws, plan: &GroupPlan) -> Result<String> {
    let call = aws
        .ec2
        .create_security_group()
        .group_name(&plan.name)
        .description(&plan.description)
        .vpc_id(&plan.vpc);
    match call.tag_specifications(tagged(ec2::ResourceType::SecurityGroup)).send().await {
        Ok(answer) => Ok(answer.group_id().unwrap_or_default().to_owned()),
        Err(error) if fault::is(&error, "InvalidGroup.Duplicate") => find_group(aws, plan).await,
        Err(error) => Err(fault("ec2:CreateSecurityGroup", &plan.name, error)),
    }
}

async fn find_group(aws: &Aws, plan: &GroupPlan) -> Result<String> {
    let by = |name: &str, value: &str| ec2::Filter::builder().name(name).values(value).build();
    let call = aws.ec2.describe_security_groups();
    let call = call.filters(by("group-name", &plan.name)).filters(by("vpc-id", &plan.vpc));
    let answer = call.send().await.map_err(|error| fault("ec2:DescribeSecurityGroups", &plan.name, error))?;
    let found = answer.security_groups().first().and_then(|group| group.group_id());
    found.map(str::to_owned).ok_or_else(|| crate::error::bug("a security group that exists was not found"))
}

async fn authorize(aws: &Aws, group: &str, rule: &Ingress) -> Result<()> {
    let call = aws.ec2.authorize_security_group_ingress().group_id(group).ip_permissions(permission(rule));
    match call.tag_specifications(tagged(ec2::ResourceType::SecurityGroupRule)).send().await {
        Ok(_) => Ok(()),
        Err(error) if fault::is(&error, "InvalidPermission.Duplicate") => Ok(()),
        Err(error) => Err(fault("ec2:AuthorizeSecurityGroupIngress", group, error)),
    }
}

fn permission(rule: &Ingress) -> ec2::IpPermission {
    let base = ec2::IpPermission::builder()
        .ip_protocol(rule.protocol)
        .from_port(rule.ports.0.into())
        .to_port(rule.ports.1.into());
    let said = rule.description.clone();
    match &rule.source {
        Source::Ipv4(block) => {
            base.ip_ranges(ec2::IpRange::builder().cidr_ip(block).set_description(said).build())
        }
        Source::Ipv6(block) => {
            base.ipv6_ranges(ec2::Ipv6Range::builder().cidr_ipv6(block).set_description(said).build())
        }
        Source::Group(id) => base
            .user_id_group_pairs(ec2::UserIdGroupPair::builder().group_id(id).set_description(said).build()),
    }
    .build()
}

fn tagged(resource: ec2::ResourceType) -> ec2::TagSpecification {
    let tag = ec2::Tag::builder().key(OURS.0).value(OURS.1).build();
    ec2::TagSpecification::builder().resource_type(resource).tags(tag).build()
}

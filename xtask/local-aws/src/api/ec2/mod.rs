//! EC2: the network of a fresh account, and security groups.

use serde_json::Value;

use super::operations;
use crate::cloud::Cloud;
use crate::error::ApiError;

pub(in crate::api) mod errors;
mod groups;
mod interfaces;
mod network;
mod permissions;
mod places;
mod rules;
pub(crate) mod select;
mod tags;

use groups::{CreateSecurityGroup, DeleteSecurityGroup, DescribeSecurityGroups};
use interfaces::DescribeNetworkInterfaces;
use network::{
    DescribeInternetGateways, DescribeRouteTables, DescribeSubnets, DescribeVpcAttribute, DescribeVpcs,
};
use permissions::RulesInput;
use places::{DescribeAvailabilityZones, DescribeNatGateways, DescribeRegions, DescribeVpcEndpoints};
use rules::DescribeSecurityGroupRules;
use tags::{ChangeTags, DescribeTags};

operations! {
    /// What EC2 answers.
    pub enum Ec2Request {
        AuthorizeSecurityGroupEgress(RulesInput),
        AuthorizeSecurityGroupIngress(RulesInput),
        CreateSecurityGroup(CreateSecurityGroup),
        CreateTags(ChangeTags),
        DeleteSecurityGroup(DeleteSecurityGroup),
        DeleteTags(ChangeTags),
        DescribeAvailabilityZones(DescribeAvailabilityZones),
        DescribeInternetGateways(DescribeInternetGateways),
        DescribeNatGateways(DescribeNatGateways),
        DescribeNetworkInterfaces(DescribeNetworkInterfaces),
        DescribeRegions(DescribeRegions),
        DescribeRouteTables(DescribeRouteTables),
        DescribeSecurityGroupRules(DescribeSecurityGroupRules),
        DescribeSecurityGroups(DescribeSecurityGroups),
        DescribeSubnets(DescribeSubnets),
        DescribeTags(DescribeTags),
        DescribeVpcAttribute(DescribeVpcAttribute),
        DescribeVpcEndpoints(DescribeVpcEndpoints),
        DescribeVpcs(DescribeVpcs),
        RevokeSecurityGroupEgress(RulesInput),
        RevokeSecurityGroupIngress(RulesInput),
    }
}

/// Performs the operation, on a thread that may wait for the disk.
pub async fn handle(cloud: &Cloud, request: Ec2Request) -> Result<Value, ApiError> {
    let cloud = cloud.clone();
    tokio::task::spawn_blocking(move || perform(&cloud, request)).await.map_err(ApiError::server)?
}

fn perform(cloud: &Cloud, request: Ec2Request) -> Result<Value, ApiError> {
    match request {
        Ec2Request::AuthorizeSecurityGroupEgress(input) => {
            rules::check_egress(&input).and_then(|()| rules::authorize(cloud, true, &input))
        }
        Ec2Request::AuthorizeSecurityGroupIngress(input) => rules::authorize(cloud, false, &input),
        Ec2Request::CreateSecurityGroup(input) => groups::create(cloud, input),
        Ec2Request::CreateTags(input) => tags::create(cloud, &input),
        Ec2Request::DeleteSecurityGroup(input) => groups::delete(cloud, &input),
        Ec2Request::DeleteTags(input) => tags::delete(cloud, &input),
        Ec2Request::DescribeAvailabilityZones(input) => places::zones(cloud, &input),
        Ec2Request::DescribeInternetGateways(input) => network::internet_gateways(cloud, &input),
        Ec2Request::DescribeNatGateways(input) => places::nat_gateways(&input),
        Ec2Request::DescribeNetworkInterfaces(input) => interfaces::describe(cloud, &input),
        Ec2Request::DescribeRegions(input) => places::regions(cloud, &input),
        Ec2Request::DescribeRouteTables(input) => network::route_tables(cloud, &input),
        Ec2Request::DescribeSecurityGroupRules(input) => rules::describe(cloud, &input),
        Ec2Request::DescribeSecurityGroups(input) => groups::describe(cloud, &input),
        Ec2Request::DescribeSubnets(input) => network::subnets(cloud, &input),
        Ec2Request::DescribeTags(input) => tags::describe(cloud, &input),
        Ec2Request::DescribeVpcAttribute(input) => network::vpc_attribute(cloud, &input),
        Ec2Request::DescribeVpcEndpoints(input) => places::vpc_endpoints(&input),
        Ec2Request::DescribeVpcs(input) => network::vpcs(cloud, &input),
        Ec2Request::RevokeSecurityGroupEgress(input) => {
            rules::check_egress(&input).and_then(|()| rules::revoke(cloud, true, &input))
        }
        Ec2Request::RevokeSecurityGroupIngress(input) => rules::revoke(cloud, false, &input),
    }
}

#[cfg(test)]
mod tests;

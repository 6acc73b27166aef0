//! VPCs, subnets, route tables and gateways: what a fresh account has, read only.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::vpc_not_found;
use super::select::{Resource, describe_input, one, select, tag_set};
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::state::ec2::{Ec2, InternetGateway, RouteTable, Subnet, Tags, Vpc};

describe_input!(DescribeVpcs, "VpcId");
describe_input!(DescribeSubnets, "SubnetId");
describe_input!(DescribeRouteTables, "RouteTableId");
describe_input!(DescribeInternetGateways, "InternetGatewayId");

impl Resource for Vpc {
    const FILTERS: &'static [&'static str] = &[
        "cidr",
        "cidr-block",
        "cidr-block-association.cidr-block",
        "cidr-block-association.association-id",
        "cidr-block-association.state",
        "dhcp-options-id",
        "ipv6-cidr-block-association.ipv6-cidr-block",
        "ipv6-cidr-block-association.ipv6-pool",
        "ipv6-cidr-block-association.association-id",
        "ipv6-cidr-block-association.state",
        "is-default",
        "isDefault",
        "owner-id",
        "state",
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
            "cidr" | "cidr-block" | "cidr-block-association.cidr-block" => one(&self.cidr),
            "cidr-block-association.association-id" => one(&cidr_association(self)),
            "cidr-block-association.state" => one("associated"),
            "dhcp-options-id" => one(&dhcp_options(self)),
            "is-default" | "isDefault" => one(&true),
            "owner-id" => one(ACCOUNT),
            "state" => one("available"),
            "vpc-id" => one(&self.id),
            _ => Vec::new(),
        }
    }
}

pub(super) fn vpcs(cloud: &Cloud, input: &DescribeVpcs) -> Result<Value, ApiError> {
    let vpc = cloud.ec2().read(|ec2| ec2.vpc.clone());
    select(vec![vpc], &input.query("vpc"), "vpcSet", |vpc| {
        json!({
            "vpcId": vpc.id,
            "ownerId": ACCOUNT,
            "instanceTenancy": "default",
            "isDefault": true,
            "state": "available",
            "cidrBlock": vpc.cidr,
            "cidrBlockAssociationSet": [{
                "associationId": cidr_association(vpc),
                "cidrBlock": vpc.cidr,
                "cidrBlockState": {"state": "associated"},
            }],
            "dhcpOptionsId": dhcp_options(vpc),
            "tagSet": tag_set(&vpc.tags),
        })
    })
}

fn cidr_association(vpc: &Vpc) -> String {
    vpc.id.replace("vpc-", "vpc-cidr-assoc-")
}

fn dhcp_options(vpc: &Vpc) -> String {
    vpc.id.replace("vpc-", "dopt-")
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeVpcAttribute {
    vpc_id: String,
    attribute: String,
}

/// What a default VPC has (documented: Amazon VPC user guide, "DNS attributes for your VPC").
pub(super) fn vpc_attribute(cloud: &Cloud, input: &DescribeVpcAttribute) -> Result<Value, ApiError> {
    if cloud.ec2().read(|ec2| ec2.vpc.id != input.vpc_id) {
        return Err(vpc_not_found(&input.vpc_id));
    }
    let value = match input.attribute.as_str() {
        "enableDnsHostnames" | "enableDnsSupport" => true,
        "enableNetworkAddressUsageMetrics" => false,
        other => {
            let message = format!("Value ({other}) for parameter attribute is invalid. Unknown attribute.");
            return Err(super::errors::invalid_value(message));
        }
    };
    Ok(json!({"vpcId": input.vpc_id, input.attribute.as_str(): {"value": value}}))
}

impl Resource for Subnet {
    const FILTERS: &'static [&'static str] = &[
        "availability-zone",
        "availabilityZone",
        "availability-zone-id",
        "availabilityZoneId",
        "available-ip-address-count",
        "cidr-block",
        "cidr",
        "cidrBlock",
        "customer-owned-ipv4-pool",
        "default-for-az",
        "defaultForAz",
        "enable-dns64",
        "enable-lni-at-device-index",
        "ipv6-cidr-block-association.ipv6-cidr-block",
        "ipv6-cidr-block-association.association-id",
        "ipv6-cidr-block-association.state",
        "ipv6-native",
        "map-customer-owned-ip-on-launch",
        "map-public-ip-on-launch",
        "outpost-arn",
        "owner-id",
        "private-dns-name-options-on-launch.hostname-type",
        "private-dns-name-options-on-launch.enable-resource-name-dns-a-record",
        "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record",
        "state",
        "subnet-arn",
        "subnet-id",
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
            "availability-zone" | "availabilityZone" => one(&self.zone),
            "availability-zone-id" | "availabilityZoneId" => one(&self.zone_id),
            "cidr-block" | "cidr" | "cidrBlock" => one(&self.cidr),
            "default-for-az" | "defaultForAz" | "map-public-ip-on-launch" => one(&true),
            "ipv6-native" | "enable-dns64" | "map-customer-owned-ip-on-launch" => one(&false),
            "owner-id" => one(ACCOUNT),
            "state" => one("available"),
            "subnet-id" => one(&self.id),
            "subnet-arn" => one(&subnet_arn(self)),
            "vpc-id" => one(&self.vpc),
            _ => Vec::new(),
        }
    }
}

pub(super) fn subnets(cloud: &Cloud, input: &DescribeSubnets) -> Result<Value, ApiError> {
    let subnets = cloud.ec2().read(|ec2| ec2.subnets.values().cloned().collect());
    select(subnets, &input.query("subnet"), "subnetSet", |subnet: &Subnet| {
        let used = super::interfaces::count_in(cloud, &subnet.id);
        json!({
            "subnetId": subnet.id,
            "subnetArn": subnet_arn(subnet),
            "vpcId": subnet.vpc,
            "ownerId": ACCOUNT,
            "state": "available",
            "cidrBlock": subnet.cidr,
            // A /20 less the five addresses that AWS keeps.
            "availableIpAddressCount": 4091usize.saturating_sub(used),
            "availabilityZone": subnet.zone,
            "availabilityZoneId": subnet.zone_id,
            "defaultForAz": true,
            "mapPublicIpOnLaunch": true,
            "mapCustomerOwnedIpOnLaunch": false,
            "assignIpv6AddressOnCreation": false,
            "ipv6Native": false,
            "enableDns64": false,
            "privateDnsNameOptionsOnLaunch": {
                "hostnameType": "ip-name",
                "enableResourceNameDnsARecord": false,
                "enableResourceNameDnsAAAARecord": false,
            },
            "ipv6CidrBlockAssociationSet": [],
            "tagSet": tag_set(&subnet.tags),
        })
    })
}

fn subnet_arn(subnet: &Subnet) -> String {
    let region = subnet.zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
    Ec2::arn(region, "subnet", &subnet.id)
}

/// A route table, the VPC it is in and where it sends the rest.
struct InVpc<T> {
    of: T,
    vpc: Vpc,
    gateway: String,
}

impl Resource for InVpc<RouteTable> {
    const FILTERS: &'static [&'static str] = &[
        "association.gateway-id",
        "association.route-table-association-id",
        "association.route-table-id",
        "association.subnet-id",
        "association.main",
        "owner-id",
        "route-table-id",
        "route.destination-cidr-block",
        "route.destination-ipv6-cidr-block",
        "route.destination-prefix-list-id",
        "route.egress-only-internet-gateway-id",
        "route.gateway-id",
        "route.instance-id",
        "route.nat-gateway-id",
        "route.transit-gateway-id",
        "route.origin",
        "route.state",
        "route.vpc-peering-connection-id",
        "vpc-id",
    ];

    fn id(&self) -> &str {
        &self.of.id
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.of.tags)
    }

    fn values(&self, filter: &str) -> Vec<String> {
        match filter {
            "association.route-table-association-id" => one(&self.of.association),
            "association.route-table-id" | "route-table-id" => one(&self.of.id),
            "association.main" => one(&true),
            "owner-id" => one(ACCOUNT),
            "route.destination-cidr-block" => vec![self.vpc.cidr.clone(), "0.0.0.0/0".to_owned()],
            "route.gateway-id" => vec!["local".to_owned(), self.gateway.clone()],
            "route.origin" => vec!["CreateRouteTable".to_owned(), "CreateRoute".to_owned()],
            "route.state" => one("active"),
            "vpc-id" => one(&self.vpc.id),
            // No subnet is associated by itself: the main table is every one's.
            _ => Vec::new(),
        }
    }
}

pub(super) fn route_tables(cloud: &Cloud, input: &DescribeRouteTables) -> Result<Value, ApiError> {
    let table = cloud.ec2().read(|ec2| InVpc {
        of: ec2.route_table.clone(),
        vpc: ec2.vpc.clone(),
        gateway: ec2.internet_gateway.id.clone(),
    });
    select(vec![table], &input.query("route-table"), "routeTableSet", |table| {
        let route = |to: &str, gateway: &str, origin: &str| json!({"destinationCidrBlock": to, "gatewayId": gateway, "origin": origin, "state": "active"});
        json!({
            "routeTableId": table.of.id,
            "vpcId": table.vpc.id,
            "ownerId": ACCOUNT,
            "associationSet": [{
                "main": true,
                "routeTableAssociationId": table.of.association,
                "routeTableId": table.of.id,
                "associationState": {"state": "associated"},
            }],
            "routeSet": [
                route(&table.vpc.cidr, "local", "CreateRouteTable"),
                route("0.0.0.0/0", &table.gateway, "CreateRoute"),
            ],
            "propagatingVgwSet": [],
            "tagSet": tag_set(&table.of.tags),
        })
    })
}

impl Resource for InVpc<InternetGateway> {
    const FILTERS: &'static [&'static str] =
        &["attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id"];

    fn id(&self) -> &str {
        &self.of.id
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.of.tags)
    }

    fn values(&self, filter: &str) -> Vec<String> {
        match filter {
            "attachment.state" => one("available"),
            "attachment.vpc-id" => one(&self.vpc.id),
            "internet-gateway-id" => one(&self.of.id),
            "owner-id" => one(ACCOUNT),
            _ => Vec::new(),
        }
    }
}

pub(super) fn internet_gateways(cloud: &Cloud, input: &DescribeInternetGateways) -> Result<Value, ApiError> {
    let gateway = cloud.ec2().read(|ec2| InVpc {
        of: ec2.internet_gateway.clone(),
        vpc: ec2.vpc.clone(),
        gateway: String::new(),
    });
    select(vec![gateway], &input.query("internet-gateway"), "internetGatewaySet", |gateway| {
        json!({
            "internetGatewayId": gateway.of.id,
            "ownerId": ACCOUNT,
            "attachmentSet": [{"state": "available", "vpcId": gateway.vpc.id}],
            "tagSet": tag_set(&gateway.of.tags),
        })
    })
}

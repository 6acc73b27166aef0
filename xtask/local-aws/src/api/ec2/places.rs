//! Regions and zones, and what a fresh account has none of.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::invalid_value;
use super::select::{Filter, Query, Resource, describe_input, one, select};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ec2::Subnet;

#[derive(Debug, Deserialize)]
pub struct DescribeAvailabilityZones {
    #[serde(rename = "ZoneName", default)]
    names: Vec<String>,
    #[serde(rename = "ZoneId", default)]
    ids: Vec<String>,
    #[serde(rename = "Filter", default)]
    filters: Vec<Filter>,
}

struct Zone {
    name: String,
    zone_id: String,
    region: String,
}

impl Resource for Zone {
    const FILTERS: &'static [&'static str] = &[
        "group-long-name",
        "group-name",
        "message",
        "opt-in-status",
        "parent-zone-id",
        "parent-zone-name",
        "region-name",
        "state",
        "zone-id",
        "zone-name",
        "zone-type",
    ];

    fn id(&self) -> &str {
        &self.name
    }

    fn values(&self, filter: &str) -> Vec<String> {
        match filter {
            "group-name" => one(&format!("{}-zg-1", self.region)),
            "opt-in-status" => one("opt-in-not-required"),
            "region-name" => one(&self.region),
            "state" => one("available"),
            "zone-id" => one(&self.zone_id),
            "zone-name" => one(&self.name),
            "zone-type" => one("availability-zone"),
            _ => Vec::new(),
        }
    }
}

pub(super) fn zones(cloud: &Cloud, input: &DescribeAvailabilityZones) -> Result<Value, ApiError> {
    let subnets: Vec<Subnet> = cloud.ec2().read(|ec2| ec2.subnets.values().cloned().collect());
    let unknown = |names: &[String], has: &dyn Fn(&Subnet) -> &String| {
        names.iter().find(|name| !subnets.iter().any(|subnet| has(subnet) == *name)).cloned()
    };
    if let Some(zone) = unknown(&input.names, &|s| &s.zone).or_else(|| unknown(&input.ids, &|s| &s.zone_id)) {
        // Observed: the name stands in brackets.
        return Err(invalid_value(format!("Invalid availability zone: [{zone}]")));
    }
    let asked = |s: &Subnet| {
        (input.names.is_empty() || input.names.contains(&s.zone))
            && (input.ids.is_empty() || input.ids.contains(&s.zone_id))
    };
    let region = cloud.region();
    let zone =
        |s: &Subnet| Zone { name: s.zone.clone(), zone_id: s.zone_id.clone(), region: region.to_owned() };
    let zones = subnets.iter().filter(|s| asked(s)).map(zone).collect();
    let query =
        Query { kind: "zone", ids: &[], filters: &input.filters, max_results: None, next_token: None };
    select(zones, &query, "availabilityZoneInfo", |zone: &Zone| {
        json!({
            "zoneName": zone.name,
            "zoneId": zone.zone_id,
            "zoneState": "available",
            "zoneType": "availability-zone",
            "regionName": region,
            "groupName": format!("{region}-zg-1"),
            "networkBorderGroup": region,
            "optInStatus": "opt-in-not-required",
            "messageSet": [],
        })
    })
}

/// Every name that is asked for is a region: none is known but this one.
#[derive(Debug, Deserialize)]
pub struct DescribeRegions {
    #[serde(rename = "RegionName", default)]
    names: Vec<String>,
}

pub(super) fn regions(cloud: &Cloud, input: &DescribeRegions) -> Result<Value, ApiError> {
    let region = cloud.region();
    if let Some(other) = input.names.iter().find(|name| *name != region) {
        return Err(invalid_value(format!("Invalid region name: [{other}]")));
    }
    Ok(json!({"regionInfo": [{
        "regionName": region,
        "regionEndpoint": format!("ec2.{region}.amazonaws.com"),
        "optInStatus": "opt-in-not-required",
    }]}))
}

describe_input!(DescribeNatGateways, "NatGatewayId");
describe_input!(DescribeVpcEndpoints, "VpcEndpointId");

/// There are none and none can be made; the filters are still checked.
enum NatGateway {}

enum VpcEndpoint {}

impl Resource for NatGateway {
    const FILTERS: &'static [&'static str] = &["nat-gateway-id", "state", "subnet-id", "vpc-id"];

    fn id(&self) -> &str {
        match *self {}
    }

    fn values(&self, _: &str) -> Vec<String> {
        match *self {}
    }
}

impl Resource for VpcEndpoint {
    const FILTERS: &'static [&'static str] = &[
        "ip-address-type",
        "service-name",
        "service-region",
        "vpc-id",
        "vpc-endpoint-id",
        "vpc-endpoint-state",
        "vpc-endpoint-type",
    ];

    fn id(&self) -> &str {
        match *self {}
    }

    fn values(&self, _: &str) -> Vec<String> {
        match *self {}
    }
}

pub(super) fn nat_gateways(input: &DescribeNatGateways) -> Result<Value, ApiError> {
    select(Vec::new(), &input.query("nat-gateway"), "natGatewaySet", |gateway: &NatGateway| match *gateway {})
}

pub(super) fn vpc_endpoints(input: &DescribeVpcEndpoints) -> Result<Value, ApiError> {
    select(Vec::new(), &input.query("vpc-endpoint"), "vpcEndpointSet", |endpoint: &VpcEndpoint| {
        match *endpoint {}
    })
}

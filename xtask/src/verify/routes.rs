//! How tasks in a subnet reach the registries they pull from. Pure.
//! Sources: Amazon VPC User Guide, "Subnet route tables"; Amazon ECR User Guide, "Amazon ECR interface VPC endpoints"
//! (Fargate from platform version 1.4.0 on needs those of the API and of the registry, and one of S3 for the layers).

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    Route, RouteState, RouteTable, State as EndpointState, VpcEndpoint, VpcEndpointType,
};

use crate::finding::{Finding, State};

/// What is known of a VPC.
#[derive(Clone, Debug)]
pub(super) struct Roads {
    pub(super) tables: Vec<RouteTable>,
    /// Or why they were not read.
    pub(super) endpoints: Result<Vec<VpcEndpoint>, Finding>,
}

/// What tasks of a service need to reach.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    /// Ends of the service names of VPC endpoints that would do: `.ecr.api`.
    pub(super) endpoints: Vec<&'static str>,
    /// Registries that no endpoint leads to.
    pub(super) elsewhere: BTreeSet<String>,
    /// Whether tasks get a public IP; `None`: where a subnet has no other way.
    pub(super) public_ip: Option<bool>,
}

/// Where the default route of a subnet goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// An internet gateway, which a task with a public IP alone reaches.
    Gateway(String),
    /// A NAT gateway.
    Nat(String),
    /// Somewhere from where it is not seen.
    Beyond(String),
    /// Nowhere.
    None,
}

/// How one subnet fares.
enum Outcome {
    Good(String),
    Bad(String),
    Unseen(Finding),
}

/// Whether tasks in all of the subnets have a way.
pub(super) fn judge(subject: &str, subnets: &[String], roads: &Roads, needs: &Needs) -> Finding {
    let ways: Vec<(&String, Way)> =
        subnets.iter().map(|subnet| (subnet, way(subnet, &roads.tables))).collect();
    let any_gateway = ways.iter().any(|(_, way)| matches!(way, Way::Gateway(_)));
    let public_ip = needs.public_ip.unwrap_or(any_gateway);
    let (mut good, mut bad, mut unseen) = (BTreeSet::new(), Vec::new(), None);
    for (subnet, way) in ways {
        match outcome(subject, subnet, &way, public_ip, roads, needs) {
            Outcome::Good(how) => drop(good.insert(how)),
            Outcome::Bad(why) => bad.push(format!("{subnet} {why}")),
            Outcome::Unseen(finding) => unseen = Some(finding),
        }
    }
    if !bad.is_empty() {
        return refuted(subject, &bad.join("; "), any_gateway && !public_ip);
    }
    unseen.unwrap_or_else(|| {
        Finding::verified(subject, format!("by {}", good.into_iter().collect::<Vec<_>>().join(", ")))
    })
}

fn refuted(subject: &str, why: &str, wants_ip: bool) -> Finding {
    let finding = Finding::refuted(subject, why);
    let ip = "`assign-public-ip = true`: an internet gateway is reached with a public IP only";
    let finding = if wants_ip { finding.fix(ip) } else { finding };
    finding.fix("or name subnets with a NAT gateway, or make VPC endpoints for ecr.api, ecr.dkr, s3 and logs")
}

fn outcome(subject: &str, subnet: &str, way: &Way, public_ip: bool, roads: &Roads, needs: &Needs) -> Outcome {
    match way {
        Way::Nat(nat) => return Outcome::Good(nat.clone()),
        Way::Gateway(gateway) if public_ip => return Outcome::Good(format!("{gateway} with a public IP")),
        _ => {}
    }
    let lacking = match &roads.endpoints {
        Ok(endpoints) => missing(subnet, &roads.tables, endpoints, needs),
        Err(finding) => return Outcome::Unseen(finding.clone()),
    };
    match (lacking, way) {
        (None, _) => Outcome::Good("VPC endpoints".to_owned()),
        (Some(_), Way::Beyond(target)) => {
            let said =
                format!("the default route of {subnet} goes to {target}: what lies behind it is not seen");
            Outcome::Unseen(Finding::new(subject, State::Unknown, said))
        }
        (Some(lacking), Way::Gateway(gateway)) => {
            Outcome::Bad(format!("leads to {gateway}, tasks get no public IP, and {lacking}"))
        }
        (Some(lacking), _) => Outcome::Bad(format!("has no default route, and {lacking}")),
    }
}

/// A subnet without a table of its own has the VPC's main one.
fn table<'t>(subnet: &str, tables: &'t [RouteTable]) -> Option<&'t RouteTable> {
    let own = |table: &&RouteTable| table.associations().iter().any(|a| a.subnet_id() == Some(subnet));
    let main = |table: &&RouteTable| table.associations().iter().any(|a| a.main() == Some(true));
    tables.iter().find(own).or_else(|| tables.iter().find(main))
}

fn way(subnet: &str, tables: &[RouteTable]) -> Way {
    let routes = table(subnet, tables).map(RouteTable::routes).unwrap_or_default();
    let default = |route: &&Route| {
        route.destination_cidr_block() == Some("0.0.0.0/0") && route.state() != Some(&RouteState::Blackhole)
    };
    let Some(route) = routes.iter().find(default) else { return Way::None };
    let gateway = route.gateway_id().unwrap_or_default();
    if gateway.starts_with("igw-") {
        return Way::Gateway(gateway.to_owned());
    }
    if let Some(nat) = route.nat_gateway_id() {
        return Way::Nat(nat.to_owned());
    }
    let targets = [
        route.transit_gateway_id(),
        route.network_interface_id(),
        route.instance_id(),
        route.vpc_peering_connection_id(),
        route.local_gateway_id(),
        route.gateway_id(),
    ];
    Way::Beyond(targets.into_iter().flatten().next().unwrap_or("somewhere").to_owned())
}

/// What the endpoints do not lead to.
fn missing(subnet: &str, tables: &[RouteTable], endpoints: &[VpcEndpoint], needs: &Needs) -> Option<String> {
    if !needs.elsewhere.is_empty() {
        let registries: Vec<&str> = needs.elsewhere.iter().map(String::as_str).collect();
        return Some(format!("no VPC endpoint leads to {}", registries.join(", ")));
    }
    let table = table(subnet, tables).and_then(RouteTable::route_table_id);
    let leads = |endpoint: &&VpcEndpoint| match endpoint.vpc_endpoint_type() {
        Some(VpcEndpointType::Gateway) => {
            table.is_some_and(|table| endpoint.route_table_ids().iter().any(|id| id == table))
        }
        // One of S3 has no private name unless it is asked for, and the layers' addresses are that name.
        _ => endpoint.private_dns_enabled() == Some(true),
    };
    let open =
        |endpoint: &&VpcEndpoint| endpoint.state().is_none_or(|state| *state == EndpointState::Available);
    let there: Vec<&str> =
        endpoints.iter().filter(leads).filter(open).filter_map(VpcEndpoint::service_name).collect();
    let lacks = |end: &&&str| !there.iter().any(|name| name.ends_with(**end));
    let lacking: Vec<&str> =
        needs.endpoints.iter().filter(lacks).map(|end| end.trim_start_matches('.')).collect();
    (!lacking.is_empty()).then(|| format!("there is no VPC endpoint for {}", lacking.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::RouteTableAssociation;

    const NEEDS: [&str; 3] = [".ecr.api", ".ecr.dkr", ".s3"];

    fn needs(public_ip: Option<bool>) -> Needs {
        Needs { endpoints: NEEDS.to_vec(), elsewhere: BTreeSet::new(), public_ip }
    }

    fn main_table(route: Option<Route>) -> RouteTable {
        let main = RouteTableAssociation::builder().main(true).build();
        RouteTable::builder()
            .route_table_id("rtb-1")
            .associations(main)
            .set_routes(route.map(|one| vec![one]))
            .build()
    }

    fn default_route() -> aws_sdk_ec2::types::builders::RouteBuilder {
        Route::builder().destination_cidr_block("0.0.0.0/0")
    }

    fn endpoint(name: &str) -> VpcEndpoint {
        let kind = if name == "s3" { VpcEndpointType::Gateway } else { VpcEndpointType::Interface };
        VpcEndpoint::builder()
            .service_name(format!("com.amazonaws.eu-west-1.{name}"))
            .vpc_endpoint_type(kind)
            .private_dns_enabled(name != "s3")
            .route_table_ids("rtb-1")
            .build()
    }

    fn judged(route: Option<Route>, endpoints: &[&str], needs: &Needs) -> Finding {
        let endpoints = endpoints.iter().map(|name| endpoint(name)).collect();
        let roads = Roads { tables: vec![main_table(route)], endpoints: Ok(endpoints) };
        judge("route", &["subnet-1".to_owned()], &roads, needs)
    }

    #[test]
    fn an_internet_gateway_needs_a_public_ip() {
        let gateway = || Some(default_route().gateway_id("igw-1").build());
        let all =
            [needs(Some(true)), needs(None), needs(Some(false))].map(|needs| judged(gateway(), &[], &needs));
        assert_eq!(all[0], Finding::verified("route", "by igw-1 with a public IP"));
        assert_eq!(all[0], all[1]);
        insta::assert_snapshot!(all[2].message, @"subnet-1 leads to igw-1, tasks get no public IP, and there is no VPC endpoint for ecr.api, ecr.dkr, s3");
        assert!(all[2].fix[0].starts_with("`assign-public-ip = true`"));
    }

    #[test]
    fn a_nat_gateway_is_a_way_unless_it_is_gone() {
        let route = || default_route().nat_gateway_id("nat-1");
        assert_eq!(judged(Some(route().build()), &[], &needs(None)), Finding::verified("route", "by nat-1"));
        let gone = judged(Some(route().state(RouteState::Blackhole).build()), &[], &needs(None));
        assert_eq!(gone.state, State::Refuted);
    }

    #[test]
    fn endpoints_are_a_way_to_ecr_and_to_nothing_else() {
        let all = ["ecr.api", "ecr.dkr", "s3"];
        assert_eq!(judged(None, &all, &needs(None)), Finding::verified("route", "by VPC endpoints"));
        let less = judged(None, &all[1..], &needs(None));
        assert_eq!(less.message, "subnet-1 has no default route, and there is no VPC endpoint for ecr.api");
        let elsewhere = Needs { elsewhere: ["docker.io".to_owned()].into(), ..needs(None) };
        assert_eq!(judged(None, &all, &elsewhere).state, State::Refuted);
    }

    #[test]
    fn what_lies_behind_a_transit_gateway_is_not_seen() {
        let route = Some(default_route().transit_gateway_id("tgw-1").build());
        let found = judged(route, &[], &needs(None));
        assert_eq!(found.state, State::Unknown);
        assert!(found.message.contains("tgw-1"), "{}", found.message);
    }

    #[test]
    fn endpoints_that_may_not_be_read_leave_it_unknown_where_they_matter() {
        let denied = Finding::unknown("route", "denied").needs("ec2:DescribeVpcEndpoints");
        let roads = |route| Roads { tables: vec![main_table(route)], endpoints: Err(denied.clone()) };
        let subnets = ["subnet-1".to_owned()];
        assert_eq!(judge("route", &subnets, &roads(None), &needs(None)), denied);
        let nat = Some(default_route().nat_gateway_id("nat-1").build());
        assert_eq!(judge("route", &subnets, &roads(nat), &needs(None)).state, State::Verified);
    }
}

//! Network interfaces: those of ECS's tasks, there are no others.

use serde_json::{Value, json};

use super::select::{Resource, describe_input, one, select};
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::state::ecs::Ecs;
use crate::state::ecs::task::{Interface, Last, Task};

describe_input!(DescribeNetworkInterfaces, "NetworkInterfaceId");

/// Whose addresses those are that ECS assigns (documented: `NetworkInterfaceAssociation.IpOwnerId`).
const IP_OWNER: &str = "amazon";

/// A task's interface with what EC2 shows of it.
struct Attached {
    interface: Interface,
    region: String,
    vpc: String,
    /// ID and name.
    groups: Vec<(String, String)>,
    description: String,
}

impl Resource for Attached {
    const FILTERS: &'static [&'static str] = &[
        "association.allocation-id",
        "association.association-id",
        "addresses.association.owner-id",
        "addresses.association.public-ip",
        "addresses.primary",
        "addresses.private-ip-address",
        "association.ip-owner-id",
        "association.public-ip",
        "association.public-dns-name",
        "attachment.attach-time",
        "attachment.attachment-id",
        "attachment.delete-on-termination",
        "attachment.device-index",
        "attachment.instance-id",
        "attachment.instance-owner-id",
        "attachment.status",
        "availability-zone",
        "availability-zone-id",
        "description",
        "group-id",
        "group-name",
        "ipv6-addresses.ipv6-address",
        "interface-type",
        "mac-address",
        "network-interface-id",
        "operator.managed",
        "operator.principal",
        "owner-id",
        "private-dns-name",
        "private-ip-address",
        "requester-id",
        "requester-managed",
        "source-dest-check",
        "status",
        "subnet-id",
        "vpc-id",
    ];

    fn id(&self) -> &str {
        &self.interface.id
    }

    fn values(&self, filter: &str) -> Vec<String> {
        match filter {
            "addresses.association.owner-id" | "association.ip-owner-id" => {
                self.interface.public.iter().map(|_| IP_OWNER.to_owned()).collect()
            }
            "addresses.association.public-ip" | "association.public-ip" => {
                self.interface.public.iter().cloned().collect()
            }
            "association.public-dns-name" => {
                self.interface.public.iter().map(|ip| public_name(&self.region, ip)).collect()
            }
            "addresses.primary" | "requester-managed" | "source-dest-check" => one(&true),
            "addresses.private-ip-address" | "private-ip-address" => one(&self.interface.address),
            "attachment.status" => one("attached"),
            "availability-zone" => one(&self.interface.zone),
            "description" => one(&self.description),
            "group-id" => self.groups.iter().map(|(id, _)| id.clone()).collect(),
            "group-name" => self.groups.iter().map(|(_, name)| name.clone()).collect(),
            "interface-type" => one("interface"),
            "mac-address" => one(&self.interface.mac),
            "network-interface-id" => one(&self.interface.id),
            "owner-id" => one(ACCOUNT),
            "status" => one("in-use"),
            "subnet-id" => one(&self.interface.subnet),
            "vpc-id" => one(&self.vpc),
            _ => Vec::new(),
        }
    }
}

/// A public address is shown where one was asked for, since clients read it here; it is a stand-in.
/// Tasks are reached on the host's loopback addresses.
pub(super) fn describe(cloud: &Cloud, input: &DescribeNetworkInterfaces) -> Result<Value, ApiError> {
    select(attached(cloud), &input.query("network-interface"), "networkInterfaceSet", |of: &Attached| {
        let groups: Vec<Value> =
            of.groups.iter().map(|(id, name)| json!({"groupId": id, "groupName": name})).collect();
        let interface = &of.interface;
        let mut private = json!({"primary": true, "privateIpAddress": interface.address});
        let mut out = json!({
            "networkInterfaceId": interface.id,
            "subnetId": interface.subnet,
            "vpcId": of.vpc,
            "availabilityZone": interface.zone,
            "description": of.description,
            "ownerId": ACCOUNT,
            "requesterManaged": true,
            "status": "in-use",
            "macAddress": interface.mac,
            "privateIpAddress": interface.address,
            "sourceDestCheck": true,
            "interfaceType": "interface",
            "groupSet": groups,
            "attachment": {
                "attachmentId": interface.id.replace("eni-", "ela-attach-"),
                "deviceIndex": 1,
                "status": "attached",
                "deleteOnTermination": false,
                "instanceOwnerId": "amazon-ecs",
            },
            "tagSet": [],
        });
        if let Some(ip) = &interface.public {
            let association = json!({
                "publicIp": ip,
                "publicDnsName": public_name(&of.region, ip),
                "ipOwnerId": IP_OWNER,
            });
            private["association"] = association.clone();
            out["association"] = association;
        }
        out["privateIpAddressesSet"] = json!([private]);
        out
    })
}

/// Documented: Amazon VPC user guide, "DNS attributes for your VPC".
fn public_name(region: &str, ip: &str) -> String {
    let zone = match region {
        "us-east-1" => "compute-1".to_owned(),
        region => format!("{region}.compute"),
    };
    format!("ec2-{}.{zone}.amazonaws.com", ip.replace('.', "-"))
}

/// How many addresses of a subnet are taken.
pub(super) fn count_in(cloud: &Cloud, subnet: &str) -> usize {
    let ecs = cloud.ecs();
    live(&ecs).filter(|(_, interface)| interface.subnet == subnet).count()
}

/// The groups that a task's interface is in.
pub(super) fn used_groups(cloud: &Cloud) -> Vec<String> {
    attached(cloud).into_iter().flat_map(|of| of.groups).map(|(id, _)| id).collect()
}

/// A stopped task has given its interface back.
fn live(ecs: &Ecs) -> impl Iterator<Item = (&Task, &Interface)> {
    let tasks = ecs.tasks.values().filter(|task| task.last != Last::Stopped);
    tasks.filter_map(|task| task.interface.as_ref().map(|interface| (task, interface)))
}

// ECS's lock is let go before EC2's is taken.
fn attached(cloud: &Cloud) -> Vec<Attached> {
    let found: Vec<(Interface, String)> = {
        let ecs = cloud.ecs();
        let description = |task: &Task| format!("{}/{}", task.cluster, task.id);
        live(&ecs).map(|(task, i)| (i.clone(), description(task))).collect()
    };
    cloud.ec2().read(|ec2| {
        let named =
            |id: &String| (id.clone(), ec2.security_group(id).map(|g| g.name.clone()).unwrap_or_default());
        let default = || ec2.default_group().map(|group| group.id.clone()).into_iter().collect();
        let attach = |(interface, description): (Interface, String)| {
            let groups: Vec<String> =
                if interface.groups.is_empty() { default() } else { interface.groups.clone() };
            let groups = groups.iter().map(named).collect();
            let region = cloud.region().to_owned();
            Attached { interface, region, vpc: ec2.vpc.id.clone(), groups, description }
        };
        found.into_iter().map(attach).collect()
    })
}

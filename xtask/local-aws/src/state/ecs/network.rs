//! Network configurations, and the interfaces that tasks get from them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Ecs;
use super::definition::Definition;
use super::task::{Interface, Last};
use crate::error::ApiError;

/// A subnet, as far as ECS asks: told by EC2 when a service names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// `172.31.0.0/20`.
    pub cidr: String,
    /// `ap-northeast-2a`.
    pub zone: String,
}

/// `awsvpcConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Vpc {
    /// Subnet IDs.
    pub subnets: Vec<String>,
    /// Security group IDs.
    pub security_groups: Vec<String>,
    /// `ENABLED` or `DISABLED`.
    pub assign_public_ip: Option<String>,
}

/// Reads it from the members of a service or of `RunTask`.
pub fn vpc(config: &Map<String, Value>) -> Option<Vpc> {
    let value = config.get("networkConfiguration")?.get("awsvpcConfiguration")?;
    serde_json::from_value(value.clone()).ok()
}

/// Whether the network configuration fits the definition's network mode (observed: getmoto/moto's `ecs/models.py`,
/// docker-archive/compose-cli#996, public Terraform logs; the groups' limit is assumed from the subnets').
pub fn validate(definition: &Definition, config: &mut Map<String, Value>) -> Result<(), ApiError> {
    let refuse = |why: &str| Err(ApiError::new("InvalidParameterException", why));
    let awsvpc = definition.text("networkMode") == Some("awsvpc");
    match vpc(config) {
        None if awsvpc => {
            refuse("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        }
        Some(_) if !awsvpc => {
            refuse("Network Configuration is not valid for the given networkMode of this task definition.")
        }
        Some(vpc) if vpc.subnets.is_empty() => refuse("subnets can not be empty."),
        Some(vpc) if vpc.subnets.len() > 16 => refuse("subnets can have at most 16 items."),
        Some(vpc) if vpc.security_groups.len() > 5 => refuse("securityGroups can have at most 5 items."),
        _ => {
            fill_defaults(config);
            Ok(())
        }
    }
}

/// Off when not said (documented: `AwsVpcConfiguration.assignPublicIp`).
fn fill_defaults(config: &mut Map<String, Value>) {
    let vpc = config.get_mut("networkConfiguration").and_then(|n| n.get_mut("awsvpcConfiguration"));
    if let Some(Value::Object(vpc)) = vpc {
        vpc.entry("assignPublicIp").or_insert(json!("DISABLED"));
        vpc.entry("securityGroups").or_insert(json!([]));
    }
}

impl Ecs {
    /// A network interface in one of the subnets, in turn.
    pub(super) fn interface(&mut self, config: &Map<String, Value>) -> Option<Interface> {
        let vpc = vpc(config)?;
        let turn = self.tasks.len() % vpc.subnets.len().max(1);
        let subnet = vpc.subnets.get(turn)?.clone();
        let facts = self.subnets.get(&subnet).cloned();
        let facts = facts.unwrap_or_else(|| Subnet {
            cidr: "172.31.0.0/20".into(),
            zone: format!("{}a", self.place.region),
        });
        let address = self.free_address(&facts.cidr);
        let id = self.ids.ec2("eni");
        let public = vpc.assign_public_ip.as_deref() == Some("ENABLED");
        Some(Interface {
            attachment: self.ids.uuid(),
            public: public.then(|| public_address(&id)),
            id,
            subnet,
            groups: vpc.security_groups,
            mac: mac(&self.ids.hex(10)),
            address,
            zone: facts.zone,
        })
    }
}

impl Ecs {
    /// An address that no task has: two targets of a target group are told apart by theirs.
    fn free_address(&mut self, cidr: &str) -> String {
        let taken = |ecs: &Self, address: &str| {
            let mut interfaces =
                ecs.tasks.values().filter(|t| t.last != Last::Stopped).filter_map(|t| t.interface.as_ref());
            interfaces.any(|interface| interface.address == address)
        };
        let mut found = address(cidr, &self.ids.hex(6));
        // A network of 11 addresses may be full: a task more than it holds is no error here.
        for _ in 0..32 {
            if !taken(self, &found) {
                break;
            }
            found = address(cidr, &self.ids.hex(6));
        }
        found
    }
}

/// A stand-in for the address that AWS would assign: one of TEST-NET-3, which is for documentation and
/// routed nowhere (RFC 5737). It follows from the interface's ID; two tasks may have the same.
fn public_address(interface: &str) -> String {
    let digits = interface.get(interface.len().saturating_sub(8)..).unwrap_or_default();
    let host = u32::from_str_radix(digits, 16).unwrap_or_default() % 254 + 1;
    format!("203.0.113.{host}")
}

fn mac(hex: &str) -> String {
    let pairs: Vec<&str> = (0..5).filter_map(|i| hex.get(2 * i..2 * i + 2)).collect();
    format!("02:{}", pairs.join(":"))
}

/// An address of the network whose host part is made of these digits. AWS keeps the first four and the last one.
fn address(cidr: &str, digits: &str) -> String {
    let (network, bits) = cidr.split_once('/').unwrap_or((cidr, "20"));
    let network: u32 = network.parse::<std::net::Ipv4Addr>().map_or(0, u32::from);
    let bits: u32 = bits.parse().unwrap_or(20).clamp(8, 28);
    let hosts = (1u32 << (32 - bits)) - 5;
    let host = u32::from_str_radix(digits, 16).unwrap_or(0) % hosts + 4;
    std::net::Ipv4Addr::from(network + host).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_network() {
        assert_eq!(address("172.31.16.0/20", "000000"), "172.31.16.4");
        assert_eq!(address("10.0.0.0/28", "00000b"), "10.0.0.4");
        assert_eq!(mac("0123456789"), "02:01:23:45:67:89");
        assert_eq!(public_address("eni-0123456789abcdef0"), public_address("eni-0123456789abcdef0"));
        assert_eq!(public_address("eni-000000000000000fd"), "203.0.113.254");
        assert_eq!(public_address("eni-000000000000000fe"), "203.0.113.1");
    }
}

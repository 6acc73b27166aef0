//! State of EC2: the network that a fresh account has, and security groups.
//!
//! Nothing is routed and nothing filtered here. What is kept is what a deployment
//! asks about: is there a default VPC, which subnets has it, do they reach the
//! internet, and what does a security group let in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cloud::Options;
use crate::registry::digest::Digest;

pub mod address;
pub mod groups;

use groups::SecurityGroup;

/// Resource tags.
pub type Tags = BTreeMap<String, String>;

/// Everything EC2 knows, by ID.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ec2 {
    /// The default VPC; no other can be made.
    pub vpc: Vpc,
    /// Its subnets, one per availability zone.
    pub subnets: BTreeMap<String, Subnet>,
    /// Its main route table.
    pub route_table: RouteTable,
    /// Its way out.
    pub internet_gateway: InternetGateway,
    /// Security groups.
    pub groups: BTreeMap<String, SecurityGroup>,
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// `vpc-…`.
    pub id: String,
    /// `172.31.0.0/16`.
    pub cidr: String,
    /// Tags.
    pub tags: Tags,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// The VPC.
    pub vpc: String,
    /// `172.31.16.0/20`.
    pub cidr: String,
    /// Availability zone, `ap-northeast-2a`.
    pub zone: String,
    /// Its name in every account, `apne2-az1`.
    pub zone_id: String,
    /// Tags.
    pub tags: Tags,
}

/// A route table: the VPC's own range, and the rest through the internet gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// `rtb-…`.
    pub id: String,
    /// `rtbassoc-…`, which makes it the main one.
    pub association: String,
    /// Tags.
    pub tags: Tags,
}

/// An internet gateway, attached to the VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// `igw-…`.
    pub id: String,
    /// Tags.
    pub tags: Tags,
}

/// The zones that every region has; some have more.
const ZONES: [char; 3] = ['a', 'b', 'c'];

impl Ec2 {
    /// A fresh account (documented: Amazon VPC user guide, "Default VPC components").
    pub fn new(options: &Options) -> Self {
        let id = |prefix: &str, name: &str| stable_id(options, prefix, name);
        let vpc = Vpc { id: id("vpc", ""), cidr: "172.31.0.0/16".to_owned(), tags: Tags::new() };
        let subnets = ZONES.iter().enumerate().map(|(n, zone)| subnet(options, &vpc.id, n, *zone));
        let group = SecurityGroup::new(
            id("sg", "default"),
            "default".to_owned(),
            "default VPC security group".to_owned(),
            vpc.id.clone(),
        )
        .with_default_rules([id("sgr", "ingress"), id("sgr", "egress")]);
        Self {
            subnets: subnets.map(|subnet| (subnet.id.clone(), subnet)).collect(),
            route_table: RouteTable { id: id("rtb", ""), association: id("rtbassoc", ""), tags: Tags::new() },
            internet_gateway: InternetGateway { id: id("igw", ""), tags: Tags::new() },
            groups: BTreeMap::from([(group.id.clone(), group)]),
            vpc,
        }
    }

    /// By ID.
    pub fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.get(id)
    }

    /// By ID.
    pub fn security_group(&self, id: &str) -> Option<&SecurityGroup> {
        self.groups.get(id)
    }

    /// The group that is used where none is named.
    pub fn default_group(&self) -> Option<&SecurityGroup> {
        self.groups.values().find(|group| group.is_default())
    }

    /// The tags of any resource, to change them.
    pub fn tags_mut(&mut self, id: &str) -> Option<&mut Tags> {
        if id == self.vpc.id {
            return Some(&mut self.vpc.tags);
        }
        if id == self.route_table.id {
            return Some(&mut self.route_table.tags);
        }
        if id == self.internet_gateway.id {
            return Some(&mut self.internet_gateway.tags);
        }
        if let Some(subnet) = self.subnets.get_mut(id) {
            return Some(&mut subnet.tags);
        }
        let mut rules = self.groups.values_mut().flat_map(|group| {
            let own = (group.id.as_str(), &mut group.tags);
            std::iter::once(own).chain(group.rules.iter_mut().map(|rule| (rule.id.as_str(), &mut rule.tags)))
        });
        rules.find(|(own, _)| *own == id).map(|(_, tags)| tags)
    }

    /// Every resource that can be tagged: its ID, its type in EC2's words, its tags.
    pub fn tagged(&self) -> Vec<(&str, &'static str, &Tags)> {
        let mut all = vec![
            (self.vpc.id.as_str(), "vpc", &self.vpc.tags),
            (&self.route_table.id, "route-table", &self.route_table.tags),
            (&self.internet_gateway.id, "internet-gateway", &self.internet_gateway.tags),
        ];
        all.extend(self.subnets.values().map(|s| (s.id.as_str(), "subnet", &s.tags)));
        for group in self.groups.values() {
            all.push((&group.id, "security-group", &group.tags));
            all.extend(group.rules.iter().map(|r| (r.id.as_str(), "security-group-rule", &r.tags)));
        }
        all
    }
}

fn subnet(options: &Options, vpc: &str, n: usize, zone: char) -> Subnet {
    let region = &options.region;
    Subnet {
        id: stable_id(options, "subnet", &zone.to_string()),
        vpc: vpc.to_owned(),
        cidr: format!("172.31.{}.0/20", n * 16),
        zone: format!("{region}{zone}"),
        zone_id: format!("{}-az{}", region_code(region), n + 1),
        tags: Tags::new(),
    }
}

/// The same account and region has the same IDs, whatever became of its state file, so that
/// they may stand in a configuration.
fn stable_id(options: &Options, prefix: &str, name: &str) -> String {
    let what = format!("{}/{}/{prefix}/{name}", options.instance, options.region);
    format!("{prefix}-{}", &Digest::of(what.as_bytes()).hex()[..17])
}

/// `ap-northeast-2` is `apne2` in zone IDs (documented: Amazon EC2 user guide, "AZ IDs").
pub fn region_code(region: &str) -> String {
    let word = |word: &str| match word {
        "northeast" => "ne".to_owned(),
        "northwest" => "nw".to_owned(),
        "southeast" => "se".to_owned(),
        "southwest" => "sw".to_owned(),
        "gov" => "g".to_owned(),
        "east" | "west" | "north" | "south" | "central" => word[..1].to_owned(),
        _ => word.to_owned(),
    };
    region.split('-').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(instance: &str) -> Ec2 {
        let options = Options {
            state_dir: "/nowhere".into(),
            region: "ap-northeast-2".into(),
            instance: instance.into(),
        };
        Ec2::new(&options)
    }

    #[test]
    fn a_fresh_account_is_the_same_each_time_and_its_own() {
        assert_eq!(fresh("a").vpc, fresh("a").vpc);
        assert_ne!(fresh("a").vpc, fresh("b").vpc);
        let ec2 = fresh("a");
        let cidrs: Vec<&str> = ec2.subnets.values().map(|s| s.cidr.as_str()).collect();
        assert_eq!(cidrs.len(), 3);
        assert!(ec2.subnets.values().all(|s| s.id.len() == "subnet-".len() + 17));
        assert!(ec2.default_group().is_some_and(|group| group.rules.len() == 2));
    }

    #[test]
    fn zone_ids() {
        for (region, code) in [
            ("ap-northeast-2", "apne2"),
            ("us-east-1", "use1"),
            ("eu-central-1", "euc1"),
            ("us-gov-west-1", "usgw1"),
        ] {
            assert_eq!(region_code(region), code);
        }
    }

    #[test]
    fn every_resource_can_be_tagged() {
        let mut ec2 = fresh("a");
        let ids: Vec<String> = ec2.tagged().iter().map(|(id, ..)| (*id).to_owned()).collect();
        assert_eq!(ids.len(), 9);
        for id in &ids {
            let tags = ec2.tags_mut(id).expect("it is there");
            tags.insert("k".into(), "v".into());
        }
        assert!(ec2.tagged().iter().all(|(_, _, tags)| tags.len() == 1));
        assert!(ec2.tags_mut("vpc-0").is_none());
    }
}

//! Security groups and their rules. A *rule* lets one *permission* through: a
//! protocol, its ports, and one peer.

use serde::{Deserialize, Serialize};

use super::{Ec2, Tags};
use crate::cloud::ACCOUNT;

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub id: String,
    /// Unique in its VPC.
    pub name: String,
    /// Can't be changed.
    pub description: String,
    /// The VPC.
    pub vpc: String,
    /// Tags.
    pub tags: Tags,
    /// Both directions, in the order they were added.
    pub rules: Vec<Rule>,
}

/// A rule of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `sgr-…`.
    pub id: String,
    /// Out of rather than into.
    pub egress: bool,
    /// What it lets through.
    pub permission: Permission,
    /// Free text; no part of what makes a rule the same as another.
    pub description: Option<String>,
    /// Tags.
    pub tags: Tags,
}

/// What a rule lets through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    pub protocol: String,
    /// First port, or the ICMP type. `None` where the protocol has none.
    pub from: Option<i32>,
    /// Last port, or the ICMP code.
    pub to: Option<i32>,
    /// Where from, or where to.
    pub peer: Peer,
}

/// The other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    /// `0.0.0.0/0`.
    Ipv4(String),
    /// `::/0`.
    Ipv6(String),
    /// Whatever is in a security group, by ID.
    Group(String),
    /// `pl-…`.
    PrefixList(String),
}

impl Peer {
    /// As EC2's messages show it.
    pub fn as_str(&self) -> &str {
        let (Self::Ipv4(text) | Self::Ipv6(text) | Self::Group(text) | Self::PrefixList(text)) = self;
        text
    }
}

impl Permission {
    /// Everything, to or from a peer.
    pub fn all(peer: Peer) -> Self {
        Self { protocol: "-1".to_owned(), from: None, to: None, peer }
    }
}

/// A group of this name is in the VPC already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateName;

/// The group has this permission already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateRule(pub Permission);

/// What was revoked, and what wasn't there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Rules that went.
    pub rules: Vec<Rule>,
    /// Permissions that no rule has.
    pub unknown: Vec<Permission>,
}

impl SecurityGroup {
    /// One that lets nothing through yet.
    pub fn new(id: String, name: String, description: String, vpc: String) -> Self {
        Self { id, name, description, vpc, tags: Tags::new(), rules: Vec::new() }
    }

    /// Lets everything out (documented: CreateSecurityGroup); the rule has this ID.
    #[must_use]
    pub fn with_egress(mut self, id: String) -> Self {
        self.rules.push(Rule::of(id, true, Permission::all(Peer::Ipv4("0.0.0.0/0".to_owned()))));
        self
    }

    /// The rules of a default group: its members reach each other, and everything else outside.
    #[must_use]
    pub fn with_default_rules(mut self, [ingress, egress]: [String; 2]) -> Self {
        let own = Permission::all(Peer::Group(self.id.clone()));
        self.rules.push(Rule::of(ingress, false, own));
        self.with_egress(egress)
    }

    /// The VPC's own group, which can't be deleted.
    pub fn is_default(&self) -> bool {
        self.name == "default"
    }

    /// Rules of one direction.
    pub fn rules(&self, egress: bool) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.egress == egress)
    }

    /// Adds all of them or none.
    pub fn authorize(&mut self, rules: Vec<Rule>) -> Result<(), DuplicateRule> {
        let same =
            |rule: &Rule, other: &Rule| rule.egress == other.egress && rule.permission == other.permission;
        if let Some(rule) = rules.iter().find(|rule| self.rules.iter().any(|present| same(present, rule))) {
            return Err(DuplicateRule(rule.permission.clone()));
        }
        self.rules.extend(rules);
        Ok(())
    }

    /// Removes what is there of these permissions.
    pub fn revoke(&mut self, egress: bool, permissions: Vec<Permission>) -> Revoked {
        let mut revoked = Revoked::default();
        for permission in permissions {
            match self.rules.iter().position(|rule| rule.egress == egress && rule.permission == permission) {
                Some(at) => revoked.rules.push(self.rules.remove(at)),
                None => revoked.unknown.push(permission),
            }
        }
        revoked
    }
}

impl Rule {
    /// Without description and tags.
    pub fn of(id: String, egress: bool, permission: Permission) -> Self {
        Self { id, egress, permission, description: None, tags: Tags::new() }
    }
}

impl Ec2 {
    /// Adds a group.
    pub fn create_group(&mut self, group: SecurityGroup) -> Result<(), DuplicateName> {
        if self.groups.values().any(|other| other.vpc == group.vpc && other.name == group.name) {
            return Err(DuplicateName);
        }
        self.groups.insert(group.id.clone(), group);
        Ok(())
    }

    /// Whether a rule of another group names it.
    pub fn is_referenced(&self, id: &str) -> bool {
        let names = |rule: &Rule| rule.permission.peer == Peer::Group(id.to_owned());
        self.groups.values().filter(|group| group.id != id).any(|group| group.rules.iter().any(names))
    }

    /// `arn:aws:ec2:REGION:ACCOUNT:KIND/ID`.
    pub fn arn(region: &str, kind: &str, id: &str) -> String {
        format!("arn:aws:ec2:{region}:{ACCOUNT}:{kind}/{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(port: i32) -> Permission {
        let peer = Peer::Ipv4("0.0.0.0/0".into());
        Permission { protocol: "tcp".into(), from: Some(port), to: Some(port), peer }
    }

    fn rule(port: i32) -> Rule {
        Rule::of(format!("sgr-{port}"), false, tcp(port))
    }

    #[test]
    fn rules_are_added_together_or_not_at_all() {
        let mut group = SecurityGroup::new("sg-1".into(), "a".into(), "a".into(), "vpc-1".into());
        group.authorize(vec![rule(80)]).expect("it is new");
        let refused = group.authorize(vec![rule(81), rule(80)]);
        assert_eq!(refused, Err(DuplicateRule(tcp(80))));
        assert_eq!(group.rules.len(), 1);
        let egress = Rule { egress: true, ..rule(80) };
        group.authorize(vec![egress]).expect("the other direction is another rule");
    }

    #[test]
    fn revoking_tells_what_was_not_there() {
        let mut group = SecurityGroup::new("sg-1".into(), "a".into(), "a".into(), "vpc-1".into());
        group.authorize(vec![rule(80)]).expect("it is new");
        let revoked = group.revoke(false, vec![tcp(80), tcp(81)]);
        assert_eq!(revoked, Revoked { rules: vec![rule(80)], unknown: vec![tcp(81)] });
        assert!(group.rules.is_empty());
    }
}

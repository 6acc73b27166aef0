//! State of Elastic Load Balancing: target groups, their targets, and what the health checks make of
//! them.
//!
//! There is no load balancer here: the control plane's proxy stands in for it, so every target group
//! counts as used by one, and the health checks are real.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub mod check;
pub mod target;

use check::{Answer, HealthCheck};
use target::Target;

/// Every target group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Elb {
    /// By ARN.
    groups: BTreeMap<String, TargetGroup>,
}

/// A target group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// `arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID`.
    pub arn: String,
    /// Unique in the region.
    pub name: String,
    /// `HTTP`, `TCP`, …
    pub protocol: String,
    /// Of targets that name none.
    pub port: u16,
    /// VPC ID.
    pub vpc: String,
    /// `ip` or `instance`.
    pub target_type: String,
    /// How targets are checked.
    pub check: HealthCheck,
    /// Those that were set.
    pub attributes: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// In the order of their registration.
    pub targets: Vec<Target>,
}

impl TargetGroup {
    /// Whether two are alike in all that `CreateTargetGroup` sets.
    pub fn is_like(&self, other: &Self) -> bool {
        let made = |group: &Self| Self {
            arn: String::new(),
            attributes: BTreeMap::new(),
            tags: BTreeMap::new(),
            targets: Vec::new(),
            ..group.clone()
        };
        made(self) == made(other)
    }

    /// The target of this address.
    pub fn target(&self, id: &str, port: u16) -> Option<&Target> {
        self.targets.iter().find(|target| target.is(id, port))
    }
}

impl Elb {
    /// All, in the order of their ARNs, which is that of their names.
    pub fn groups(&self) -> impl Iterator<Item = &TargetGroup> {
        self.groups.values()
    }

    /// By ARN.
    pub fn group(&self, arn: &str) -> Option<&TargetGroup> {
        self.groups.get(arn)
    }

    /// By ARN, to change it.
    pub fn group_mut(&mut self, arn: &str) -> Option<&mut TargetGroup> {
        self.groups.get_mut(arn)
    }

    /// Adds one.
    pub fn add(&mut self, group: TargetGroup) {
        self.groups.insert(group.arn.clone(), group);
    }

    /// Removes one.
    pub fn remove(&mut self, arn: &str) {
        self.groups.remove(arn);
    }

    /// Registers a target; one that is there, or drains, is registered anew (assumed).
    pub fn register(&mut self, arn: &str, target: Target) {
        if let Some(group) = self.groups.get_mut(arn) {
            group.targets.retain(|there| !there.is(&target.id, target.port));
            group.targets.push(target);
        }
    }

    /// Deregisters a target: it drains.
    pub fn drain(&mut self, arn: &str, id: &str, port: u16) {
        if let Some(target) = self.target_mut(arn, id, port) {
            target.state = target::State::Draining;
        }
    }

    /// Forgets a target.
    pub fn forget(&mut self, arn: &str, id: &str, port: u16) {
        if let Some(group) = self.groups.get_mut(arn) {
            group.targets.retain(|there| !there.is(id, port));
        }
    }

    /// A health check was made; whether that changed the target's state.
    pub fn checked(&mut self, arn: &str, id: &str, port: u16, answer: Answer) -> bool {
        let Some(group) = self.groups.get_mut(arn) else { return false };
        let check = group.check.clone();
        let target = group.targets.iter_mut().find(|target| target.is(id, port));
        target.is_some_and(|target| target.checked(answer, &check))
    }

    /// A target, to change it.
    pub fn target_mut(&mut self, arn: &str, id: &str, port: u16) -> Option<&mut Target> {
        self.groups.get_mut(arn)?.targets.iter_mut().find(|target| target.is(id, port))
    }
}

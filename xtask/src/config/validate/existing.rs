//! What exists already, by ID, name or tag: the VPC, subnets, security groups.

use super::Check;
use crate::config::raw;
use crate::config::service::{Security, Subnets, Vpc};
use crate::config::source::Path;

pub(super) fn vpc(check: &mut Check<'_>, at: &Path, vpc: Option<raw::Existing>) -> Option<Vpc> {
    let at = at.at("vpc");
    Some(match vpc? {
        raw::Existing::Named(id) if id.starts_with("vpc-") => Vpc::Id(id),
        raw::Existing::Named(name) => {
            no_id(check, &at, &name, "a VPC");
            Vpc::Name(name)
        }
        raw::Existing::Tagged(filter) => Vpc::Tagged(filter.tag),
    })
}

pub(super) fn subnets(
    check: &mut Check<'_>,
    at: &Path,
    subnets: Option<raw::Subnets>,
    vpc: Option<&Vpc>,
) -> Subnets {
    let at = at.at("subnets");
    match subnets {
        None if vpc.is_some() => Subnets::All,
        None => Subnets::Default,
        Some(raw::Subnets::Word(word)) => {
            default_ones(check, &at, &word, vpc);
            Subnets::Default
        }
        Some(raw::Subnets::Listed(subnets)) => {
            for (index, subnet) in subnets.iter().enumerate().filter(|(_, id)| !id.starts_with("subnet-")) {
                no_id(check, &at.at(index), subnet, "a subnet");
            }
            if subnets.is_empty() || subnets.len() > 16 {
                check.value(&at, "a service has 1 to 16 subnets", "", []);
            }
            Subnets::Listed(subnets)
        }
        Some(raw::Subnets::Tagged(filter)) => Subnets::Tagged(filter.tag),
    }
}

fn default_ones(check: &mut Check<'_>, at: &Path, word: &str, vpc: Option<&Vpc>) {
    if word != "default" {
        let help = "`\"default\"`, a list of IDs or names, or `{ tag = { KEY = \"VALUE\" } }`".to_owned();
        check.value(at, format!("`{word}` is not a choice of subnets"), "", [help]);
    } else if vpc.is_some() {
        let help = "leave `subnets` out for all subnets of `vpc`, or name some".to_owned();
        check.value(at, "the default subnets are the default VPC's", "", [help]);
    }
}

/// Source: Amazon ECS API Reference, AwsVpcConfiguration (at most five groups).
pub(super) fn groups(check: &mut Check<'_>, at: &Path, groups: raw::SecurityGroups) -> Security {
    let at = at.at("security-groups");
    let groups = match groups {
        raw::SecurityGroups::Tagged(filter) => return Security::Tagged(filter.tag),
        raw::SecurityGroups::Listed(groups) => groups,
    };
    for (index, group) in groups.iter().enumerate().filter(|(_, group)| !group.starts_with("sg-")) {
        no_id(check, &at.at(index), group, "a security group");
    }
    if groups.len() > 5 {
        check.value(&at, "a service has at most 5 security groups", "", []);
    }
    Security::Existing(groups)
}

/// IDs of other things are no names.
fn no_id(check: &mut Check<'_>, at: &Path, name: &str, what: &str) {
    let kinds = ["vpc-", "subnet-", "sg-", "eni-", "i-", "rtb-", "acl-", "arn:"];
    if name.is_empty() || kinds.iter().any(|kind| name.starts_with(kind)) {
        let help = "its ID, or its name".to_owned();
        check.value(at, format!("`{name}` is not {what}"), "", [help]);
    }
}

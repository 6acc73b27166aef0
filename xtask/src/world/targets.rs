//! Target groups that the file names.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::{Aws, fault};
use crate::config::Config;
use crate::config::service::GroupRef;
use crate::error::Result;

/// Name to ARN, of those that exist. No call without names.
pub(super) async fn groups(aws: &Aws, config: &Config) -> Result<BTreeMap<String, String>> {
    let groups = config.services.iter().flat_map(|service| service.target_groups.iter().flatten());
    let names: BTreeSet<&str> = groups
        .filter_map(|target| match &target.group {
            GroupRef::Name(name) => Some(name.as_str()),
            GroupRef::Arn(_) => None,
        })
        .collect();
    // Each by itself: one that is missing fails the whole call.
    let each = names.into_iter().map(|name| one(aws, name));
    Ok(futures_util::future::try_join_all(each).await?.into_iter().flatten().collect())
}

async fn one(aws: &Aws, name: &str) -> Result<Option<(String, String)>> {
    match aws.elb.describe_target_groups().names(name).send().await {
        Ok(answer) => {
            let arn = answer.target_groups().first().and_then(|group| group.target_group_arn());
            Ok(arn.map(|arn| (name.to_owned(), arn.to_owned())))
        }
        Err(error) if fault::is(&error, "TargetGroupNotFound") => Ok(None),
        Err(error) => Err(fault("elasticloadbalancing:DescribeTargetGroups", name, error)),
    }
}

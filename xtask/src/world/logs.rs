//! Log groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::{Aws, fault};
use crate::config::Config;
use crate::error::Result;

/// Retention in days of the declared log groups that exist.
pub(super) async fn groups(aws: &Aws, config: &Config) -> Result<BTreeMap<String, Option<u32>>> {
    let names: BTreeSet<&str> =
        config.services.iter().map(|service| service.log_group.name.as_str()).collect();
    let found = futures_util::future::try_join_all(names.into_iter().map(|name| group(aws, name))).await?;
    Ok(found.into_iter().flatten().collect())
}

/// The call filters by prefix alone; the exact name sorts first among those that share it.
async fn group(aws: &Aws, name: &str) -> Result<Option<(String, Option<u32>)>> {
    let answer = aws.logs.describe_log_groups().log_group_name_prefix(name).send().await;
    let answer = answer.map_err(|error| fault("logs:DescribeLogGroups", name, error))?;
    let found = answer.log_groups().iter().find(|group| group.log_group_name() == Some(name));
    Ok(found
        .map(|group| (name.to_owned(), group.retention_in_days().and_then(|days| u32::try_from(days).ok()))))
}

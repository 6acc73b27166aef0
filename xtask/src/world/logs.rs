//! Log groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::{Aws, OURS, fault};
use crate::config::Config;
use crate::config::service::Service;
use crate::error::Result;
use crate::event::Events;

/// A log group that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Days that it keeps its events; `None` for ever.
    pub retention_days: Option<u32>,
    /// Whether this tool made it; looked up only where it has no retention, which an
    /// interrupted run may have left it without.
    pub ours: bool,
}

/// The log groups that are used and exist.
pub(super) async fn groups(
    aws: &Aws,
    config: &Config,
    events: &Events,
) -> Result<BTreeMap<String, LogGroup>> {
    let used = config.services.iter().filter(|service| service.uses_log_group());
    let names: BTreeSet<&str> = used.map(|service: &Service| service.log_group.name.as_str()).collect();
    let found =
        futures_util::future::try_join_all(names.into_iter().map(|name| group(aws, name, events))).await?;
    Ok(found.into_iter().flatten().collect())
}

/// The call filters by prefix alone; the exact name sorts first among those that share it.
async fn group(aws: &Aws, name: &str, events: &Events) -> Result<Option<(String, LogGroup)>> {
    let answer = match aws.logs.describe_log_groups().log_group_name_prefix(name).send().await {
        Ok(answer) => answer,
        Err(error) if fault::denied(&error) => {
            events.note(format!("log group {name} may not be looked at: taken to be there"));
            return Ok(Some((name.to_owned(), LogGroup { retention_days: None, ours: false })));
        }
        Err(error) => return Err(fault("logs:DescribeLogGroups", name, error)),
    };
    let Some(found) = answer.log_groups().iter().find(|group| group.log_group_name() == Some(name)) else {
        return Ok(None);
    };
    let retention_days = found.retention_in_days().and_then(|days| u32::try_from(days).ok());
    let ours = retention_days.is_none() && made_here(aws, found.log_group_arn()).await;
    Ok(Some((name.to_owned(), LogGroup { retention_days, ours })))
}

/// Optional: what cannot be read is not ours.
async fn made_here(aws: &Aws, arn: Option<&str>) -> bool {
    let Some(arn) = arn else { return false };
    let answer = aws.logs.list_tags_for_resource().resource_arn(arn).send().await;
    let tags = answer.ok().and_then(|answer| answer.tags().cloned()).unwrap_or_default();
    tags.get(OURS.0).map(String::as_str) == Some(OURS.1)
}

//! Log groups.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{constraint, invalid, nothing, now_ms, paging};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::logs::Group;

/// Documented: PutRetentionPolicy.
const RETENTIONS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Groups on a page.
const MOST: usize = 50;

/// Names a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneGroup {
    pub(super) log_group_name: String,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateLogGroup {
    log_group_name: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeLogGroups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutRetentionPolicy {
    log_group_name: String,
    retention_in_days: i64,
}

/// Documented: CreateLogGroup, `logGroupName`.
pub(super) fn check_name(member: &str, name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(constraint(member, name, "have length greater than or equal to 1"));
    }
    if name.len() > 512 {
        return Err(constraint(member, name, "have length less than or equal to 512"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    if !name.chars().all(allowed) {
        let rule = r"satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+";
        return Err(constraint(member, name, rule));
    }
    Ok(())
}

/// The group's name in its ARN, with or without the `:*` of `DescribeLogGroups`.
pub(super) fn name_in(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(7, ':');
    let is_group =
        parts.next() == Some("arn") && parts.nth(1) == Some("logs") && parts.nth(2) == Some("log-group");
    let name = parts.next().filter(|_| is_group)?;
    Some(name.strip_suffix(":*").unwrap_or(name))
}

pub(super) fn create(cloud: &Cloud, input: CreateLogGroup) -> Result<Value, ApiError> {
    check_name("logGroupName", &input.log_group_name)?;
    cloud.logs().create_group(Group {
        name: input.log_group_name,
        created_ms: now_ms(cloud),
        retention_days: None,
        tags: input.tags,
    })?;
    Ok(nothing())
}

pub(super) fn delete(cloud: &Cloud, input: &OneGroup) -> Result<Value, ApiError> {
    check_name("logGroupName", &input.log_group_name)?;
    cloud.logs().delete_group(&input.log_group_name)?;
    Ok(nothing())
}

pub(super) fn describe(cloud: &Cloud, input: &DescribeLogGroups) -> Result<Value, ApiError> {
    let limit = paging::limit(input.limit, MOST)?;
    let wanted = |name: &str| match (&input.log_group_name_prefix, &input.log_group_name_pattern) {
        (Some(prefix), _) => name.starts_with(prefix.as_str()),
        // Documented: a pattern is a part of the name, whatever its case.
        (None, Some(pattern)) => name.to_lowercase().contains(&pattern.to_lowercase()),
        (None, None) => true,
    };
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        // Documented: mutually exclusive. The message is assumed.
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let groups = cloud.logs().groups(wanted);
    let (page, next) = paging::page(groups, |(group, _)| &group.name, input.next_token.as_ref(), limit)?;
    let described: Vec<_> = page.iter().map(|(group, bytes)| described(cloud, group, *bytes)).collect();
    let mut answer = json!({ "logGroups": described });
    if let Some(next) = next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

fn described(cloud: &Cloud, group: &Group, bytes: u64) -> Value {
    let arn = cloud.arn("logs", &format!("log-group:{}", group.name));
    let mut described = json!({
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "logGroupClass": "STANDARD",
        "storedBytes": bytes,
    });
    if let Some(days) = group.retention_days {
        described["retentionInDays"] = days.into();
    }
    described
}

pub(super) fn put_retention(cloud: &Cloud, input: &PutRetentionPolicy) -> Result<Value, ApiError> {
    check_name("logGroupName", &input.log_group_name)?;
    let days = u32::try_from(input.retention_in_days).ok().filter(|days| RETENTIONS.contains(days));
    // Observed: aws/aws-cdk issue 1343.
    let days =
        days.ok_or_else(|| invalid(format!("Invalid retention value. Valid values are: {RETENTIONS:?}")))?;
    cloud.logs().set_retention(&input.log_group_name, Some(days), now_ms(cloud))?;
    Ok(nothing())
}

pub(super) fn delete_retention(cloud: &Cloud, input: &OneGroup) -> Result<Value, ApiError> {
    check_name("logGroupName", &input.log_group_name)?;
    cloud.logs().set_retention(&input.log_group_name, None, now_ms(cloud))?;
    Ok(nothing())
}

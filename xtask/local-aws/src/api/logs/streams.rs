//! Log streams.

use std::cmp::Reverse;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{constraint, group_of, groups, invalid, nothing, now_ms, paging};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::logs::stream::StreamFile;

/// Streams on a page.
const MOST: usize = 50;

/// Names a stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneStream {
    log_group_name: String,
    log_stream_name: String,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeLogStreams {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    #[serde(default)]
    order_by: OrderBy,
    #[serde(default)]
    descending: bool,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum OrderBy {
    #[default]
    LogStreamName,
    LastEventTime,
}

/// Documented: CreateLogStream, `logStreamName`.
pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(constraint("logStreamName", name, "have length greater than or equal to 1"));
    }
    if name.len() > 512 {
        return Err(constraint("logStreamName", name, "have length less than or equal to 512"));
    }
    if name.contains([':', '*']) {
        return Err(constraint("logStreamName", name, "satisfy regular expression pattern: [^:*]*"));
    }
    Ok(())
}

pub(super) fn create(cloud: &Cloud, input: &OneStream) -> Result<Value, ApiError> {
    groups::check_name("logGroupName", &input.log_group_name)?;
    check_name(&input.log_stream_name)?;
    cloud.logs().create_stream(&input.log_group_name, &input.log_stream_name, now_ms(cloud))?;
    Ok(nothing())
}

pub(super) fn delete(cloud: &Cloud, input: &OneStream) -> Result<Value, ApiError> {
    groups::check_name("logGroupName", &input.log_group_name)?;
    check_name(&input.log_stream_name)?;
    cloud.logs().delete_stream(&input.log_group_name, &input.log_stream_name)?;
    Ok(nothing())
}

/// A stream's name, the moment that it is ordered by, and its description.
type Described = (String, i64, Value);

pub(super) fn describe(cloud: &Cloud, input: DescribeLogStreams) -> Result<Value, ApiError> {
    let limit = paging::limit(input.limit, MOST)?;
    let group = group_of(input.log_group_name.as_ref(), input.log_group_identifier.as_ref())?;
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    if input.order_by == OrderBy::LastEventTime && !prefix.is_empty() {
        // The rule is documented. Observed: getmoto/moto, `moto/logs/models.py`.
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let arn = cloud.arn("logs", &format!("log-group:{group}:log-stream:"));
    let mut streams = cloud
        .logs()
        .streams(&group, |name, stream| name.starts_with(&prefix).then(|| described(&arn, name, stream)))?;
    order(&mut streams, input.order_by, input.descending);
    let (page, next) = paging::page(streams, |(name, ..)| name, input.next_token.as_ref(), limit)?;
    let page: Vec<_> = page.into_iter().map(|(_, _, described)| described).collect();
    let mut answer = json!({ "logStreams": page });
    if let Some(next) = next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

/// They come in the order of their names.
fn order(streams: &mut [Described], by: OrderBy, descending: bool) {
    match (by, descending) {
        (OrderBy::LogStreamName, false) => {}
        (OrderBy::LogStreamName, true) => streams.reverse(),
        (OrderBy::LastEventTime, false) => streams.sort_by_key(|(_, last, _)| *last),
        (OrderBy::LastEventTime, true) => streams.sort_by_key(|(_, last, _)| Reverse(*last)),
    }
}

fn described(arn: &str, name: &str, stream: &StreamFile) -> Described {
    let mut described = json!({
        "logStreamName": name,
        "creationTime": stream.created_ms(),
        "arn": format!("{arn}{name}"),
        "storedBytes": 0, // documented: no longer told
    });
    let times = [
        ("firstEventTimestamp", stream.first_ms()),
        ("lastEventTimestamp", stream.last_ms()),
        ("lastIngestionTime", stream.last_ingestion_ms()),
    ];
    for (member, time) in times {
        if let Some(time) = time {
            described[member] = time.into();
        }
    }
    (name.to_owned(), stream.last_ms().unwrap_or(stream.created_ms()), described)
}

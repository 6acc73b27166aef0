//! Putting, getting and searching log events.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{constraint, group_of, groups, invalid, now_ms, paging, streams};
use crate::cloud::Cloud;
use crate::engine::archive::sha256_hex;
use crate::error::ApiError;
use crate::state::logs::filter::Pattern;
use crate::state::logs::read::{EVENT_OVERHEAD, Page, Window};
use crate::state::logs::search::{Found, Place, Query, Source, search};
use crate::state::logs::stream::Event;
use crate::state::logs::{Group, LogsError};

/// Events in a request or an answer (documented: PutLogEvents, GetLogEvents, FilterLogEvents).
const MOST_EVENTS: usize = 10_000;

/// Of a request (documented: PutLogEvents).
const MOST_BYTES: usize = 1_048_576;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutLogEvents {
    log_group_name: String,
    log_stream_name: String,
    log_events: Vec<InputLogEvent>,
}

#[derive(Debug, Deserialize)]
struct InputLogEvent {
    timestamp: i64,
    message: String,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<i64>,
    #[serde(default)]
    start_from_head: bool,
}

/// Input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

pub(super) fn put(cloud: &Cloud, input: PutLogEvents) -> Result<Value, ApiError> {
    groups::check_name("logGroupName", &input.log_group_name)?;
    streams::check_name(&input.log_stream_name)?;
    check_batch(&input.log_events)?;
    let group = cloud.logs().group(&input.log_group_name)?;
    let now = now_ms(cloud);
    let (taken, rejected) = sorted_out(&group, input.log_events, now);
    cloud.logs().append(&input.log_group_name, &input.log_stream_name, &taken)?;
    // Documented: always there, and no longer meant.
    let mut answer = json!({ "nextSequenceToken": format!("{now:056}") });
    if rejected != json!({}) {
        answer["rejectedLogEventsInfo"] = rejected;
    }
    Ok(answer)
}

/// Documented: PutLogEvents. Observed: dibog/cloudwatch-logback-appender#17, moby/moby#41529.
fn check_batch(events: &[InputLogEvent]) -> Result<(), ApiError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Err(constraint("logEvents", "[]", "have length greater than or equal to 1"));
    };
    if events.len() > MOST_EVENTS {
        let rule = format!("have length less than or equal to {MOST_EVENTS}");
        return Err(constraint("logEvents", format!("[{} events]", events.len()), &rule));
    }
    if let Some(at) = events.iter().position(|event| event.message.is_empty()) {
        let member = format!("logEvents.{}.member.message", at + 1);
        return Err(constraint(&member, "", "have length greater than or equal to 1"));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    if last.timestamp - first.timestamp > 24 * HOUR_MS {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    let bytes: usize = events.iter().map(|event| event.message.len() + EVENT_OVERHEAD).sum();
    if bytes > MOST_BYTES {
        return Err(invalid(format!("Upload too large: {bytes} bytes exceeds limit of {MOST_BYTES}")));
    }
    Ok(())
}

/// The events that are taken, and what is told of the others (documented: not more than two hours
/// ahead, not older than 14 days nor than the group's retention).
fn sorted_out(group: &Group, events: Vec<InputLogEvent>, now: i64) -> (Vec<Event>, Value) {
    let expired = group.cutoff_ms(now).map_or(0, |cutoff| count_before(&events, cutoff));
    let too_old = count_before(&events, now - 14 * 24 * HOUR_MS);
    let too_new = count_before(&events, now + 2 * HOUR_MS + 1);
    let mut rejected = json!({});
    if expired > 0 {
        rejected["expiredLogEventEndIndex"] = expired.into();
    }
    if too_old > 0 {
        rejected["tooOldLogEventEndIndex"] = too_old.into();
    }
    if too_new < events.len() {
        rejected["tooNewLogEventStartIndex"] = too_new.into();
    }
    let first = expired.max(too_old);
    let taken = events.into_iter().take(too_new).skip(first).map(|event| Event {
        timestamp_ms: event.timestamp,
        ingestion_ms: now,
        message: event.message,
    });
    (taken.collect(), rejected)
}

fn count_before(events: &[InputLogEvent], moment: i64) -> usize {
    events.partition_point(|event| event.timestamp < moment)
}

pub(super) fn get(cloud: &Cloud, input: &GetLogEvents) -> Result<Value, ApiError> {
    let group = group_of(input.log_group_name.as_ref(), input.log_group_identifier.as_ref())?;
    streams::check_name(&input.log_stream_name)?;
    let limit = paging::limit(input.limit, MOST_EVENTS)?;
    let mut window = cloud.logs().read(&group, &input.log_stream_name, now_ms(cloud))?;
    let within = |window: &mut Window| {
        input.start_time.map_or(Ok(()), |time| window.from_time(time))?;
        input.end_time.map_or(Ok(()), |time| window.until_time(time))
    };
    within(&mut window)?;
    let page = match input.next_token.as_deref().map(position).transpose()? {
        Some((true, at)) => window.page_after(at, limit)?,
        Some((false, at)) => window.page_before(at, limit)?,
        None if input.start_from_head => window.page_after(window.start(), limit)?,
        None => window.page_before(window.end(), limit)?,
    };
    Ok(got(&page))
}

/// Documented: both tokens are always there, and one that leads nowhere is the one given. They are
/// positions, so the same page has the same tokens.
fn got(page: &Page) -> Value {
    let events: Vec<_> = page
        .events
        .iter()
        .map(|event| {
            json!({
                "timestamp": event.timestamp_ms,
                "message": event.message,
                "ingestionTime": event.ingestion_ms,
            })
        })
        .collect();
    json!({
        "events": events,
        "nextForwardToken": format!("f/{:056}", page.end),
        "nextBackwardToken": format!("b/{:056}", page.begin),
    })
}

/// Whether forward, and where.
fn position(token: &str) -> Result<(bool, u64), ApiError> {
    let (direction, digits) = token.split_once('/').ok_or_else(paging::bad_token)?;
    let at = digits.parse().map_err(|_| paging::bad_token())?;
    match direction {
        "f" => Ok((true, at)),
        "b" => Ok((false, at)),
        _ => Err(paging::bad_token()),
    }
}

pub(super) fn filter(cloud: &Cloud, input: &FilterLogEvents) -> Result<Value, ApiError> {
    let group = group_of(input.log_group_name.as_ref(), input.log_group_identifier.as_ref())?;
    let query = Query {
        pattern: Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default()).map_err(invalid)?,
        start_ms: input.start_time,
        end_ms: input.end_time,
        after: input.next_token.as_deref().map(place).transpose()?,
        limit: paging::limit(input.limit, MOST_EVENTS)?,
    };
    let now = now_ms(cloud);
    let sources = sources(cloud, &group, input)?;
    let found = search(sources, &query, |stream| {
        match cloud.logs().read(&group, stream, now) {
            Ok(window) => Ok(Some(window)),
            Err(LogsError::Disk(error)) => Err(error),
            Err(_) => Ok(None), // deleted meanwhile
        }
    })?;
    Ok(filtered(&found))
}

fn sources(cloud: &Cloud, group: &str, input: &FilterLogEvents) -> Result<Vec<Source>, ApiError> {
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        // The rule is documented; the message is assumed.
        return Err(invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters."));
    }
    let all = cloud.logs().streams(group, |name, stream| {
        let (first, last) = (stream.first_ms(), stream.last_ms());
        Some((name.to_owned(), first.zip(last)))
    })?;
    let names = input.log_stream_names.as_deref().unwrap_or_default();
    if names.iter().any(|name| all.iter().all(|(known, _)| known != name)) {
        return Err(LogsError::StreamMissing.into());
    }
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let wanted = |name: &String| name.starts_with(prefix) && (names.is_empty() || names.contains(name));
    let in_time = |first: i64, last: i64| {
        input.start_time.is_none_or(|start| last >= start) && input.end_time.is_none_or(|end| first < end)
    };
    let sources = all.into_iter().filter(|(name, _)| wanted(name)).filter_map(|(stream, times)| {
        let (first_ms, last_ms) = times?;
        in_time(first_ms, last_ms).then_some(Source { stream, first_ms })
    });
    Ok(sources.collect())
}

fn filtered(found: &Found) -> Value {
    let events: Vec<_> = found
        .events
        .iter()
        .map(|(place, event)| {
            json!({
                "logStreamName": place.stream,
                "timestamp": event.timestamp_ms,
                "message": event.message,
                "ingestionTime": event.ingestion_ms,
                "eventId": event_id(place),
            })
        })
        .collect();
    // Documented: `searchedLogStreams` is always empty now.
    let mut answer = json!({ "events": events, "searchedLogStreams": [] });
    if let Some(more) = &found.more_after {
        let place = json!([more.timestamp_ms, more.stream, more.position]).to_string();
        answer["nextToken"] = paging::encode(&place).into();
    }
    answer
}

fn place(token: &str) -> Result<Place, ApiError> {
    let text = paging::decode(token)?;
    let (timestamp_ms, stream, position) = serde_json::from_str(&text).map_err(|_| paging::bad_token())?;
    Ok(Place { timestamp_ms, stream, position })
}

/// 56 digits, as AWS's: unique, and the same each time.
fn event_id(place: &Place) -> String {
    let stream = u64::from_str_radix(&sha256_hex(place.stream.as_bytes())[..15], 16).unwrap_or_default();
    format!("{:018}{:019}{:019}", place.timestamp_ms, stream, place.position)
}

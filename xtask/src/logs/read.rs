//! The calls: the end of a stream, and a search through the streams of a group.

use std::collections::VecDeque;

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;

use super::Line;
use super::line::container_and_task;
use super::merge::{self, Queue};
use super::sources::{Source, Stream};
use crate::aws::{Aws, fault};
use crate::error::Result;

/// How many events a call gives at most.
/// Source: Amazon CloudWatch Logs API Reference, GetLogEvents, FilterLogEvents.
const EVENTS_A_CALL: usize = 10_000;

/// How many streams are read at once: GetLogEvents takes 25 calls a second.
/// Source: Amazon CloudWatch Logs User Guide, "CloudWatch Logs quotas".
const STREAMS_AT_ONCE: usize = 8;

/// The last `most` lines of all streams.
pub(super) async fn tails(aws: &Aws, streams: &[Stream], most: usize) -> Result<Vec<Line>> {
    if most == 0 {
        return Ok(Vec::new());
    }
    // Owned, so that nothing borrowed lives in the futures.
    let calls: Vec<_> = streams.iter().map(|stream| tail(aws, stream.clone(), most)).collect();
    let tails: Vec<Result<Vec<Line>>> =
        futures_util::stream::iter(calls).buffered(STREAMS_AT_ONCE).collect().await;
    Ok(merge::last(tails.into_iter().collect::<Result<_>>()?, most))
}

/// Backwards from the end: "if you have reached the end of the stream, it returns the same token". A page
/// may be empty before that.
/// Source: Amazon CloudWatch Logs API Reference, GetLogEvents.
async fn tail(aws: &Aws, stream: Stream, most: usize) -> Result<Vec<Line>> {
    let mut pages: Vec<Vec<Line>> = Vec::new();
    let mut token: Option<String> = None;
    let mut count = 0;
    let most_pages = most / EVENTS_A_CALL + 10;
    while count < most && pages.len() < most_pages {
        let limit = i32::try_from((most - count).min(EVENTS_A_CALL)).unwrap_or(i32::MAX);
        let call = aws.logs.get_log_events().log_group_name(&stream.group).log_stream_name(&stream.name);
        let call = call.start_from_head(false).limit(limit).set_next_token(token.clone());
        let answer = match call.send().await {
            Ok(answer) => answer,
            // Nothing was logged yet, or its retention is over.
            Err(error) if fault::is(&error, "ResourceNotFoundException") => break,
            Err(error) => return Err(fault("logs:GetLogEvents", &stream.name, error)),
        };
        let page: Vec<Line> = answer
            .events()
            .iter()
            .map(|event| Line {
                timestamp_ms: event.timestamp().unwrap_or_default(),
                message: event.message().unwrap_or_default().to_owned(),
                ..stream.line.clone()
            })
            .collect();
        count += page.len();
        pages.push(page);
        let next = answer.next_backward_token().map(str::to_owned);
        if next.is_none() || next == token {
            break;
        }
        token = next;
    }
    Ok(pages.into_iter().rev().flatten().collect())
}

/// A search through several groups, page by page, as one sequence.
pub(super) struct Search<'s> {
    sources: &'s [Source],
    queues: Vec<Queue>,
    tokens: Vec<Option<String>>,
    since_ms: i64,
    filter: Option<&'s str>,
}

impl<'s> Search<'s> {
    /// From a moment on.
    pub(super) fn new(sources: &'s [Source], since_ms: i64, filter: Option<&'s str>) -> Self {
        let open = Queue { lines: VecDeque::new(), open: true };
        let queues = vec![open; sources.len()];
        Self { sources, queues, tokens: vec![None; sources.len()], since_ms, filter }
    }

    /// The next lines, maybe none; `None` at the end.
    pub(super) async fn next(&mut self, aws: &Aws) -> Result<Option<Vec<Line>>> {
        let wanting = |queue: &Queue| queue.open && queue.lines.is_empty();
        let places: Vec<usize> = (0..self.queues.len()).filter(|at| wanting(&self.queues[*at])).collect();
        if places.is_empty() && self.queues.iter().all(|queue| queue.lines.is_empty()) {
            return Ok(None);
        }
        let calls = places.iter().map(|at| self.page(aws, *at));
        let pages = try_join_all(calls).await?;
        for (at, (lines, next)) in places.into_iter().zip(pages) {
            self.queues[at].open = next.is_some();
            self.queues[at].lines.extend(lines);
            self.tokens[at] = next;
        }
        Ok(Some(merge::ready(&mut self.queues)))
    }

    async fn page(&self, aws: &Aws, at: usize) -> Result<(Vec<Line>, Option<String>)> {
        let source = &self.sources[at];
        let call = aws.logs.filter_log_events().log_group_name(&source.group);
        let call =
            call.log_stream_name_prefix(format!("{}/", source.prefix)).start_time(self.since_ms.max(0));
        let call = call.set_filter_pattern(self.filter.and_then(pattern));
        match call.set_next_token(self.tokens[at].clone()).send().await {
            Ok(answer) => {
                let lines = answer.events().iter().filter_map(|event| line(event, source));
                let mut lines: Vec<Line> =
                    lines.filter(|line| self.filter.is_none_or(|text| line.message.contains(text))).collect();
                lines.sort_by_key(|line| line.timestamp_ms);
                Ok((lines, answer.next_token().map(str::to_owned)))
            }
            Err(error) if fault::is(&error, "ResourceNotFoundException") => Ok((Vec::new(), None)),
            Err(error) => Err(fault("logs:FilterLogEvents", &source.group, error)),
        }
    }
}

fn line(event: &FilteredLogEvent, source: &Source) -> Option<Line> {
    let (container, task) = container_and_task(event.log_stream_name()?, &source.prefix)?;
    source.containers.contains(container).then(|| Line {
        timestamp_ms: event.timestamp().unwrap_or_default(),
        service: source.service.clone(),
        task: task.to_owned(),
        container: container.to_owned(),
        message: event.message().unwrap_or_default().to_owned(),
    })
}

/// The text as a pattern that finds it: a quoted phrase. One that cannot be quoted is looked for here alone.
/// Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax"; at most 1024 characters.
fn pattern(text: &str) -> Option<String> {
    let plain = !text.contains(['"', '\\']) && text.len() <= 1000 && !text.trim().is_empty();
    plain.then(|| format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_searched_for_as_a_phrase() {
        assert_eq!(pattern("GET /x?a=[1]").as_deref(), Some("\"GET /x?a=[1]\""));
        assert_eq!(pattern("say \"hi\""), None);
        assert_eq!(pattern(" "), None);
    }
}

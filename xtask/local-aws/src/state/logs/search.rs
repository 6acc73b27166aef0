//! Searching the streams of a group as one sequence, ordered by time. A stream's file is open only
//! while the search is within its time, and a search ends after a bounded amount of reading: it
//! then says where to go on.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use super::filter::Pattern;
use super::read::{EVENT_OVERHEAD, Window};
use super::stream::Event;

/// A search ends after this much was found or looked at (documented: up to 1 MB is returned, and a
/// page may be empty although there is more).
const FOUND_BYTES: usize = 1024 * 1024;
const LOOKED_AT_BYTES: usize = 16 * 1024 * 1024;

/// Where an event stands among all of a group's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// First by time,
    pub timestamp_ms: i64,
    /// then by stream,
    pub stream: String,
    /// then by position in it.
    pub position: u64,
}

/// A stream to search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub stream: String,
    /// Its oldest event.
    pub first_ms: i64,
}

/// What to look for.
#[derive(Debug)]
pub struct Query {
    /// Which events.
    pub pattern: Pattern,
    /// At this moment or later.
    pub start_ms: Option<i64>,
    /// Before this moment.
    pub end_ms: Option<i64>,
    /// After this place.
    pub after: Option<Place>,
    /// How many.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In order.
    pub events: Vec<(Place, Event)>,
    /// Where to go on, if it is not certain that there is no more.
    pub more_after: Option<Place>,
}

/// An open stream and its next event, compared by place.
struct Cursor {
    place: Place,
    event: Event,
    next: u64,
    window: Window,
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Cursor {}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cursor {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place.cmp(&other.place)
    }
}

/// Searches. `open` gives a stream's events, or `None` if it is gone meanwhile.
pub fn search(
    mut sources: Vec<Source>,
    query: &Query,
    open: impl Fn(&str) -> io::Result<Option<Window>>,
) -> io::Result<Found> {
    sources.sort_by_key(|source| Reverse(source.first_ms)); // the oldest is popped first
    let mut cursors = BinaryHeap::new();
    let mut found = Found::default();
    let (mut found_bytes, mut looked_at) = (0, 0);
    while let Some(cursor) = next_cursor(&mut cursors, &mut sources, query, &open)? {
        let bytes = cursor.event.message.len() + EVENT_OVERHEAD;
        looked_at += bytes;
        let place = cursor.place.clone();
        let (event, rest) = advance(cursor)?;
        cursors.extend(rest.map(Reverse));
        if query.pattern.matches(&event.message) {
            found_bytes += bytes;
            found.events.push((place.clone(), event));
        }
        if found.events.len() == query.limit || found_bytes >= FOUND_BYTES || looked_at >= LOOKED_AT_BYTES {
            let more = next_cursor(&mut cursors, &mut sources, query, &open)?.is_some();
            found.more_after = more.then_some(place);
            break;
        }
    }
    Ok(found)
}

/// The cursor at the earliest place, after every stream that may hold an earlier one was opened.
fn next_cursor(
    cursors: &mut BinaryHeap<Reverse<Cursor>>,
    sources: &mut Vec<Source>,
    query: &Query,
    open: &impl Fn(&str) -> io::Result<Option<Window>>,
) -> io::Result<Option<Cursor>> {
    while let Some(source) = sources.last() {
        let earliest = cursors.peek().map(|Reverse(cursor)| cursor.place.timestamp_ms);
        if earliest.is_some_and(|earliest| earliest < source.first_ms) {
            break;
        }
        if let Some(source) = sources.pop() {
            cursors.extend(start(&source, query, open)?.map(Reverse));
        }
    }
    Ok(cursors.pop().map(|Reverse(cursor)| cursor))
}

fn start(
    source: &Source,
    query: &Query,
    open: &impl Fn(&str) -> io::Result<Option<Window>>,
) -> io::Result<Option<Cursor>> {
    let Some(mut window) = open(&source.stream)? else {
        return Ok(None);
    };
    let resumed = query.after.as_ref().map(|place| place.timestamp_ms);
    if let Some(from) = query.start_ms.max(resumed) {
        window.from_time(from)?;
    }
    if let Some(until) = query.end_ms {
        window.until_time(until)?;
    }
    let mut at = window.start();
    loop {
        let Some(cursor) = cursor(source.stream.clone(), window, at)? else {
            return Ok(None);
        };
        if query.after.as_ref().is_none_or(|after| cursor.place > *after) {
            return Ok(Some(cursor));
        }
        (at, window) = (cursor.next, cursor.window);
    }
}

fn cursor(stream: String, mut window: Window, at: u64) -> io::Result<Option<Cursor>> {
    let next = window.events(at)?.next().transpose()?;
    Ok(next.map(|(position, next, event)| Cursor {
        place: Place { timestamp_ms: event.timestamp_ms, stream, position },
        event,
        next,
        window,
    }))
}

fn advance(from: Cursor) -> io::Result<(Event, Option<Cursor>)> {
    Ok((from.event, cursor(from.place.stream, from.window, from.next)?))
}

//! Reading a stream's file: by position and by time, forwards and backwards, with memory
//! bounded by a page. A *position* counts the bytes of events since the stream began.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};

use super::stream::Event;

/// A page's limit besides its number of events: a megabyte, each event with 26 bytes of
/// overhead (documented: GetLogEvents, PutLogEvents).
const PAGE_BYTES: usize = 1024 * 1024;

/// Counted for each event besides its message.
pub const EVENT_OVERHEAD: usize = 26;

/// What is read at first when reading backwards.
const FIRST_BLOCK: u64 = 64 * 1024;

/// The events of a stream between two positions.
pub struct Window {
    file: BufReader<File>,
    /// Position 0 in the file; before the file's begin when events were dropped.
    origin: i64,
    start: u64,
    end: u64,
    /// The position that the file is at, if known: reading on must not empty the buffer.
    at: Option<u64>,
}

/// Some events in a row.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Position of the first.
    pub begin: u64,
    /// Position after the last.
    pub end: u64,
}

impl Window {
    /// `start` and `end` are positions; events begin `header_length` into the file.
    pub(super) fn new(file: File, header_length: u64, start: u64, end: u64) -> Self {
        let origin = header_length.cast_signed() - start.cast_signed();
        Self { file: BufReader::new(file), origin, start, end, at: None }
    }

    /// Position of the first event.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Position after the last event.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Leaves out the events before this moment.
    pub fn from_time(&mut self, time_ms: i64) -> io::Result<()> {
        self.start = self.position_at(time_ms)?;
        Ok(())
    }

    /// Leaves out the events at this moment and later.
    pub fn until_time(&mut self, time_ms: i64) -> io::Result<()> {
        self.end = self.position_at(time_ms)?;
        Ok(())
    }

    fn seek(&mut self, position: u64) -> io::Result<()> {
        if self.at != Some(position) {
            let at = self.origin + position.cast_signed();
            self.file.seek(SeekFrom::Start(at.cast_unsigned()))?;
            self.at = Some(position);
        }
        Ok(())
    }

    /// The rest of the line that the file is at, and the position after it.
    fn read_line(&mut self, position: u64) -> io::Result<(u64, Vec<u8>)> {
        self.at = None; // until it has worked
        let mut line = Vec::new();
        let next = position + self.file.read_until(b'\n', &mut line)? as u64;
        self.at = Some(next);
        Ok((next, line))
    }

    /// The event at a position where one begins, and the position after it.
    fn event_at(&mut self, position: u64) -> io::Result<Option<(u64, Event)>> {
        if position >= self.end {
            return Ok(None);
        }
        self.seek(position)?;
        let next = self.read_event(position)?;
        Ok(Some(next))
    }

    fn read_event(&mut self, position: u64) -> io::Result<(u64, Event)> {
        let (next, line) = self.read_line(position)?;
        let (timestamp_ms, ingestion_ms, message) = serde_json::from_slice(&line)?;
        Ok((next, Event { timestamp_ms, ingestion_ms, message }))
    }

    pub(super) fn first(&mut self) -> io::Result<Option<Event>> {
        Ok(self.event_at(self.start)?.map(|(_, event)| event))
    }

    pub(super) fn last(&mut self) -> io::Result<Option<Event>> {
        Ok(self.page_before(self.end, 1)?.events.pop())
    }

    /// The first position at or after this one where an event begins.
    fn next_begin(&mut self, position: u64) -> io::Result<u64> {
        if position <= self.start {
            return Ok(self.start);
        }
        self.seek(position - 1)?;
        Ok(self.read_line(position - 1)?.0.min(self.end))
    }

    /// The position of the first event at this moment or later: a binary search over bytes.
    pub fn position_at(&mut self, time_ms: i64) -> io::Result<u64> {
        let (mut low, mut high) = (self.start, self.end);
        while low < high {
            let middle = low + (high - low) / 2;
            let begin = if middle == low { low } else { self.next_begin(middle)? };
            match self.event_at(begin)? {
                Some((next, event)) if begin < high && event.timestamp_ms < time_ms => low = next,
                // Either that event is late enough, or none begins in the upper half.
                _ => high = middle,
            }
        }
        self.next_begin(low)
    }

    /// The events from a position on, each with its own position and the one after it.
    pub fn events(
        &mut self,
        from: u64,
    ) -> io::Result<impl Iterator<Item = io::Result<(u64, u64, Event)>> + '_> {
        let mut position = from.clamp(self.start, self.end);
        self.seek(position)?;
        Ok(std::iter::from_fn(move || {
            if position >= self.end {
                return None;
            }
            let begin = position;
            Some(self.read_event(begin).map(|(next, event)| {
                position = next;
                (begin, next, event)
            }))
        }))
    }

    /// At most `limit` events from a position on.
    pub fn page_after(&mut self, from: u64, limit: usize) -> io::Result<Page> {
        let from = from.clamp(self.start, self.end);
        let mut page = Page { events: Vec::new(), begin: from, end: from };
        let mut bytes = 0;
        for event in self.events(from)? {
            let (_, next, event) = event?;
            bytes += event.message.len() + EVENT_OVERHEAD;
            if page.events.len() == limit || (bytes > PAGE_BYTES && !page.events.is_empty()) {
                break;
            }
            page.events.push(event);
            page.end = next;
        }
        Ok(page)
    }

    /// At most `limit` events that end at a position.
    pub fn page_before(&mut self, to: u64, limit: usize) -> io::Result<Page> {
        let to = to.clamp(self.start, self.end);
        let mut block = FIRST_BLOCK;
        loop {
            let begin = self.next_begin(to.saturating_sub(block).max(self.start))?;
            let page = self.last_of(begin, to, limit)?;
            if begin == self.start || page.begin > begin {
                return Ok(page);
            }
            block *= 4;
        }
    }

    fn last_of(&mut self, begin: u64, to: u64, limit: usize) -> io::Result<Page> {
        let mut kept = std::collections::VecDeque::new();
        let mut bytes = 0;
        for event in self.events(begin)? {
            let (at, _, event) = event?;
            if at >= to {
                break;
            }
            bytes += event.message.len() + EVENT_OVERHEAD;
            kept.push_back((at, event));
            while kept.len() > limit || (bytes > PAGE_BYTES && kept.len() > 1) {
                let first = kept.pop_front();
                bytes -= first.map_or(0, |(_, event): (u64, Event)| event.message.len() + EVENT_OVERHEAD);
            }
        }
        let begin = kept.front().map_or(to, |(at, _)| *at);
        Ok(Page { events: kept.into_iter().map(|(_, event)| event).collect(), begin, end: to })
    }

    pub(super) fn copy_from(&mut self, position: u64, to: &mut impl Write) -> io::Result<()> {
        self.seek(position)?;
        self.at = None;
        let length = self.end - position;
        let copied = io::copy(&mut io::Read::take(&mut self.file, length), to)?;
        if copied == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

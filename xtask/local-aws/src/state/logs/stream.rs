//! One stream's file: a line of JSON about the stream, then one line per event, oldest first:
//! `[timestamp, ingestion time, "message"]`. It grows at its end; it is rewritten, in one pass
//! and with bounded memory, only when events expire or come late.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::read::Window;

/// One log event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since 1970: when it happened.
    pub timestamp_ms: i64,
    /// Milliseconds since 1970: when it came here.
    pub ingestion_ms: i64,
    /// One line, usually.
    pub message: String,
}

/// The file's first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Header {
    name: String,
    created_ms: i64,
    /// Bytes of events that expired: a position counts them, so that it stays valid.
    dropped: u64,
}

/// A stream's file and what is known of it.
#[derive(Debug)]
pub struct StreamFile {
    path: PathBuf,
    header: Header,
    header_length: u64,
    /// Of the whole file.
    length: u64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    last_ingestion_ms: Option<i64>,
}

impl StreamFile {
    pub(super) fn create(path: PathBuf, name: &str, now_ms: i64) -> io::Result<Self> {
        let header = Header { name: name.to_owned(), created_ms: now_ms, dropped: 0 };
        let line = header_line(&header)?;
        std::fs::write(&path, &line)?;
        let length = line.len() as u64;
        Ok(Self {
            path,
            header,
            header_length: length,
            length,
            first_ms: None,
            last_ms: None,
            last_ingestion_ms: None,
        })
    }

    /// Reads what an earlier run left; a last line that was not written whole is cut off.
    pub(super) fn load(path: PathBuf) -> io::Result<(String, Self)> {
        let mut reader = BufReader::new(File::open(&path)?);
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line)?;
        let header: Header = serde_json::from_slice(&line)?;
        let mut stream = Self {
            path,
            header_length: line.len() as u64,
            length: 0,
            first_ms: None,
            last_ms: None,
            last_ingestion_ms: None,
            header,
        };
        stream.length = whole_lines(reader.get_mut())?;
        File::options().write(true).open(&stream.path)?.set_len(stream.length)?;
        stream.look()?;
        Ok((stream.header.name.clone(), stream))
    }

    /// Learns first and last from the file.
    fn look(&mut self) -> io::Result<()> {
        let mut window = self.open()?;
        let first = window.first()?;
        let last = window.last()?;
        self.first_ms = first.map(|event| event.timestamp_ms);
        self.last_ms = last.as_ref().map(|event| event.timestamp_ms);
        self.last_ingestion_ms = last.map(|event| event.ingestion_ms);
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Milliseconds since 1970.
    pub fn created_ms(&self) -> i64 {
        self.header.created_ms
    }

    /// Timestamp of the oldest event.
    pub fn first_ms(&self) -> Option<i64> {
        self.first_ms
    }

    /// Timestamp of the newest event.
    pub fn last_ms(&self) -> Option<i64> {
        self.last_ms
    }

    /// When the last event came here.
    pub fn last_ingestion_ms(&self) -> Option<i64> {
        self.last_ingestion_ms
    }

    /// Bytes of events on disk.
    pub fn bytes(&self) -> u64 {
        self.length - self.header_length
    }

    /// The events that are there now; what is appended later is not part of it.
    pub(super) fn open(&self) -> io::Result<Window> {
        let start = self.header.dropped;
        let end = start + self.bytes();
        Ok(Window::new(File::open(&self.path)?, self.header_length, start, end))
    }

    /// Adds events, themselves oldest first. Ones older than the newest here are put in place.
    pub(super) fn append(&mut self, events: &[Event]) -> io::Result<()> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(());
        };
        if self.last_ms.is_some_and(|newest| first.timestamp_ms < newest) {
            self.merge(events)?;
        } else {
            self.extend(events)?;
        }
        self.first_ms = Some(self.first_ms.unwrap_or(i64::MAX).min(first.timestamp_ms));
        self.last_ms = self.last_ms.max(Some(last.timestamp_ms));
        self.last_ingestion_ms = self.last_ingestion_ms.max(Some(last.ingestion_ms));
        Ok(())
    }

    fn extend(&mut self, events: &[Event]) -> io::Result<()> {
        let mut lines = Vec::new();
        for event in events {
            write_event(&mut lines, event)?;
        }
        let mut file = File::options().append(true).open(&self.path)?;
        if let Err(error) = file.write_all(&lines) {
            file.set_len(self.length).ok(); // a full disk: no half of a line stays
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    fn merge(&mut self, events: &[Event]) -> io::Result<()> {
        let mut window = self.open()?;
        let from = window.start();
        self.rewrite(self.header.clone(), |to| {
            let mut late = events.iter().peekable();
            for event in window.events(from)? {
                let (_, _, event) = event?;
                while let Some(earlier) = late.next_if(|late| late.timestamp_ms < event.timestamp_ms) {
                    write_event(to, earlier)?;
                }
                write_event(to, &event)?;
            }
            late.try_for_each(|event| write_event(to, event))
        })
    }

    /// Removes the events before a moment.
    pub(super) fn drop_before(&mut self, cutoff_ms: i64) -> io::Result<()> {
        if self.first_ms.is_none_or(|first| first >= cutoff_ms) {
            return Ok(());
        }
        let mut window = self.open()?;
        let dropped = window.position_at(cutoff_ms)?;
        let header = Header { dropped, ..self.header.clone() };
        self.rewrite(header, |to| window.copy_from(dropped, to))?;
        self.look()
    }

    /// Writes a new file beside the old one and puts it in its place.
    fn rewrite(
        &mut self,
        header: Header,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let aside = tempfile::NamedTempFile::new_in(directory)?;
        let line = header_line(&header)?;
        let mut writer = BufWriter::new(aside.as_file());
        writer.write_all(&line)?;
        write(&mut writer)?;
        writer.flush()?;
        drop(writer);
        self.length = aside.as_file().metadata()?.len();
        aside.persist(&self.path).map_err(io::Error::from)?;
        self.header_length = line.len() as u64;
        self.header = header;
        Ok(())
    }
}

fn header_line(header: &Header) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(header)?;
    line.push(b'\n');
    Ok(line)
}

fn write_event(to: &mut impl Write, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *to, &(event.timestamp_ms, event.ingestion_ms, &event.message))?;
    to.write_all(b"\n")
}

/// Where the last whole line of the file ends.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 8192];
    while end > 0 {
        let size = end.min(block.len() as u64);
        file.seek(SeekFrom::Start(end - size))?;
        let read = &mut block[..usize::try_from(size).unwrap_or(0)];
        file.read_exact(read)?;
        if let Some(at) = read.iter().rposition(|byte| *byte == b'\n') {
            return Ok(end - size + at as u64 + 1);
        }
        end -= size;
    }
    Ok(0)
}

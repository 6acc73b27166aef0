//! CloudWatch Logs' state: log groups, their streams, and on disk the events.
//!
//! A group is a directory under `logs/` in the state directory, named by the hash of its name (a
//! name may hold `/` and be longer than a file name), with `group.json` and one file per
//! stream (see [`stream`]). What is in memory is what describing needs; events stay on disk.

pub mod filter;
pub mod read;
pub mod search;
pub mod stream;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::cloud::{Options, lock};
use crate::engine::archive::sha256_hex;
use read::Window;
use stream::{Event, StreamFile};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What cannot be done.
#[derive(Debug)]
pub enum LogsError {
    /// A group of this name is there already.
    GroupExists,
    /// No group of this name.
    GroupMissing,
    /// A stream of this name is there already.
    StreamExists,
    /// No stream of this name.
    StreamMissing,
    /// The files cannot be written or read.
    Disk(io::Error),
}

impl From<io::Error> for LogsError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// A log group, without its streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// `None` keeps events for ever.
    pub retention_days: Option<u32>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

impl Group {
    /// Events before this moment have expired.
    pub fn cutoff_ms(&self, now_ms: i64) -> Option<i64> {
        self.retention_days.map(|days| now_ms - i64::from(days) * DAY_MS)
    }
}

#[derive(Debug)]
struct Entry {
    group: Group,
    directory: PathBuf,
    streams: BTreeMap<String, StreamFile>,
}

/// The state of the service; a cheap handle.
#[derive(Clone, Debug)]
pub struct Logs {
    directory: PathBuf,
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
}

impl Logs {
    /// What an earlier run left in the state directory, or nothing.
    pub fn new(options: &Options) -> Self {
        let directory = options.state_dir.join("logs");
        let entries = load(&directory).unwrap_or_default();
        Self { directory, entries: Arc::new(Mutex::new(entries)) }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        lock(&self.entries)
    }

    /// Runs `change` on a group and writes it down.
    fn change<T>(&self, name: &str, change: impl FnOnce(&mut Group) -> T) -> Result<T, LogsError> {
        let mut entries = self.entries();
        let entry = entries.get_mut(name).ok_or(LogsError::GroupMissing)?;
        let mut group = entry.group.clone();
        let result = change(&mut group);
        save(&entry.directory, &group)?;
        entry.group = group;
        Ok(result)
    }

    /// Makes an empty group.
    pub fn create_group(&self, group: Group) -> Result<(), LogsError> {
        let mut entries = self.entries();
        if entries.contains_key(&group.name) {
            return Err(LogsError::GroupExists);
        }
        let directory = self.directory.join(file_name(&group.name));
        // What is left of a group whose removal was cut off is none of this one's.
        remove_all(&directory)?;
        std::fs::create_dir_all(&directory)?;
        save(&directory, &group)?;
        let name = group.name.clone();
        entries.insert(name, Entry { group, directory, streams: BTreeMap::new() });
        Ok(())
    }

    /// Removes a group with all its events.
    pub fn delete_group(&self, name: &str) -> Result<(), LogsError> {
        let mut entries = self.entries();
        let entry = entries.get(name).ok_or(LogsError::GroupMissing)?;
        // Without it there is no group, however far the rest gets.
        std::fs::remove_file(entry.directory.join("group.json"))?;
        let directory = entry.directory.clone();
        entries.remove(name);
        remove_all(&directory)?;
        Ok(())
    }

    /// A group.
    pub fn group(&self, name: &str) -> Result<Group, LogsError> {
        let entries = self.entries();
        entries.get(name).map(|entry| entry.group.clone()).ok_or(LogsError::GroupMissing)
    }

    /// The groups that are `wanted`, by name, each with the bytes that it stores.
    pub fn groups(&self, wanted: impl Fn(&str) -> bool) -> Vec<(Group, u64)> {
        let entries = self.entries();
        let found = entries.values().filter(|entry| wanted(&entry.group.name));
        found
            .map(|entry| (entry.group.clone(), entry.streams.values().map(StreamFile::bytes).sum()))
            .collect()
    }

    /// Sets or clears the retention; what it expires is removed from the disk.
    pub fn set_retention(&self, name: &str, days: Option<u32>, now_ms: i64) -> Result<(), LogsError> {
        self.change(name, |group| group.retention_days = days)?;
        self.expire(name, now_ms)
    }

    /// Removes the events that have expired.
    pub fn expire(&self, name: &str, now_ms: i64) -> Result<(), LogsError> {
        let mut entries = self.entries();
        let entry = entries.get_mut(name).ok_or(LogsError::GroupMissing)?;
        if let Some(cutoff) = entry.group.cutoff_ms(now_ms) {
            entry.streams.values_mut().try_for_each(|stream| stream.drop_before(cutoff))?;
        }
        Ok(())
    }

    /// Changes the tags.
    pub fn change_tags(
        &self,
        name: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), LogsError> {
        self.change(name, |group| change(&mut group.tags))
    }

    /// Makes an empty stream.
    pub fn create_stream(&self, group: &str, name: &str, now_ms: i64) -> Result<(), LogsError> {
        let mut entries = self.entries();
        let entry = entries.get_mut(group).ok_or(LogsError::GroupMissing)?;
        if entry.streams.contains_key(name) {
            return Err(LogsError::StreamExists);
        }
        let path = entry.directory.join(format!("{}.log", file_name(name)));
        entry.streams.insert(name.to_owned(), StreamFile::create(path, name, now_ms)?);
        Ok(())
    }

    /// Removes a stream with its events.
    pub fn delete_stream(&self, group: &str, name: &str) -> Result<(), LogsError> {
        let mut entries = self.entries();
        let entry = entries.get_mut(group).ok_or(LogsError::GroupMissing)?;
        let stream = entry.streams.get(name).ok_or(LogsError::StreamMissing)?;
        std::fs::remove_file(stream.path())?;
        entry.streams.remove(name);
        Ok(())
    }

    /// Looks at one stream.
    pub fn stream<T>(
        &self,
        group: &str,
        name: &str,
        look: impl FnOnce(&StreamFile) -> T,
    ) -> Result<T, LogsError> {
        let entries = self.entries();
        let entry = entries.get(group).ok_or(LogsError::GroupMissing)?;
        entry.streams.get(name).map(look).ok_or(LogsError::StreamMissing)
    }

    /// Looks at a group's streams, in the order of their names.
    pub fn streams<T>(
        &self,
        group: &str,
        look: impl Fn(&str, &StreamFile) -> Option<T>,
    ) -> Result<Vec<T>, LogsError> {
        let entries = self.entries();
        let entry = entries.get(group).ok_or(LogsError::GroupMissing)?;
        Ok(entry.streams.iter().filter_map(|(name, stream)| look(name, stream)).collect())
    }

    /// Adds events, oldest first, to a stream, and about once a day frees it of expired ones.
    pub fn append(&self, group: &str, stream: &str, events: &[Event]) -> Result<(), LogsError> {
        let mut entries = self.entries();
        let entry = entries.get_mut(group).ok_or(LogsError::GroupMissing)?;
        let stream = entry.streams.get_mut(stream).ok_or(LogsError::StreamMissing)?;
        // Not at every event: a file is rewritten for it.
        let cutoff = events.last().and_then(|event| entry.group.cutoff_ms(event.ingestion_ms));
        if let Some(cutoff) = cutoff
            && stream.first_ms().is_some_and(|first| first < cutoff - DAY_MS)
        {
            stream.drop_before(cutoff)?;
        }
        Ok(stream.append(events)?)
    }

    /// Opens a stream's events for reading, those left out that have expired.
    pub fn read(&self, group: &str, stream: &str, now_ms: i64) -> Result<Window, LogsError> {
        let entries = self.entries();
        let entry = entries.get(group).ok_or(LogsError::GroupMissing)?;
        let found = entry.streams.get(stream).ok_or(LogsError::StreamMissing)?;
        let mut window = found.open()?;
        if let Some(cutoff) = entry.group.cutoff_ms(now_ms) {
            window.from_time(cutoff)?;
        }
        Ok(window)
    }
}

fn remove_all(directory: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn file_name(name: &str) -> String {
    let mut hex = sha256_hex(name.as_bytes());
    hex.truncate(32);
    hex
}

fn save(directory: &Path, group: &Group) -> io::Result<()> {
    let aside = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&aside, group)?;
    aside.persist(directory.join("group.json")).map(drop).map_err(io::Error::from)
}

/// A directory that cannot be read as a group is left alone and not shown.
fn load(directory: &Path) -> io::Result<BTreeMap<String, Entry>> {
    let mut entries = BTreeMap::new();
    for found in std::fs::read_dir(directory)? {
        if let Ok(entry) = load_group(found?.path()) {
            entries.insert(entry.group.name.clone(), entry);
        }
    }
    Ok(entries)
}

fn load_group(directory: PathBuf) -> io::Result<Entry> {
    let group: Group = serde_json::from_slice(&std::fs::read(directory.join("group.json"))?)?;
    let mut streams = BTreeMap::new();
    for found in std::fs::read_dir(&directory)? {
        let path = found?.path();
        // A rewrite that a SIGKILL cut off. One that cannot be removed does no harm.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".tmp")) {
            std::fs::remove_file(&path).unwrap_or_default();
        }
        if path.extension().is_some_and(|extension| extension == "log")
            && let Ok((name, stream)) = StreamFile::load(path)
        {
            streams.insert(name, stream);
        }
    }
    Ok(Entry { group, directory, streams })
}

#[cfg(test)]
mod tests;

//! What was sent of a context, as a digest: the same for the same files, whenever they were written.

use std::io::{self, Read, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::build::minimal::layer::Measure;

/// What is in a tar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Of the entries' names, kinds, modes and content, and where symlinks lead; in hexadecimal.
    pub(crate) digest: String,
    /// Directories that are marked as caches, such as cargo's `target`, which change all the time.
    pub(crate) caches: Vec<String>,
}

/// The entries, in the order of the tar.
#[derive(Default)]
pub(super) struct Listing {
    measure: Measure,
    caches: Vec<String>,
}

impl Listing {
    pub(super) fn directory(&mut self, name: &str, mode: u32) {
        self.line(&json!(["directory", name, mode]));
    }

    pub(super) fn file(&mut self, name: &str, mode: u32, digest: &str) {
        // Documented: the Cache Directory Tagging Specification.
        self.caches.extend(name.strip_suffix("/CACHEDIR.TAG").map(str::to_owned));
        self.line(&json!(["file", name, mode, digest]));
    }

    /// The mode of a symlink differs between systems, and means nothing.
    pub(super) fn link(&mut self, name: &str, target: &Path) {
        self.line(&json!(["link", name, target.to_string_lossy()]));
    }

    pub(super) fn sent(self) -> Sent {
        Sent { digest: self.measure.hex(), caches: self.caches }
    }

    /// JSON of one line: no name or target can pass for something else.
    fn line(&mut self, entry: &Value) {
        writeln!(self.measure, "{entry}").ok(); // a hash takes everything
    }
}

/// Reads, and hashes what it reads.
pub(super) struct Hashing<R> {
    inner: R,
    measure: Measure,
}

impl<R: Read> Hashing<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, measure: Measure::default() }
    }

    /// Of what was read, in hexadecimal.
    pub(super) fn digest(self) -> String {
        self.measure.hex()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.measure.write_all(&buffer[..count])?;
        Ok(count)
    }
}

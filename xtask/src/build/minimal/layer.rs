//! Layers as deterministic tars: fixed times and owners, entries in order of their paths.
//! The same content gives the same bytes on every host, so the same digest.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::build::context::Exactly;

/// Owner of what is put in, unless it says otherwise.
const ROOT: u64 = 0;

/// Writes entries of a layer. Paths are absolute in the image, given without the `/` in front;
/// parent directories come by themselves.
pub(crate) struct LayerWriter<'a> {
    tar: Builder<&'a mut dyn Write>,
    directories: BTreeSet<String>,
}

impl<'a> LayerWriter<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { tar: Builder::new(out), directories: BTreeSet::new() }
    }

    /// A directory with this mode and owner (user and group alike).
    pub(crate) fn directory(&mut self, path: &str, mode: u32, owner: u64) -> io::Result<()> {
        self.parents(path)?;
        if !path.is_empty() && self.directories.insert(path.to_owned()) {
            let mut header = header(EntryType::Directory, mode, owner);
            self.tar.append_data(&mut header, format!("{path}/"), io::empty())?;
        }
        Ok(())
    }

    /// A file of root's from memory.
    pub(crate) fn bytes(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.file(path, mode, content.len() as u64, content)
    }

    /// A file of root's from the host, with this mode; a symlink is followed.
    pub(crate) fn host_file(&mut self, path: &str, source: &Path, mode: u32) -> io::Result<()> {
        let file = File::open(source)?;
        let size = file.metadata()?.len();
        self.file(path, mode, size, file)
    }

    /// A file or a whole directory from the host: symlinks kept, owned by root. Of the modes as much as git
    /// keeps, whether a file can be executed: the rest is the umask's of whoever made the clone, and another
    /// image on another machine.
    pub(crate) fn host_tree(&mut self, path: &str, source: &Path) -> io::Result<()> {
        let metadata = source.symlink_metadata()?;
        if metadata.is_symlink() {
            self.link(path, &source.read_link()?)
        } else if metadata.is_file() {
            self.host_file(path, source, if executable(&metadata) { 0o755 } else { 0o644 })
        } else if metadata.is_dir() {
            self.directory(path, 0o755, ROOT)?;
            for (name, below) in sorted(source)? {
                self.host_tree(&join(path, &name), &below)?;
            }
            Ok(())
        } else {
            Ok(()) // a socket, a pipe, a device
        }
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.tar.finish()
    }

    fn file(&mut self, path: &str, mode: u32, size: u64, content: impl Read) -> io::Result<()> {
        self.parents(path)?;
        let mut header = header(EntryType::Regular, mode, ROOT);
        header.set_size(size);
        self.tar.append_data(&mut header, path, Exactly::new(content, size))
    }

    fn link(&mut self, path: &str, target: &Path) -> io::Result<()> {
        self.parents(path)?;
        self.tar.append_link(&mut header(EntryType::Symlink, 0o777, ROOT), path, target)
    }

    fn parents(&mut self, path: &str) -> io::Result<()> {
        match path.rsplit_once('/') {
            Some((parent, _)) => self.directory(parent, 0o755, ROOT),
            None => Ok(()),
        }
    }
}

#[cfg(unix)]
fn executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

/// Windows does not know.
#[cfg(not(unix))]
fn executable(_: &Metadata) -> bool {
    true
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn sorted(directory: &Path) -> io::Result<Vec<(String, std::path::PathBuf)>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name =
            name.map_err(|name| io::Error::other(format!("the name {} is not UTF-8", name.display())))?;
        entries.push((name, entry.path()));
    }
    entries.sort();
    Ok(entries)
}

fn header(kind: EntryType, mode: u32, owner: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(0);
    header
}

/// Digest and size of everything written to it.
#[derive(Default)]
pub(crate) struct Measure {
    hash: Sha256,
    /// Bytes so far.
    pub(crate) size: u64,
}

impl Measure {
    /// `sha256:…`
    pub(crate) fn digest(self) -> String {
        format!("sha256:{}", self.hex())
    }

    /// The digest alone, 64 digits.
    pub(crate) fn hex(self) -> String {
        use std::fmt::Write;
        self.hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").ok();
            hex
        })
    }

    /// `sha256:…` of bytes in memory.
    pub(crate) fn digest_of(bytes: &[u8]) -> String {
        Self { hash: Sha256::new_with_prefix(bytes), size: 0 }.digest()
    }
}

impl Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

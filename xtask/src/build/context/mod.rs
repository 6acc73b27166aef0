//! A Dockerfile's context as a tar, written while it is sent.
//!
//! As Docker sends it: files below the context that the ignore file lets through, in order of
//! their names, owned by root, symlinks as symlinks, sockets and devices left out. Modification
//! times are the files' own: builds inside the Dockerfile (cargo's among them) rely on them, and
//! neither the layer cache nor the digest of what was sent looks at them.

pub(crate) mod dockerignore;
mod listing;
mod pattern;

use std::fs::{DirEntry, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::error::{Error, Kind, Result};
use dockerignore::{DockerIgnore, Inherited};
pub(crate) use listing::Sent;
use listing::{Hashing, Listing};

/// The Dockerfile's name in the context when its own place is outside of it.
const FOREIGN_DOCKERFILE: &str = ".xtask.Dockerfile";

/// What is sent, and under which name the Dockerfile is found in it.
#[derive(Debug)]
pub(crate) struct Context {
    root: PathBuf,
    dockerfile: PathBuf,
    /// Relative to the context's root, with `/`.
    pub(crate) dockerfile_name: String,
    ignore: DockerIgnore,
}

impl Context {
    /// Checks that both are there and reads the ignore file.
    pub(crate) fn new(root: &Path, dockerfile: &Path) -> Result<Self> {
        let missing = |what: &str, path: &Path, e: io::Error| {
            Error::new(Kind::Build, format!("the {what} `{}` cannot be read", path.display())).caused_by(e)
        };
        let canonical = root.canonicalize().map_err(|e| missing("context", root, e))?;
        if !canonical.is_dir() {
            return Err(Error::new(
                Kind::Build,
                format!("the context `{}` is not a directory", root.display()),
            ));
        }
        let file = dockerfile.canonicalize().map_err(|e| missing("Dockerfile", dockerfile, e))?;
        let inside = file.strip_prefix(&canonical).ok().and_then(slashed);
        Ok(Self {
            ignore: DockerIgnore::of(dockerfile, &canonical)?,
            dockerfile_name: inside.unwrap_or_else(|| FOREIGN_DOCKERFILE.to_owned()),
            root: canonical,
            dockerfile: file,
        })
    }

    /// Writes the tar; what is in it. Blocking.
    ///
    /// An ignored Dockerfile is sent all the same, since the engine reads it from here; unlike with
    /// `docker build`, `COPY . .` then copies it.
    pub(crate) fn write(&self, out: &mut dyn Write) -> Result<Sent> {
        let mut walk = Walk {
            context: self,
            tar: Builder::new(out),
            listing: Listing::default(),
            pending: Vec::new(),
            dockerfile_sent: false,
        };
        walk.directory(&self.root, "", &Inherited::default())?;
        if !walk.dockerfile_sent {
            walk.dockerfile()?;
        }
        walk.tar.finish().map_err(|e| failed("the context", e))?;
        Ok(walk.listing.sent())
    }
}

struct Walk<'a> {
    context: &'a Context,
    tar: Builder<&'a mut dyn Write>,
    listing: Listing,
    /// Excluded directories on the way, written once something below them is sent.
    pending: Vec<(PathBuf, String)>,
    dockerfile_sent: bool,
}

impl Walk<'_> {
    fn directory(&mut self, path: &Path, name: &str, inherited: &Inherited) -> Result<()> {
        for entry in sorted(path)? {
            let file_name = entry.file_name();
            let file_name = file_name.to_str().ok_or_else(|| {
                Error::new(Kind::Build, format!("`{}` has a name that is not UTF-8", entry.path().display()))
            })?;
            let name = if name.is_empty() { file_name.to_owned() } else { format!("{name}/{file_name}") };
            self.entry(&entry.path(), name, inherited)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: String, parent: &Inherited) -> Result<()> {
        let metadata = path.symlink_metadata().map_err(|e| failed_on(path, e))?;
        let (excluded, inherited) = self.context.ignore.excludes(&name, parent);
        if metadata.is_dir() {
            return self.subdirectory(path, name, excluded, &inherited);
        }
        if !excluded {
            self.parents()?;
            self.dockerfile_sent |= name == self.context.dockerfile_name && metadata.is_file();
            self.append(path, &name, &metadata)?;
        }
        Ok(())
    }

    fn subdirectory(
        &mut self,
        path: &Path,
        name: String,
        excluded: bool,
        inherited: &Inherited,
    ) -> Result<()> {
        if excluded && !self.context.ignore.may_include_below(&name) {
            return Ok(());
        }
        let depth = self.pending.len();
        self.pending.push((path.to_owned(), name.clone()));
        if !excluded {
            self.parents()?;
        }
        self.directory(path, &name, inherited)?;
        self.pending.truncate(depth);
        Ok(())
    }

    fn parents(&mut self) -> Result<()> {
        for (path, name) in std::mem::take(&mut self.pending) {
            let metadata = path.symlink_metadata().map_err(|e| failed_on(&path, e))?;
            self.append(&path, &name, &metadata)?;
        }
        Ok(())
    }

    fn dockerfile(&mut self) -> Result<()> {
        let path = &self.context.dockerfile;
        let metadata = path.metadata().map_err(|e| failed_on(path, e))?;
        self.append(path, &self.context.dockerfile_name, &metadata)
    }

    fn append(&mut self, path: &Path, name: &str, metadata: &Metadata) -> Result<()> {
        let mut header = header(metadata);
        let kind = metadata.file_type();
        let appended = if kind.is_dir() {
            self.listing.directory(name, mode(metadata));
            header.set_entry_type(EntryType::Directory);
            self.tar.append_data(&mut header, format!("{name}/"), io::empty())
        } else if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            path.read_link().and_then(|target| {
                self.listing.link(name, &target);
                self.tar.append_link(&mut header, name, target)
            })
        } else if kind.is_file() {
            self.file(path, name, metadata, header)
        } else {
            Ok(()) // a socket, a pipe, a device
        };
        appended.map_err(|e| failed_on(path, e))
    }

    fn file(&mut self, path: &Path, name: &str, metadata: &Metadata, mut header: Header) -> io::Result<()> {
        header.set_entry_type(EntryType::Regular);
        header.set_size(metadata.len());
        let mut content = Hashing::new(Exactly::new(File::open(path)?, metadata.len()));
        self.tar.append_data(&mut header, name, &mut content)?;
        self.listing.file(name, mode(metadata), &content.digest());
        Ok(())
    }
}

fn sorted(path: &Path) -> Result<Vec<DirEntry>> {
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(|e| failed_on(path, e))?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

fn slashed(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.components().map(|part| part.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

fn header(metadata: &Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_metadata(metadata);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mode(mode(metadata));
    header
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}

/// Windows knows no execute bit; Docker sends everything as executable.
#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0o755
}

fn failed(what: &str, e: io::Error) -> Error {
    Error::new(Kind::Build, format!("{what} could not be sent to the engine")).caused_by(e)
}

fn failed_on(path: &Path, e: io::Error) -> Error {
    failed(&format!("`{}`", path.display()), e)
}

/// A file that must have the size its header said: a shorter one would garble the archive.
pub(crate) struct Exactly<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Exactly<R> {
    pub(crate) fn new(inner: R, size: u64) -> Self {
        Self { inner, left: size }
    }
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::other("the file became shorter while it was read"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;

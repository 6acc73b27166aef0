//! Content on disk, and which repository holds what.
//!
//! ```text
//! registry/blobs/sha256/HEX          blobs and manifests, by content
//! registry/repositories/HEX.json     one per repository: blobs, images, tags
//! registry/uploads/…                 in the making; emptied at the start
//! ```
//!
//! A file under `blobs` is complete: it was synced before it got its name. It stays
//! while a repository needs it. Naming, linking and removing happen under one lock,
//! so that nothing is removed between being pushed and being linked.
//! Everything here blocks: call it from a blocking thread where it writes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use tempfile::{NamedTempFile, TempPath};

use super::digest::Digest;
use super::images::{Image, Images};
use crate::cloud::lock;
use crate::saved::{read_json, sync_dir, write_json};

/// See the module.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    repositories: Mutex<BTreeMap<String, Images>>,
}

impl Store {
    /// Reads what is there. Links to files that are gone or cut short are dropped, so that
    /// they are pushed again; files that nobody needs are removed.
    pub fn open(root: PathBuf) -> io::Result<Self> {
        let uploads = root.join("uploads");
        if uploads.exists() {
            fs::remove_dir_all(&uploads)?;
        }
        for dir in [&uploads, &root.join("blobs/sha256"), &root.join("repositories")] {
            fs::create_dir_all(dir)?;
        }
        let store = Self { repositories: Mutex::new(BTreeMap::new()), root };
        *store.lock() = store.read_repositories()?;
        store.sweep()?;
        Ok(store)
    }

    /// A new file for content in the making; it goes away unless it is committed.
    pub fn temporary(&self) -> io::Result<(fs::File, TempPath)> {
        NamedTempFile::new_in(self.root.join("uploads")).map(NamedTempFile::into_parts)
    }

    /// Where the content is, whether it is there or not.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// The size of a blob of this repository.
    pub fn blob_size(&self, repository: &str, digest: &Digest) -> Option<u64> {
        self.lock().get(repository)?.blobs.get(digest).copied()
    }

    /// Looks at a repository's content; one that nothing was pushed to is empty.
    pub fn look<R>(&self, repository: &str, look: impl FnOnce(&Images) -> R) -> R {
        match self.lock().get(repository) {
            Some(images) => look(images),
            None => look(&Images::default()),
        }
    }

    /// Makes a file, written and synced, a blob of this repository.
    pub fn commit_blob(&self, repository: &str, digest: Digest, size: u64, file: TempPath) -> io::Result<()> {
        let mut repositories = self.lock();
        self.name(file, &digest)?;
        let mut images = current(&repositories, repository);
        images.blobs.insert(digest, size);
        self.save(&mut repositories, images)
    }

    /// Makes a blob of one repository one of another too. `None` if it isn't there.
    pub fn mount_blob(&self, from: &str, to: &str, digest: Digest) -> io::Result<Option<u64>> {
        let mut repositories = self.lock();
        let Some(size) = repositories.get(from).and_then(|images| images.blobs.get(&digest).copied()) else {
            return Ok(None);
        };
        let mut images = current(&repositories, to);
        images.blobs.insert(digest, size);
        self.save(&mut repositories, images)?;
        Ok(Some(size))
    }

    /// Adds an image, whose bytes are in `file`, if `check` lets it; both see the same content.
    pub fn commit_image<E: From<io::Error>>(
        &self,
        repository: &str,
        (digest, image): (Digest, Image),
        tag: Option<&str>,
        file: TempPath,
        check: impl FnOnce(&Images) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut repositories = self.lock();
        let mut images = current(&repositories, repository);
        check(&images)?;
        self.name(file, &digest)?;
        images.put(digest, image, tag);
        Ok(self.save(&mut repositories, images)?)
    }

    /// Changes a repository's content and removes the files that nobody needs any more.
    pub fn remove<R>(&self, repository: &str, change: impl FnOnce(&mut Images) -> R) -> io::Result<R> {
        let mut repositories = self.lock();
        let before = current(&repositories, repository);
        let mut after = before.clone();
        let result = change(&mut after);
        self.save(&mut repositories, after)?;
        self.collect(&repositories, &before)?;
        Ok(result)
    }

    /// Forgets a repository with all that it holds.
    pub fn delete_repository(&self, repository: &str) -> io::Result<()> {
        let mut repositories = self.lock();
        let Some(before) = repositories.remove(repository) else {
            return Ok(());
        };
        remove_if_there(&self.index_path(repository))?;
        self.collect(&repositories, &before)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Images>> {
        lock(&self.repositories)
    }

    /// Hashed, as names hold `/`, and file systems limit lengths and may ignore case.
    fn index_path(&self, repository: &str) -> PathBuf {
        let name = Digest::of(repository.as_bytes()).hex();
        self.root.join("repositories").join(format!("{name}.json"))
    }

    fn save(&self, repositories: &mut BTreeMap<String, Images>, images: Images) -> io::Result<()> {
        write_json(&self.index_path(&images.repository), &images)?;
        repositories.insert(images.repository.clone(), images);
        Ok(())
    }

    fn name(&self, file: TempPath, digest: &Digest) -> io::Result<()> {
        file.persist(self.path(digest))?;
        sync_dir(&self.root.join("blobs/sha256"))
    }

    fn collect(&self, repositories: &BTreeMap<String, Images>, before: &Images) -> io::Result<()> {
        let digests = before.blobs.keys().chain(before.images.keys());
        for digest in digests.filter(|d| !repositories.values().any(|images| images.needs(d))) {
            remove_if_there(&self.path(digest))?;
        }
        Ok(())
    }

    fn read_repositories(&self) -> io::Result<BTreeMap<String, Images>> {
        let mut repositories = BTreeMap::new();
        for entry in fs::read_dir(self.root.join("repositories"))? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let Some(mut images) = read_json::<Images>(&path)? else {
                continue;
            };
            images.blobs.retain(|digest, size| has_size(&self.path(digest), *size));
            images.images.retain(|digest, image| has_size(&self.path(digest), image.size));
            let Images { images: present, tags, .. } = &mut images;
            tags.retain(|_, digest| present.contains_key(digest));
            repositories.insert(images.repository.clone(), images);
        }
        Ok(repositories)
    }

    fn sweep(&self) -> io::Result<()> {
        let repositories = self.lock();
        for entry in fs::read_dir(self.root.join("blobs/sha256"))? {
            let entry = entry?;
            let name = format!("sha256:{}", entry.file_name().display());
            let needed = |digest: &Digest| repositories.values().any(|images| images.needs(digest));
            if !name.parse().is_ok_and(|digest| needed(&digest)) {
                remove_if_there(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn current(repositories: &BTreeMap<String, Images>, repository: &str) -> Images {
    let empty = || Images { repository: repository.to_owned(), ..Images::default() };
    repositories.get(repository).cloned().unwrap_or_else(empty)
}

fn has_size(path: &Path, size: u64) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.len() == size)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn push(store: &Store, repository: &str, content: &[u8]) -> io::Result<Digest> {
        let (mut file, path) = store.temporary()?;
        file.write_all(content)?;
        store.commit_blob(repository, Digest::of(content), content.len() as u64, path)?;
        Ok(Digest::of(content))
    }

    #[test]
    fn a_blob_is_there_after_a_restart_and_its_repository_only() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let digest = push(&Store::open(dir.path().into())?, "a/b", b"content")?;
        let store = Store::open(dir.path().into())?;
        assert_eq!(store.blob_size("a/b", &digest), Some(7));
        assert_eq!(store.blob_size("other", &digest), None);
        assert_eq!(store.mount_blob("a/b", "other", digest)?, Some(7));
        assert_eq!(store.mount_blob("nowhere", "other", digest)?, None);
        assert_eq!(store.blob_size("other", &digest), Some(7));
        Ok(())
    }

    #[test]
    fn a_file_goes_with_its_last_repository() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let store = Store::open(dir.path().into())?;
        let digest = push(&store, "a", b"content")?;
        store.mount_blob("a", "b", digest)?;
        store.delete_repository("a")?;
        assert!(store.path(&digest).exists());
        store.delete_repository("b")?;
        assert!(!store.path(&digest).exists());
        assert_eq!(Store::open(dir.path().into())?.blob_size("a", &digest), None);
        Ok(())
    }

    #[test]
    fn what_a_crash_left_is_put_right() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let store = Store::open(dir.path().into())?;
        let cut = push(&store, "a", b"content")?;
        fs::write(store.path(&cut), b"cont")?;
        let orphan = store.path(&Digest::of(b"orphan"));
        fs::write(&orphan, b"orphan")?;
        let (_file, half) = store.temporary()?;
        let half = half.keep()?;
        let store = Store::open(dir.path().into())?;
        assert_eq!(store.blob_size("a", &cut), None);
        assert!(!store.path(&cut).exists() && !orphan.exists() && !half.exists());
        Ok(())
    }
}

//! Uploads in the making: bytes go to a file as they come, and through the digest.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use futures_util::StreamExt;
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::{MappedMutexGuard, MutexGuard};

use super::digest::{Digest, Digester};
use super::error::{Code, RegistryError};
use crate::cloud::lock;

/// How long an upload that nobody writes to is kept.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// Sync the file each time so many bytes were written, so that the disk works
/// while the network does and the last sync has little left to do.
const SYNC_EVERY: u64 = 32 * 1024 * 1024;

/// All of them, by identifier.
#[derive(Default)]
pub struct Uploads(Mutex<HashMap<String, Arc<Session>>>);

/// One upload. Requests for it take turns: a client that resumes waits until
/// the request that it gave up on is gone.
pub struct Session {
    /// Where its blob will be.
    pub repository: String,
    touched: Mutex<Instant>,
    upload: tokio::sync::Mutex<Option<Upload>>,
}

/// What was received so far. Dropping it removes the file.
pub struct Upload {
    file: File,
    path: TempPath,
    digester: Digester,
    offset: u64,
    /// Bytes after the first chunk, which is what ECR goes on reporting.
    first_chunk: Option<u64>,
    unsynced: u64,
}

impl Uploads {
    /// Begins one.
    pub fn start(&self, id: String, repository: &str, (file, path): (std::fs::File, TempPath)) {
        let session = Session {
            repository: repository.to_owned(),
            touched: Mutex::new(Instant::now()),
            upload: tokio::sync::Mutex::new(Some(Upload::new(file, path))),
        };
        let mut sessions = lock(&self.0);
        sessions
            .retain(|_, session| Arc::strong_count(session) > 1 || lock(&session.touched).elapsed() < IDLE);
        sessions.insert(id, Arc::new(session));
    }

    /// Finds one.
    pub fn get(&self, id: &str, repository: &str) -> Result<Arc<Session>, RegistryError> {
        let session = lock(&self.0).get(id).filter(|session| session.repository == repository).cloned();
        session.ok_or_else(unknown)
    }

    /// Forgets one; its file goes when the last request for it is done.
    pub fn remove(&self, id: &str) {
        lock(&self.0).remove(id);
    }
}

impl Session {
    /// Waits for its turn.
    pub async fn lock(&self) -> Result<MappedMutexGuard<'_, Upload>, RegistryError> {
        let upload = self.upload.lock().await;
        *lock(&self.touched) = Instant::now();
        MutexGuard::try_map(upload, Option::as_mut).map_err(|_| unknown())
    }

    /// Takes the upload out, to finish it; whoever waited for its turn is told that it's gone.
    pub async fn take(&self) -> Result<Upload, RegistryError> {
        self.upload.lock().await.take().ok_or_else(unknown)
    }
}

fn unknown() -> RegistryError {
    RegistryError::new(Code::BlobUploadUnknown, "blob upload unknown to registry")
}

impl Upload {
    /// With nothing received.
    pub fn new(file: std::fs::File, path: TempPath) -> Self {
        let file = File::from_std(file);
        Self { file, path, digester: Digester::default(), offset: 0, first_chunk: None, unsynced: 0 }
    }

    /// Bytes received so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The end of the first chunk, `None` before there is one.
    pub fn first_chunk(&self) -> Option<u64> {
        self.first_chunk
    }

    /// Takes a body, whole or in part: when the client goes away in the middle, what came
    /// counts, and it can go on from there. Returns the number of bytes taken.
    pub async fn append(&mut self, body: Body) -> Result<u64, RegistryError> {
        let start = self.offset;
        let mut frames = body.into_data_stream();
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(|e| {
                RegistryError::new(Code::BlobUploadInvalid, format!("the body broke off: {e}"))
            })?;
            self.write(&frame).await?;
        }
        self.file.flush().await?;
        self.first_chunk.get_or_insert(self.offset);
        Ok(self.offset - start)
    }

    /// File, digest and offset move together, whenever the future is dropped.
    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(self.file.write(bytes).await?);
            self.digester.update(taken);
            self.offset += taken.len() as u64;
            self.unsynced += taken.len() as u64;
            bytes = rest;
        }
        if self.unsynced >= SYNC_EVERY {
            self.unsynced = 0;
            self.file.sync_data().await?;
        }
        Ok(())
    }

    /// The finished file, synced, with its size, if its content is what the digest says.
    pub async fn finish(mut self, expected: Digest) -> Result<(TempPath, u64), RegistryError> {
        let actual = self.digester.finish();
        if actual != expected {
            let message = format!("provided digest {expected} did not match uploaded content {actual}");
            return Err(RegistryError::new(Code::DigestInvalid, message));
        }
        self.file.flush().await?;
        self.file.sync_all().await?;
        // A write that failed (a full disk) may have been told to another request than this one.
        let written = self.file.metadata().await?.len();
        if written != self.offset {
            let error = format!("{written} of {} bytes were written", self.offset);
            return Err(RegistryError::new(Code::BlobUploadInvalid, error));
        }
        Ok((self.path, self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload() -> Upload {
        let (file, path) = tempfile::NamedTempFile::new().expect("a temporary file").into_parts();
        Upload::new(file, path)
    }

    #[tokio::test]
    async fn chunks_make_a_file() -> Result<(), RegistryError> {
        let mut upload = upload();
        assert_eq!(upload.append(Body::from("hello ")).await?, 6);
        assert_eq!(upload.append(Body::from("world")).await?, 5);
        assert_eq!((upload.offset(), upload.first_chunk()), (11, Some(6)));
        let (path, size) = upload.finish(Digest::of(b"hello world")).await?;
        assert_eq!((std::fs::read(&path)?.as_slice(), size), (b"hello world".as_slice(), 11));
        Ok(())
    }

    #[tokio::test]
    async fn a_wrong_digest_leaves_no_file() -> Result<(), RegistryError> {
        let mut upload = upload();
        upload.append(Body::from("hello")).await?;
        let path = upload.path.to_path_buf();
        let error = upload.finish(Digest::of(b"other")).await.expect_err("the digest is wrong");
        assert_eq!(error.code(), Code::DigestInvalid);
        assert!(!path.exists());
        Ok(())
    }

    #[tokio::test]
    async fn a_broken_body_counts_as_far_as_it_came() -> Result<(), RegistryError> {
        let mut upload = upload();
        let frames = [Ok("hel"), Err(io::Error::other("gone"))];
        let error = upload.append(Body::from_stream(futures_util::stream::iter(frames))).await;
        assert_eq!(error.expect_err("it broke off").code(), Code::BlobUploadInvalid);
        assert_eq!(upload.offset(), 3);
        upload.append(Body::from("lo")).await?;
        upload.finish(Digest::of(b"hello")).await?;
        Ok(())
    }
}

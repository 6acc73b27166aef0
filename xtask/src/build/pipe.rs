//! What blocking code writes, as the body of a request: at most a few chunks are in memory.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::{Error, Kind, Result};

const CHUNK: usize = 128 * 1024;
const CHUNKS_IN_FLIGHT: usize = 4;

/// The writing end. Buffered; [`Write::flush`] sends what is left.
pub(crate) struct PipeWriter {
    buffer: BytesMut,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = self.buffer.split().freeze();
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine stopped reading");
        self.sender.blocking_send(Ok(chunk)).map_err(gone)
    }
}

/// How the writing ended; ask it when the request has: it may know why that failed.
pub(crate) struct Writing<T>(JoinHandle<Result<T>>);

impl<T> Writing<T> {
    /// What the writer tells of it; nothing if it merely noticed that nobody reads any more.
    ///
    /// # Errors
    /// The writer's own.
    pub(crate) async fn end(self) -> Result<Option<T>> {
        match self.0.await {
            Ok(Ok(told)) => Ok(Some(told)),
            Ok(Err(error)) if is_broken_pipe(&error) => Ok(None),
            Ok(Err(error)) => Err(error),
            Err(e) => Err(Error::new(Kind::Unexpected, "a writing thread ended early").caused_by(e)),
        }
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        if cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        below = cause.source();
    }
    false
}

/// Runs `write` on a blocking thread; the stream yields what it writes and ends with its error, if any.
pub(crate) fn pipe<T, F>(write: F) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, Writing<T>)
where
    T: Send + 'static,
    F: FnOnce(&mut PipeWriter) -> Result<T> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let handle = tokio::task::spawn_blocking(move || {
        let mut writer = PipeWriter { buffer: BytesMut::with_capacity(CHUNK), sender };
        let io = |e| Error::new(Kind::Build, "sending to the engine").caused_by(e);
        let result = write(&mut writer).and_then(|told| writer.flush().map_err(io).map(|()| told));
        if let Err(error) = &result {
            // An unfinished body must not look like a finished one.
            drop(writer.sender.blocking_send(Err(io::Error::other(error.to_string()))));
        }
        result
    });
    (ReceiverStream::new(receiver), Writing(handle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    #[tokio::test]
    async fn what_is_written_arrives_in_order() {
        let (stream, writing) = pipe(|out| {
            for byte in 0..=255_u8 {
                out.write_all(&vec![byte; 10_000]).map_err(|e| Error::new(Kind::Build, "w").caused_by(e))?;
            }
            Ok(())
        });
        let chunks: Vec<Bytes> = stream.map(|chunk| chunk.expect("no error")).collect().await;
        let all = chunks.concat();
        assert_eq!(all.len(), 2_560_000);
        assert!(all.is_sorted());
        assert_eq!(writing.end().await.expect("no error"), Some(()));
    }

    #[tokio::test]
    async fn a_failed_writer_fails_the_body_and_keeps_its_cause() {
        let (stream, writing) = pipe::<(), _>(|_| Err(Error::new(Kind::Build, "`x` cannot be read")));
        let chunks: Vec<_> = stream.collect().await;
        assert!(matches!(chunks.as_slice(), [Err(_)]));
        assert_eq!(writing.end().await.expect_err("failed").message, "`x` cannot be read");
    }

    #[tokio::test]
    async fn a_reader_that_leaves_is_not_the_writers_failure() {
        let (stream, writing) = pipe::<(), _>(|out| {
            loop {
                out.write_all(&[0; CHUNK]).map_err(|e| Error::new(Kind::Build, "w").caused_by(e))?;
            }
        });
        drop(stream);
        assert_eq!(writing.end().await.expect("no error"), None);
    }
}

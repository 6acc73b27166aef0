//! A container's output as lines. The engine sends one frame per piece that it stored, each
//! with its time in front; a line longer than 16 KiB comes in several pieces.

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};

use super::observe;
use super::rfc3339;
use crate::engine::{ContainerId, EngineError, LogLine};

/// A longer line is cut in pieces of this size: CloudWatch Logs takes events of 256 KiB, less
/// 26 bytes of overhead (documented: PutLogEvents; the `awslogs` driver cuts there too).
const LONGEST_LINE: usize = 256 * 1024 - 26;

/// Lines from `since_ms` on, until the container ends.
pub(super) async fn follow(
    docker: &Docker,
    id: &ContainerId,
    since_ms: Option<i64>,
) -> Result<BoxStream<'static, LogLine>, EngineError> {
    if observe::inspect(docker, id).await?.is_none() {
        return Err(EngineError::Gone(format!("No such container: {}", id.0)));
    }
    let since = since_ms.and_then(|ms| i32::try_from(ms / 1000).ok()).unwrap_or_default();
    let options = LogsOptions {
        follow: true,
        stdout: true,
        stderr: true,
        timestamps: true,
        since,
        ..Default::default()
    };
    let frames = docker.logs(&id.0, Some(options));
    // The engine knows whole seconds only.
    let late_enough = move |line: &LogLine| since_ms.is_none_or(|since| line.timestamp_ms >= since);
    Ok(lines(frames).filter(move |line| std::future::ready(late_enough(line))).boxed())
}

fn lines(
    frames: impl Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send + 'static,
) -> impl Stream<Item = LogLine> + Send {
    // A connection that breaks ends the stream, as the container's end does.
    let frames = frames.take_while(|frame| std::future::ready(frame.is_ok())).filter_map(async |f| f.ok());
    let with_end = frames.map(Some).chain(stream::iter([None]));
    let assembled = with_end.scan(Assembler::default(), |assembler, frame| {
        std::future::ready(Some(match frame {
            Some(frame) => assembler.push(frame),
            None => assembler.finish(),
        }))
    });
    assembled.flat_map(stream::iter)
}

/// Puts the pieces of long lines together, for each of the two streams.
#[derive(Default)]
struct Assembler {
    stdout: Pending,
    stderr: Pending,
}

impl Assembler {
    fn push(&mut self, frame: LogOutput) -> Vec<LogLine> {
        let pending =
            if matches!(frame, LogOutput::StdErr { .. }) { &mut self.stderr } else { &mut self.stdout };
        pending.push(&frame.into_bytes())
    }

    fn finish(&mut self) -> Vec<LogLine> {
        self.stdout.flush().into_iter().chain(self.stderr.flush()).collect()
    }
}

/// A line whose end has not come yet.
#[derive(Default)]
struct Pending {
    timestamp_ms: i64,
    bytes: Vec<u8>,
}

impl Pending {
    fn push(&mut self, frame: &[u8]) -> Vec<LogLine> {
        let (timestamp, text) = split_timestamp(frame);
        if self.bytes.is_empty() {
            self.timestamp_ms = timestamp.unwrap_or(self.timestamp_ms);
        }
        let ended = text.ends_with(b"\n");
        self.bytes.extend_from_slice(text.strip_suffix(b"\n").unwrap_or(text));
        let mut lines = self.cut();
        if ended {
            self.bytes.truncate(self.bytes.strip_suffix(b"\r").unwrap_or(&self.bytes).len());
            // An empty line is a line; the end of a cut one is not.
            if lines.is_empty() || !self.bytes.is_empty() {
                lines.push(self.take(self.bytes.len()));
            }
        }
        lines
    }

    fn cut(&mut self) -> Vec<LogLine> {
        let mut lines = Vec::new();
        while self.bytes.len() > LONGEST_LINE {
            lines.push(self.take(boundary(&self.bytes, LONGEST_LINE)));
        }
        lines
    }

    fn flush(&mut self) -> Option<LogLine> {
        (!self.bytes.is_empty()).then(|| self.take(self.bytes.len()))
    }

    fn take(&mut self, length: usize) -> LogLine {
        let rest = self.bytes.split_off(length);
        let line = std::mem::replace(&mut self.bytes, rest);
        LogLine { timestamp_ms: self.timestamp_ms, message: String::from_utf8_lossy(&line).into_owned() }
    }
}

/// The last place at or before `at` that does not cut a UTF-8 character.
fn boundary(bytes: &[u8], at: usize) -> usize {
    let continues = |index: &usize| bytes.get(*index).is_some_and(|byte| byte & 0xc0 == 0x80);
    (at.saturating_sub(3)..=at).rev().find(|index| !continues(index)).unwrap_or(at)
}

fn split_timestamp(frame: &[u8]) -> (Option<i64>, &[u8]) {
    let Some(blank) = frame.iter().take(40).position(|byte| *byte == b' ') else {
        return (None, frame);
    };
    match std::str::from_utf8(&frame[..blank]).ok().and_then(rfc3339::millis_since_1970) {
        Some(ms) => (Some(ms), &frame[blank + 1..]),
        None => (None, frame),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(text: &str) -> LogOutput {
        LogOutput::StdOut { message: text.to_owned().into() }
    }

    fn err(text: &str) -> LogOutput {
        LogOutput::StdErr { message: text.to_owned().into() }
    }

    async fn assembled(frames: Vec<LogOutput>) -> Vec<(i64, String)> {
        let frames = stream::iter(frames.into_iter().map(Ok));
        lines(frames).map(|line| (line.timestamp_ms, line.message)).collect().await
    }

    #[tokio::test]
    async fn pieces_become_one_line_with_the_time_of_the_first() {
        let frames = vec![
            out("1970-01-01T00:00:00.001Z begin-"),
            err("1970-01-01T00:00:00.002Z other\n"),
            out("1970-01-01T00:00:00.003Z end\r\n"),
        ];
        let expected = vec![(2, "other".to_owned()), (1, "begin-end".to_owned())];
        assert_eq!(assembled(frames).await, expected);
    }

    #[tokio::test]
    async fn empty_lines_count_and_an_unfinished_last_one_too() {
        let frames = vec![out("1970-01-01T00:00:00Z \n"), out("1970-01-01T00:00:00.009Z last")];
        assert_eq!(assembled(frames).await, vec![(0, String::new()), (9, "last".to_owned())]);
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_between_characters() {
        let piece = format!("1970-01-01T00:00:00Z {}", "ä".repeat(8 * 1024));
        let mut frames: Vec<_> = (0..17).map(|_| out(&piece)).collect();
        frames.push(out("1970-01-01T00:00:00Z \n"));
        let lines = assembled(frames).await;
        let lengths: Vec<_> = lines.iter().map(|(_, line)| line.len()).collect();
        assert_eq!(lengths, [LONGEST_LINE, 17 * 16 * 1024 - LONGEST_LINE]);
        assert!(lines.iter().all(|(_, line)| !line.contains('\u{fffd}')));
    }
}

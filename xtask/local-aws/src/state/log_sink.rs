//! Where the `awslogs` driver's lines go: what the scheduler asks of CloudWatch Logs.

use crate::engine::LogLine;

/// The log group is not there, and was not to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupMissing;

/// CloudWatch Logs as the `awslogs` driver sees it. Called from many tasks at once.
pub trait LogSink: Send + Sync + 'static {
    /// Creates the stream if it is not there, and the group too if `create_group` says so
    /// (`awslogs-create-group`).
    fn open(&self, group: &str, stream: &str, create_group: bool) -> Result<(), GroupMissing>;

    /// Appends a line to a stream that was opened.
    fn append(&self, group: &str, stream: &str, line: &LogLine);

    /// The timestamp of the stream's last line, in milliseconds: where to go on after a restart.
    fn last_timestamp_ms(&self, group: &str, stream: &str) -> Option<i64>;
}

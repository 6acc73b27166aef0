//! The `awslogs` driver's end: what containers write becomes events.

use super::now_ms;
use crate::cloud::Cloud;
use crate::engine::LogLine;
use crate::state::log_sink::{GroupMissing, LogSink};
use crate::state::logs::stream::Event;
use crate::state::logs::{Group, LogsError};

impl LogSink for Cloud {
    fn open(&self, group: &str, stream: &str, create_group: bool) -> Result<(), GroupMissing> {
        let now = now_ms(self);
        if create_group {
            let new = Group {
                name: group.to_owned(),
                created_ms: now,
                retention_days: None,
                tags: Default::default(),
            };
            self.logs().create_group(new).ok(); // there already, or `create_stream` tells
        }
        match self.logs().create_stream(group, stream, now) {
            Err(LogsError::GroupMissing) => Err(GroupMissing),
            _ => Ok(()),
        }
    }

    /// A line that comes late is given the time of the one before it: order of arrival counts.
    /// Lines of a stream that was deleted meanwhile are lost, and empty ones are no events, as
    /// with the driver.
    fn append(&self, group: &str, stream: &str, line: &LogLine) {
        if line.message.is_empty() {
            return;
        }
        let last = self.last_timestamp_ms(group, stream).unwrap_or(i64::MIN);
        let event = Event {
            timestamp_ms: line.timestamp_ms.max(last),
            ingestion_ms: now_ms(self),
            message: line.message.clone(),
        };
        self.logs().append(group, stream, &[event]).ok();
    }

    fn last_timestamp_ms(&self, group: &str, stream: &str) -> Option<i64> {
        self.logs().stream(group, stream, |stream| stream.last_ms()).ok()?
    }
}

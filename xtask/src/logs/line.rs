//! A line and where it came from.

use schemars::JsonSchema;
use serde::Serialize;

/// A log event.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The service.
    pub service: String,
    /// The task's ID.
    pub task: String,
    /// The container's name.
    pub container: String,
    /// What was logged; may hold several lines.
    pub message: String,
}

/// Container and task of a stream `PREFIX/CONTAINER/TASK`. The prefix may hold slashes.
/// Source: Amazon ECS Developer Guide, "Using the awslogs log driver", `awslogs-stream-prefix`.
pub(super) fn container_and_task<'s>(stream: &'s str, prefix: &str) -> Option<(&'s str, &'s str)> {
    stream.strip_prefix(prefix)?.strip_prefix('/')?.split_once('/').filter(|(_, task)| !task.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_names_container_and_task() {
        assert_eq!(container_and_task("web/app/0123", "web"), Some(("app", "0123")));
        assert_eq!(container_and_task("a/b/app/0123", "a/b"), Some(("app", "0123")));
    }

    #[test]
    fn a_stream_of_something_else_does_not() {
        assert_eq!(container_and_task("web2/app/0123", "web"), None);
        assert_eq!(container_and_task("web/app", "web"), None);
        assert_eq!(
            container_and_task("web/sub/app/0123", "web"),
            None,
            "of a service whose prefix is longer"
        );
    }
}

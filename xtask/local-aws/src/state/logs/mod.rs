//! State of CloudWatch Logs: groups, streams, events.

use crate::cloud::Options;

/// State of the service.
#[derive(Debug, Default)]
pub struct Logs {}

impl Logs {
    /// The state of a fresh account.
    pub fn new(_options: &Options) -> Self {
        Self::default()
    }
}

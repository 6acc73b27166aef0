//! State of ECR: repositories.

use crate::cloud::Options;

/// State of the service.
#[derive(Debug, Default)]
pub struct Ecr {}

impl Ecr {
    /// The state of a fresh account.
    pub fn new(_options: &Options) -> Self {
        Self::default()
    }
}

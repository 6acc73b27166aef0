//! State of EC2: VPCs, subnets, security groups.

use crate::cloud::Options;

/// State of the service.
#[derive(Debug, Default)]
pub struct Ec2 {}

impl Ec2 {
    /// The state of a fresh account.
    pub fn new(_options: &Options) -> Self {
        Self::default()
    }
}

//! The AWS clients, and what is common to calling them.

pub mod fault;
pub mod json;

use aws_config::SdkConfig;

pub use fault::fault;

/// One client a service, all on one pool of connections.
#[derive(Clone, Debug)]
pub struct Aws {
    /// Elastic Container Service.
    pub ecs: aws_sdk_ecs::Client,
    /// Elastic Container Registry.
    pub ecr: aws_sdk_ecr::Client,
    /// Security groups, subnets, network interfaces.
    pub ec2: aws_sdk_ec2::Client,
    /// Elastic Load Balancing: target groups.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// `ap-northeast-2` …
    pub region: String,
}

impl Aws {
    /// The clients of a resolved configuration.
    #[must_use]
    pub fn new(config: &SdkConfig, region: String) -> Self {
        Self {
            ecs: aws_sdk_ecs::Client::new(config),
            ecr: aws_sdk_ecr::Client::new(config),
            ec2: aws_sdk_ec2::Client::new(config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            region,
        }
    }
}

/// The partition that a region belongs to, the second part of every ARN.
/// Source: AWS General Reference, "Amazon Resource Names".
#[must_use]
pub fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// A role by its ARN, or by its name in the account at hand.
#[must_use]
pub fn role_arn(role: &str, region: &str, account: &str) -> String {
    if role.starts_with("arn:") {
        role.to_owned()
    } else {
        format!("arn:{}:iam::{account}:role/{role}", partition(region))
    }
}

/// The tag on what this tool created.
pub const OURS: (&str, &str) = ("deployed-by", "cargo-xtask-deploy");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_name_becomes_an_arn_of_the_right_partition() {
        assert_eq!(role_arn("r", "eu-west-1", "123456789012"), "arn:aws:iam::123456789012:role/r");
        assert_eq!(role_arn("r", "cn-north-1", "123456789012"), "arn:aws-cn:iam::123456789012:role/r");
        assert_eq!(role_arn("arn:aws:iam::1:role/p/r", "eu-west-1", "2"), "arn:aws:iam::1:role/p/r");
    }
}

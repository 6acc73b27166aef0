//! The AWS clients, and what is common to calling them.

mod bucket;
pub(crate) mod call;
mod credentials;
pub mod fault;
pub mod json;
mod patience;
pub(crate) mod query;

use aws_config::SdkConfig;

pub(crate) use credentials::Renewing;
pub use fault::fault;
pub(crate) use patience::{LASTING, timeouts};

use crate::event::Events;
use bucket::Bucket;
use call::Caller;
use patience::{ExpiredIsRetried, Patience, retries};

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
    /// Services of which little is asked.
    pub(crate) others: Caller,
    /// Whether AWS is only played: any role is taken, of whatever account, and target groups need no load balancer.
    pub(crate) played: bool,
    /// `ap-northeast-2` …
    pub region: String,
    patience: Patience,
    registrations: Bucket,
}

/// A client whose failed calls are retried as [`patience`] says. The SDK's own quota of retries
/// is for those who call all the time: ours would be used up by one outage.
macro_rules! client {
    ($sdk:ident, $config:expr, $patience:expr) => {{
        let quota = $sdk::config::retry::TokenBucket::unlimited();
        let partition = $sdk::config::retry::RetryPartition::custom("xtask").token_bucket(quota).build();
        let config = $sdk::config::Builder::from($config).retry_partition(partition);
        let config = config.retry_config(retries()).retry_classifier(ExpiredIsRetried);
        $sdk::Client::from_conf(config.interceptor($patience.clone()).build())
    }};
}

impl Aws {
    /// The clients of a resolved configuration, whose credentials may be renewed.
    #[must_use]
    pub(crate) fn new(config: &SdkConfig, region: String, credentials: Option<Renewing>) -> Self {
        let patience = Patience::new(credentials);
        Self {
            ecs: client!(aws_sdk_ecs, config, patience),
            ecr: client!(aws_sdk_ecr, config, patience),
            ec2: client!(aws_sdk_ec2, config, patience),
            elb: client!(aws_sdk_elasticloadbalancingv2, config, patience),
            logs: client!(aws_sdk_cloudwatchlogs, config, patience),
            others: Caller::new(config.clone(), patience.clone()),
            played: false,
            region,
            patience,
            registrations: Bucket::default(),
        }
    }

    /// Waits until a task definition may be registered: AWS takes only so many a second.
    pub async fn turn_to_register(&self) {
        self.registrations.turn().await;
    }

    /// AWS is only played here.
    #[must_use]
    pub(crate) fn playing(self) -> Self {
        Self { played: true, ..self }
    }

    /// Tells of outages that are waited out, from now on.
    pub fn tell(&self, events: &Events) {
        self.patience.tell(events);
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

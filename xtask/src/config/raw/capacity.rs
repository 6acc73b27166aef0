//! What tasks run on, and other settings of a service.

use schemars::JsonSchema;
use serde::Deserialize;

/// Where tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub(in crate::config) enum LaunchType {
    #[serde(rename = "FARGATE")]
    Fargate,
    #[serde(rename = "EC2")]
    Ec2,
}

/// A capacity provider and its share of the tasks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct CapacityProvider {
    /// `FARGATE`, `FARGATE_SPOT`, or one of the account's own that the cluster has.
    pub(in crate::config) name: String,
    /// Its share of the tasks beyond `base`, 0 to 1000. Default: 1.
    pub(in crate::config) weight: Option<i64>,
    /// So many tasks run on it first. Default: 0.
    pub(in crate::config) base: Option<i64>,
}

/// Whose tags tasks get.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::config) enum PropagateTags {
    Service,
    TaskDefinition,
    None,
}

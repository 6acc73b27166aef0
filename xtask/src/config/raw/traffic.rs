//! Existing target groups and service registries that tasks are put into.

use schemars::JsonSchema;
use serde::Deserialize;

/// An existing target group, by `arn` or `name`, and the port that it sends traffic to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct TargetGroup {
    /// The target group's ARN.
    pub(in crate::config) arn: Option<String>,
    /// Or its name.
    pub(in crate::config) name: Option<String>,
    /// The container. Left out: the only one that has a port.
    pub(in crate::config) container: Option<String>,
    /// One of its ports. Left out: its only one.
    pub(in crate::config) port: Option<i64>,
}

/// An existing service of AWS Cloud Map in which tasks are registered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct ServiceRegistry {
    /// The registry's ARN.
    pub(in crate::config) arn: String,
    /// With `SRV` records: the container.
    pub(in crate::config) container: Option<String>,
    /// With `SRV` records: the container's port.
    pub(in crate::config) port: Option<i64>,
}

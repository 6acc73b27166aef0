//! Where tasks run in the network.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Which subnets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Subnets {
    /// `"default"`.
    Word(String),
    /// IDs or names.
    Listed(Vec<String>),
    /// By tag.
    Tagged(TagFilter),
}

/// Which existing security groups.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum SecurityGroups {
    /// IDs or names.
    Listed(Vec<String>),
    /// By tag.
    Tagged(TagFilter),
}

/// Something that exists.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Existing {
    /// ID or name.
    Named(String),
    /// By tag.
    Tagged(TagFilter),
}

/// Things that carry all of these tags.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct TagFilter {
    /// Key and value.
    pub(in crate::config) tag: BTreeMap<String, String>,
}

/// A security group and who may come in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct SecurityGroup {
    /// The group's name. Default: NAME of the service, with an environment NAME-ENVIRONMENT.
    pub(in crate::config) name: Option<String>,
    /// Default: the group's name, and that this tool manages it.
    pub(in crate::config) description: Option<String>,
    /// Who may come in.
    #[serde(default)]
    pub(in crate::config) ingress: Vec<Ingress>,
}

/// One ingress rule: a port, or `from-port` and `to-port`, from a CIDR block or a security group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct Ingress {
    /// A single port.
    pub(in crate::config) port: Option<i64>,
    /// First port of a range.
    pub(in crate::config) from_port: Option<i64>,
    /// Last port of a range.
    pub(in crate::config) to_port: Option<i64>,
    /// `tcp` (default) or `udp`.
    pub(in crate::config) protocol: Option<Protocol>,
    /// IPv4 or IPv6 block.
    pub(in crate::config) cidr: Option<String>,
    /// ID of a security group whose members may come in.
    pub(in crate::config) security_group: Option<String>,
    /// Shown in the console.
    pub(in crate::config) description: Option<String>,
}

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Protocol {
    Tcp,
    Udp,
}

//! Volumes of a task and where containers mount them.

use schemars::JsonSchema;
use serde::Deserialize;

/// A volume: of the task's own, which ends with it, or an EFS file system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct Volume {
    /// An EFS file system, `fs-…`. Left out: a volume that ends with the task.
    pub(in crate::config) file_system_id: Option<String>,
    /// With EFS: the directory that is its root here. Default: `/`.
    pub(in crate::config) root_directory: Option<String>,
    /// With EFS: an access point, `fsap-…`.
    pub(in crate::config) access_point: Option<String>,
    /// With EFS: whether the way to it is encrypted. Default: where an access point or `iam` asks for it.
    pub(in crate::config) transit_encryption: Option<bool>,
    /// With EFS: whether the task role is used to mount it. Default: false.
    pub(in crate::config) iam: Option<bool>,
}

/// Where a container sees a volume.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::config) struct Mount {
    /// A key of the service's `volumes`.
    pub(in crate::config) volume: String,
    /// Absolute path in the container.
    pub(in crate::config) path: String,
    /// Default: false.
    pub(in crate::config) read_only: Option<bool>,
}

//! Volumes of a task.

/// A volume that containers may mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Unique in the task.
    pub name: String,
    /// `None`: it begins and ends with the task.
    pub efs: Option<Efs>,
}

/// An EFS file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Efs {
    /// `fs-…`
    pub file_system: String,
    /// The directory that is its root here.
    pub root: Option<String>,
    /// `fsap-…`
    pub access_point: Option<String>,
    /// Whether the way to it is encrypted, where that is said or asked for.
    pub encrypted: Option<bool>,
    /// Whether the task role is used to mount it, where that is said.
    pub iam: Option<bool>,
}

/// Where a container sees a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// A volume's name.
    pub volume: String,
    /// Absolute path in the container.
    pub path: String,
    /// Whether it may not write.
    pub read_only: bool,
}

//! Existing target groups and service registries that tasks are put into.

/// A target group and where in the task it sends traffic to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Which one.
    pub group: GroupRef,
    /// A container of the task.
    pub container: String,
    /// One of its ports.
    pub port: u16,
}

/// A target group that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRef {
    /// `arn:aws:elasticloadbalancing:…:targetgroup/NAME/ID`
    Arn(String),
    /// Unique in account and region.
    Name(String),
}

/// A service of AWS Cloud Map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// `arn:aws:servicediscovery:…`
    pub arn: String,
    /// For SRV records: container and port.
    pub target: Option<(String, u16)>,
}

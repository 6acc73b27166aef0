//! What tasks run on.

/// Launch type or capacity providers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Launch {
    /// Nothing said: Fargate on creation, untouched afterwards.
    #[default]
    Unsaid,
    /// The Fargate launch type.
    Fargate,
    /// The EC2 launch type: instances that somebody registered in the cluster.
    Ec2,
    /// Spread over these.
    Providers(Vec<Provider>),
}

/// A capacity provider and its share of the tasks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Provider {
    /// `FARGATE`, `FARGATE_SPOT`, or one of the account's own.
    pub name: String,
    /// Share of the tasks beyond `base`.
    pub weight: u32,
    /// So many tasks run on it first.
    pub base: u32,
}

/// The providers that every account has; a cluster has to be told of them.
/// Source: Amazon ECS Developer Guide, "Amazon ECS clusters for Fargate".
pub const FARGATE_PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

impl Provider {
    /// Whether its tasks run on Fargate.
    #[must_use]
    pub fn is_fargate(&self) -> bool {
        FARGATE_PROVIDERS.contains(&self.name.as_str())
    }
}

impl Launch {
    /// Whether tasks run on Fargate. A strategy is of one kind only.
    #[must_use]
    pub fn is_fargate(&self) -> bool {
        match self {
            Self::Unsaid | Self::Fargate => true,
            Self::Ec2 => false,
            Self::Providers(providers) => providers.iter().all(Provider::is_fargate),
        }
    }

    /// The capacity providers, none for a launch type.
    #[must_use]
    pub fn providers(&self) -> &[Provider] {
        if let Self::Providers(providers) = self { providers } else { &[] }
    }
}

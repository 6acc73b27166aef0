//! Images on the engine to ECR; what comes back is a digest.

/// How to log in to a registry. `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAuth {
    /// `https://ACCOUNT.dkr.ecr.REGION.amazonaws.com`, `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// `AWS` for ECR.
    pub username: String,
    /// The decoded token's second half.
    pub password: String,
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryAuth")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// An image in its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedImage {
    /// Its key in `[image]`.
    pub name: String,
    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME`.
    pub repository_uri: String,
    /// Of the manifest, `sha256:…`.
    pub digest: String,
    /// The tag it has beside the digest.
    pub tag: String,
}

impl PushedImage {
    /// The reference that a task definition gets: by digest, always.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}@{}", self.repository_uri, self.digest)
    }
}

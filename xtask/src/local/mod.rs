//! The local control plane as a background process: found, started, stopped, removed.
//!
//! It belongs to the workspace: its state lies in `target/local-aws`, and the path of that
//! directory names the *instance*, which is on the labels of everything it makes.

mod client;
mod images;
mod process;

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

pub use client::{Port, ServiceStatus, Status, of_environment};
pub(crate) use process::PREFERRED_PORT;
pub use process::{ServeOptions, Started, find, is_of_this_build, reset, serve, start, stop};

/// Where an instance keeps its state, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The state directory.
    pub dir: PathBuf,
    /// 12 hex digits.
    pub id: String,
}

impl Instance {
    /// The instance whose state lies in `dir`.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        let path = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
        let id = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self { dir: path, id }
    }
}

/// What `eval "$(cargo xtask local env)"` takes: enough for the AWS CLI, boto3 or Terraform.
#[must_use]
pub fn env(status: &Status) -> String {
    let endpoint = &status.endpoint;
    let region = &status.region;
    format!(
        "export AWS_ENDPOINT_URL={endpoint}\n\
         export AWS_REGION={region}\n\
         export AWS_DEFAULT_REGION={region}\n\
         export AWS_ACCESS_KEY_ID=local\n\
         export AWS_SECRET_ACCESS_KEY=local\n\
         unset AWS_PROFILE AWS_SESSION_TOKEN\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_its_directory() {
        let one = Instance::at(Path::new("/a/target/local-aws"));
        assert_eq!(one, Instance::at(Path::new("/a/target/local-aws")));
        assert_ne!(one.id, Instance::at(Path::new("/b/target/local-aws")).id);
        assert_eq!(one.id.len(), 12);
    }
}

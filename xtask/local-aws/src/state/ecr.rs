//! State of ECR: which repositories there are and how they are set up. What they
//! hold is the registry's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wildcard;

/// Every repository, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ecr {
    repositories: BTreeMap<String, Repository>,
}

/// How a repository is set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// Its name, which may hold `/`.
    pub name: String,
    /// Seconds since 1970, UTC.
    pub created_at: f64,
    /// Whether tags can be moved.
    pub mutability: Mutability,
    /// `imageScanningConfiguration.scanOnPush`. Echoed only.
    pub scan_on_push: bool,
    /// `encryptionConfiguration.encryptionType`. Echoed only.
    pub encryption_type: String,
    /// `encryptionConfiguration.kmsKey`. Echoed only.
    pub kms_key: Option<String>,
    /// Resource tags.
    pub tags: BTreeMap<String, String>,
    /// JSON, as it was set.
    pub policy: Option<String>,
    /// JSON, as it was set, and when. Kept, never evaluated.
    pub lifecycle_policy: Option<String>,
}

/// `imageTagMutability` and its exceptions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutability {
    /// `MUTABLE`, `IMMUTABLE`, or one of them `_WITH_EXCLUSION`.
    pub setting: String,
    /// Wildcard patterns of the tags that are the other way round.
    pub exclusions: Vec<String>,
}

impl Default for Mutability {
    fn default() -> Self {
        Self { setting: "MUTABLE".to_owned(), exclusions: Vec::new() }
    }
}

/// A repository of this name is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyExists;

impl Ecr {
    /// By name.
    pub fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(name)
    }

    /// By name, to change it.
    pub fn repository_mut(&mut self, name: &str) -> Option<&mut Repository> {
        self.repositories.get_mut(name)
    }

    /// All, in the order of their names.
    pub fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.values()
    }

    /// Adds one.
    pub fn create(&mut self, repository: Repository) -> Result<(), AlreadyExists> {
        if self.repositories.contains_key(&repository.name) {
            return Err(AlreadyExists);
        }
        self.repositories.insert(repository.name.clone(), repository);
        Ok(())
    }

    /// Removes one, and returns it as it was.
    pub fn delete(&mut self, name: &str) -> Option<Repository> {
        self.repositories.remove(name)
    }
}

impl Repository {
    /// Whether this tag, once there, can't be moved.
    pub fn is_immutable(&self, tag: &str) -> bool {
        let excluded = self.mutability.exclusions.iter().any(|pattern| wildcard::matches(pattern, tag));
        match self.mutability.setting.as_str() {
            "IMMUTABLE" => true,
            "IMMUTABLE_WITH_EXCLUSION" => !excluded,
            "MUTABLE_WITH_EXCLUSION" => excluded,
            _ => false,
        }
    }
}

/// `(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*`, 2 to 256 long
/// (documented: CreateRepository). The registry takes one character too.
pub fn is_repository_name(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= 256 && name.split('/').all(|part| part.split(['.', '_', '-']).all(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["ab", "a/b", "a-b.c_d/e0", &"x".repeat(256)] {
            assert!(is_repository_name(name), "{name}");
        }
        for name in ["", "A", "a//b", "/a", "a/", "a..b", "a__b", "-a", "a-", "a b", &"x".repeat(257)] {
            assert!(!is_repository_name(name), "{name}");
        }
    }

    #[test]
    fn exclusions_turn_the_setting_round() {
        let mut repository = Repository {
            name: "a".into(),
            created_at: 0.0,
            mutability: Mutability::default(),
            scan_on_push: false,
            encryption_type: "AES256".into(),
            kms_key: None,
            tags: BTreeMap::new(),
            policy: None,
            lifecycle_policy: None,
        };
        assert!(!repository.is_immutable("v1"));
        repository.mutability.setting = "IMMUTABLE".into();
        assert!(repository.is_immutable("v1"));
        repository.mutability =
            Mutability { setting: "IMMUTABLE_WITH_EXCLUSION".into(), exclusions: vec!["latest*".into()] };
        assert!(repository.is_immutable("v1") && !repository.is_immutable("latest-1"));
        repository.mutability.setting = "MUTABLE_WITH_EXCLUSION".into();
        assert!(!repository.is_immutable("v1") && repository.is_immutable("latest-1"));
    }
}

//! What an image says of itself.
//!
//! The commit is a label, so that an image in a registry can be traced to its source. It must not make an
//! unchanged program another image: no label is part of an image's *address*, of which its tag is made.

use std::collections::BTreeMap;

use crate::git::Commit;

/// The commit's hash. Source: OCI Image Format Specification, "Pre-Defined Annotation Keys".
const REVISION: &str = "org.opencontainers.image.revision";
/// Whether the working tree differed from the commit: `true` or `false`.
const DIRTY: &str = "git-dirty";
/// The address of an image made without BuildKit, so that the engine can be asked for it.
pub(super) const ADDRESS: &str = "cargo-xtask-deploy.address";

/// The labels of an image that is made now.
pub(super) fn of(commit: Option<&Commit>) -> BTreeMap<String, String> {
    let dirty = |commit: &Commit| if commit.dirty { "true" } else { "false" }.to_owned();
    let labels =
        commit.map(|commit| [(REVISION.to_owned(), commit.hash.clone()), (DIRTY.to_owned(), dirty(commit))]);
    labels.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_tells_the_commit_it_was_made_at() {
        let labels = of(Some(&Commit { hash: "0123".to_owned(), dirty: true }));
        let labels: Vec<(&str, &str)> =
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(labels, [(DIRTY, "true"), (REVISION, "0123")]);
    }

    #[test]
    fn outside_a_repository_there_is_no_label() {
        assert!(of(None).is_empty());
    }
}

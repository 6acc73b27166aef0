//! What an image says of itself, and the address that does not depend on it.
//!
//! The commit is a label, so that an image in a registry can be traced to its source. It must not make an
//! unchanged program another image: an image's *address*, of which its tag is made, is a digest of
//! everything in it but these labels and times.

use std::collections::BTreeMap;

use bollard::models::ImageInspect;
use serde_json::{Value, json};

use super::minimal::layer::Measure;
use crate::git::Commit;

/// The commit's hash. Source: OCI Image Format Specification, "Pre-Defined Annotation Keys".
const REVISION: &str = "org.opencontainers.image.revision";
/// Whether the working tree differed from the commit: `true` or `false`.
const DIRTY: &str = "git-dirty";
/// The address, where it is known before the image is made.
pub(super) const ADDRESS: &str = "cargo-xtask-deploy.address";

/// The labels of an image that is made now.
pub(super) fn of(commit: Option<&Commit>) -> BTreeMap<String, String> {
    let dirty = |commit: &Commit| if commit.dirty { "true" } else { "false" }.to_owned();
    let labels =
        commit.map(|commit| [(REVISION.to_owned(), commit.hash.clone()), (DIRTY.to_owned(), dirty(commit))]);
    labels.into_iter().flatten().collect()
}

/// The address of an image as the engine tells of it, in hexadecimal: what it says itself, if it does.
pub(super) fn address(image: &ImageInspect) -> String {
    let labels = image.config.as_ref().and_then(|config| config.labels.as_ref());
    if let Some(address) = labels.and_then(|labels| labels.get(ADDRESS)) {
        return address.clone();
    }
    let mut config = serde_json::to_value(&image.config).unwrap_or_default();
    if let Some(labels) = config["Labels"].as_object_mut() {
        labels.retain(|key, _| ![REVISION, DIRTY].contains(&key.as_str()));
    }
    let layers = image.root_fs.as_ref().and_then(|root| root.layers.clone());
    let content = json!({
        "architecture": image.architecture,
        "config": said(config),
        "layers": layers,
        "os": image.os,
        "variant": image.variant.as_ref().filter(|variant| !variant.is_empty()),
    });
    digest(&content)
}

fn digest(content: &Value) -> String {
    let digest = Measure::digest_of(content.to_string().as_bytes());
    digest.trim_start_matches("sha256:").to_owned()
}

/// Without what says nothing: engines differ in whether they write an empty member.
fn said(value: Value) -> Value {
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (key, said(value)));
            Value::Object(members.filter(|(_, value)| !empty(value)).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ImageConfig, ImageInspectRootFs};

    fn image(layer: &str, labels: &[(&str, &str)]) -> ImageInspect {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let root =
            ImageInspectRootFs { layers: Some(vec![layer.to_owned()]), ..ImageInspectRootFs::default() };
        let config = ImageConfig { labels: Some(labels), ..ImageConfig::default() };
        let os = Some("linux".to_owned());
        ImageInspect { os, config: Some(config), root_fs: Some(root), ..ImageInspect::default() }
    }

    #[test]
    fn the_address_does_not_depend_on_the_commit() {
        let commit = |hash: &str| of(Some(&Commit { hash: hash.to_owned(), dirty: true }));
        let labelled = |hash: &str| {
            let labels = commit(hash);
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(labels, [(DIRTY, "true"), (REVISION, hash)]);
            address(&image("a", &labels))
        };
        assert_eq!(labelled("1"), labelled("2"));
        assert_eq!(labelled("1"), address(&image("a", &[])), "nor on whether there is one");
    }

    #[test]
    fn it_depends_on_everything_else() {
        assert_ne!(address(&image("a", &[])), address(&image("b", &[])));
        assert_ne!(address(&image("a", &[])), address(&image("a", &[("mine", "1")])));
    }

    #[test]
    fn an_image_that_says_its_address_has_that_one() {
        assert_eq!(address(&image("a", &[(ADDRESS, "0123")])), "0123");
    }

    #[test]
    fn outside_a_repository_there_is_no_label() {
        assert!(of(None).is_empty());
    }
}

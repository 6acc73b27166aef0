//! The registry's images without the registry: for an engine that does not reach it.

use std::io;

use serde::Deserialize;

use super::Registry;
use super::digest::Digest;
use super::images::Reference;
use super::manifest::Manifest;
use crate::engine::source::{ImageSource, StoredImage};

/// What an index says of its images.
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: Digest,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

impl ImageSource for Registry {
    fn find(&self, repository: &str, reference: &str, architecture: &str) -> io::Result<StoredImage> {
        let missing = || io::Error::other(format!("`{repository}` has no image `{reference}`"));
        let wanted = Reference::parse(reference).ok_or_else(missing)?;
        let digest = self.store().look(repository, |images| images.resolve(&wanted)).ok_or_else(missing)?;
        let manifest = self.manifest_for(repository, digest, architecture)?.ok_or_else(|| {
            io::Error::other(format!(
                "no matching manifest for linux/{architecture} in `{repository}@{digest}`"
            ))
        })?;
        let config = manifest.config.ok_or_else(missing)?;
        let store = self.store();
        Ok(StoredImage {
            digest: digest.to_string(),
            config: store.path(&config.digest),
            layers: manifest.layers.iter().map(|layer| store.path(&layer.digest)).collect(),
        })
    }
}

impl Registry {
    /// The image's own manifest, or the one of an index that suits.
    fn manifest_for(
        &self,
        repository: &str,
        digest: Digest,
        architecture: &str,
    ) -> io::Result<Option<Manifest>> {
        let stored = |digest: &Digest| {
            self.store()
                .look(repository, |images| images.images.get(digest).map(|image| image.manifest.clone()))
        };
        match stored(&digest) {
            Some(manifest) if !manifest.is_image() => {
                let index: Index = serde_json::from_slice(&std::fs::read(self.store().path(&digest))?)?;
                let suits = |entry: &&Entry| {
                    entry.platform.as_ref().is_some_and(|p| p.os == "linux" && p.architecture == architecture)
                };
                Ok(index.manifests.iter().find(suits).and_then(|entry| stored(&entry.digest)))
            }
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use serde_json::json;

    use super::super::Options;
    use super::*;

    fn blob(registry: &Registry, bytes: &[u8]) -> serde_json::Value {
        let (mut file, path) = registry.store().temporary().expect("makes a file");
        file.write_all(bytes).expect("writes");
        let digest = Digest::of(bytes);
        registry.store().commit_blob("app", digest, bytes.len() as u64, path).expect("commits");
        json!({ "mediaType": "x", "digest": digest.to_string(), "size": bytes.len() })
    }

    fn put(
        registry: &Registry,
        media_type: &str,
        mut manifest: serde_json::Value,
        tag: &str,
    ) -> (Digest, usize) {
        manifest["schemaVersion"] = 2.into();
        let text = manifest.to_string();
        let parsed = Manifest::parse(text.as_bytes(), Some(media_type)).expect("is a manifest");
        let reference = Reference::Tag(tag.to_owned());
        let digest = registry.put_manifest("app", &reference, parsed, text.as_bytes()).expect("is stored");
        (digest, text.len())
    }

    #[test]
    fn an_image_is_found_by_tag_by_digest_and_by_platform() {
        let dir = tempfile::tempdir().expect("tempdir");
        let registry = Registry::open(dir.path(), Options::default(), Arc::new(|| 1.0)).expect("opens");
        let (config, layer) = (blob(&registry, b"config"), blob(&registry, b"layer"));
        let image = "application/vnd.oci.image.manifest.v1+json";
        let (digest, size) = put(&registry, image, json!({ "config": config, "layers": [layer] }), "arm");
        let entry = json!({
            "mediaType": image, "digest": digest.to_string(), "size": size,
            "platform": { "os": "linux", "architecture": "arm64" },
        });
        let index_type = "application/vnd.oci.image.index.v1+json";
        let (index, _) = put(&registry, index_type, json!({ "manifests": [entry] }), "all");

        let by_tag = registry.find("app", "arm", "amd64").expect("is found");
        assert_eq!(by_tag, registry.find("app", &digest.to_string(), "amd64").expect("is found"));
        assert_eq!(std::fs::read(&by_tag.config).expect("is there"), b"config");
        assert_eq!(std::fs::read(&by_tag.layers[0]).expect("is there"), b"layer");
        let by_platform = registry.find("app", "all", "arm64").expect("is found");
        assert_eq!(by_platform, StoredImage { digest: index.to_string(), ..by_tag });
        let error = registry.find("app", "all", "amd64").expect_err("is for another platform");
        assert!(error.to_string().starts_with("no matching manifest for linux/amd64 in `app@sha256:"));
        let error = registry.find("app", "none", "amd64").expect_err("is not there");
        assert_eq!(error.to_string(), "`app` has no image `none`");
    }
}

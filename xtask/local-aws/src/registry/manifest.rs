//! What a manifest says: its own type, and the content that it refers to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::error::{Code, RegistryError};

/// One image.
const IMAGE_TYPES: [&str; 2] =
    ["application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json"];

/// Several images, one per platform.
const INDEX_TYPES: [&str; 2] =
    ["application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"];

/// A parsed manifest. The bytes are kept apart, as they were pushed: the digest is theirs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// One of the four that ECR takes.
    #[serde(default)]
    pub media_type: String,
    /// Of OCI artifacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Descriptor>,
    /// Bottom first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Descriptor>,
    /// The images of an index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<Descriptor>,
    /// What this one is about (a signature, an attestation).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A reference to content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Its address.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where else it may be had; such a layer need not be in the registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
}

impl Manifest {
    /// Parses and checks what can be checked without the repository's content.
    /// `content_type` is what the request says; what the manifest says of itself must agree.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, RegistryError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            schema_version: u32,
        }
        let version: Version = serde_json::from_slice(bytes).map_err(invalid)?;
        if version.schema_version != 2 {
            return Err(invalid(format!("schemaVersion is {}, not 2", version.schema_version)));
        }
        let mut manifest: Self = serde_json::from_slice(bytes).map_err(invalid)?;
        manifest.media_type = agreed_type(&manifest, content_type)?;
        if manifest.is_image() && manifest.config.is_none() {
            return Err(invalid("an image manifest needs a `config`"));
        }
        Ok(manifest)
    }

    /// One image rather than an index.
    pub fn is_image(&self) -> bool {
        IMAGE_TYPES.contains(&self.media_type.as_str())
    }

    /// The blobs that must be in the repository.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(self.layers.iter().filter(|layer| layer.urls.is_empty()))
    }

    /// Bytes of everything an image's pull transfers, its manifest aside (assumed: ECR's page on
    /// `ImageDetail` says "the size of the image in the repository").
    pub fn content_size(&self) -> u64 {
        self.blobs().map(|blob| blob.size).sum()
    }

    /// What ECR calls `artifactMediaType`.
    pub fn artifact_media_type(&self) -> Option<&str> {
        let config = self.config.as_ref().map(|config| config.media_type.as_str());
        self.artifact_type.as_deref().or(config)
    }
}

fn agreed_type(manifest: &Manifest, content_type: Option<&str>) -> Result<String, RegistryError> {
    let declared = content_type.and_then(|value| value.split(';').next()).map(str::trim).unwrap_or_default();
    let own = manifest.media_type.as_str();
    if !own.is_empty() && !declared.is_empty() && own != declared {
        return Err(invalid(format!("mediaType `{own}` is not the request's Content-Type `{declared}`")));
    }
    let media_type = if own.is_empty() { declared } else { own };
    if IMAGE_TYPES.contains(&media_type) || INDEX_TYPES.contains(&media_type) {
        Ok(media_type.to_owned())
    } else {
        Err(invalid(format!("media type `{media_type}` is not supported")))
    }
}

pub(super) fn invalid(why: impl std::fmt::Display) -> RegistryError {
    RegistryError::new(Code::ManifestInvalid, format!("manifest invalid: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn message(text: &str, content_type: Option<&str>) -> String {
        let error = Manifest::parse(text.as_bytes(), content_type).expect_err("it is refused");
        assert_eq!(error.code(), Code::ManifestInvalid);
        error.message().to_owned()
    }

    #[test]
    fn an_image_names_its_blobs_but_not_foreign_ones() {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"sha256:{HEX}","size":2}},
            "layers":[{{"mediaType":"l","digest":"sha256:{HEX}","size":5}},
            {{"mediaType":"f","digest":"sha256:{HEX}","size":9,"urls":["https://example.com"]}}]}}"#
        );
        let manifest = Manifest::parse(text.as_bytes(), Some(IMAGE_TYPES[1])).expect("it is well formed");
        assert_eq!(manifest.blobs().count(), 2);
        assert_eq!(manifest.content_size(), 7);
        assert_eq!(manifest.artifact_media_type(), Some("c"));
        assert_eq!(manifest.media_type, IMAGE_TYPES[1]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let index = INDEX_TYPES[1];
        insta::assert_snapshot!(message("{", None), @"manifest invalid: EOF while parsing an object at line 1 column 1");
        insta::assert_snapshot!(message(r#"{"schemaVersion":1}"#, Some(index)), @"manifest invalid: schemaVersion is 1, not 2");
        insta::assert_snapshot!(
            message(r#"{"schemaVersion":2,"mediaType":"a"}"#, Some("b; charset=utf-8")),
            @"manifest invalid: mediaType `a` is not the request's Content-Type `b`"
        );
        insta::assert_snapshot!(message(r#"{"schemaVersion":2}"#, None), @"manifest invalid: media type `` is not supported");
        insta::assert_snapshot!(
            message(r#"{"schemaVersion":2}"#, Some(IMAGE_TYPES[0])),
            @"manifest invalid: an image manifest needs a `config`"
        );
    }
}

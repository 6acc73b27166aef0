//! `PutImage`: a manifest by the API, mostly to tag an image anew.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{find, invalid};
use super::images::ImageId;
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::registry::digest::Digest;
use crate::registry::images::{Gap, Reference, is_tag};
use crate::registry::manifest::Manifest;
use crate::registry::{PutError, gap_message, immutable_message};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutImage {
    registry_id: Option<String>,
    repository_name: String,
    image_manifest: String,
    image_manifest_media_type: Option<String>,
    image_tag: Option<String>,
    image_digest: Option<String>,
}

pub(super) fn put(cloud: &Cloud, input: &PutImage) -> Result<Value, ApiError> {
    let name = &input.repository_name;
    find(cloud, input.registry_id.as_deref(), name)?;
    let bytes = input.image_manifest.as_bytes();
    let manifest = Manifest::parse(bytes, input.image_manifest_media_type.as_deref())
        .map_err(|e| ApiError::new("InvalidParameterException", e.message()))?;
    let media_type = manifest.media_type.clone();
    let digest = Digest::of(bytes);
    refuse_same(cloud, input, &digest)?;
    let reference = match &input.image_tag {
        Some(tag) if is_tag(tag) => Reference::Tag(tag.clone()),
        Some(_) => {
            return Err(invalid(
                "imageTag",
                "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
            ));
        }
        None => Reference::Digest(digest),
    };
    cloud.registry().put_manifest(name, &reference, manifest, bytes).map_err(|e| error(name, e))?;
    Ok(json!({"image": {
        "registryId": ACCOUNT,
        "repositoryName": name,
        "imageId": ImageId::of(&digest, input.image_tag.as_deref()),
        "imageManifest": input.image_manifest,
        "imageManifestMediaType": media_type,
    }}))
}

/// Nothing would change: an error, on ECR (observed: buildkite-plugins/ecr-buildkite-plugin#111).
fn refuse_same(cloud: &Cloud, input: &PutImage, digest: &Digest) -> Result<(), ApiError> {
    let name = &input.repository_name;
    if input.image_digest.as_ref().is_some_and(|expected| *expected != digest.to_string()) {
        let message = format!(
            "The specified image digest does not match the digest that Amazon ECR calculated for the image, '{digest}'"
        );
        return Err(ApiError::new("ImageDigestDoesNotMatchException", message));
    }
    let same = cloud.registry().store().look(name, |images| match &input.image_tag {
        Some(tag) => images.tags.get(tag) == Some(digest),
        None => images.images.contains_key(digest),
    });
    if !same {
        return Ok(());
    }
    let tag = input.image_tag.as_deref().unwrap_or("null");
    let message = format!(
        "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{name}' in \
         registry with id '{ACCOUNT}'"
    );
    Err(ApiError::new("ImageAlreadyExistsException", message))
}

fn error(repository: &str, error: PutError) -> ApiError {
    match error {
        PutError::Immutable(tag) => {
            ApiError::new("ImageTagAlreadyExistsException", immutable_message(repository, &tag))
        }
        PutError::Gap(gap) => {
            let code = match gap {
                Gap::Blobs(_) => "LayersNotFoundException",
                Gap::Images(_) => "ReferencedImagesNotFoundException",
                Gap::Size(..) => "InvalidParameterException",
            };
            ApiError::new(code, gap_message(repository, &gap))
        }
        PutError::Digest { expected, actual } => ApiError::new(
            "ImageDigestDoesNotMatchException",
            format!("the digest is {actual}, not {expected}"),
        ),
        PutError::Io(e) => ApiError::server(e),
    }
}

//! Looking at images and layers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::{find, image_not_found, invalid, invalid_token, limit};
use super::repositories::with_token;
use crate::api::paging::page;
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::registry::digest::Digest;
use crate::registry::images::{Image, Images, Reference, is_tag};

/// How the API names an image: by digest, by tag, or by both, which must agree.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageId {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image_tag: Option<String>,
}

/// Why an image is not found, as the batch operations say it: code and reason.
pub(super) type Failure = (&'static str, &'static str);

impl ImageId {
    pub(super) fn of(digest: &Digest, tag: Option<&str>) -> Self {
        Self { image_digest: Some(digest.to_string()), image_tag: tag.map(str::to_owned) }
    }

    /// Observed (getmoto/moto, `moto/ecr/models.py`), but for the mismatch, whose words are assumed.
    pub(super) fn resolve(&self, images: &Images) -> Result<Digest, Failure> {
        let not_found = ("ImageNotFound", "Requested image not found");
        let by_tag = |tag: &str| {
            if !is_tag(tag) {
                return Err(("InvalidImageTag", "Invalid request parameters: image tag is not a valid tag"));
            }
            images.resolve(&Reference::Tag(tag.to_owned())).ok_or(not_found)
        };
        let by_digest = |digest: &str| {
            let parsed = digest.parse().map_err(|_| {
                let reason = "Invalid request parameters: image digest should satisfy the regex \
                              '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
                ("InvalidImageDigest", reason)
            })?;
            images.resolve(&Reference::Digest(parsed)).ok_or(not_found)
        };
        match (self.image_digest.as_deref(), self.image_tag.as_deref()) {
            (None, None) => {
                Err(("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"))
            }
            (Some(digest), None) => by_digest(digest),
            (None, Some(tag)) => by_tag(tag),
            (Some(digest), Some(tag)) if by_digest(digest)? == by_tag(tag)? => by_digest(digest),
            _ => Err(("ImageTagDoesNotMatchDigest", "Image tag does not match the image digest")),
        }
    }

    pub(super) fn failure(&self, (code, reason): Failure) -> Value {
        json!({"imageId": self, "failureCode": code, "failureReason": reason})
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    tag_status: Option<String>,
}

impl Filter {
    fn lets(&self, tagged: bool) -> bool {
        match self.tag_status.as_deref() {
            Some("TAGGED") => tagged,
            Some("UNTAGGED") => !tagged,
            _ => true,
        }
    }
}

/// `DescribeImages` and `ListImages`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeImages {
    registry_id: Option<String>,
    repository_name: String,
    image_ids: Option<Vec<ImageId>>,
    next_token: Option<String>,
    max_results: Option<usize>,
    #[serde(default)]
    filter: Filter,
}

/// The same but for `imageIds`.
pub(super) type ListImages = DescribeImages;

pub(super) fn describe(cloud: &Cloud, input: &DescribeImages) -> Result<Value, ApiError> {
    let name = &input.repository_name;
    find(cloud, input.registry_id.as_deref(), name)?;
    let found = cloud.registry().store().look(name, |images| match &input.image_ids {
        Some(ids) => ids.iter().map(|id| describe_one(images, name, id)).collect(),
        None => Ok(describe_all(images, name, &input.filter)),
    })?;
    if input.image_ids.is_some() {
        return Ok(json!({"imageDetails": found}));
    }
    let limit = limit(input.max_results)?;
    let key = |detail: &Value| detail["imageDigest"].to_string();
    let (part, next) = page(found, key, limit, input.next_token.as_deref()).map_err(invalid_token)?;
    Ok(with_token(json!({"imageDetails": part}), next))
}

fn describe_one(images: &Images, repository: &str, id: &ImageId) -> Result<Value, ApiError> {
    let found = id.resolve(images).ok().and_then(|digest| Some((digest, images.images.get(&digest)?)));
    let (digest, image) = found
        .ok_or_else(|| image_not_found(id.image_digest.as_deref(), id.image_tag.as_deref(), repository))?;
    Ok(detail(images, repository, &digest, image))
}

fn describe_all(images: &Images, repository: &str, filter: &Filter) -> Vec<Value> {
    let wanted = images.images.iter().filter(|(digest, _)| filter.lets(!images.tags_of(digest).is_empty()));
    wanted.map(|(digest, image)| detail(images, repository, digest, image)).collect()
}

fn detail(images: &Images, repository: &str, digest: &Digest, image: &Image) -> Value {
    let manifest = &image.manifest;
    let mut detail = json!({
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageDigest": digest,
        "imageSizeInBytes": size(images, image),
        "imagePushedAt": image.pushed_at,
        "imageManifestMediaType": manifest.media_type,
        "imageStatus": "ACTIVE",
    });
    let tags = images.tags_of(digest);
    if !tags.is_empty() {
        detail["imageTags"] = tags.into();
    }
    if let Some(media_type) = manifest.artifact_media_type() {
        detail["artifactMediaType"] = media_type.into();
    }
    if let Some(subject) = &manifest.subject {
        detail["subjectManifestDigest"] = json!(subject.digest);
    }
    detail
}

/// Of an index, the largest of its images (documented: ImageDetail).
fn size(images: &Images, image: &Image) -> u64 {
    let children = image.manifest.manifests.iter().filter_map(|child| images.images.get(&child.digest));
    let largest = children.map(|child| child.manifest.content_size()).max();
    largest.unwrap_or_else(|| image.manifest.content_size())
}

pub(super) fn list(cloud: &Cloud, input: &ListImages) -> Result<Value, ApiError> {
    let name = &input.repository_name;
    find(cloud, input.registry_id.as_deref(), name)?;
    let ids = cloud.registry().store().look(name, |images| ids(images, &input.filter));
    let limit = limit(input.max_results)?;
    let key = |id: &ImageId| format!("{:?}", (&id.image_digest, &id.image_tag));
    let (part, next) = page(ids, key, limit, input.next_token.as_deref()).map_err(invalid_token)?;
    Ok(with_token(json!({"imageIds": part}), next))
}

/// One for each tag, and one for each image without any.
fn ids(images: &Images, filter: &Filter) -> Vec<ImageId> {
    let tagged = images.tags.iter().map(|(tag, digest)| ImageId::of(digest, Some(tag)));
    let untagged =
        images.images.keys().filter(|d| images.tags_of(d).is_empty()).map(|d| ImageId::of(d, None));
    tagged.chain(untagged).filter(|id| filter.lets(id.image_tag.is_some())).collect()
}

/// `acceptedMediaTypes` is not looked at: an image is answered as it was pushed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchGetImage {
    registry_id: Option<String>,
    repository_name: String,
    image_ids: Vec<ImageId>,
}

pub(super) fn batch_get(cloud: &Cloud, input: BatchGetImage) -> Result<Value, ApiError> {
    let name = &input.repository_name;
    find(cloud, input.registry_id.as_deref(), name)?;
    check_count(&input.image_ids)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for id in input.image_ids {
        match get_one(cloud, name, &id)? {
            Ok(image) => found.push(image),
            Err(failure) => failures.push(id.failure(failure)),
        }
    }
    Ok(json!({"images": found, "failures": failures}))
}

/// At most 100 (documented: BatchGetImage; the words are assumed).
pub(super) fn check_count(ids: &[ImageId]) -> Result<(), ApiError> {
    match ids.len() {
        0 => Err(invalid("imageIds", "must have length greater than or equal to 1")),
        101.. => Err(invalid("imageIds", "must have length less than or equal to 100")),
        _ => Ok(()),
    }
}

fn get_one(cloud: &Cloud, repository: &str, id: &ImageId) -> Result<Result<Value, Failure>, ApiError> {
    let store = cloud.registry().store();
    let found = store.look(repository, |images| {
        let digest = id.resolve(images)?;
        Ok((digest, images.images.get(&digest).map(|image| image.manifest.media_type.clone())))
    });
    let (digest, media_type) = match found {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    let manifest = std::fs::read_to_string(store.path(&digest))?;
    Ok(Ok(json!({
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageId": ImageId::of(&digest, id.image_tag.as_deref()),
        "imageManifest": manifest,
        "imageManifestMediaType": media_type.unwrap_or_default(),
    })))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchCheckLayerAvailability {
    registry_id: Option<String>,
    repository_name: String,
    layer_digests: Vec<String>,
}

pub(super) fn check_layers(cloud: &Cloud, input: &BatchCheckLayerAvailability) -> Result<Value, ApiError> {
    find(cloud, input.registry_id.as_deref(), &input.repository_name)?;
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    for text in &input.layer_digests {
        match text.parse::<Digest>() {
            Ok(digest) => layers.push(layer(cloud, &input.repository_name, &digest)),
            Err(_) => failures.push(json!({
                "layerDigest": text,
                "failureCode": "InvalidLayerDigest",
                "failureReason": "Invalid request parameters: layer digest is not a valid digest",
            })),
        }
    }
    Ok(json!({"layers": layers, "failures": failures}))
}

fn layer(cloud: &Cloud, repository: &str, digest: &Digest) -> Value {
    match cloud.registry().store().blob_size(repository, digest) {
        Some(size) => json!({"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size}),
        None => json!({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}),
    }
}

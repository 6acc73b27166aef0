//! Removing images.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::find;
use super::images::{Failure, ImageId, check_count};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::registry::images::Images;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchDeleteImage {
    registry_id: Option<String>,
    repository_name: String,
    image_ids: Vec<ImageId>,
}

pub(super) fn delete(cloud: &Cloud, input: BatchDeleteImage) -> Result<Value, ApiError> {
    find(cloud, input.registry_id.as_deref(), &input.repository_name)?;
    check_count(&input.image_ids)?;
    let (deleted, failures) = cloud.registry().store().remove(&input.repository_name, |images| {
        let (mut deleted, mut failures) = (Vec::new(), Vec::new());
        for id in input.image_ids {
            match delete_one(images, &id) {
                Ok(ids) => deleted.extend(ids),
                Err(failure) => failures.push(id.failure(failure)),
            }
        }
        (deleted, failures)
    })?;
    Ok(json!({"imageIds": deleted, "failures": failures}))
}

/// By tag: the tag, and the image with its last one. By digest: the image with all its tags
/// (documented: BatchDeleteImage). Returns what went.
fn delete_one(images: &mut Images, id: &ImageId) -> Result<Vec<ImageId>, Failure> {
    let digest = id.resolve(images)?;
    let tags: Vec<String> = images.tags_of(&digest).into_iter().map(str::to_owned).collect();
    let whole = id.image_tag.is_none() || tags.len() == 1;
    if whole && !images.indexes_of(&digest).is_empty() {
        let reason = "Requested image is referenced by a manifest list";
        return Err(("ImageReferencedByManifestList", reason));
    }
    Ok(match &id.image_tag {
        Some(tag) => {
            images.remove_tag(tag);
            vec![ImageId::of(&digest, Some(tag))]
        }
        None => {
            images.remove_image(&digest);
            let untagged = tags.is_empty().then(|| ImageId::of(&digest, None));
            tags.iter().map(|tag| ImageId::of(&digest, Some(tag))).chain(untagged).collect()
        }
    })
}

//! Manifests: pushing and reading them, by tag and by digest.

use std::io::Write;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};

use super::blobs::set;
use super::digest::Digest;
use super::error::{Code, RegistryError};
use super::images::{Gap, Image, Images, Reference};
use super::manifest::{Manifest, invalid};
use super::{DOCKER_CONTENT_DIGEST, Registry, blocking};
use crate::cloud::ACCOUNT;

/// Documented (Amazon ECR service quotas, "Maximum image manifest size" is 4 MiB in the reference implementation).
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// The specification's answer to a manifest that has a subject.
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// `GET` and `HEAD`. The manifest comes as it was pushed, whatever types the client would rather have.
pub(super) async fn get(
    registry: &Registry,
    repository: &str,
    reference: &Reference,
) -> Result<Response, RegistryError> {
    let found = registry.store().look(repository, |images| {
        let digest = images.resolve(reference)?;
        Some((digest, images.images.get(&digest)?.manifest.media_type.clone()))
    });
    // Observed: docker prints `manifest unknown: Requested image not found`.
    let unknown = || RegistryError::new(Code::ManifestUnknown, "Requested image not found");
    let (digest, media_type) = found.ok_or_else(unknown)?;
    let bytes = tokio::fs::read(registry.store().path(&digest)).await?;
    let mut response = Body::from(bytes).into_response();
    set(
        &mut response,
        [
            (header::CONTENT_TYPE, media_type),
            (header::ETAG, format!("\"{digest}\"")),
            (DOCKER_CONTENT_DIGEST, digest.to_string()),
        ],
    );
    Ok(response)
}

/// `PUT`.
pub(super) async fn put(
    registry: &Registry,
    repository: &str,
    reference: Reference,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, RegistryError> {
    let body = Limited::new(body, MANIFEST_LIMIT)
        .collect()
        .await
        .map_err(invalid)?
        .to_bytes();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let manifest = Manifest::parse(&body, content_type)?;
    let subject = manifest.subject.as_ref().map(|subject| subject.digest);
    let (store, name) = (registry.clone(), repository.to_owned());
    let digest = blocking(move || store_manifest(&store, &name, &reference, manifest, &body)).await?;
    let mut response = StatusCode::CREATED.into_response();
    let at = format!("/v2/{repository}/manifests/{digest}");
    set(
        &mut response,
        [
            (header::LOCATION, at),
            (DOCKER_CONTENT_DIGEST, digest.to_string()),
        ],
    );
    if let Some(subject) = subject {
        set(&mut response, [(OCI_SUBJECT, subject.to_string())]);
    }
    Ok(response)
}

/// Stores it under its digest and the tag, if the reference is one. Blocks.
pub(super) fn store_manifest(
    registry: &Registry,
    repository: &str,
    reference: &Reference,
    manifest: Manifest,
    bytes: &[u8],
) -> Result<Digest, RegistryError> {
    let digest = Digest::of(bytes);
    let tag = match reference {
        Reference::Digest(expected) if *expected != digest => {
            let message = format!("provided digest {expected} did not match uploaded content {digest}");
            return Err(RegistryError::new(Code::DigestInvalid, message));
        }
        Reference::Digest(_) => None,
        Reference::Tag(tag) => Some(tag.as_str()),
    };
    let (mut file, path) = registry.store().temporary()?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let checked = manifest.clone();
    let image = Image {
        manifest,
        size: bytes.len() as u64,
        pushed_at: registry.now(),
    };
    registry
        .store()
        .commit_image(repository, (digest, image), tag, path, |images| {
            images
                .check(&checked)
                .map_err(|gap| refuse_gap(repository, gap))?;
            tag.map_or(Ok(()), |tag| refuse_immutable(registry, repository, images, tag))
        })?;
    Ok(digest)
}

fn refuse_gap(repository: &str, gap: Gap) -> RegistryError {
    let absent = |kind: &str, digests: &[Digest]| {
        let list: Vec<String> = digests.iter().map(Digest::to_string).collect();
        format!(
            "{kind} with digests '[{}]' required for pushing image into repository with name '{repository}' \
             in the registry with id '{ACCOUNT}' do not exist",
            list.join(", ")
        )
    };
    match gap {
        Gap::Blobs(digests) => RegistryError::new(Code::ManifestBlobUnknown, absent("Layers", &digests)),
        // Observed: int128/docker-manifest-create-action#63.
        Gap::Images(digests) => RegistryError::new(Code::ManifestBlobUnknown, absent("Images", &digests)),
        Gap::Size(digest, declared, actual) => invalid(format!(
            "`{digest}` has {actual} bytes, the manifest says {declared}"
        )),
    }
}

/// Observed: aws/containers-roadmap#862, where docker prints `tag invalid: ` and this. Pushing the same
/// image again is refused too (observed: aws/aws-sdk#750).
fn refuse_immutable(
    registry: &Registry,
    repository: &str,
    images: &Images,
    tag: &str,
) -> Result<(), RegistryError> {
    if images.tags.contains_key(tag) && registry.is_immutable(repository, tag) {
        let message = format!(
            "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten \
             because the repository is immutable."
        );
        return Err(RegistryError::new(Code::TagInvalid, message));
    }
    Ok(())
}

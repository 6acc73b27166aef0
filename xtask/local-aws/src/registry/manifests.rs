//! Manifests: pushing and reading them, by tag and by digest.

use std::io::{self, Write};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};

use super::blobs::set;
use super::digest::Digest;
use super::error::{Code, RegistryError};
use super::images::{Gap, Image, Reference};
use super::manifest::{Manifest, invalid};
use super::{DOCKER_CONTENT_DIGEST, Registry, blocking};
use crate::cloud::ACCOUNT;

/// Assumed: the limit of the reference implementation.
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
    // Assumed: the words are BatchGetImage's.
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
    let body = Limited::new(body, MANIFEST_LIMIT).collect().await.map_err(invalid)?.to_bytes();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let manifest = Manifest::parse(&body, content_type)?;
    let subject = manifest.subject.as_ref().map(|subject| subject.digest);
    let (store, name) = (registry.clone(), repository.to_owned());
    let digest = blocking(move || {
        let stored = store_manifest(&store, &name, &reference, manifest, &body);
        stored.map_err(|error| refusal(&name, error))
    })
    .await?;
    let mut response = StatusCode::CREATED.into_response();
    let at = format!("/v2/{repository}/manifests/{digest}");
    set(&mut response, [(header::LOCATION, at), (DOCKER_CONTENT_DIGEST, digest.to_string())]);
    if let Some(subject) = subject {
        set(&mut response, [(OCI_SUBJECT, subject.to_string())]);
    }
    Ok(response)
}

/// Why a manifest is not stored.
#[derive(Debug)]
pub enum PutError {
    /// It was to be stored under another digest than its own.
    Digest {
        /// What the caller says.
        expected: Digest,
        /// What it is.
        actual: Digest,
    },
    /// What it refers to is not here.
    Gap(Gap),
    /// The tag, which is there and can't be moved.
    Immutable(String),
    /// The disk failed us.
    Io(io::Error),
}

impl From<io::Error> for PutError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Stores it under its digest and the tag, if the reference is one. Blocks.
pub(super) fn store_manifest(
    registry: &Registry,
    repository: &str,
    reference: &Reference,
    manifest: Manifest,
    bytes: &[u8],
) -> Result<Digest, PutError> {
    let digest = Digest::of(bytes);
    let tag = match reference {
        Reference::Digest(expected) if *expected != digest => {
            return Err(PutError::Digest { expected: *expected, actual: digest });
        }
        Reference::Digest(_) => None,
        Reference::Tag(tag) => Some(tag.as_str()),
    };
    let (mut file, path) = registry.store().temporary()?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let checked = manifest.clone();
    let image = Image { manifest, size: bytes.len() as u64, pushed_at: registry.now() };
    registry.store().commit_image(repository, (digest, image), tag, path, |images| {
        images.check(&checked).map_err(PutError::Gap)?;
        match tag {
            // Pushing the same image again is refused too (observed: aws/aws-sdk#750).
            Some(tag) if images.tags.contains_key(tag) && registry.is_immutable(repository, tag) => {
                Err(PutError::Immutable(tag.to_owned()))
            }
            _ => Ok(()),
        }
    })?;
    Ok(digest)
}

fn refusal(repository: &str, error: PutError) -> RegistryError {
    match error {
        PutError::Digest { expected, actual } => RegistryError::new(
            Code::DigestInvalid,
            format!("provided digest {expected} did not match uploaded content {actual}"),
        ),
        PutError::Gap(gap @ Gap::Size(..)) => invalid(gap_message(repository, &gap)),
        // The specification's code; ECR has been seen to say `BLOB_UPLOAD_UNKNOWN` of layers (oras-project/oras-py#54).
        PutError::Gap(gap) => RegistryError::new(Code::ManifestBlobUnknown, gap_message(repository, &gap)),
        PutError::Immutable(tag) => RegistryError::new(Code::TagInvalid, immutable_message(repository, &tag)),
        PutError::Io(error) => error.into(),
    }
}

/// Observed: of layers in oras-project/oras-py#54, of images in int128/docker-manifest-create-action#63.
pub fn gap_message(repository: &str, gap: &Gap) -> String {
    let (kind, digests) = match gap {
        Gap::Blobs(digests) => ("Layers", digests),
        Gap::Images(digests) => ("Images", digests),
        Gap::Size(digest, declared, actual) => {
            return format!("`{digest}` has {actual} bytes, the manifest says {declared}");
        }
    };
    let list: Vec<String> = digests.iter().map(Digest::to_string).collect();
    format!(
        "{kind} with digests '[{}]' required for pushing image into repository with name '{repository}' \
         in the registry with id '{ACCOUNT}' do not exist",
        list.join(", ")
    )
}

/// Observed: aws/containers-roadmap#862, where docker prints `tag invalid: ` and this.
pub fn immutable_message(repository: &str, tag: &str) -> String {
    format!(
        "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten \
         because the repository is immutable."
    )
}

//! Blobs: reading them, whole or in part, and the ways to upload them.

use std::io;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::auth::random_bytes;
use super::digest::Digest;
use super::error::{Code, RegistryError};
use super::range::{ByteRange, byte_range, chunk_range};
use super::uploads::Upload;
use super::{DOCKER_CONTENT_DIGEST, Registry, blocking};

const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// Bytes read from disk at once.
const READ_SIZE: usize = 256 * 1024;

/// `GET` and `HEAD`; hyper sends no body where none is due.
pub(super) async fn get(
    registry: &Registry,
    repository: &str,
    digest: Digest,
    headers: &HeaderMap,
) -> Result<Response, RegistryError> {
    let size = registry.store().blob_size(repository, &digest).ok_or_else(unknown_blob)?;
    let range = byte_range(headers.get(header::RANGE).and_then(|v| v.to_str().ok()), size);
    let (status, start, length) = match range {
        ByteRange::Whole => (StatusCode::OK, 0, size),
        ByteRange::Part { start, end } => (StatusCode::PARTIAL_CONTENT, start, end - start + 1),
        ByteRange::Outside => {
            let error = RegistryError::range(format!("the blob has {size} bytes"));
            return Err(error.with_header(header::CONTENT_RANGE, &format!("bytes */{size}")));
        }
    };
    let mut response = (status, body(registry, &digest, start, length).await?).into_response();
    let common = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, format!("\"{digest}\"")),
        (DOCKER_CONTENT_DIGEST, digest.to_string()),
    ];
    set(&mut response, common);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{size}", start + length - 1);
        set(&mut response, [(header::CONTENT_RANGE, range)]);
    }
    Ok(response)
}

async fn body(registry: &Registry, digest: &Digest, start: u64, length: u64) -> Result<Body, RegistryError> {
    let mut file = match tokio::fs::File::open(registry.store().path(digest)).await {
        // Deleted since it was looked up.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(unknown_blob()),
        file => file?,
    };
    if start > 0 {
        file.seek(io::SeekFrom::Start(start)).await?;
    }
    Ok(Body::from_stream(ReaderStream::with_capacity(file.take(length), READ_SIZE)))
}

/// `POST`: begins an upload.
pub(super) async fn start(registry: &Registry, repository: &str) -> Result<Response, RegistryError> {
    let store = registry.clone();
    let file = blocking(move || Ok(store.store().temporary()?)).await?;
    let id = Digest::of(&random_bytes()?).hex()[..32].to_owned();
    registry.uploads().start(id.clone(), repository, file);
    Ok(progress(StatusCode::ACCEPTED, repository, &id, 0))
}

/// `POST …?digest=`: the whole blob in one request.
pub(super) async fn upload_whole(
    registry: &Registry,
    repository: &str,
    digest: Digest,
    body: Body,
) -> Result<Response, RegistryError> {
    let store = registry.clone();
    let (file, path) = blocking(move || Ok(store.store().temporary()?)).await?;
    let mut upload = Upload::new(file, path);
    upload.append(body).await?;
    commit(registry, repository, digest, upload).await
}

/// `POST …?mount=&from=`: where it can't be mounted, an upload begins instead, as the specification has it.
pub(super) async fn mount(
    registry: &Registry,
    repository: &str,
    digest: Digest,
    from: String,
) -> Result<Response, RegistryError> {
    if registry.options().mounts && registry.repository_exists(&from) {
        let (store, to) = (registry.clone(), repository.to_owned());
        if blocking(move || Ok(store.store().mount_blob(&from, &to, digest)?)).await?.is_some() {
            return Ok(created(repository, digest));
        }
    }
    start(registry, repository).await
}

/// `GET` of an upload: how far it came.
pub(super) async fn status(
    registry: &Registry,
    repository: &str,
    id: &str,
) -> Result<Response, RegistryError> {
    let session = registry.uploads().get(id, repository)?;
    let offset = session.lock().await?.offset();
    Ok(progress(StatusCode::NO_CONTENT, repository, id, offset))
}

/// `PATCH`: the next chunk, or all of it.
pub(super) async fn append(
    registry: &Registry,
    repository: &str,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, RegistryError> {
    let session = registry.uploads().get(id, repository)?;
    let mut upload = session.lock().await?;
    receive(&mut upload, repository, id, headers, body).await?;
    Ok(if registry.options().ecr_patch_answers {
        // Observed (aws/containers-roadmap#2831, jdx/mise#11376): 201, and the range stays at the
        // first chunk's end although every chunk is kept.
        progress(StatusCode::CREATED, repository, id, upload.first_chunk().unwrap_or(0))
    } else {
        progress(StatusCode::ACCEPTED, repository, id, upload.offset())
    })
}

/// `PUT`: perhaps a last chunk, then the end.
pub(super) async fn finish(
    registry: &Registry,
    repository: &str,
    (id, digest): (&str, Digest),
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, RegistryError> {
    let session = registry.uploads().get(id, repository)?;
    receive(&mut *session.lock().await?, repository, id, headers, body).await?;
    let upload = session.take().await?;
    registry.uploads().remove(id);
    commit(registry, repository, digest, upload).await
}

/// `DELETE` of an upload.
pub(super) fn cancel(registry: &Registry, repository: &str, id: &str) -> Result<Response, RegistryError> {
    registry.uploads().get(id, repository)?;
    registry.uploads().remove(id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes a chunk, which must begin where the last one ended (416 otherwise) and be as long as it says.
async fn receive(
    upload: &mut Upload,
    repository: &str,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), RegistryError> {
    let range = headers.get(header::CONTENT_RANGE).map(|v| chunk_range(v.to_str().unwrap_or_default()));
    let declared = match range {
        Some(Some((start, end))) if start == upload.offset() => Some(end - start + 1),
        None => None,
        Some(_) => {
            let at = upload.offset();
            let error = RegistryError::range(format!("the upload continues at {at}"));
            return Err(error
                .with_header(header::LOCATION, &location(repository, id))
                .with_header(header::RANGE, &received(at)));
        }
    };
    let taken = upload.append(body).await?;
    match declared {
        Some(length) if length != taken => {
            let message = format!("the chunk has {taken} bytes, its Content-Range {length}");
            Err(RegistryError::new(Code::SizeInvalid, message))
        }
        _ => Ok(()),
    }
}

async fn commit(
    registry: &Registry,
    repository: &str,
    digest: Digest,
    upload: Upload,
) -> Result<Response, RegistryError> {
    let (file, size) = upload.finish(digest).await?;
    let (store, name) = (registry.clone(), repository.to_owned());
    blocking(move || Ok(store.store().commit_blob(&name, digest, size, file)?)).await?;
    Ok(created(repository, digest))
}

fn created(repository: &str, digest: Digest) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    let at = format!("/v2/{repository}/blobs/{digest}");
    set(&mut response, [(header::LOCATION, at), (DOCKER_CONTENT_DIGEST, digest.to_string())]);
    response
}

fn progress(status: StatusCode, repository: &str, id: &str, offset: u64) -> Response {
    let mut response = status.into_response();
    let headers = [
        (header::LOCATION, location(repository, id)),
        (header::RANGE, received(offset)),
        (DOCKER_UPLOAD_UUID, id.to_owned()),
    ];
    set(&mut response, headers);
    response
}

fn location(repository: &str, id: &str) -> String {
    format!("/v2/{repository}/blobs/uploads/{id}")
}

/// The last byte's number counts, so nothing and one byte look the same (documented: distribution-spec).
fn received(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

pub(super) fn set<const N: usize>(response: &mut Response, headers: [(HeaderName, String); N]) {
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
}

fn unknown_blob() -> RegistryError {
    RegistryError::new(Code::BlobUnknown, "blob unknown to registry")
}

//! An OCI distribution registry, the one that ECR's API describes.
//!
//! Words, as in the distribution specification: a *blob* is content named by its
//! digest; a *manifest* is JSON that refers to blobs, an *index* one that refers to
//! manifests; a *tag* is a name for a manifest in one *repository*. A blob belongs to
//! the repositories that it was pushed to or mounted in, though it is on disk once.
//!
//! Bodies are streamed both ways: memory doesn't grow with a layer. `store` knows no
//! HTTP; `images` and `manifest` are pure. Which repositories there are, and which
//! tags are immutable, is ECR's state, kept here as the registry needs it on every request.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

mod auth;
mod blobs;
pub mod digest;
pub mod error;
pub mod images;
mod listing;
pub mod manifest;
mod manifests;
mod range;
pub mod route;
mod source;
pub mod store;
pub mod uploads;

pub use auth::AuthorizationToken;
pub use manifests::{PutError, gap_message, immutable_message};

use crate::cloud::{ACCOUNT, Clock};
use crate::saved::Saved;
use crate::state::ecr::Ecr;
use auth::Tokens;
use error::{Code, RegistryError};
use route::{Action, RepositoryAction};
use store::Store;
use uploads::Uploads;

/// The user of every token.
pub const USERNAME: &str = "AWS";

const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Where ECR differs from the specification. The default is ECR.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A `PATCH` is answered with 201 and the range of the first chunk, instead of 202 and
    /// what was received.
    pub ecr_patch_answers: bool,
    /// Blobs can be mounted from another repository; on ECR the account must have enabled it.
    pub mounts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { ecr_patch_answers: true, mounts: false }
    }
}

/// A cheap handle to the registry and to ECR's repositories.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    options: Options,
    clock: Clock,
    tokens: Tokens,
    store: Store,
    uploads: Uploads,
    repositories: Saved<Ecr>,
}

impl Registry {
    /// Reads what is in the control plane's state directory.
    pub fn open(state_dir: &std::path::Path, options: Options, clock: Clock) -> io::Result<Self> {
        let root = state_dir.join("registry");
        let inner = Inner {
            options,
            clock,
            tokens: Tokens::open(root.join("tokens.json"))?,
            store: Store::open(root)?,
            uploads: Uploads::default(),
            repositories: Saved::open(state_dir.join("ecr.json"))?,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// ECR's state.
    pub fn ecr(&self) -> &Saved<Ecr> {
        &self.0.repositories
    }

    /// Blobs, manifests and tags.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// A new token for `docker login`; earlier ones stay valid. Writes a file.
    pub fn issue_token(&self) -> io::Result<AuthorizationToken> {
        self.0.tokens.issue(self.seconds())
    }

    /// The password with which the control plane itself pulls; it ends with the process. The user is [`USERNAME`].
    pub fn own_password(&self) -> &str {
        self.0.tokens.own()
    }

    /// Stores a manifest that came by the API rather than by `PUT`. Blocks.
    pub fn put_manifest(
        &self,
        repository: &str,
        reference: &images::Reference,
        manifest: manifest::Manifest,
        bytes: &[u8],
    ) -> Result<digest::Digest, PutError> {
        manifests::store_manifest(self, repository, reference, manifest, bytes)
    }

    /// Seconds since 1970.
    pub fn now(&self) -> f64 {
        (self.0.clock)()
    }

    // The clock is never before 1970 nor beyond what a u64 holds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds are meant")]
    fn seconds(&self) -> u64 {
        self.now() as u64
    }

    fn options(&self) -> &Options {
        &self.0.options
    }

    fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    fn repository_exists(&self, name: &str) -> bool {
        self.ecr().read(|ecr| ecr.repository(name).is_some())
    }

    fn repository_names(&self) -> Vec<String> {
        self.ecr().read(|ecr| ecr.repositories().map(|repository| repository.name.clone()).collect())
    }

    fn is_immutable(&self, repository: &str, tag: &str) -> bool {
        self.ecr().read(|ecr| ecr.repository(repository).is_some_and(|r| r.is_immutable(tag)))
    }
}

/// The routes, all under `/v2`.
pub fn router(state: Registry) -> Router {
    // The paths hold repository names with slashes in them, which `route` takes apart.
    let handler = axum::routing::any(serve);
    Router::new()
        .route("/v2", handler.clone())
        .route("/v2/", handler.clone())
        .route("/v2/{*path}", handler)
        .with_state(state)
}

async fn serve(State(registry): State<Registry>, request: Request) -> Response {
    let mut response = answer(&registry, request).await.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    response
}

async fn answer(registry: &Registry, request: Request) -> Result<Response, RegistryError> {
    let (parts, body) = request.into_parts();
    let host = parts.headers.get("host").and_then(|v| v.to_str().ok()).unwrap_or("127.0.0.1");
    registry.0.tokens.check(&parts.headers, &format!("http://{host}/"), registry.seconds())?;
    let path = parts.uri.path().strip_prefix("/v2").unwrap_or_default();
    match route::parse(&parts.method, path, parts.uri.query().unwrap_or_default())? {
        Action::CheckVersion => Ok(StatusCode::OK.into_response()),
        Action::ListRepositories(page) => Ok(listing::repositories(registry, &page)),
        Action::In(repository, action) => {
            if !registry.repository_exists(&repository) {
                return Err(unknown_repository(&repository));
            }
            perform(registry, &repository, action, &parts.headers, body).await
        }
    }
}

async fn perform(
    registry: &Registry,
    repository: &str,
    action: RepositoryAction,
    headers: &axum::http::HeaderMap,
    body: Body,
) -> Result<Response, RegistryError> {
    use RepositoryAction as A;
    match action {
        A::ListTags(page) => Ok(listing::tags(registry, repository, &page)),
        A::ListReferrers(digest, kind) => {
            Ok(listing::referrers(registry, repository, digest, kind.as_deref()))
        }
        A::GetBlob(digest) => blobs::get(registry, repository, digest, headers).await,
        A::GetManifest(reference) => manifests::get(registry, repository, &reference).await,
        A::PutManifest(reference) => manifests::put(registry, repository, reference, headers, body).await,
        A::StartUpload => blobs::start(registry, repository).await,
        A::UploadWhole(digest) => blobs::upload_whole(registry, repository, digest, body).await,
        A::Mount(digest, from) => blobs::mount(registry, repository, digest, from).await,
        A::UploadStatus(id) => blobs::status(registry, repository, &id).await,
        A::AppendUpload(id) => blobs::append(registry, repository, &id, headers, body).await,
        A::FinishUpload(id, digest) => {
            blobs::finish(registry, repository, (&id, digest), headers, body).await
        }
        A::CancelUpload(id) => blobs::cancel(registry, repository, &id),
    }
}

/// Observed (aws-actions/amazon-ecr-login#166): docker prints `name unknown: ` and this.
fn unknown_repository(name: &str) -> RegistryError {
    let message =
        format!("The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'");
    RegistryError::new(Code::NameUnknown, message)
}

/// Runs what waits for the disk on a thread that may.
async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, RegistryError> + Send + 'static,
) -> Result<R, RegistryError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(RegistryError::new(Code::Unknown, format!("a storage task failed: {e}"))),
    }
}

#[cfg(test)]
mod tests;

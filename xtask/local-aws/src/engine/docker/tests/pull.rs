//! Pulling from a registry that wants a password.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::query_parameters::RemoveImageOptions;
use tokio_util::task::AbortOnDropHandle;

use super::super::*;
use crate::engine::archive::{File, Image, sha256_hex};
use crate::engine::source::StoredImage;
use crate::testing::unique;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// One image behind Basic authentication, as a registry serves it.
struct Registry {
    authorization: String,
    /// Blobs and manifests by digest; the manifest by tag too.
    content: HashMap<String, Vec<u8>>,
    host: String,
    digest: String,
    _server: Option<AbortOnDropHandle<()>>,
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(bytes))
}

impl Registry {
    async fn serve(architecture: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let host = listener.local_addr().expect("has one").to_string();
        let unique = unique("content");
        let files = [File { path: "file", mode: 0o644, content: unique.as_bytes() }];
        let image = Image { name: "", architecture, config: serde_json::json!({}), files: &files };
        let (config, layer) = image.parts();
        let entry = |media_type: &str, blob: &[u8]| serde_json::json!({ "mediaType": media_type, "size": blob.len(), "digest": digest_of(blob) });
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": entry("application/vnd.docker.container.image.v1+json", &config),
            "layers": [entry("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = digest_of(&manifest);
        let mut content: HashMap<_, _> = [config, layer].map(|blob| (digest_of(&blob), blob)).into();
        content.insert("v1".to_owned(), manifest.clone());
        content.insert(digest.clone(), manifest);
        let authorization = format!("Basic {}", STANDARD.encode("AWS:secret"));
        let state = Self { authorization, content, host, digest, _server: None };
        state.start(listener)
    }

    fn start(self, listener: tokio::net::TcpListener) -> Self {
        let (host, digest) = (self.host.clone(), self.digest.clone());
        let router = Router::new()
            .route("/v2/", get(hello))
            .route("/v2/app/{kind}/{reference}", get(fetch))
            .with_state(Arc::new(self));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or_default() });
        let (authorization, content) = (String::new(), HashMap::new());
        Self { authorization, content, host, digest, _server: Some(AbortOnDropHandle::new(server)) }
    }

    fn access(&self, password: &str) -> Option<RegistryAccess> {
        let (username, password) = ("AWS".to_owned(), password.to_owned());
        Some(RegistryAccess { host: self.host.clone(), username, password, source: None })
    }

    fn allows(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::AUTHORIZATION)
            .is_some_and(|value| value.as_bytes() == self.authorization.as_bytes())
    }
}

fn refusal() -> Response {
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")], body).into_response()
}

async fn hello(State(registry): State<Arc<Registry>>, headers: HeaderMap) -> Response {
    if registry.allows(&headers) { StatusCode::OK.into_response() } else { refusal() }
}

async fn fetch(
    State(registry): State<Arc<Registry>>,
    Path((kind, reference)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if !registry.allows(&headers) {
        return refusal();
    }
    match registry.content.get(&reference) {
        Some(bytes) if kind == "manifests" => {
            ([(header::CONTENT_TYPE, MANIFEST)], bytes.clone()).into_response()
        }
        Some(bytes) => bytes.clone().into_response(),
        None => {
            let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
            (StatusCode::NOT_FOUND, body).into_response()
        }
    }
}

async fn engine(registry: Option<RegistryAccess>) -> DockerEngine {
    crate::testing::engine(&unique("pull"), registry).await
}

#[tokio::test]
async fn an_image_of_our_registry_is_pulled_by_digest_and_by_tag() {
    let architecture = engine(None).await.architecture().to_owned();
    let registry = Registry::serve(&architecture).await;
    let engine = engine(registry.access("secret")).await;
    for reference in [format!("app@{}", registry.digest), "app:v1".to_owned()] {
        let reference = format!("{}/{reference}", registry.host);
        let facts = engine.ensure_image(&reference).await.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(facts.digest.as_deref(), Some(registry.digest.as_str()));
        assert_eq!((facts.os, facts.architecture), ("linux".to_owned(), architecture.clone()));
        let again = engine.ensure_image(&reference).await;
        assert_eq!(again.map(|facts| facts.digest), Ok(Some(registry.digest.clone())));
        let id = engine.image_id(&reference).expect("is remembered");
        let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
        engine.docker.remove_image(&id, Some(options), None).await.expect("removes");
    }
}

#[tokio::test]
async fn what_cannot_be_pulled_is_told_in_the_registrys_words() {
    let registry = Registry::serve("amd64").await;
    let reference = format!("{}/app:v2", registry.host);
    let missing = engine(registry.access("secret")).await.ensure_image(&reference).await;
    let unknown = |text: &str| text.contains("manifest unknown");
    assert!(matches!(&missing, Err(EngineError::ImageNotFound(text)) if unknown(text)), "{missing:?}");
    let refused = engine(registry.access("wrong")).await.ensure_image(&reference).await;
    let unauthorized =
        |text: &str| text.contains("no basic auth credentials") || text.contains("unauthorized");
    assert!(matches!(&refused, Err(EngineError::ImageNotFound(text)) if unauthorized(text)), "{refused:?}");
}

/// An image on disk.
struct OnDisk(StoredImage);

impl ImageSource for OnDisk {
    fn find(&self, repository: &str, reference: &str, _: &str) -> std::io::Result<StoredImage> {
        match (repository, reference) {
            ("team/app", "v1") => Ok(self.0.clone()),
            ("team/app", digest) if digest == self.0.digest => Ok(self.0.clone()),
            _ => Err(std::io::Error::other("not here")),
        }
    }
}

#[tokio::test]
async fn an_engine_that_does_not_reach_the_registry_is_given_the_image() {
    let dir = tempfile::tempdir().expect("tempdir");
    let architecture = engine(None).await.architecture().to_owned();
    let unique = unique("content");
    let files = [File { path: "file", mode: 0o644, content: unique.as_bytes() }];
    let image = Image { name: "", architecture: &architecture, config: serde_json::json!({}), files: &files };
    let (config, layer) = image.parts();
    let path = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        path
    };
    let stored = StoredImage {
        digest: digest_of(&config),
        config: path("config", &config),
        layers: vec![path("layer", &layer)],
    };
    let digest = stored.digest.clone();
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let host = nobody.local_addr().expect("has one").to_string();
    drop(nobody);
    let access = |source: Option<Arc<dyn ImageSource>>| RegistryAccess {
        host: host.clone(),
        username: "AWS".to_owned(),
        password: "secret".to_owned(),
        source,
    };
    let engine = engine(Some(access(Some(Arc::new(OnDisk(stored)))))).await;
    for reference in [format!("{host}/team/app@{digest}"), format!("{host}/team/app:v1")] {
        for _ in 0..2 {
            let facts = engine.ensure_image(&reference).await.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(facts.digest, Some(digest.clone()));
        }
        assert!(engine.image_id(&reference).is_some());
    }
    let missing = engine.ensure_image(&format!("{host}/team/app:v2")).await;
    assert!(
        matches!(&missing, Err(EngineError::ImageNotFound(text)) if text.contains("not here")),
        "{missing:?}"
    );
    let id = engine.image_id(&format!("{host}/team/app:v1")).expect("is remembered");
    let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
    engine.docker.remove_image(&id, Some(options), None).await.expect("removes");
}

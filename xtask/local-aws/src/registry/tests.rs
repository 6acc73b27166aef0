//! The registry as clients speak to it, without a network.

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::digest::Digest;
use super::{Options, Registry, router};
use crate::state::ecr::{Mutability, Repository};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

struct Client {
    registry: Registry,
    token: String,
    _dir: tempfile::TempDir,
}

impl Client {
    fn new(options: Options) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let registry =
            Registry::open(dir.path(), options, std::sync::Arc::new(|| 1000.0)).expect("an empty directory");
        let token = registry.issue_token().expect("a token").encoded;
        let client = Self { registry, token, _dir: dir };
        client.create("app", "MUTABLE");
        client
    }

    fn create(&self, name: &str, mutability: &str) {
        let repository = Repository {
            name: name.to_owned(),
            created_at: 0.0,
            mutability: Mutability { setting: mutability.to_owned(), exclusions: Vec::new() },
            scan_on_push: false,
            encryption_type: "AES256".to_owned(),
            kms_key: None,
            tags: std::collections::BTreeMap::new(),
            policy: None,
            lifecycle_policy: None,
        };
        let created = self.registry.ecr().change(|ecr| -> std::io::Result<_> { Ok(ecr.create(repository)) });
        created.expect("the state is saved").expect("the name is free");
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &str)],
        body: impl Into<Body>,
    ) -> Response {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/v2/{path}"))
            .header(header::AUTHORIZATION, format!("Basic {}", self.token));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        router(self.registry.clone()).oneshot(request).await.expect("the router always answers")
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    async fn push_blob(&self, repository: &str, content: &'static [u8]) -> Digest {
        let digest = Digest::of(content);
        let path = format!("{repository}/blobs/uploads/?digest={digest}");
        assert_eq!(self.send(Method::POST, &path, &[], content).await.status(), StatusCode::CREATED);
        digest
    }

    /// Where an upload that is begun goes on.
    async fn upload(&self) -> String {
        let response = self.send(Method::POST, "app/blobs/uploads/", &[], Body::empty()).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let location = head(&response, header::LOCATION);
        location.strip_prefix("/v2/").expect("a path").to_owned()
    }

    async fn put(&self, reference: &str, media_type: &str, manifest: &Value) -> Response {
        let path = format!("app/manifests/{reference}");
        self.send(Method::PUT, &path, &[(header::CONTENT_TYPE, media_type)], manifest.to_string()).await
    }
}

fn head(response: &Response, name: header::HeaderName) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

async fn bytes(response: Response) -> Bytes {
    response.into_body().collect().await.expect("a body").to_bytes()
}

/// Status and, of an error, code and message.
async fn told(response: Response) -> String {
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&bytes(response).await).unwrap_or_default();
    let error = &body["errors"][0];
    match error["code"].as_str() {
        Some(code) => format!("{status} {code}: {}", error["message"].as_str().unwrap_or_default()),
        None => status.to_string(),
    }
}

fn image(config: Digest, size: usize) -> Value {
    json!({"schemaVersion": 2, "mediaType": IMAGE, "config": {"mediaType": "c", "digest": config, "size": size}, "layers": []})
}

#[tokio::test]
async fn nothing_without_a_token() {
    let client = Client::new(Options::default());
    let response = router(client.registry.clone())
        .oneshot(Request::get("/v2/").header("host", "127.0.0.1:1").body(Body::empty()).expect("a request"))
        .await
        .expect("the router always answers");
    assert_eq!(
        head(&response, header::WWW_AUTHENTICATE),
        r#"Basic realm="http://127.0.0.1:1/",service="ecr.amazonaws.com""#
    );
    insta::assert_snapshot!(told(response).await, @"401 UNAUTHORIZED: Not Authorized");
    assert_eq!(client.get("").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_repository_must_exist() {
    let client = Client::new(Options::default());
    insta::assert_snapshot!(
        told(client.send(Method::POST, "nope/blobs/uploads/", &[], Body::empty()).await).await,
        @"404 NAME_UNKNOWN: The repository with name 'nope' does not exist in the registry with id '123456789012'"
    );
}

#[tokio::test]
async fn a_blob_is_read_whole_and_in_part() {
    let client = Client::new(Options::default());
    let digest = client.push_blob("app", b"0123456789").await;
    let path = format!("app/blobs/{digest}");
    let whole = client.get(&path).await;
    assert_eq!(head(&whole, header::CONTENT_LENGTH), "10");
    assert_eq!(bytes(whole).await, "0123456789");
    let part = client.send(Method::GET, &path, &[(header::RANGE, "bytes=2-4")], Body::empty()).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(head(&part, header::CONTENT_RANGE), "bytes 2-4/10");
    assert_eq!(bytes(part).await, "234");
    let outside = client.send(Method::GET, &path, &[(header::RANGE, "bytes=10-")], Body::empty()).await;
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let unknown = client.get(&format!("app/blobs/{}", Digest::of(b"x"))).await;
    insta::assert_snapshot!(told(unknown).await, @"404 BLOB_UNKNOWN: blob unknown to registry");
}

#[tokio::test]
async fn chunks_must_follow_each_other() {
    let client = Client::new(Options { ecr_patch_answers: false, ..Options::default() });
    let at = client.upload().await;
    let chunk = |range: &'static str, content: &'static str| {
        let (client, at) = (&client, &at);
        async move { client.send(Method::PATCH, at, &[(header::CONTENT_RANGE, range)], content).await }
    };
    let first = chunk("0-4", "01234").await;
    assert_eq!((first.status(), head(&first, header::RANGE)), (StatusCode::ACCEPTED, "0-4".to_owned()));
    let gap = chunk("6-9", "6789").await;
    assert_eq!(head(&gap, header::RANGE), "0-4");
    insta::assert_snapshot!(told(gap).await, @"416 BLOB_UPLOAD_INVALID: the upload continues at 5");
    assert_eq!(head(&client.get(&at).await, header::RANGE), "0-4");
    let last = [(header::CONTENT_RANGE, "5-9")];
    let digest = Digest::of(b"0123456789");
    let done = client.send(Method::PUT, &format!("{at}?digest={digest}"), &last, "56789").await;
    assert_eq!(done.status(), StatusCode::CREATED);
    assert_eq!(bytes(client.get(&format!("app/blobs/{digest}")).await).await, "0123456789");
    insta::assert_snapshot!(
        told(client.get(&at).await).await,
        @"404 BLOB_UPLOAD_UNKNOWN: blob upload unknown to registry"
    );
}

#[tokio::test]
async fn ecr_answers_a_patch_in_its_own_way() {
    let client = Client::new(Options::default());
    let at = client.upload().await;
    for (chunk, received) in [("01234", "0-4"), ("56789", "0-4")] {
        let answer = client.send(Method::PATCH, &at, &[], chunk).await;
        assert_eq!((answer.status(), head(&answer, header::RANGE).as_str()), (StatusCode::CREATED, received));
    }
    let digest = Digest::of(b"0123456789");
    let done = client.send(Method::PUT, &format!("{at}?digest={digest}"), &[], Body::empty()).await;
    assert_eq!(done.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn an_upload_that_is_wrong_or_given_up_leaves_nothing() {
    let client = Client::new(Options::default());
    let wrong = format!("{}?digest={}", client.upload().await, Digest::of(b"other"));
    let refused = told(client.send(Method::PUT, &wrong, &[], "content").await).await;
    assert!(refused.starts_with("400 DIGEST_INVALID"), "{refused}");
    let at = client.upload().await;
    assert_eq!(client.send(Method::DELETE, &at, &[], Body::empty()).await.status(), StatusCode::NO_CONTENT);
    let left =
        std::fs::read_dir(client._dir.path().join("registry/uploads")).expect("the directory is there");
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_blob_is_mounted_where_that_is_enabled() {
    for (mounts, expected) in [(false, StatusCode::ACCEPTED), (true, StatusCode::CREATED)] {
        let client = Client::new(Options { mounts, ..Options::default() });
        client.create("base", "MUTABLE");
        let digest = client.push_blob("base", b"layer").await;
        let there = format!("app/blobs/{digest}");
        assert_eq!(client.get(&there).await.status(), StatusCode::NOT_FOUND);
        let mount = format!("app/blobs/uploads/?mount={digest}&from=base");
        assert_eq!(client.send(Method::POST, &mount, &[], Body::empty()).await.status(), expected);
        assert_eq!(client.get(&there).await.status() == StatusCode::OK, mounts);
    }
}

#[tokio::test]
async fn a_manifest_needs_what_it_refers_to() {
    let client = Client::new(Options::default());
    let missing = image(Digest::of(b""), 0);
    insta::assert_snapshot!(
        told(client.put("v1", IMAGE, &missing).await).await,
        @"400 MANIFEST_BLOB_UNKNOWN: Layers with digests '[sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855]' required for pushing image into repository with name 'app' in the registry with id '123456789012' do not exist"
    );
    let config = client.push_blob("app", b"{}").await;
    let wrong = told(client.put("v1", IMAGE, &image(config, 3)).await).await;
    assert!(wrong.ends_with("has 2 bytes, the manifest says 3"), "{wrong}");
    let index = json!({"schemaVersion": 2, "manifests": [{"mediaType": IMAGE, "digest": Digest::of(b""), "size": 1}]});
    let refused = told(client.put("all", INDEX, &index).await).await;
    assert!(refused.starts_with("400 MANIFEST_BLOB_UNKNOWN: Images with digests"), "{refused}");
}

#[tokio::test]
async fn an_image_and_an_index_are_found_by_tag_and_digest() {
    let client = Client::new(Options::default());
    let config = client.push_blob("app", b"{}").await;
    let manifest = image(config, 2);
    let digest = Digest::of(manifest.to_string().as_bytes());
    let put = client.put("v1", IMAGE, &manifest).await;
    assert_eq!(
        (put.status(), head(&put, super::DOCKER_CONTENT_DIGEST)),
        (StatusCode::CREATED, digest.to_string())
    );
    let size = manifest.to_string().len();
    let index =
        json!({"schemaVersion": 2, "manifests": [{"mediaType": IMAGE, "digest": digest, "size": size}]});
    assert_eq!(client.put("all", INDEX, &index).await.status(), StatusCode::CREATED);
    for reference in ["v1".to_owned(), digest.to_string()] {
        let got = client.get(&format!("app/manifests/{reference}")).await;
        assert_eq!(head(&got, header::CONTENT_TYPE), IMAGE);
        assert_eq!(bytes(got).await, manifest.to_string());
    }
    let elsewhere = client.put(&Digest::of(b"").to_string(), IMAGE, &manifest).await;
    assert!(told(elsewhere).await.starts_with("400 DIGEST_INVALID"));
    insta::assert_snapshot!(
        told(client.get("app/manifests/no").await).await,
        @"404 MANIFEST_UNKNOWN: Requested image not found"
    );
    let tags = client.get("app/tags/list?n=1").await;
    assert_eq!(head(&tags, header::LINK), r#"</v2/app/tags/list?n=1&last=all>; rel="next""#);
    assert_eq!(bytes(tags).await, r#"{"name":"app","tags":["all"]}"#);
}

#[tokio::test]
async fn an_immutable_tag_stays_where_it_is() {
    let client = Client::new(Options::default());
    client.create("fixed", "IMMUTABLE");
    let config = client.push_blob("fixed", b"{}").await;
    let put = || {
        let headers = [(header::CONTENT_TYPE, IMAGE)];
        let manifest = image(config, 2).to_string();
        let client = &client;
        async move { told(client.send(Method::PUT, "fixed/manifests/v1", &headers, manifest).await).await }
    };
    assert_eq!(put().await, "201");
    insta::assert_snapshot!(
        put().await,
        @"400 TAG_INVALID: The image tag 'v1' already exists in the 'fixed' repository and cannot be overwritten because the repository is immutable."
    );
}

#[tokio::test]
async fn what_refers_to_an_image_is_listed() {
    let client = Client::new(Options::default());
    let config = client.push_blob("app", b"{}").await;
    let mut signature = image(config, 2);
    let subject = Digest::of(b"an image");
    signature["subject"] = json!({"mediaType": IMAGE, "digest": subject, "size": 8});
    signature["artifactType"] = "application/signature".into();
    assert_eq!(client.put("sig", IMAGE, &signature).await.status(), StatusCode::CREATED);
    for (filter, count) in [("", 1), ("?artifactType=application/signature", 1), ("?artifactType=other", 0)] {
        let list = bytes(client.get(&format!("app/referrers/{subject}{filter}")).await).await;
        let list: Value = serde_json::from_slice(&list).expect("JSON");
        assert_eq!(list["manifests"].as_array().map(Vec::len), Some(count), "{filter}");
    }
}

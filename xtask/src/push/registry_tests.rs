//! Pushes by the engine of this machine to the control plane's registry.

use local_aws::api::{Request, ecr::EcrRequest};
use local_aws::cloud::{Cloud, Options, system_clock};
use serde_json::{Value, json};

use super::*;
use crate::build::engine_tests::{Bench, on_bench};
use crate::error::Kind;

/// ECR and its registry on a port of their own.
pub(crate) struct Ecr {
    cloud: Cloud,
    server: tokio::task::JoinHandle<()>,
    _state: tempfile::TempDir,
}

impl Ecr {
    pub(crate) async fn new() -> Self {
        let state = tempfile::tempdir().expect("tempdir");
        let options = Options {
            state_dir: state.path().to_owned(),
            region: "eu-west-1".to_owned(),
            instance: "push-test".to_owned(),
        };
        let cloud = Cloud::open(options, system_clock()).expect("opens");
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
        cloud.set_endpoint(listener.local_addr().expect("has an address"));
        let router = local_aws::server::router(&cloud);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { cloud, server, _state: state }
    }

    async fn call(&self, operation: &str, input: Value) -> Value {
        let request = EcrRequest::parse(operation, input).expect("is an operation");
        Request::Ecr(request).handle(&self.cloud).await.expect("succeeds")
    }

    pub(crate) async fn repository(&self, name: &str, mutability: &str) -> String {
        let input = json!({ "repositoryName": name, "imageTagMutability": mutability });
        self.call("CreateRepository", input).await;
        self.uri(name)
    }

    fn uri(&self, name: &str) -> String {
        format!("{}/{name}", self.cloud.endpoint())
    }

    pub(crate) fn auth(&self) -> RegistryAuth {
        RegistryAuth {
            endpoint: format!("http://{}", self.cloud.endpoint()),
            username: "AWS".to_owned(),
            password: self.cloud.registry().own_password().to_owned(),
        }
    }
}

impl Drop for Ecr {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn image(bench: &Bench) -> BuiltImage {
    bench.one(bench.dockerfile()).await
}

const FILES: [(&str, &str); 2] = [("Dockerfile", "FROM scratch\nCOPY a /a\n"), ("a", "UNIQUE")];

fn events() -> Events {
    Events::channel().0
}

#[tokio::test]
async fn what_is_pushed_is_what_the_registry_has() {
    on_bench(&FILES, async |bench| {
        let (ecr, image) = (Ecr::new().await, image(bench).await);
        let uri = ecr.repository("app/web", "MUTABLE").await;
        let pushed =
            push(&bench.engine, &image, "image-1", &uri, &ecr.auth(), &events()).await.expect("pushes");
        let found = ecr.call("DescribeImages", json!({ "repositoryName": "app/web" })).await;
        assert_eq!(found["imageDetails"][0]["imageDigest"], json!(pushed.digest));
        assert_eq!(found["imageDetails"][0]["imageTags"], json!(["image-1"]));
        assert_eq!(pushed.reference(), format!("{uri}@{}", pushed.digest));

        // The engine knows the image by its digest: nothing has to be pulled to run it here.
        let local = bench.engine.docker().inspect_image(&pushed.reference()).await.expect("is known");
        assert_eq!(local.id, Some(image.id.clone()));

        let (events, mut seen) = Events::channel();
        let again = push(&bench.engine, &image, "image-1", &uri, &ecr.auth(), &events).await.expect("pushes");
        assert_eq!(again, pushed);
        drop(events);
        let mut last = None;
        while let Some(event) = seen.recv().await {
            last = Some(event.event);
        }
        assert!(
            matches!(last, Some(crate::event::Event::Finished { done: Done::Unchanged, .. })),
            "{last:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_immutable_tag_that_is_there_is_a_finished_push() {
    on_bench(&FILES, async |bench| {
        let (ecr, image) = (Ecr::new().await, image(bench).await);
        let uri = ecr.repository("web", "IMMUTABLE").await;
        let first =
            push(&bench.engine, &image, "image-1", &uri, &ecr.auth(), &events()).await.expect("pushes");
        let again =
            push(&bench.engine, &image, "image-1", &uri, &ecr.auth(), &events()).await.expect("finds it");
        assert_eq!(first, again);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_token_and_a_missing_repository_are_told_apart() {
    on_bench(&FILES, async |bench| {
        let (ecr, image) = (Ecr::new().await, image(bench).await);
        let uri = ecr.repository("web", "MUTABLE").await;
        let wrong = RegistryAuth { password: "wrong".to_owned(), ..ecr.auth() };
        let error =
            push(&bench.engine, &image, "image-1", &uri, &wrong, &events()).await.expect_err("is refused");
        assert_eq!((error.kind, error.kind.exit_code()), (Kind::Push, 5));
        let text = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(matches!(failure::classify(&text), Failure::Login | Failure::Denied), "{text}");
        assert!(!format!("{error:?}").contains("wrong\""), "{error:?}");

        let uri = ecr.uri("nothing");
        let error = push(&bench.engine, &image, "image-1", &uri, &ecr.auth(), &events())
            .await
            .expect_err("is refused");
        let text = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(failure::classify(&text), Failure::NotFound, "{text}");
    })
    .await;
}

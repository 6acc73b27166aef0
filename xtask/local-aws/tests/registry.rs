//! A real Docker Engine pushes to the registry and pulls from it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{CreateImageOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptions};
use bytes::Bytes;
use futures_util::TryStreamExt;
use local_aws::cloud::{Cloud, Options, system_clock};
use local_aws::registry::images::Reference;
use local_aws::state::ecr::{Mutability, Repository};
use tokio::net::TcpListener;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// A registry of this test alone, and the engine.
struct Setup {
    docker: Docker,
    cloud: Cloud,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Setup {
    async fn new() -> Outcome<Self> {
        let docker = Docker::connect_with_local_defaults()?;
        docker.ping().await.map_err(|e| format!("this test needs a running Docker Engine: {e}"))?;
        let dir = tempfile::tempdir()?;
        let options = Options {
            state_dir: dir.path().into(),
            region: "eu-west-1".into(),
            instance: "registry-test".into(),
        };
        let cloud = Cloud::open(options, system_clock())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = local_aws::registry::router(cloud.registry().clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { docker, cloud, address, _dir: dir })
    }

    fn create_repository(&self, name: &str) -> Outcome {
        let repository = Repository {
            name: name.to_owned(),
            created_at: 0.0,
            mutability: Mutability::default(),
            scan_on_push: false,
            encryption_type: "AES256".to_owned(),
            kms_key: None,
            tags: std::collections::BTreeMap::new(),
            policy: None,
            lifecycle_policy: None,
        };
        let created = self.cloud.ecr().change(|ecr| -> std::io::Result<_> { Ok(ecr.create(repository)) })?;
        created.map_err(|_| "the repository is there already".into())
    }

    /// In its two parts: the engine doesn't look into `auth`.
    fn credentials(&self) -> Outcome<DockerCredentials> {
        let token = STANDARD.decode(self.cloud.registry().issue_token()?.encoded)?;
        let token = String::from_utf8(token)?;
        let (user, password) = token.split_once(':').ok_or("a token has two parts")?;
        Ok(credentials(user, password))
    }

    /// An image of one file that no other run has.
    async fn import(&self, image: &str) -> Outcome {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let content = format!("{} {}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        let mut archive = tar::Builder::new(Vec::new());
        archive.append_data(&mut header, "file", content.as_bytes())?;
        let archive = bollard::body_full(Bytes::from(archive.into_inner()?));
        let options = CreateImageOptionsBuilder::new().from_src("-").repo(image).tag("v1").build();
        self.docker.create_image(Some(options), Some(archive), None).try_collect::<Vec<_>>().await?;
        Ok(())
    }

    async fn push(&self, image: &str, credentials: DockerCredentials) -> Outcome {
        let options = PushImageOptionsBuilder::new().tag("v1").build();
        let pushed = self.docker.push_image(image, Some(options), Some(credentials));
        pushed.try_collect::<Vec<_>>().await?;
        Ok(())
    }

    async fn pull(&self, image: &str, digest: &str) -> Outcome {
        let options = CreateImageOptionsBuilder::new().from_image(image).tag(digest).build();
        let pulled = self.docker.create_image(Some(options), None, Some(self.credentials()?));
        pulled.try_collect::<Vec<_>>().await?;
        Ok(())
    }

    /// What the tag points at in the registry.
    fn digest(&self, repository: &str) -> Option<String> {
        let tag = Reference::Tag("v1".to_owned());
        self.cloud.registry().store().look(repository, |images| images.resolve(&tag)).map(|d| d.to_string())
    }

    async fn remove(&self, image: &str) -> Outcome {
        self.docker.remove_image(image, None::<RemoveImageOptions>, None).await?;
        Ok(())
    }
}

fn credentials(user: &str, password: &str) -> DockerCredentials {
    let (username, password) = (Some(user.to_owned()), Some(password.to_owned()));
    DockerCredentials { username, password, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_pushes_and_pulls_by_digest() -> Outcome {
    let setup = Setup::new().await?;
    setup.create_repository("team/app")?;
    let image = format!("{}/team/app", setup.address);
    setup.import(&image).await?;
    let outcome = push_and_pull(&setup, &image).await;
    // Whichever of the two the test got to.
    setup.remove(&format!("{image}:v1")).await.ok();
    setup.remove(&format!("{image}@{}", setup.digest("team/app").unwrap_or_default())).await.ok();
    outcome
}

async fn push_and_pull(setup: &Setup, image: &str) -> Outcome {
    let wrong = credentials("AWS", "guess");
    let refused = setup.push(image, wrong).await.expect_err("the password is wrong").to_string();
    assert!(refused.contains("Not Authorized"), "{refused}");

    setup.push(image, setup.credentials()?).await?;
    let digest = setup.digest("team/app").ok_or("the tag is in the registry")?;
    let tagged = format!("{image}:v1");
    let by_digest = format!("{image}@{digest}");
    let pushed = setup.docker.inspect_image(&tagged).await?;
    assert_eq!(pushed.repo_digests.unwrap_or_default(), std::slice::from_ref(&by_digest));

    setup.remove(&tagged).await?;
    setup.pull(image, &digest).await?;
    assert_eq!(setup.docker.inspect_image(&by_digest).await?.id, pushed.id);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_is_told_that_there_is_no_such_repository() -> Outcome {
    let setup = Setup::new().await?;
    let image = format!("{}/nowhere", setup.address);
    setup.import(&image).await?;
    let refused = setup.push(&image, setup.credentials()?).await;
    setup.remove(&format!("{image}:v1")).await?;
    let refused = refused.expect_err("the repository does not exist").to_string();
    assert!(
        refused.contains("The repository with name 'nowhere' does not exist in the registry"),
        "{refused}"
    );
    Ok(())
}

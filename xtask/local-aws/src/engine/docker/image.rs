//! Getting an image onto the engine.

use std::sync::Arc;

use bollard::auth::DockerCredentials;
use bollard::models::ImageInspect;
use bollard::query_parameters::{CreateImageOptions, ImportImageOptions};
use futures_util::TryStreamExt;

use super::{DockerEngine, RegistryAccess, error};
use crate::engine::{EngineError, ImageFacts};

/// Looks first and pulls what is missing. A tag of our own registry is always asked for, since it may
/// have moved, as on Fargate, which keeps no images between tasks; others are left as they
/// are, so that work goes on without a network.
pub(super) async fn ensure(engine: &DockerEngine, reference: &str) -> Result<ImageFacts, EngineError> {
    let ours = engine.shared.registry.as_ref().filter(|registry| is_in(registry, reference));
    if ours.is_none() || reference.contains('@') {
        for name in [Some(reference.to_owned()), ours.and_then(|_| alias(reference))].iter().flatten() {
            match engine.docker.inspect_image(name).await {
                Ok(image) => return Ok(facts(engine, reference, image)),
                Err(e) if error::status(&e) == Some(404) => {}
                Err(e) => return Err(error::general(&e)),
            }
        }
    }
    match (pull(engine, reference, ours).await, ours) {
        (Ok(()), _) => inspect(engine, reference, reference).await,
        // The registry is ours and runs: it is the engine that does not get there.
        (Err(EngineError::ImageNotFound(why)), Some(registry)) if out_of_reach(&why) => {
            load(engine, reference, registry, why).await
        }
        (Err(error), _) => Err(error),
    }
}

async fn inspect(engine: &DockerEngine, reference: &str, name: &str) -> Result<ImageFacts, EngineError> {
    let image = engine.docker.inspect_image(name).await.map_err(|e| error::create(&e))?;
    Ok(facts(engine, reference, image))
}

/// Words of the network, not of a registry.
fn out_of_reach(why: &str) -> bool {
    ["connection refused", "no route to host", "timeout", "deadline exceeded", "network is unreachable"]
        .iter()
        .any(|word| why.contains(word))
}

/// An image that was loaded rather than pulled has no digest on the engine: it gets this name.
fn alias(reference: &str) -> Option<String> {
    let (repository, digest) = reference.split_once('@')?;
    let short = digest.strip_prefix("sha256:")?.get(..16)?;
    Some(format!("{repository}:local-aws-{short}"))
}

/// Sends the image to the engine, from the disk and as a stream.
async fn load(
    engine: &DockerEngine,
    reference: &str,
    registry: &RegistryAccess,
    why: String,
) -> Result<ImageFacts, EngineError> {
    let tagged = with_tag(reference);
    let path = tagged[registry.host.len()..].trim_start_matches('/');
    let (repository, wanted) =
        path.split_once('@').or_else(|| path.rsplit_once(':')).unwrap_or((path, "latest"));
    let found = match &registry.source {
        Some(source) => {
            let (source, architecture) = (Arc::clone(source), engine.architecture().to_owned());
            let (repository, wanted) = (repository.to_owned(), wanted.to_owned());
            let looked =
                tokio::task::spawn_blocking(move || source.find(&repository, &wanted, &architecture));
            looked.await.map_err(|e| EngineError::Other(e.to_string()))?
        }
        None => return Err(EngineError::ImageNotFound(why)),
    };
    let found = found.map_err(|e| EngineError::ImageNotFound(format!("{why}; {e}")))?;
    let by_digest = format!("{}/{repository}@{}", registry.host, found.digest);
    let name = alias(&by_digest).unwrap_or(tagged);
    let archive = found.archive(&name).map_err(|e| EngineError::ImageNotFound(e.to_string()))?;
    let answers = engine.docker.import_image_stream(ImportImageOptions::default(), archive, None);
    answers.try_for_each(|_| async { Ok(()) }).await.map_err(|e| error::general(&e))?;
    let facts = inspect(engine, reference, &name).await?;
    Ok(ImageFacts { digest: Some(found.digest), ..facts })
}

fn is_in(registry: &RegistryAccess, reference: &str) -> bool {
    reference.strip_prefix(registry.host.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

async fn pull(
    engine: &DockerEngine,
    reference: &str,
    registry: Option<&RegistryAccess>,
) -> Result<(), EngineError> {
    let credentials = registry.map(|registry| DockerCredentials {
        username: Some(registry.username.clone()),
        password: Some(registry.password.clone()),
        serveraddress: Some(registry.host.clone()),
        ..DockerCredentials::default()
    });
    let options = CreateImageOptions { from_image: Some(with_tag(reference)), ..Default::default() };
    let progress = engine.docker.create_image(Some(options), None, credentials);
    progress.try_for_each(|_| async { Ok(()) }).await.map_err(|e| error::pull(&e))
}

/// The engine takes a reference without a tag for "every tag there is".
fn with_tag(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}

fn facts(engine: &DockerEngine, reference: &str, image: ImageInspect) -> ImageFacts {
    let digest = digest(reference, image.repo_digests.as_deref().unwrap_or_default());
    if let Some(id) = image.id {
        engine.remember_image(reference, id);
    }
    ImageFacts {
        digest,
        os: image.os.unwrap_or_default(),
        architecture: image.architecture.unwrap_or_default(),
    }
}

/// The reference's own digest, or the one that the engine knows for its repository.
fn digest(reference: &str, known: &[String]) -> Option<String> {
    if let Some((_, digest)) = reference.split_once('@') {
        return Some(digest.to_owned());
    }
    let tagged = with_tag(reference);
    let (repository, _) = tagged.rsplit_once(':')?;
    known.iter().find_map(|name| Some(name.strip_prefix(repository)?.strip_prefix('@')?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_without_a_tag_is_latest() {
        assert_eq!(with_tag("127.0.0.1:5000/app"), "127.0.0.1:5000/app:latest");
        assert_eq!(with_tag("127.0.0.1:5000/app:v1"), "127.0.0.1:5000/app:v1");
        assert_eq!(with_tag("app@sha256:ab"), "app@sha256:ab");
    }

    #[test]
    fn the_digest_is_the_one_of_the_same_repository() {
        let known = ["other@sha256:1".to_owned(), "127.0.0.1:5000/app@sha256:2".to_owned()];
        assert_eq!(digest("127.0.0.1:5000/app:v1", &known).as_deref(), Some("sha256:2"));
        assert_eq!(digest("app@sha256:3", &known).as_deref(), Some("sha256:3"));
        assert_eq!(digest("app:v1", &known), None);
    }

    #[test]
    fn a_loaded_image_is_named_by_its_digest() {
        let reference = format!("127.0.0.1:5000/team/app@sha256:{}", "ab".repeat(32));
        assert_eq!(alias(&reference).as_deref(), Some("127.0.0.1:5000/team/app:local-aws-abababababababab"));
        assert_eq!(alias("127.0.0.1:5000/app:v1"), None);
    }

    #[test]
    fn only_references_to_our_registry_get_its_credentials() {
        let registry = RegistryAccess {
            host: "127.0.0.1:5000".to_owned(),
            username: String::new(),
            password: String::new(),
            source: None,
        };
        assert!(is_in(&registry, "127.0.0.1:5000/app:v1"));
        assert!(!is_in(&registry, "127.0.0.1:50001/app:v1"));
        assert!(!is_in(&registry, "docker.io/library/app"));
    }
}

//! Images on the engine to ECR; what comes back is a digest.
//!
//! The engine pushes, with the token handed over in the request: nothing is written to Docker's
//! configuration, no `docker login` is needed or overwritten. The tag is made of the image's address, so the
//! same inputs always have the same tag: an interrupted push continues, an immutable tag is a finished one.
//!
//! The local reference `REPOSITORY:TAG` is kept: with it the engine knows the repository digest, so the
//! local control plane can run the image by digest without pulling it, and a prune of dangling images
//! leaves it alone.

mod failure;
mod progress;
mod tag;

use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::query_parameters::{PushImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::StreamExt;

use crate::build::BuiltImage;
use crate::engine::{Engine, text};
use crate::error::{Error, Result};
use crate::event::{Done, Events, Phase, Running};
use failure::Failure;
use progress::Progress;
pub use tag::{Shelf, ask, shelf};

/// Waits between tries after failures of the network; the engine itself tries each upload five times.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];

/// How to log in to a registry. `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAuth {
    /// `https://ACCOUNT.dkr.ecr.REGION.amazonaws.com`, `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// `AWS` for ECR.
    pub username: String,
    /// The decoded token's second half.
    pub password: String,
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryAuth").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// An image in its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedImage {
    /// Its key in `[image]`.
    pub name: String,
    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME`.
    pub repository_uri: String,
    /// Of the manifest, `sha256:…`.
    pub digest: String,
    /// The tag it has beside the digest.
    pub tag: String,
}

impl PushedImage {
    /// The reference that a task definition gets: by digest, always.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}@{}", self.repository_uri, self.digest)
    }
}

/// Pushes an image to its repository, which must exist, under a tag of its [`Shelf`].
pub async fn push(
    engine: &Engine,
    image: &BuiltImage,
    tag: &str,
    repository_uri: &str,
    auth: &RegistryAuth,
    events: &Events,
) -> Result<PushedImage> {
    let step = events.start(Phase::Push, &image.name);
    let target = Target { engine, image, repository_uri, tag: tag.to_owned(), auth };
    target.tag_locally().await?;
    let (digest, done) = target.push_with_retries(&step).await?;
    step.finish(done, digest.clone());
    Ok(PushedImage {
        name: image.name.clone(),
        repository_uri: repository_uri.to_owned(),
        digest,
        tag: target.tag,
    })
}

struct Target<'a> {
    engine: &'a Engine,
    image: &'a BuiltImage,
    repository_uri: &'a str,
    tag: String,
    auth: &'a RegistryAuth,
}

impl Target<'_> {
    async fn tag_locally(&self) -> Result<()> {
        let options = TagImageOptionsBuilder::default().repo(self.repository_uri).tag(&self.tag).build();
        let tagged = self.engine.docker().tag_image(&self.image.id, Some(options)).await;
        tagged.map_err(|e| self.error(text(&e)))
    }

    async fn push_with_retries(&self, step: &Running) -> Result<(String, Done)> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let message = match self.attempt(step).await {
                Ok(progress) => {
                    let done = if progress.nothing_sent() { Done::Unchanged } else { Done::Changed };
                    return Ok((self.digest(progress).await?, done));
                }
                Err(message) => message,
            };
            match (failure::classify(&message), pauses.next()) {
                (Failure::ImmutableTag, _) => return Ok((self.remote_digest().await?, Done::Unchanged)),
                (Failure::Transient, Some(pause)) => {
                    step.progress(format!("again in {} s: {message}", pause.as_secs()));
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(self.error(message)),
            }
        }
    }

    /// One push; the failure in the engine's words.
    async fn attempt(&self, step: &Running) -> Result<Progress, String> {
        let docker = self.engine.patient();
        let options = PushImageOptionsBuilder::default().tag(&self.tag).build();
        let mut messages = docker.push_image(self.repository_uri, Some(options), Some(self.credentials()));
        let mut progress = Progress::default();
        while let Some(message) = messages.next().await {
            let message = message.map_err(|e| text(&e))?;
            if let Some(now) = progress.update(&message) {
                step.progress(now);
            }
        }
        Ok(progress)
    }

    /// What the push said; else what the engine noted about it.
    async fn digest(&self, progress: Progress) -> Result<String> {
        if let Some(digest) = progress.digest {
            return Ok(digest);
        }
        let found =
            self.engine.docker().inspect_image(&format!("{}:{}", self.repository_uri, self.tag)).await;
        let digests = found.map_err(|e| self.error(text(&e)))?.repo_digests.unwrap_or_default();
        let own =
            digests.iter().find_map(|digest| digest.strip_prefix(self.repository_uri)?.strip_prefix('@'));
        own.map(str::to_owned).ok_or_else(|| self.error("the engine told no digest".to_owned()))
    }

    /// Of the tag in the registry, asked through the engine.
    async fn remote_digest(&self) -> Result<String> {
        let name = format!("{}:{}", self.repository_uri, self.tag);
        let found = self.engine.docker().inspect_registry_image(&name, Some(self.credentials())).await;
        let found = found.map_err(|e| self.error(text(&e)))?;
        found.descriptor.digest.ok_or_else(|| self.error("the registry told no digest".to_owned()))
    }

    fn credentials(&self) -> DockerCredentials {
        DockerCredentials {
            username: Some(self.auth.username.clone()),
            password: Some(self.auth.password.clone()),
            serveraddress: Some(self.auth.endpoint.clone()),
            ..DockerCredentials::default()
        }
    }

    fn error(&self, message: String) -> Error {
        failure::error(&self.image.name, self.repository_uri, message)
    }
}

#[cfg(test)]
pub(crate) mod registry_tests;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        let auth = RegistryAuth {
            endpoint: "http://127.0.0.1:1".to_owned(),
            username: "AWS".to_owned(),
            password: "hunter2".to_owned(),
        };
        assert!(!format!("{auth:?}").contains("hunter2"));
    }
}

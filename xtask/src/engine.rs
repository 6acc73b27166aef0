//! The container engine that builds and pushes: found as the `docker` command finds it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters::ListImagesOptionsBuilder;
use bollard::{BollardRequest, Docker};
use local_aws::engine::endpoint;
use tokio::sync::OnceCell;

use crate::error::{Error, Kind, Result};
use crate::event::{Done, Events, Phase};

/// A build or a push may be silent for long; the engine then still lives, or the connection breaks.
const PATIENCE: Duration = Duration::from_secs(6 * 60 * 60);

/// A connection to an engine that answered. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    docker: Docker,
    version: String,
    api: String,
    podman: bool,
}

/// The engine, connected to once it is needed: a run that changes no image does without. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lazy {
    connected: Arc<OnceCell<Engine>>,
    events: Events,
}

impl Lazy {
    /// Not connected yet.
    #[must_use]
    pub fn new(events: &Events) -> Self {
        Self { connected: Arc::default(), events: events.clone() }
    }

    /// The engine. One that did not answer is asked again: it may have been started meanwhile.
    ///
    /// # Errors
    /// There is none, or it does not answer: [`Kind::Preflight`].
    pub async fn get(&self) -> Result<&Engine> {
        self.connected.get_or_try_init(|| connect(&self.events)).await
    }

    /// Looks early whether there is one, and says so if not: a build may take minutes before it is needed.
    pub async fn look(&self) {
        if let Err(error) = self.get().await {
            self.events.note(format!("{error}: it is needed as soon as an image has to be built or pushed"));
        }
    }
}

/// Connects: `DOCKER_HOST`, then the Docker context, then the default sockets.
pub async fn connect(events: &Events) -> Result<Engine> {
    let step = events.start(Phase::Read, "container engine");
    let endpoint = endpoint::from_process().map_err(|e| unreachable(&e.to_string()))?;
    let docker = endpoint.connect().await.map_err(|e| unreachable(&e.to_string()))?;
    let engine = Engine::of(docker).await?;
    step.finish(Done::Unchanged, format!("{} at `{}`", engine.version, endpoint.url));
    Ok(engine)
}

impl Engine {
    /// Around a connection that is there already; the API version is settled with the engine.
    pub async fn of(docker: Docker) -> Result<Self> {
        let failed = |e: bollard::errors::Error| unreachable(&text(&e));
        let docker = docker.with_request_modifier(url_safe_credentials);
        let docker = docker.negotiate_version().await.map_err(failed)?;
        let version = docker.version().await.map_err(failed)?;
        let components = version.components.unwrap_or_default();
        let podman = components.iter().any(|component| component.name.contains("Podman"));
        let name = if podman { "Podman" } else { "Docker Engine" };
        let api = version.api_version.unwrap_or_default();
        Ok(Self { docker, podman, api, version: format!("{name} {}", version.version.unwrap_or_default()) })
    }

    /// The client, for calls that answer soon.
    #[must_use]
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The client for builds, loads and pushes, whose first word may take long.
    pub(crate) fn patient(&self) -> Docker {
        self.docker.clone().with_timeout(PATIENCE)
    }

    /// The IDs of all images, untagged ones among them.
    pub(crate) async fn image_ids(&self) -> Result<HashSet<String>> {
        let options = ListImagesOptionsBuilder::default().all(true).build();
        let images = self.docker.list_images(Some(options)).await;
        let images = images.map_err(|e| {
            Error::new(Kind::Build, "the engine's images cannot be listed").caused_by(text(&e))
        })?;
        Ok(images.into_iter().map(|image| image.id).collect())
    }

    /// IDs of the images with this label, and all labels of each.
    ///
    /// # Errors
    /// The engine does not answer.
    pub(crate) async fn labelled(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<(String, BTreeMap<String, String>)>> {
        let filters = HashMap::from([("label", vec![format!("{key}={value}")])]);
        let options = ListImagesOptionsBuilder::default().all(true).filters(&filters).build();
        let images = self.docker.list_images(Some(options)).await;
        let images = images.map_err(|e| {
            Error::new(Kind::Build, "the engine's images cannot be listed").caused_by(text(&e))
        })?;
        Ok(images.into_iter().map(|image| (image.id, image.labels.into_iter().collect())).collect())
    }

    /// Whether it is Podman, whose API has no BuildKit.
    #[must_use]
    pub fn is_podman(&self) -> bool {
        self.podman
    }

    /// The newest API that it speaks: `1.41`.
    #[must_use]
    pub fn api(&self) -> &str {
        &self.api
    }

    /// `Docker Engine 20.10.24`
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Whether a step failed for want of an image that somebody removed from the engine since it was seen there.
#[must_use]
pub fn image_is_gone(error: &Error) -> bool {
    error.source.as_ref().is_some_and(|cause| cause.to_string().to_lowercase().starts_with("no such image"))
}

/// The engine reads its credentials header in the URL-safe alphabet of Base64 (documented: Docker Engine API,
/// "Authentication"); bollard writes the other one, and a password with `?`, `>` or `~` in it may then be refused
/// as "no basic auth credentials".
fn url_safe_credentials(mut request: BollardRequest) -> BollardRequest {
    if let Some(value) = request.headers_mut().get_mut("X-Registry-Auth") {
        let text = value.to_str().map(|text| text.replace('+', "-").replace('/', "_"));
        if let Some(safe) = text.ok().and_then(|text| text.parse().ok()) {
            *value = safe;
        }
    }
    request
}

/// The endpoint's message ends with the way out, after its last `; `.
fn unreachable(message: &str) -> Error {
    let (message, hint) = message.rsplit_once("; ").unwrap_or((message, ""));
    let error = Error::new(Kind::Preflight, message);
    let error = if hint.is_empty() { error } else { error.hint(hint) };
    error
        .hint("without systemd: `sudo dockerd &`; on macOS and Windows: start Docker Desktop")
        .hint("colima, Podman and others: `export DOCKER_HOST=unix:///PATH/TO/THEIR.sock`")
}

/// The engine's own words: without the client library's frame, with the causes that it leaves out.
pub(crate) fn text(error: &bollard::errors::Error) -> String {
    use bollard::errors::Error as E;
    match error {
        E::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        E::DockerStreamError { error } => error.trim().to_owned(),
        E::RequestTimeoutError => "no answer in time".to_owned(),
        other => with_causes(other),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let message = cause.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_in_the_url_safe_alphabet() {
        let mut request = BollardRequest::new(bollard::body_full(bytes::Bytes::new()));
        let header = "eyJ+Pz8/In0=".parse().expect("is a header");
        request.headers_mut().insert("x-registry-auth", header);
        let request = url_safe_credentials(request);
        assert_eq!(request.headers()["x-registry-auth"], "eyJ-Pz8_In0=");
    }

    #[test]
    fn no_engine_says_how_to_get_one() {
        let error = unreachable(
            "no container engine answers at `unix:///x.sock` (the default): not found; start it with `sudo systemctl start docker`",
        );
        assert_eq!(error.kind, Kind::Preflight);
        insta::assert_snapshot!(error, @"no container engine answers at `unix:///x.sock` (the default): not found");
        insta::assert_snapshot!(error.hints.join("\n"), @r"
        start it with `sudo systemctl start docker`
        without systemd: `sudo dockerd &`; on macOS and Windows: start Docker Desktop
        colima, Podman and others: `export DOCKER_HOST=unix:///PATH/TO/THEIR.sock`
        ");
    }
}

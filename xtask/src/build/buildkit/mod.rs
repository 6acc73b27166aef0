//! A build by the engine's BuildKit: the context goes up as a stream, progress comes back as a trace.

pub(crate) mod credentials;
pub(crate) mod dockerfile;
mod trace;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use bollard::auth::DockerCredentials;
use bollard::models::{BuildInfo, BuildInfoAux};
use bollard::query_parameters::{BuildImageOptions, BuilderVersion};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use crate::config::image::Platform;
use crate::engine::{Engine, text};
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Running};
use trace::Trace;

/// What to build, beside the context.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The image's key, for messages.
    pub(crate) name: &'a str,
    /// The Dockerfile's name in the context.
    pub(crate) dockerfile: &'a str,
    pub(crate) target: Option<&'a str>,
    pub(crate) args: &'a BTreeMap<String, String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) platform: Platform,
    /// By registry host.
    pub(crate) credentials: HashMap<String, DockerCredentials>,
    /// Whether what BuildKit has done before counts for nothing.
    pub(crate) afresh: bool,
    /// Whether base images are the registry's: an engine with the classic store would take its own.
    pub(crate) pull: bool,
}

/// Builds; the engine's ID of the image, and whether the engine had that image before.
///
/// Attestations are off: the engine's own exporter makes none unless asked.
pub(crate) async fn build(
    engine: &Engine,
    request: Request<'_>,
    context: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    step: &Running,
) -> Result<(String, Done)> {
    supported(engine, request.name)?;
    let before = engine.image_ids().await?;
    let docker = engine.patient();
    let options = options(&request);
    let body = bollard::body_try_stream(context);
    let mut messages = docker.build_image(options, Some(request.credentials), Some(body));
    let mut trace = Trace::default();
    let mut id = None;
    while let Some(message) = messages.next().await {
        match message {
            Ok(info) => id = receive(info, &mut trace, step).or(id),
            Err(e) => return Err(failed(request.name, &trace, text(&e))),
        }
    }
    let id = id.ok_or_else(|| failed(request.name, &trace, "the engine reported no image"))?;
    // Another commit is another label, and so another ID of what is the same image otherwise.
    let unchanged = before.contains(&id) || trace.all_cached();
    let done = if unchanged { Done::Unchanged } else { Done::Changed };
    Ok((id, done))
}

fn supported(engine: &Engine, name: &str) -> Result<()> {
    if !engine.is_podman() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Build,
        format!("the image `{name}` needs BuildKit, and this engine is Podman, whose API does not have it"),
    )
    .hint("use Docker Engine for it (DOCKER_HOST or `docker context use`)")
    .hint("or build it from a `bin` without a `base`, which needs no BuildKit"))
}

fn options(request: &Request<'_>) -> BuildImageOptions {
    let args = request.args.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    BuildImageOptions {
        dockerfile: request.dockerfile.to_owned(),
        target: request.target.unwrap_or_default().to_owned(),
        buildargs: Some(args),
        labels: Some(request.labels.clone().into_iter().collect()),
        platform: request.platform.to_string(),
        rm: true,
        nocache: request.afresh,
        pull: request.pull.then(|| "1".to_owned()),
        version: BuilderVersion::BuilderBuildKit,
        session: Some(session()),
        ..BuildImageOptions::default()
    }
}

/// A session of this build alone; the process ID keeps apart several of us on one engine.
fn session() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    format!("xtask-{}-{since}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn receive(info: BuildInfo, trace: &mut Trace, step: &Running) -> Option<String> {
    match info.aux {
        Some(BuildInfoAux::BuildKit(status)) => {
            let news = trace.update(status);
            news.lines.into_iter().for_each(|line| step.output(line));
            if let Some(now) = news.now {
                step.progress(now);
            }
            None
        }
        Some(BuildInfoAux::Default(image)) => image.id,
        None => None,
    }
}

/// The step that failed and what it wrote last, in front of what the engine says about it.
fn failed(name: &str, trace: &Trace, cause: impl ToString) -> Error {
    let cause = cause.to_string();
    let error = match trace.failed_step() {
        Some(step) => Error::new(Kind::Build, format!("building `{name}` failed at `{}`", step.name)),
        None => Error::new(Kind::Build, format!("building `{name}` failed")),
    };
    let log = trace.failed_step().map(|step| step.log()).unwrap_or_default();
    let error = match hint(&cause) {
        Some(hint) => error.hint(hint),
        None => error,
    };
    let error = if log.is_empty() { error } else { error.detail(log) };
    error.caused_by(cause)
}

fn hint(cause: &str) -> Option<&'static str> {
    let has = |needles: &[&str]| needles.iter().any(|needle| cause.contains(needle));
    if has(&["no basic auth credentials", "pull access denied", "authorization failed", "401 Unauthorized"]) {
        return Some(
            "a base image needs a login: `docker login REGISTRY`, or a credential helper in Docker's configuration",
        );
    }
    if has(&["no match for platform", "does not match the specified platform"]) {
        return Some("a base image does not exist for this platform: choose another `platform` or base");
    }
    if has(&["exec format error"]) {
        return Some(
            "the engine cannot run programs of this platform: install QEMU's binfmt handlers (`docker run --privileged tonistiigi/binfmt --install all`)",
        );
    }
    if has(&["i/o timeout", "connection refused", "no such host", "TLS handshake timeout"]) {
        return Some("the engine could not reach a registry: check its network and proxy settings");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_asked_for_is_in_the_request() {
        let args = BTreeMap::from([("VERSION".to_owned(), "1".to_owned())]);
        let request = Request {
            name: "web",
            dockerfile: "docker/Dockerfile",
            target: Some("runtime"),
            args: &args,
            labels: BTreeMap::from([("revision".to_owned(), "0123".to_owned())]),
            platform: Platform::LinuxArm64,
            credentials: HashMap::new(),
            afresh: true,
            pull: true,
        };
        let options = options(&request);
        assert_eq!(options.platform, "linux/arm64");
        assert_eq!(options.target, "runtime");
        assert_eq!(options.dockerfile, "docker/Dockerfile");
        assert_eq!(options.buildargs.expect("args")["VERSION"], "1");
        assert_eq!(options.labels.expect("labels")["revision"], "0123");
        assert_eq!(options.version, BuilderVersion::BuilderBuildKit);
        assert_eq!((options.nocache, options.pull.as_deref()), (true, Some("1")));
    }

    #[test]
    fn sessions_differ() {
        assert_ne!(session(), session());
    }

    #[test]
    fn known_causes_get_a_hint() {
        assert!(hint("failed to authorize: pull access denied, repository does not exist").is_some());
        assert!(hint("no match for platform in manifest").is_some());
        assert!(hint("executor failed running [/bin/sh -c false]: exit code: 1").is_none());
    }
}

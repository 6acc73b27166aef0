//! An image that BuildKit makes: read first, so that its address is known, and built if it has to be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::sync::Arc;

use bollard::auth::DockerCredentials;

use super::base::{self, Bases};
use super::buildkit::{self, credentials, dockerfile};
use super::context::{Context, Sent};
use super::inputs::Inputs;
use super::{BuildContext, blocking, outcome, pipe};
use crate::config::image::{DockerfileImage, Image, Platform};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Events, Running};

/// The files that BuildKit gets, as a tar that can be written more than once.
pub(super) trait Files: Send + Sync {
    /// Writes the tar; what is in it. Blocking.
    fn write(&self, out: &mut dyn Write) -> Result<Sent>;
}

impl Files for Context {
    fn write(&self, out: &mut dyn Write) -> Result<Sent> {
        Self::write(self, out)
    }
}

/// Everything that a build needs.
pub(super) struct Kit {
    inputs: Inputs,
    files: Arc<dyn Files>,
    pull: bool,
    registries: BTreeSet<String>,
}

/// What is built, before it is read.
pub(super) struct Source<'a> {
    pub(super) files: Arc<dyn Files>,
    /// The Dockerfile's name among them, and its text.
    pub(super) dockerfile: (String, &'a str),
    pub(super) target: Option<String>,
    pub(super) args: &'a BTreeMap<String, String>,
    pub(super) platform: Platform,
}

/// How a build is asked for.
pub(super) struct Order<'a> {
    pub(super) image: &'a Image,
    pub(super) labels: BTreeMap<String, String>,
    /// Whether what BuildKit has done before counts for nothing.
    pub(super) afresh: bool,
}

/// Reads a Dockerfile and its context.
pub(super) async fn of_dockerfile(
    context: &BuildContext,
    image: &Image,
    file: &DockerfileImage,
    events: &Events,
) -> Result<Kit> {
    let files = Context::new(&file.context, &file.dockerfile)?;
    let text = tokio::fs::read_to_string(&file.dockerfile).await.map_err(|e| {
        Error::new(Kind::Build, format!("`{}` cannot be read", file.dockerfile.display())).caused_by(e)
    })?;
    let source = Source {
        dockerfile: (files.dockerfile_name.clone(), &text),
        files: Arc::new(files),
        target: file.target.clone(),
        args: &file.args,
        platform: image.platform,
    };
    Kit::read(context, source, events).await
}

impl Kit {
    /// Reads all files, and asks what the base images are.
    pub(super) async fn read(context: &BuildContext, source: Source<'_>, events: &Events) -> Result<Self> {
        let Source { files, dockerfile: (dockerfile, text), target, args, platform } = source;
        let registries = dockerfile::registries(text, args, platform);
        let images = dockerfile::images(text, args, platform);
        let reading = Arc::clone(&files);
        let content = blocking(move || reading.write(&mut std::io::sink()));
        let bases = async {
            let asked = images.iter().any(|image| !image.contains('@'));
            let logins = if asked { logins(&registries, events).await } else { HashMap::new() };
            Ok(base::resolve(&context.engine, images, &logins, events).await)
        };
        let (Sent { digest: content, caches }, Bases { digests, pull }) = tokio::try_join!(content, bases)?;
        for cache in caches {
            events.note(format!(
                "a build context holds `{cache}`, which changes all the time: see `.dockerignore`"
            ));
        }
        let inputs = Inputs { content, dockerfile, target, args: args.clone(), bases: digests, platform };
        Ok(Self { inputs, files, pull, registries })
    }

    /// The address of the image that comes of it.
    pub(super) fn address(&self) -> String {
        self.inputs.address()
    }

    /// Builds; the address of what was sent, since files may have changed since they were read, the engine's ID of the
    /// image, and whether the engine had that image before.
    pub(super) async fn build(
        &self,
        engine: &Engine,
        order: Order<'_>,
        step: &Running,
        events: &Events,
    ) -> Result<(String, String, Done)> {
        let Self { inputs, files, pull, registries } = self;
        let request = buildkit::Request {
            name: &order.image.name,
            dockerfile: &inputs.dockerfile,
            target: inputs.target.as_deref(),
            args: &inputs.args,
            labels: order.labels,
            platform: inputs.platform,
            credentials: logins(registries, events).await,
            afresh: order.afresh,
            pull: *pull,
        };
        let files = Arc::clone(files);
        let (body, writing) = pipe::pipe(move |out| files.write(out));
        let built = buildkit::build(engine, request, body, step).await;
        let ((id, done), sent) = outcome(built, writing).await?;
        let content = sent.map_or_else(|| inputs.content.clone(), |sent| sent.digest);
        Ok((Inputs { content, ..inputs.clone() }.address(), id, done))
    }
}

async fn logins(registries: &BTreeSet<String>, events: &Events) -> HashMap<String, DockerCredentials> {
    credentials::for_registries(registries.clone(), events).await
}

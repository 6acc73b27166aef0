//! Source to images on the Docker Engine.
//!
//! Binaries are compiled by as few cargo invocations as they allow, one after the other (cargo locks
//! its target directory); images are assembled and Dockerfiles built beside them, as many at a time as
//! there are cores. Nothing here assumes that the engine runs on this host or has its CPU.

mod bin;
mod buildkit;
mod cargo;
mod context;
mod elf;
mod label;
mod load;
mod minimal;
mod pipe;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use tokio::sync::Semaphore;

use crate::config::image::{BinImage, DockerfileImage, Image, ImageSource, Platform};
use crate::engine::{self, Engine, text};
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Events, Phase, Running};
use crate::git::Head;
use buildkit::{credentials, dockerfile};
use cargo::Group;
use context::Context;

/// An image on the engine, of the platform that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltImage {
    /// Its key in `[image]`.
    pub name: String,
    /// The ECR repository's name.
    pub repository: String,
    /// The engine's image ID, `sha256:…`.
    pub id: String,
    /// A digest of everything in it but the labels that tell the commit, in hexadecimal.
    pub address: String,
    /// Checked against the image itself.
    pub platform: Platform,
    /// Uncompressed size in bytes, as the engine tells it.
    pub size: u64,
}

/// What every build needs.
#[derive(Clone, Debug)]
pub struct BuildContext {
    /// The workspace's root: where cargo runs, and what `files` are relative to.
    pub root: PathBuf,
    /// Where the images end up.
    pub engine: Engine,
    /// Whether the compiler may colour its output.
    pub color: bool,
    /// What images are labelled with.
    pub commit: Head,
}

/// One image's failure; the index is the image's place in the file.
type Failure = (usize, Error);
type Outcome = Result<(usize, BuiltImage), Failure>;

/// Builds all images, in the order given. Every failure is reported; the first image's decides the kind.
pub async fn build_all(context: &BuildContext, images: &[Image], events: &Events) -> Result<Vec<BuiltImage>> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let work = Work { context, images, events, slots: Arc::new(Semaphore::new(cores)) };
    let (bins, dockerfiles) = join(work.bins(), work.dockerfiles()).await;
    collect(images, bins.into_iter().chain(dockerfiles))
}

struct Work<'a> {
    context: &'a BuildContext,
    images: &'a [Image],
    events: &'a Events,
    slots: Arc<Semaphore>,
}

impl Work<'_> {
    async fn bins(&self) -> Vec<Outcome> {
        let bins: Vec<(usize, &BinImage, Platform)> = self
            .images
            .iter()
            .enumerate()
            .filter_map(|(at, image)| match &image.source {
                ImageSource::Bin(bin) => Some((at, bin, image.platform)),
                ImageSource::Dockerfile(_) => None,
            })
            .collect();
        let (groups, failures) = cargo::plan(&self.context.root, &bins).await;
        let cargo = Semaphore::new(1);
        let groups = join_all(groups.iter().map(|group| self.group(group, &cargo))).await;
        failures.into_iter().map(Err).chain(groups.into_iter().flatten()).collect()
    }

    /// Compiles, then assembles at once what was compiled, while the next group compiles.
    async fn group(&self, group: &Group, cargo: &Semaphore) -> Vec<Outcome> {
        let compiled = {
            let _turn = cargo.acquire().await;
            group.compile(&self.context.root, self.context.color, self.events).await
        };
        match compiled {
            Err(error) => {
                let first = group.members.keys().next().copied().unwrap_or_default();
                vec![Err((first, error))]
            }
            Ok(programs) => {
                join_all(programs.into_iter().map(|(at, program)| self.one(at, Some(program)))).await
            }
        }
    }

    async fn dockerfiles(&self) -> Vec<Outcome> {
        let at = self.images.iter().enumerate();
        let at = at.filter(|(_, image)| matches!(image.source, ImageSource::Dockerfile(_)));
        join_all(at.map(|(at, _)| self.one(at, None))).await
    }

    async fn one(&self, at: usize, program: Option<PathBuf>) -> Outcome {
        let _slot = self.slots.acquire().await;
        let image = &self.images[at];
        let step = self.events.start(Phase::Build, &image.name);
        let built = match self.make(image, program.clone(), &step).await {
            // Somebody removed the image that the engine had, such as by a prune.
            Err(error) if engine::image_is_gone(&error) => self.make(image, program, &step).await,
            made => made,
        };
        match built {
            Ok((built, done)) => {
                step.finish(done, format!("{} {}", short(&built.id), megabytes(built.size)));
                Ok((at, built))
            }
            Err(error) => Err((at, error)),
        }
    }

    async fn make(
        &self,
        image: &Image,
        program: Option<PathBuf>,
        step: &Running,
    ) -> Result<(BuiltImage, Done)> {
        let (id, done) = match (&image.source, program) {
            (ImageSource::Bin(bin), Some(program)) => {
                bin::build(self.context, image, bin, program, step, self.events).await?
            }
            (ImageSource::Dockerfile(file), _) => self.dockerfile(image, file, step).await?,
            (ImageSource::Bin(_), None) => {
                return Err(Error::new(Kind::Unexpected, "a `bin` image came without its program"));
            }
        };
        Ok((inspect(&self.context.engine, image, &id).await?, done))
    }

    async fn dockerfile(
        &self,
        image: &Image,
        file: &DockerfileImage,
        step: &Running,
    ) -> Result<(String, Done)> {
        let context = Context::new(&file.context, &file.dockerfile)?;
        let text = tokio::fs::read_to_string(&file.dockerfile).await.map_err(|e| {
            Error::new(Kind::Build, format!("`{}` cannot be read", file.dockerfile.display())).caused_by(e)
        })?;
        let registries = dockerfile::registries(&text, &file.args);
        let commit = self.context.commit.clone().await;
        let name = context.dockerfile_name.clone();
        let request = buildkit::Request {
            name: &image.name,
            dockerfile: &name,
            target: file.target.as_deref(),
            args: &file.args,
            labels: label::of(commit.as_ref()),
            platform: image.platform,
            credentials: credentials::for_registries(registries, self.events).await,
        };
        let (body, writing) = pipe::pipe(move |out| context.write(out));
        let built = buildkit::build(&self.context.engine, request, body, step).await;
        outcome(built, writing).await
    }
}

/// When the engine's answer is a failure, the one who wrote the request may know the reason.
async fn outcome<T>(answer: Result<T>, writing: pipe::Writing) -> Result<T> {
    match answer {
        Ok(value) => Ok(value),
        Err(error) => Err(writing.failure().await.unwrap_or(error)),
    }
}

/// Reads the image back: its platform must be the one asked for, whatever a base image said.
async fn inspect(engine: &Engine, image: &Image, id: &str) -> Result<BuiltImage> {
    let found = engine.docker().inspect_image(id).await.map_err(|e| {
        Error::new(Kind::Build, format!("the image `{}` cannot be read back", image.name)).caused_by(text(&e))
    })?;
    let (os, architecture) = (found.os.as_deref(), found.architecture.as_deref());
    check_platform(image, &format!("{}/{}", os.unwrap_or_default(), architecture.unwrap_or_default()))?;
    Ok(BuiltImage {
        name: image.name.clone(),
        repository: image.repository.clone(),
        address: label::address(&found),
        id: found.id.unwrap_or_else(|| id.to_owned()),
        platform: image.platform,
        size: found.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
    })
}

fn check_platform(image: &Image, found: &str) -> Result<()> {
    if found == image.platform.to_string() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Build,
        format!("the image `{}` was built for `{found}`, not for `{}`", image.name, image.platform),
    )
    .hint(format!("use a base image that exists for `{}`, or set `platform`", image.platform)))
}

fn collect(images: &[Image], outcomes: impl Iterator<Item = Outcome>) -> Result<Vec<BuiltImage>> {
    let (mut built, mut failures) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(image) => built.push(image),
            Err(failure) => failures.push(failure),
        }
    }
    built.sort_by_key(|(at, _)| *at);
    failures.sort_by_key(|(at, _)| *at);
    if failures.is_empty() {
        return Ok(built.into_iter().map(|(_, image)| image).collect());
    }
    Err(combine(images, failures))
}

/// One failure is itself. Several become one that tells all of them, with the first one's kind.
fn combine(images: &[Image], mut failures: Vec<Failure>) -> Error {
    if failures.len() == 1 {
        return failures.remove(0).1;
    }
    let names: Vec<String> = failures.iter().map(|(at, _)| format!("`{}`", images[*at].name)).collect();
    let message = format!("{} builds failed: {}", failures.len(), names.join(", "));
    let kind = failures.first().map_or(Kind::Build, |(_, error)| error.kind);
    let details: Vec<String> = failures.iter().map(|(_, error)| told(error)).collect();
    let mut combined = Error::new(kind, message).detail(details.join("\n\n"));
    for hint in failures.into_iter().flat_map(|(_, error)| error.hints) {
        if !combined.hints.contains(&hint) {
            combined.hints.push(hint);
        }
    }
    combined
}

fn told(error: &Error) -> String {
    let mut text = error.message.clone();
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        text = format!("{text}: {cause}");
        below = cause.source();
    }
    match &error.detail {
        Some(detail) => format!("{text}\n{detail}"),
        None => text,
    }
}

/// The first 12 hex digits, as `docker images` shows them.
fn short(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..12).unwrap_or(hex)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
pub(crate) mod engine_tests;
#[cfg(test)]
mod tests;

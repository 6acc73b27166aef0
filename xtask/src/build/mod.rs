//! Source to images on the Docker Engine.
//!
//! Binaries are compiled by as few cargo invocations as they allow, one after the other (cargo locks
//! its target directory); images are read, assembled and Dockerfiles built beside them, as many at a time
//! as there are cores. Nothing here assumes that the engine runs on this host or has its CPU.
//!
//! inputs -> address -> (whoever asked decides) -> image. The address of an image follows from what it is made of, and
//! is known before the engine has anything to do: the caller may know the image from elsewhere.

mod addressed;
mod base;
mod bin;
mod buildkit;
mod cargo;
mod context;
mod elf;
mod inputs;
mod kit;
mod label;
mod load;
mod minimal;
mod pipe;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use tokio::sync::Semaphore;

use crate::config::image::{BinImage, Image, ImageSource, Platform};
use crate::engine::Lazy;
use crate::error::{Error, Kind, Result, bug};
use crate::event::{Events, Phase};
use crate::git::Head;
pub use addressed::Addressed;
use addressed::Recipe;
use cargo::Group;
pub(crate) use cargo::survey;

/// An image on the engine, of the platform that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltImage {
    /// Its key in `[image]`.
    pub name: String,
    /// The ECR repository's name.
    pub repository: String,
    /// The engine's image ID, `sha256:…`.
    pub id: String,
    /// A digest of what it is made of, in hexadecimal.
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
    pub engine: Lazy,
    /// Whether the compiler may colour its output.
    pub color: bool,
    /// Whether BuildKit makes Dockerfiles' images anew, whatever it or a registry has.
    pub afresh: bool,
    /// What images are labelled with.
    pub commit: Head,
}

/// One image's failure; the index is the image's place in the file.
type Failure = (usize, Error);
type Outcome<T> = Result<(usize, T), Failure>;

/// Finds every image's address and does with it what `then` says, such as to [make](Addressed::make) it; the
/// results in the order given.
///
/// # Errors
/// Every failure is told, and the first image's decides the kind; one of AWS stands for itself.
pub async fn build_all<T>(
    context: &BuildContext,
    images: &[Image],
    events: &Events,
    then: impl AsyncFn(Addressed) -> Result<T>,
) -> Result<Vec<T>> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let work = Work { context, images, events, slots: Arc::new(Semaphore::new(cores)), then };
    let (bins, dockerfiles) = join(work.bins(), work.dockerfiles()).await;
    collect(images, bins.into_iter().chain(dockerfiles))
}

struct Work<'a, F> {
    context: &'a BuildContext,
    images: &'a [Image],
    events: &'a Events,
    slots: Arc<Semaphore>,
    then: F,
}

impl<T, F: AsyncFn(Addressed) -> Result<T>> Work<'_, F> {
    async fn bins(&self) -> Vec<Outcome<T>> {
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

    /// Compiles, then goes on at once with what was compiled, while the next group compiles.
    async fn group(&self, group: &Group, cargo: &Semaphore) -> Vec<Outcome<T>> {
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

    async fn dockerfiles(&self) -> Vec<Outcome<T>> {
        let at = self.images.iter().enumerate();
        let at = at.filter(|(_, image)| matches!(image.source, ImageSource::Dockerfile(_)));
        join_all(at.map(|(at, _)| self.one(at, None))).await
    }

    async fn one(&self, at: usize, program: Option<PathBuf>) -> Outcome<T> {
        let done = async { (self.then)(self.addressed(&self.images[at], program).await?).await };
        done.await.map(|done| (at, done)).map_err(|error| (at, error))
    }

    async fn addressed(&self, image: &Image, program: Option<PathBuf>) -> Result<Addressed> {
        let step = self.events.start(Phase::Build, &image.name);
        let _slot = self.slots.acquire().await;
        let recipe = match (&image.source, program) {
            (ImageSource::Bin(bin), Some(program)) => {
                bin::read(self.context, image, bin, program, self.events).await?
            }
            (ImageSource::Dockerfile(file), _) => {
                Recipe::Kit(kit::of_dockerfile(self.context, image, file, self.events).await?)
            }
            (ImageSource::Bin(_), None) => return Err(bug("a `bin` image came without its program")),
        };
        let (context, slots) = (self.context.clone(), Arc::clone(&self.slots));
        Ok(Addressed { image: image.clone(), recipe, context, slots, step, events: self.events.clone() })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let result = tokio::task::spawn_blocking(work).await;
    result.unwrap_or_else(|e| Err(Error::new(Kind::Unexpected, "a blocking thread ended early").caused_by(e)))
}

/// The one who wrote the request may know why the engine's answer is a failure, or that it is worth nothing.
async fn outcome<T, W>(answer: Result<T>, writing: pipe::Writing<W>) -> Result<(T, Option<W>)> {
    let written = writing.end().await?;
    Ok((answer?, written))
}

fn collect<T>(images: &[Image], outcomes: impl Iterator<Item = Outcome<T>>) -> Result<Vec<T>> {
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

/// One failure is itself, and so is one of AWS: the others wait for their turn. Several become one that tells all of
/// them, with the first one's kind.
fn combine(images: &[Image], mut failures: Vec<Failure>) -> Error {
    let alone = failures.iter().position(|(_, error)| failures.len() == 1 || error.kind == Kind::Aws);
    if let Some(at) = alone {
        return failures.swap_remove(at).1;
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

#[cfg(test)]
pub(crate) mod engine_tests;
#[cfg(test)]
mod tests;

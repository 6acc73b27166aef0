//! An image whose address is known, and that is made only if somebody needs it.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::kit::{Kit, Order};
use super::minimal::Minimal;
use super::{BuildContext, BuiltImage, label, load};
use crate::config::image::{Image, ImageSource};
use crate::engine::{self, Engine, text};
use crate::error::{Error, Kind, Result, bug};
use crate::event::{Done, Events, Running};

/// How an image is made, read and hashed.
pub(super) enum Recipe {
    /// By us.
    Minimal(Minimal),
    /// By BuildKit.
    Kit(Kit),
}

/// An image, before it is made: what it is made of has been read.
pub struct Addressed {
    pub(super) image: Image,
    pub(super) recipe: Recipe,
    pub(super) context: BuildContext,
    pub(super) slots: Arc<Semaphore>,
    pub(super) step: Running,
    pub(super) events: Events,
}

impl Addressed {
    /// What deploy.toml says of it.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// A digest of what it is made of, in hexadecimal.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.recipe {
            Recipe::Minimal(image) => image.address().to_owned(),
            Recipe::Kit(kit) => kit.address(),
        }
    }

    /// Whether it is to be made even if it is there. Only what a Dockerfile runs may come out differently.
    #[must_use]
    pub fn afresh(&self) -> bool {
        self.context.afresh && matches!(self.image.source, ImageSource::Dockerfile(_))
    }

    /// Ends its build, since it is there.
    pub fn there(self, place: impl Into<String>) {
        self.step.finish(Done::Unchanged, place);
    }

    /// Makes it on the engine. Of files that change meanwhile it may have another address than it had.
    ///
    /// # Errors
    /// There is no engine, the build failed, or what came of it is of another platform.
    pub async fn make(self) -> Result<BuiltImage> {
        let _slot = self.slots.acquire().await.map_err(bug)?;
        let (built, done) = match self.attempt().await {
            // Somebody removed the image that the engine had, such as by a prune.
            Err(error) if engine::image_is_gone(&error) => self.attempt().await?,
            made => made?,
        };
        self.step.finish(done, format!("{} {}", short(&built.id), megabytes(built.size)));
        Ok(built)
    }

    async fn attempt(&self) -> Result<(BuiltImage, Done)> {
        let engine = self.context.engine.get().await?;
        let (address, id, done) = match &self.recipe {
            Recipe::Minimal(minimal) => {
                let commit = self.context.commit.clone();
                let (id, done) = load::load(engine, minimal.clone(), commit, &self.step).await?;
                (self.address(), id, done)
            }
            Recipe::Kit(kit) => {
                let labels = label::of(self.context.commit.clone().await.as_ref());
                let order = Order { image: &self.image, labels, afresh: self.afresh() };
                kit.build(engine, order, &self.step, &self.events).await?
            }
        };
        Ok((inspect(engine, &self.image, address, &id).await?, done))
    }
}

/// Reads the image back: its platform must be the one asked for, whatever a base image said.
async fn inspect(engine: &Engine, image: &Image, address: String, id: &str) -> Result<BuiltImage> {
    let found = engine.docker().inspect_image(id).await.map_err(|e| {
        Error::new(Kind::Build, format!("the image `{}` cannot be read back", image.name)).caused_by(text(&e))
    })?;
    let (os, architecture) = (found.os.as_deref(), found.architecture.as_deref());
    check_platform(image, &format!("{}/{}", os.unwrap_or_default(), architecture.unwrap_or_default()))?;
    Ok(BuiltImage {
        name: image.name.clone(),
        repository: image.repository.clone(),
        address,
        id: found.id.unwrap_or_else(|| id.to_owned()),
        platform: image.platform,
        size: found.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
    })
}

pub(super) fn check_platform(image: &Image, found: &str) -> Result<()> {
    if found == image.platform.to_string() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Build,
        format!("the image `{}` was built for `{found}`, not for `{}`", image.name, image.platform),
    )
    .hint(format!("use a base image that exists for `{}`, or set `platform`", image.platform)))
}

/// The first 12 hex digits, as `docker images` shows them.
fn short(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..12).unwrap_or(hex)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

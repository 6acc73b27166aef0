//! Images, from what they are made of to what the registry has. What it has already is neither built nor pushed, and
//! needs no engine: the registry is asked for the tag that follows from an image's inputs.

use std::collections::BTreeMap;

use super::Planned;
use crate::aws::Aws;
use crate::build::{self, Addressed, BuildContext, BuiltImage};
use crate::config::Config;
use crate::config::image::Image;
use crate::engine;
use crate::ensure;
use crate::error::{Error, Result, bug};
use crate::event::{Done, Events, Phase};
use crate::plan::ImagePlan;
use crate::push::{self, PushedImage, Shelf};
use crate::world::{self, World};

/// An image that a task definition can have soon.
#[derive(Debug)]
pub(super) struct Ready {
    tag: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// In its repository, with this digest.
    Registry(String),
    /// On the engine, to be pushed.
    Engine(BuiltImage),
}

/// Makes the images that their repositories don't have; in the order given.
pub(super) async fn ready(
    aws: &Aws,
    build: &BuildContext,
    images: &[Image],
    events: &Events,
) -> Result<Vec<Ready>> {
    build::build_all(build, images, events, async |image| one(aws, image).await).await
}

async fn one(aws: &Aws, image: Addressed) -> Result<Ready> {
    let (repository, address) = (image.image().repository.clone(), image.address());
    let Shelf { newest, next } = shelf(aws, &repository, &address).await?;
    match newest {
        Some((tag, digest)) if !image.afresh() => {
            image.there("in the registry");
            Ok(Ready { tag, place: Place::Registry(digest) })
        }
        _ => {
            let made = image.make().await?;
            let same = made.address == address;
            let tag = if same { next } else { shelf(aws, &repository, &made.address).await?.next };
            Ok(Ready { tag, place: Place::Engine(made) })
        }
    }
}

/// What the repository has of these inputs: one call, unless they were built anew very often.
async fn shelf(aws: &Aws, repository: &str, address: &str) -> Result<Shelf> {
    let (mut found, mut asked) = (BTreeMap::new(), 0);
    loop {
        let tags = push::ask(address, asked);
        asked += tags.len();
        found.extend(world::tagged(aws, repository, &tags).await?);
        if let Some(shelf) = push::shelf(address, &found, asked) {
            return Ok(shelf);
        }
    }
}

/// What has to be done about an image.
pub(super) fn plan(world: &World, image: &Image, ready: &Ready) -> ImagePlan {
    let registry = world.registry.endpoint.split_once("://").map_or("", |(_, host)| host);
    let uri = world.repositories.get(&image.repository).cloned();
    ImagePlan {
        name: image.name.clone(),
        repository_uri: uri.unwrap_or_else(|| format!("{registry}/{}", image.repository)),
        tag: ready.tag.clone(),
        digest: match &ready.place {
            Place::Registry(digest) => Some(digest.clone()),
            Place::Engine(_) => None,
        },
    }
}

/// Pushes what was made to the repositories, those that are missing created; by the image's name.
pub(super) async fn push_all(
    aws: &Aws,
    build: &BuildContext,
    config: &Config,
    planned: &Planned,
    events: &Events,
) -> Result<BTreeMap<String, PushedImage>> {
    let repositories = repositories(aws, planned, events).await?;
    let pushes = config.images.iter().zip(&planned.ready).map(|(image, ready)| {
        let uri = repositories.get(&image.repository);
        let push = Push { build, world: &planned.world, image, events };
        async move {
            let uri = uri.ok_or_else(|| bug(format!("no repository for image `{}`", image.name)))?;
            match push.once(ready, uri).await {
                // Somebody removed it from the engine since it was made, such as by a prune.
                Err(error) if engine::image_is_gone(&error) => {
                    let again = self::ready(aws, build, std::slice::from_ref(image), events).await?;
                    let again = again.first().ok_or_else(|| bug("an image was made, and is not there"))?;
                    push.once(again, uri).await
                }
                done => done,
            }
        }
    });
    let pushed = futures_util::future::try_join_all(pushes).await?;
    Ok(pushed.into_iter().map(|image| (image.name.clone(), image)).collect())
}

/// What a push needs.
#[derive(Clone, Copy)]
struct Push<'a> {
    build: &'a BuildContext,
    world: &'a World,
    image: &'a Image,
    events: &'a Events,
}

impl Push<'_> {
    async fn once(self, ready: &Ready, uri: &str) -> Result<PushedImage> {
        let Self { build, world, image, events } = self;
        match &ready.place {
            Place::Registry(digest) => {
                let step = events.start(Phase::Push, image.name.as_str());
                step.finish(Done::Unchanged, short_digest(digest));
                let (name, digest, tag) = (image.name.clone(), digest.clone(), ready.tag.clone());
                Ok(PushedImage { name, repository_uri: uri.to_owned(), digest, tag })
            }
            Place::Engine(made) => {
                let engine = build.engine.get().await?;
                push::push(engine, made, &ready.tag, uri, &world.registry, events).await
            }
        }
    }
}

/// URIs of all repositories.
async fn repositories(aws: &Aws, planned: &Planned, events: &Events) -> Result<BTreeMap<String, String>> {
    let created = planned.infrastructure.repositories.iter().map(|name| async move {
        Ok::<_, Error>((name.clone(), ensure::repository(aws, name, events).await?))
    });
    let mut uris = planned.world.repositories.clone();
    uris.extend(futures_util::future::try_join_all(created).await?);
    Ok(uris)
}

fn short_digest(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

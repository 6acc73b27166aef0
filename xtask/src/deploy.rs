//! The pipeline: each step takes what the one before it made, and what does not depend on
//! each other runs at once. Nothing is created before everything was built.

mod each;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::aws::Aws;
use crate::build::{self, BuildContext, BuiltImage};
use crate::config::Config;
use crate::engine::Engine;
use crate::ensure;
use crate::error::{Error, Result, bug};
use crate::event::{Done, Events, Phase};
use crate::interrupt::Interrupts;
use crate::plan::{self, Plan};
use crate::push::{self, PushedImage};
use crate::rollout::Until;
use crate::service::Conflict;
use crate::world::{self, World};
use each::Run;

/// What the run was asked for, beside the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A new deployment even if nothing changed.
    pub force: bool,
    /// What to do about somebody else's deployment in progress.
    pub conflict: Conflict,
    /// How long to wait, instead of what the file says.
    pub timeout: Option<Duration>,
    /// When a rollout has gone well.
    pub until: Until,
}

/// How a service ended up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Deployed {
    /// Its name.
    pub service: String,
    /// `FAMILY:REVISION` that serves.
    pub task_definition: String,
    /// Whether this run changed it.
    pub changed: bool,
    /// Whether the rollout has ended; with `--until serving`, ECS may still roll it back.
    pub complete: bool,
    /// Tasks that run.
    pub running: i32,
}

/// Runs the pipeline. The results are in the order of the file.
///
/// # Errors
/// The first that failed, in the order of the file; the others were tried all the same.
pub async fn deploy(
    aws: &Aws,
    build: &BuildContext,
    config: &Config,
    options: Options,
    interrupts: &Interrupts,
    events: &Events,
) -> Result<Vec<Result<Deployed>>> {
    // What is there is held against the file while the images are built: a contradiction ends both.
    let planned = async {
        let world = world::read(aws, config, events).await?;
        plan::plan(config, &world).map(|plan| (world, plan))
    };
    let commit = async { Ok(build.commit.clone().await) };
    let (built, (world, plan), commit) =
        tokio::try_join!(build::build_all(build, &config.images, events), planned, commit)?;
    let ((), images, networks) = tokio::try_join!(
        infrastructure(aws, config, &plan, events),
        push_all(aws, build, config, &plan, &world, &built, events),
        ensure::networks(aws, &plan.networks, events),
    )?;
    let services = config.services.iter().map(|service| {
        let network = networks.get(&service.name);
        let run = Run {
            aws,
            cluster: &config.cluster,
            world: &world,
            images: &images,
            commit: commit.as_ref(),
            options,
            interrupts,
            events,
        };
        async move { run.service(service, network.ok_or_else(|| bug("a service without a network"))?).await }
    });
    Ok(futures_util::future::join_all(services).await)
}

async fn infrastructure(aws: &Aws, config: &Config, plan: &Plan, events: &Events) -> Result<()> {
    let cluster = async {
        if plan.create_cluster {
            ensure::cluster(aws, &config.cluster, &plan.capacity_providers, events).await?;
        } else if !plan.capacity_providers.is_empty() {
            ensure::capacity_providers(aws, &config.cluster, &plan.capacity_providers, events).await?;
        }
        Ok::<_, Error>(())
    };
    let groups = plan.log_groups.iter().map(|group| ensure::log_group(aws, group, events));
    tokio::try_join!(cluster, futures_util::future::try_join_all(groups))?;
    Ok(())
}

async fn push_all(
    aws: &Aws,
    build: &BuildContext,
    config: &Config,
    plan: &Plan,
    world: &World,
    built: &[BuiltImage],
    events: &Events,
) -> Result<BTreeMap<String, PushedImage>> {
    let repositories = repositories(aws, plan, world, events).await?;
    let pushes = built.iter().map(|image| {
        let uri = repositories.get(&image.repository);
        async move {
            let uri = uri.ok_or_else(|| bug(format!("no repository for image `{}`", image.name)))?;
            match push_one(aws, &build.engine, world, image, uri, events).await {
                Err(error) if push::image_is_gone(&error) => {
                    let again = rebuilt(build, config, image, events).await?;
                    push_one(aws, &build.engine, world, &again, uri, events).await
                }
                done => done,
            }
        }
    });
    let pushed = futures_util::future::try_join_all(pushes).await?;
    Ok(pushed.into_iter().map(|image| (image.name.clone(), image)).collect())
}

/// An image that somebody removed from the engine since it was built, such as by a prune.
async fn rebuilt(
    build: &BuildContext,
    config: &Config,
    image: &BuiltImage,
    events: &Events,
) -> Result<BuiltImage> {
    let declared: Vec<_> = config.images.iter().filter(|one| one.name == image.name).cloned().collect();
    let built = build::build_all(build, &declared, events).await?;
    built.into_iter().next().ok_or_else(|| bug("an image that is not declared was built"))
}

/// URIs of all repositories, those that were missing created.
async fn repositories(
    aws: &Aws,
    plan: &Plan,
    world: &World,
    events: &Events,
) -> Result<BTreeMap<String, String>> {
    let created = plan.repositories.iter().map(|name| async move {
        Ok::<_, Error>((name.clone(), ensure::repository(aws, name, events).await?))
    });
    let mut uris = world.repositories.clone();
    uris.extend(futures_util::future::try_join_all(created).await?);
    Ok(uris)
}

/// An image that the repository has already is not pushed again: its tag is made of its content.
async fn push_one(
    aws: &Aws,
    engine: &Engine,
    world: &World,
    image: &BuiltImage,
    uri: &str,
    events: &Events,
) -> Result<PushedImage> {
    let tag = push::tag_of(image);
    if let Some(digest) = world::tagged_digest(aws, &image.repository, &tag).await? {
        let pushed = PushedImage { name: image.name.clone(), repository_uri: uri.to_owned(), digest, tag };
        events.start(Phase::Push, image.name.as_str()).finish(Done::Unchanged, short_digest(&pushed.digest));
        return Ok(pushed);
    }
    push::push(engine, image, uri, &world.registry, events).await
}

fn short_digest(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

//! The pipeline in two halves: `plan` builds, looks at what is there and says what has to be done, `deploy`
//! does it. Each step takes what the one before it made, and what does not depend on each other runs at
//! once. Nothing is created before everything was built.

mod each;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::aws::Aws;
use crate::build::{self, BuildContext, BuiltImage};
use crate::config::Config;
use crate::config::service::Service;
use crate::engine;
use crate::ensure::{self, Network};
use crate::error::{Error, Rest, Result, bug};
use crate::event::{Done, Events, Phase};
use crate::git::Commit;
use crate::interrupt::Interrupts;
use crate::plan::{self, Document, ImagePlan, Place, Plan, ServicePlan};
use crate::push::{self, PushedImage};
use crate::render;
use crate::rollout::Until;
use crate::service::{Change, Conflict};
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
    /// Whether to do what was planned or nothing: somebody agreed to that plan.
    pub exact: bool,
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

/// What was built, what is there, and what has to be done about it.
#[derive(Debug)]
pub struct Planned {
    world: World,
    infrastructure: Plan,
    built: Vec<BuiltImage>,
    images: Vec<ImagePlan>,
    services: Vec<ServicePlan>,
    commit: Option<Commit>,
}

/// Builds, looks at what is there, and plans; nothing is changed in the account.
///
/// # Errors
/// A build or a call failed, or what is there contradicts the file.
pub async fn plan(
    aws: &Aws,
    build: &BuildContext,
    config: &Config,
    force: bool,
    events: &Events,
) -> Result<Planned> {
    // What is there is held against the file while the images are built: a contradiction ends both.
    let looked = async {
        let world = world::read(aws, config, events).await?;
        plan::plan(config, &world).map(|plan| (world, plan))
    };
    let images = async {
        let built = build::build_all(build, &config.images, events).await?;
        let digests = built.iter().map(|image| async move {
            world::tagged_digest(aws, &image.repository, &push::tag_of(image)).await
        });
        let digests = futures_util::future::try_join_all(digests).await?;
        Ok::<_, Error>((built, digests))
    };
    let commit = async { Ok(build.commit.clone().await) };
    let ((built, digests), (world, infrastructure), commit) = tokio::try_join!(images, looked, commit)?;
    let images: Vec<ImagePlan> =
        built.iter().zip(digests).map(|(image, digest)| image_plan(&world, image, digest)).collect();
    let mut planned = Planned { world, infrastructure, built, images, services: Vec::new(), commit };
    planned.services = planned.services(&aws.region, config, force);
    Ok(planned)
}

fn image_plan(world: &World, image: &BuiltImage, digest: Option<String>) -> ImagePlan {
    let registry = world.registry.endpoint.split_once("://").map_or("", |(_, host)| host);
    let uri = world.repositories.get(&image.repository).cloned();
    ImagePlan {
        name: image.name.clone(),
        repository_uri: uri.unwrap_or_else(|| format!("{registry}/{}", image.repository)),
        tag: push::tag_of(image),
        digest,
    }
}

impl Planned {
    fn services(&self, region: &str, config: &Config, force: bool) -> Vec<ServicePlan> {
        let images = self.images.iter().map(|image| (image.name.clone(), image.expected())).collect();
        let context = render::Context {
            region,
            account: &self.world.account,
            images: &images,
            commit: self.commit.as_ref(),
        };
        let service = |wanted: &Service| {
            let current = self.world.services.get(&wanted.name);
            let network = self.infrastructure.networks.get(&wanted.name).map(Network::expected);
            let network = network.unwrap_or_default().or_current(current);
            let newest = self.world.families.get(&wanted.family);
            let definition = render::task_definition(wanted, context);
            plan::service(wanted, definition, current, newest, &network, force)
        };
        config.services.iter().map(service).collect()
    }

    /// All that would be done, for whoever wants to know before.
    #[must_use]
    pub fn document(&self, region: &str, config: &Config) -> Document {
        let place = Place { account: &self.world.account, region, cluster: &config.cluster };
        plan::document(place, &self.infrastructure, &self.images, &self.services)
    }

    /// What cannot be done at all, before anything is done.
    fn refusal(&mut self) -> Option<Error> {
        let refused = self.services.iter_mut().filter(|service| service.change.is_err());
        let mut errors =
            refused.filter_map(|service| std::mem::replace(&mut service.change, Ok(Change::None)).err());
        let mut first = errors.next()?;
        let failures: Vec<Error> = errors.collect();
        if !failures.is_empty() {
            first.run = Some(Box::new(Rest { failures, services: Vec::new() }));
        }
        Some(first)
    }
}

/// Carries out what was planned. The results are in the order of the file.
///
/// # Errors
/// The first that failed, in the order of the file; the others were tried all the same.
pub async fn deploy(
    aws: &Aws,
    build: &BuildContext,
    config: &Config,
    mut planned: Planned,
    options: Options,
    interrupts: &Interrupts,
    events: &Events,
) -> Result<Vec<Result<Deployed>>> {
    if let Some(refusal) = planned.refusal() {
        return Err(refusal);
    }
    let Planned { world, infrastructure: plan, .. } = &planned;
    let ((), images, networks) = tokio::try_join!(
        infrastructure(aws, config, plan, events),
        push_all(aws, build, config, &planned, events),
        ensure::networks(aws, &plan.networks, events),
    )?;
    let services = config.services.iter().zip(&planned.services).map(|(service, plan)| {
        let network = networks.get(&service.name);
        let run = Run {
            aws,
            cluster: &config.cluster,
            world,
            images: &images,
            commit: planned.commit.as_ref(),
            options,
            planned: plan.change.as_ref().ok(),
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
    planned: &Planned,
    events: &Events,
) -> Result<BTreeMap<String, PushedImage>> {
    let repositories = repositories(aws, planned, events).await?;
    let pushes = planned.built.iter().zip(&planned.images).map(|(image, plan)| {
        let uri = repositories.get(&image.repository);
        let auth = &planned.world.registry;
        async move {
            let uri = uri.ok_or_else(|| bug(format!("no repository for image `{}`", image.name)))?;
            if let Some(digest) = &plan.digest {
                let step = events.start(Phase::Push, image.name.as_str());
                step.finish(Done::Unchanged, short_digest(digest));
                return Ok(plan.expected());
            }
            match push::push(&build.engine, image, uri, auth, events).await {
                Err(error) if engine::image_is_gone(&error) => {
                    let again = rebuilt(build, config, image, events).await?;
                    push::push(&build.engine, &again, uri, auth, events).await
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

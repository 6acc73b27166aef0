//! The pipeline: each step takes what the one before it made, and what does not depend on
//! each other runs at once. Nothing is created before everything was built.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::aws::Aws;
use crate::build::{self, BuildContext, BuiltImage};
use crate::config::image::Image;
use crate::config::{Config, service::Service};
use crate::engine::Engine;
use crate::ensure::{self, Network};
use crate::error::{Error, Result, bug};
use crate::event::{Done, Events, Phase};
use crate::plan::{self, Plan};
use crate::push::{self, PushedImage};
use crate::register;
use crate::render;
use crate::rollout::{self, Known, Watch};
use crate::service::{self, Change, Conflict};
use crate::world::{self, World};

/// What the run was asked for, beside the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A new deployment even if nothing changed.
    pub force: bool,
    /// What to do about somebody else's deployment in progress.
    pub conflict: Conflict,
    /// How long to wait, instead of what the file says.
    pub timeout: Option<Duration>,
}

/// How a service ended up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deployed {
    /// Its name.
    pub service: String,
    /// `FAMILY:REVISION` that serves.
    pub task_definition: String,
    /// Whether this run changed it.
    pub changed: bool,
    /// Tasks that run.
    pub running: i32,
}

/// Runs the pipeline. The results are in the order of the file.
///
/// # Errors
/// The first that failed, in the order of the file; the others were tried all the same.
pub async fn deploy(
    aws: &Aws,
    engine: &Engine,
    build: &BuildContext,
    config: &Config,
    options: Options,
    events: &Events,
) -> Result<Vec<Result<Deployed>>> {
    let (built, world) =
        tokio::try_join!(build::build_all(build, &config.images, events), world::read(aws, config))?;
    let plan = plan::plan(config, &world)?;
    let ((), images, networks) = tokio::try_join!(
        infrastructure(aws, config, &plan, events),
        push_all(aws, engine, config, &world, &built, events),
        ensure::networks(aws, &plan.networks, events),
    )?;
    let services = config.services.iter().map(|service| {
        let network = networks.get(&service.name);
        one(aws, config, service, &world, &images, network, options, events)
    });
    Ok(futures_util::future::join_all(services).await)
}

async fn infrastructure(aws: &Aws, config: &Config, plan: &Plan, events: &Events) -> Result<()> {
    let cluster = async {
        if plan.create_cluster {
            ensure::cluster(aws, &config.cluster, events).await?;
        }
        Ok::<_, Error>(())
    };
    let groups = plan.log_groups.iter().map(|group| ensure::log_group(aws, group, events));
    tokio::try_join!(cluster, futures_util::future::try_join_all(groups))?;
    Ok(())
}

async fn push_all(
    aws: &Aws,
    engine: &Engine,
    config: &Config,
    world: &World,
    built: &[BuiltImage],
    events: &Events,
) -> Result<BTreeMap<String, PushedImage>> {
    let repositories = repositories(aws, &config.images, world, events).await?;
    let pushes = built.iter().map(|image| {
        let uri = repositories.get(&image.repository);
        async move {
            let uri = uri.ok_or_else(|| bug(format!("no repository for image `{}`", image.name)))?;
            push_one(aws, engine, world, image, uri, events).await
        }
    });
    let pushed = futures_util::future::try_join_all(pushes).await?;
    Ok(pushed.into_iter().map(|image| (image.name.clone(), image)).collect())
}

async fn repositories(
    aws: &Aws,
    images: &[Image],
    world: &World,
    events: &Events,
) -> Result<BTreeMap<String, String>> {
    let mut uris = world.repositories.clone();
    let names: std::collections::BTreeSet<&String> = images.iter().map(|image| &image.repository).collect();
    let missing = names.into_iter().filter(|name| !world.repositories.contains_key(*name));
    let created = missing.map(|name| async move {
        Ok::<_, Error>((name.clone(), ensure::repository(aws, name, events).await?))
    });
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

#[expect(clippy::too_many_arguments, reason = "what every step before this one made")]
async fn one(
    aws: &Aws,
    config: &Config,
    wanted: &Service,
    world: &World,
    images: &BTreeMap<String, PushedImage>,
    network: Option<&Network>,
    options: Options,
    events: &Events,
) -> Result<Deployed> {
    let network = network.ok_or_else(|| bug(format!("no network for service `{}`", wanted.name)))?;
    let context = render::Context { region: &aws.region, account: &world.account, images };
    let definition = render::task_definition(wanted, context);
    let current = world.services.get(&wanted.name);
    let runs = current.and_then(|current| current.task_definition.as_ref());
    let candidates: Vec<_> = runs.into_iter().chain(world.families.get(&wanted.family)).collect();
    let registered = register::register(aws, &definition, &candidates, events).await?;
    let change = service::decide(wanted, current, &registered, network, options.force, options.conflict)?;
    if change == Change::None {
        service::apply(aws, &config.cluster, wanted, &change, &registered, network, events).await?;
        let running = current.map_or(0, |current| current.service.running_count());
        return Ok(deployed(wanted, &registered, false, running));
    }
    let which = if change == Change::Follow { Known::Finished } else { Known::All };
    let before = rollout::known(aws, &config.cluster, &wanted.name, which).await;
    if before.is_none() {
        events.note("service deployments cannot be listed: the service's own words have to do");
    }
    let answer = service::apply(aws, &config.cluster, wanted, &change, &registered, network, events).await?;
    let deployment = started(answer.as_ref(), current, &change);
    let watch = Watch {
        cluster: &config.cluster,
        service: &wanted.name,
        registered: &registered,
        deployment,
        before,
        timeout: options.timeout.unwrap_or(wanted.deployment.timeout),
    };
    let outcome = rollout::watch(aws, &watch, events).await?;
    Ok(deployed(wanted, &registered, true, outcome.running))
}

fn deployed(wanted: &Service, registered: &register::Registered, changed: bool, running: i32) -> Deployed {
    let task_definition = registered.short().to_owned();
    Deployed { service: wanted.name.clone(), task_definition, changed, running }
}

/// The deployment to watch: the one that the call started, or the one in progress that is
/// followed; `None` if the change starts none.
fn started(
    answer: Option<&aws_sdk_ecs::types::Service>,
    current: Option<&world::CurrentService>,
    change: &Change,
) -> Option<(String, i64)> {
    use aws_sdk_ecs::types::{Deployment, DeploymentRolloutState, Service};
    fn primary(service: &Service) -> Option<&Deployment> {
        service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"))
    }
    let now = answer.or(current.map(|current| &current.service)).and_then(primary)?;
    let before = current.and_then(|current| primary(&current.service)).and_then(Deployment::id);
    let in_progress = now.rollout_state() == Some(&DeploymentRolloutState::InProgress);
    let ours = match change {
        Change::Follow => in_progress,
        _ => now.id() != before || in_progress,
    };
    let created_ms = now.created_at().and_then(|at| at.to_millis().ok()).unwrap_or_default();
    ours.then(|| (now.id().unwrap_or_default().to_owned(), created_ms))
}

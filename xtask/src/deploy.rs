//! The pipeline in two halves: `plan` builds, looks at what is there and says what has to be done, `deploy`
//! does it. Each step takes what the one before it made, and what does not depend on each other runs at
//! once. Nothing is created before everything was built.

mod each;
mod images;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::task::AbortOnDropHandle;

use crate::aws::Aws;
use crate::build::BuildContext;
use crate::config::Config;
use crate::config::service::Service;
use crate::ensure::{self, Network};
use crate::error::{Error, Rest, Result, bug};
use crate::event::Events;
use crate::git::Commit;
use crate::interrupt::Interrupts;
use crate::plan::{self, Document, ImagePlan, Place, Plan, ServicePlan};
use crate::render;
use crate::rollout::Until;
use crate::service::{Change, Conflict};
use crate::verify;
use crate::world::{self, World};
use each::Run;
use images::Ready;

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
    ready: Vec<Ready>,
    images: Vec<ImagePlan>,
    services: Vec<ServicePlan>,
    commit: Option<Commit>,
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planning {
    /// A new deployment even if nothing changed.
    pub force: bool,
    /// Whether this identity carries it out, so that what it needs for that is verified.
    pub carried_out: bool,
}

/// Builds what the registry does not have, looks at what is there, and plans; nothing is changed in the account.
///
/// # Errors
/// A build or a call failed, or what is there contradicts the file.
pub async fn plan(
    aws: &Aws,
    build: &BuildContext,
    config: &Config,
    planning: Planning,
    events: &Events,
) -> Result<Planned> {
    // What is there is held against the file while the images are built: a contradiction ends both.
    let looked = async {
        let world = world::read(aws, config, events).await?;
        let plan = plan::plan(config, &world)?;
        if planning.carried_out {
            verify::ahead(aws, config, &world, events).await?;
        }
        Ok((world, plan))
    };
    let looking = build.engine.clone();
    let _looking = AbortOnDropHandle::new(tokio::spawn(async move { looking.look().await }));
    let commit = async { Ok(build.commit.clone().await) };
    let ready = images::ready(aws, build, &config.images, events);
    let (ready, (world, infrastructure), commit) = tokio::try_join!(ready, looked, commit)?;
    let images = config.images.iter().zip(&ready).map(|(image, ready)| images::plan(&world, image, ready));
    let images = images.collect();
    let mut planned = Planned { world, infrastructure, ready, images, services: Vec::new(), commit };
    planned.services = planned.services(&aws.region, config, planning.force);
    Ok(planned)
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
        images::push_all(aws, build, config, &planned, events),
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

//! One service: its task definition, the one call, and the rollout that it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Deployed, Options};
use crate::aws::Aws;
use crate::config::service::Service;
use crate::ensure::Network;
use crate::error::{Error, Kind, Result};
use crate::event::{Events, UnderWay};
use crate::git::Commit;
use crate::interrupt::Interrupts;
use crate::push::PushedImage;
use crate::register::{self, Registered};
use crate::render;
use crate::rollout::{self, Until, Watch, Watched};
use crate::service::{self, Change, Conflict};
use crate::world::{self, CurrentService, World};

/// What the steps before made, for all services.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) aws: &'a Aws,
    pub(super) cluster: &'a str,
    pub(super) world: &'a World,
    pub(super) images: &'a BTreeMap<String, PushedImage>,
    pub(super) commit: Option<&'a Commit>,
    pub(super) options: Options,
    pub(super) planned: Option<&'a Change>,
    pub(super) interrupts: &'a Interrupts,
    pub(super) events: &'a Events,
}

/// How old the reading of a service may be when it is decided on: a build may have taken
/// minutes, and another client may have deployed meanwhile.
const FRESH: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// Brings the service to what the file says.
    pub(super) async fn service(&self, wanted: &Service, network: &Network) -> Result<Deployed> {
        let context = render::Context {
            region: &self.aws.region,
            account: &self.world.account,
            images: self.images,
            commit: self.commit,
        };
        let definition = render::task_definition(wanted, context);
        let mut current = self.current(&wanted.name).await?;
        if self.options.conflict == Conflict::Wait {
            current = self.after_the_others(wanted, current).await?;
        }
        let network = network.or_current(current.as_ref());
        let runs = current.as_ref().and_then(|current| current.task_definition.as_ref());
        let candidates: Vec<_> = runs.into_iter().chain(self.world.families.get(&wanted.family)).collect();
        let reuse = register::reusable(&definition, &candidates);
        let change = self.decide(wanted, current.as_ref(), reuse.as_ref(), &network).await?;
        if self.options.exact && self.planned != Some(&change) {
            return Err(moved(&wanted.name));
        }
        let registered = register::register(self.aws, &definition, reuse, self.events).await?;
        self.carry_out(wanted, current.as_ref(), &change, &registered, &network).await
    }

    async fn current(&self, name: &str) -> Result<Option<CurrentService>> {
        if self.world.at.elapsed() > FRESH {
            return world::current(self.aws, self.cluster, name).await;
        }
        Ok(self.world.services.get(name).cloned())
    }

    /// Waits until no rollout is in progress, as long as a rollout of ours may take.
    async fn after_the_others(
        &self,
        wanted: &Service,
        mut current: Option<CurrentService>,
    ) -> Result<Option<CurrentService>> {
        let deadline = Instant::now() + self.options.timeout.unwrap_or(wanted.deployment.timeout);
        let mut told = false;
        while current.as_ref().is_some_and(CurrentService::in_progress) && Instant::now() < deadline {
            if !std::mem::replace(&mut told, true) {
                self.events.note(format!("waiting for the rollout in progress on service {}", wanted.name));
            }
            tokio::time::sleep(FRESH).await;
            current = world::current(self.aws, self.cluster, &wanted.name).await?;
        }
        Ok(current)
    }

    /// A rollout in progress that only crashes is nobody's to wait for: it is superseded.
    async fn decide(
        &self,
        wanted: &Service,
        current: Option<&CurrentService>,
        reuse: Option<&Registered>,
        network: &Network,
    ) -> Result<Change> {
        let Options { force, conflict, .. } = self.options;
        let decided = service::decide(wanted, current, reuse, network, force, conflict);
        match (decided, current) {
            (Err(error), Some(current)) if error.kind == Kind::Conflict => {
                let primary = rollout::primary(&current.service);
                let Some(primary) = primary else { return Err(error) };
                if !rollout::crashes(self.aws, self.cluster, &wanted.name, primary).await {
                    return Err(error);
                }
                let definition = register::short(primary.task_definition().unwrap_or_default());
                self.events
                    .note(format!("the rollout of {definition} in progress only crashes: it is superseded"));
                service::decide(wanted, Some(current), reuse, network, force, Conflict::Supersede)
            }
            (decided, _) => decided,
        }
    }

    async fn carry_out(
        &self,
        wanted: &Service,
        current: Option<&CurrentService>,
        change: &Change,
        registered: &Registered,
        network: &Network,
    ) -> Result<Deployed> {
        let Self { aws, cluster, events, .. } = *self;
        let before = match change {
            Change::Create => rollout::known(aws, cluster, &wanted.name).await?,
            Change::Update(changes) if changes.starts_deployment() => {
                rollout::known(aws, cluster, &wanted.name).await?
            }
            // It goes along with the rollout in progress, if there is one: any record may be that one's.
            _ => Some(BTreeSet::new()),
        };
        if self.interrupts.rolls_back() {
            let message = format!("interrupted: service `{}` was not changed", wanted.name);
            return Err(Error::new(Kind::Interrupted, message));
        }
        let _under_way = self.under_way(wanted, change, registered);
        let was = current.map(|current| &current.service);
        let answer = service::apply(aws, cluster, wanted, was, change, registered, network, events).await?;
        let now = match (change, answer.as_ref().or(was)) {
            (Change::None, _) | (_, None) => {
                let running = was.map_or(0, |was| was.running_count());
                return Ok(deployed(
                    wanted,
                    registered,
                    false,
                    Watched { running, until: Until::Successful },
                ));
            }
            (_, Some(now)) => now,
        };
        let start = rollout::start(now, was, &registered.arn);
        let watch = Watch {
            before,
            timeout: self.options.timeout.unwrap_or(wanted.deployment.timeout),
            crash_limit: wanted.deployment.crash_limit,
            until: self.options.until,
            interrupts: self.interrupts.clone(),
            ..Watch::new(cluster, &wanted.name, registered, start)
        };
        let watched = rollout::watch(aws, &watch, events).await?;
        Ok(deployed(wanted, registered, answer.is_some(), watched))
    }

    /// What an interruption from here on leaves behind.
    fn under_way(&self, wanted: &Service, change: &Change, registered: &Registered) -> Option<UnderWay> {
        let rollout = format!("the rollout of `{}` on service `{}`", registered.short(), wanted.name);
        (*change != Change::None).then(|| self.events.goes_on(rollout))
    }
}

fn moved(service: &str) -> Error {
    let message = format!("service `{service}` is not what it was when the plan was made: it was left alone");
    Error::new(Kind::Conflict, message).hint("plan again, and agree to that: `cargo xtask plan --out FILE`")
}

fn deployed(wanted: &Service, registered: &Registered, changed: bool, watched: Watched) -> Deployed {
    Deployed {
        service: wanted.name.clone(),
        task_definition: registered.short().to_owned(),
        changed,
        complete: watched.until == Until::Successful,
        running: watched.running,
    }
}

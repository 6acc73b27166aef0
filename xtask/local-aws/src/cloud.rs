//! The shared context of every operation: who and where this control plane is,
//! the clock, and the state of each service behind its own lock.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};

use crate::ids::Ids;
use crate::registry::{self, Registry};
use crate::saved::Saved;
use crate::scheduler::persist;
use crate::state;

/// The account that everything belongs to.
pub const ACCOUNT: &str = "123456789012";

/// Seconds since 1970, UTC, with fractions: what AWS's JSON calls a timestamp.
pub type Clock = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64()))
}

/// How a control plane is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where state, blobs and logs are kept. Created if missing.
    pub state_dir: PathBuf,
    /// The region in every ARN.
    pub region: String,
    /// Names this control plane on the engine: the value of the label that everything it makes carries.
    pub instance: String,
}

/// A cheap handle to the whole control plane's state.
#[derive(Clone)]
pub struct Cloud(Arc<Inner>);

struct Inner {
    options: Options,
    clock: Clock,
    endpoint: OnceLock<SocketAddr>,
    ids: Mutex<Ids>,
    ecs: Mutex<state::ecs::Ecs>,
    ecs_changed: Notify,
    ecs_saved: watch::Sender<u64>,
    ec2: Saved<state::ec2::Ec2>,
    registry: Registry,
    logs: state::logs::Logs,
}

impl Cloud {
    /// The cloud as the state directory has it; an empty one is a fresh account.
    pub fn open(options: Options, clock: Clock) -> std::io::Result<Self> {
        let place = state::ecs::Place { region: options.region.clone() };
        let ecs = persist::load(&options.state_dir, &options.region)?;
        let ecs = ecs.unwrap_or_else(|| state::ecs::Ecs::new(place, Ids::random()));
        let registry = Registry::open(&options.state_dir, registry::Options::default(), clock.clone())?;
        // Another region is another network.
        let network = options.state_dir.join(format!("ec2-{}.json", options.region));
        let ec2 = Saved::open_or(network, || state::ec2::Ec2::new(&options))?;
        Ok(Self(Arc::new(Inner {
            ec2,
            registry,
            logs: state::logs::Logs::new(&options),
            ecs: Mutex::new(ecs),
            ecs_changed: Notify::new(),
            ecs_saved: watch::channel(0).0,
            options,
            clock,
            endpoint: OnceLock::new(),
            ids: Mutex::new(Ids::random()),
        })))
    }

    /// The account's twelve digits.
    pub fn account(&self) -> &'static str {
        ACCOUNT
    }

    /// The region of every ARN.
    pub fn region(&self) -> &str {
        &self.0.options.region
    }

    /// The label value on the engine.
    pub fn instance(&self) -> &str {
        &self.0.options.instance
    }

    /// Where files go.
    pub fn state_dir(&self) -> &Path {
        &self.0.options.state_dir
    }

    /// Seconds since 1970.
    pub fn now(&self) -> f64 {
        (self.0.clock)()
    }

    /// Where the server listens; the unspecified port 0 until it does.
    pub fn endpoint(&self) -> SocketAddr {
        self.0.endpoint.get().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Told once by the server. A second call changes nothing.
    pub fn set_endpoint(&self, address: SocketAddr) {
        self.0.endpoint.get_or_init(|| address);
    }

    /// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{ACCOUNT}:{resource}", self.region())
    }

    /// New identifiers.
    pub fn ids(&self) -> MutexGuard<'_, Ids> {
        lock(&self.0.ids)
    }

    /// ECS's state. One who changes it calls [`Cloud::ecs_changed`] afterwards.
    pub fn ecs(&self) -> MutexGuard<'_, state::ecs::Ecs> {
        lock(&self.0.ecs)
    }

    /// Wakes the scheduler.
    pub fn ecs_changed(&self) {
        self.0.ecs_changed.notify_one();
    }

    /// Told by the scheduler: this generation of ECS's state is on disk.
    pub fn ecs_saved(&self, generation: u64) {
        self.0.ecs_saved.send_replace(generation);
    }

    /// Resolves once what ECS's state is now is on disk: an answer that says "done" must be true
    /// after a crash.
    pub async fn ecs_is_saved(&self) {
        let generation = self.ecs().generation;
        let mut saved = self.0.ecs_saved.subscribe();
        // The sender lives as long as `self`.
        saved.wait_for(|saved| *saved >= generation).await.map(drop).unwrap_or_default();
    }

    /// Resolves after the next change of ECS's state, or at once if there was one since the last call.
    pub async fn wait_for_ecs(&self) {
        self.0.ecs_changed.notified().await;
    }

    /// EC2's state.
    pub fn ec2(&self) -> &Saved<state::ec2::Ec2> {
        &self.0.ec2
    }

    /// ECR's state: the repositories.
    pub fn ecr(&self) -> &Saved<state::ecr::Ecr> {
        self.0.registry.ecr()
    }

    /// What the repositories hold.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// CloudWatch Logs' state.
    pub fn logs(&self) -> &state::logs::Logs {
        &self.0.logs
    }
}

/// A poisoned lock is still locked state: one panicked request must not take the others with it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

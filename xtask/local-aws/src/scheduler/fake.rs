//! An engine in memory, for tests of the loop: containers are entries in a map.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::{OwnedMutexGuard, broadcast};

use crate::cloud::lock;
use crate::engine::{
    ContainerId, ContainerSpec, Engine, EngineError, EngineEvent, Holder, HolderSpec, ImageFacts, LogLine,
    Observed, Status,
};
use crate::state::log_sink::{GroupMissing, LogSink};

/// The engine. A container whose image contains `missing` has none; one whose command is `exit` exits.
pub(super) struct FakeEngine {
    containers: Mutex<BTreeMap<String, Observed>>,
    environments: Mutex<BTreeMap<String, Vec<(String, String)>>>,
    events: broadcast::Sender<EngineEvent>,
    /// A list takes this.
    lists: Arc<tokio::sync::Mutex<()>>,
    /// A pull takes this.
    pulls: Arc<tokio::sync::Mutex<()>>,
    /// Making a holder takes this.
    holders: Arc<tokio::sync::Mutex<()>>,
    /// Told when a holder is asked for.
    asked: tokio::sync::Notify,
    /// Published for every port: a listener of the test's.
    backend: std::net::SocketAddr,
}

impl FakeEngine {
    pub(super) fn new(backend: std::net::SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            containers: Mutex::default(),
            environments: Mutex::default(),
            events: broadcast::channel(100).0,
            lists: Arc::default(),
            pulls: Arc::default(),
            holders: Arc::default(),
            asked: tokio::sync::Notify::new(),
            backend,
        })
    }

    /// No list is answered until this is dropped.
    pub(super) async fn hold_lists(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.lists).lock_owned().await
    }

    /// No pull ends until this is dropped.
    pub(super) async fn hold_pulls(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.pulls).lock_owned().await
    }

    /// No holder is made until this is dropped.
    pub(super) async fn hold_holders(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.holders).lock_owned().await
    }

    /// Returns once a holder was asked for.
    pub(super) async fn holder_is_asked_for(&self) {
        self.asked.notified().await;
    }

    /// What is there, holders included.
    pub(super) fn observed(&self) -> Vec<Observed> {
        lock(&self.containers).values().cloned().collect()
    }

    /// What the container of this name was given.
    pub(super) fn environment(&self, container: &str) -> Vec<(String, String)> {
        lock(&self.environments).get(container).cloned().unwrap_or_default()
    }

    /// A container dies by itself.
    pub(super) fn kill(&self, id: &ContainerId) {
        self.end(id, 137);
    }

    /// Puts a container there that nobody asked for.
    pub(super) fn stranger(&self, task: &str) {
        self.insert(task, None, &format!("{task}/"));
    }

    fn insert(&self, task: &str, container: Option<&str>, id: &str) -> ContainerId {
        let id = ContainerId(id.to_owned());
        let observed = Observed {
            id: id.clone(),
            task_id: task.to_owned(),
            cluster: "c".into(),
            container: container.map(str::to_owned),
            status: Status::Running(None),
            published: BTreeMap::new(),
        };
        lock(&self.containers).insert(id.0.clone(), observed);
        id
    }

    fn end(&self, id: &ContainerId, code: i64) {
        let mut containers = lock(&self.containers);
        let Some(observed) = containers.get_mut(&id.0) else {
            return;
        };
        observed.status = Status::Exited { code, oom_killed: false };
        let event = EngineEvent {
            id: id.clone(),
            task_id: observed.task_id.clone(),
            container: observed.container.clone(),
            status: observed.status,
        };
        // Nobody may be listening.
        self.events.send(event).map(drop).unwrap_or_default();
    }
}

impl Engine for FakeEngine {
    async fn ensure_image(&self, reference: &str) -> Result<ImageFacts, EngineError> {
        let _free = self.pulls.lock().await;
        if reference.contains("missing") {
            return Err(EngineError::ImageNotFound(reference.to_owned()));
        }
        Ok(ImageFacts { digest: Some("sha256:1".into()), os: "linux".into(), architecture: "amd64".into() })
    }

    async fn start_holder(&self, spec: &HolderSpec) -> Result<Holder, EngineError> {
        self.asked.notify_one();
        let _free = self.holders.lock().await;
        let id = self.insert(&spec.task_id, None, &format!("{}/", spec.task_id));
        Ok(Holder { id, published: spec.ports.iter().map(|p| (*p, self.backend)).collect() })
    }

    async fn start_container(
        &self,
        _holder: &ContainerId,
        spec: &ContainerSpec,
    ) -> Result<ContainerId, EngineError> {
        let id = self.insert(&spec.task_id, Some(&spec.name), &format!("{}/{}", spec.task_id, spec.name));
        lock(&self.environments).insert(spec.name.clone(), spec.environment.clone());
        if spec.command.as_deref() == Some(&["exit".to_owned()]) {
            self.end(&id, 3);
        }
        Ok(id)
    }

    async fn stop(&self, id: &ContainerId, _timeout: Duration) -> Result<(), EngineError> {
        self.end(id, 0);
        Ok(())
    }

    async fn remove_task(&self, task_id: &str) -> Result<(), EngineError> {
        lock(&self.containers).retain(|_, c| c.task_id != task_id);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Observed>, EngineError> {
        let _free = self.lists.lock().await;
        Ok(self.observed())
    }

    async fn events(&self) -> Result<BoxStream<'static, EngineEvent>, EngineError> {
        let receiver = self.events.subscribe();
        let events =
            stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await.ok()?, receiver)));
        Ok(events.boxed())
    }

    async fn logs(
        &self,
        _: &ContainerId,
        _: Option<i64>,
    ) -> Result<BoxStream<'static, LogLine>, EngineError> {
        Ok(stream::iter([LogLine { timestamp_ms: 5, message: "hello".into() }]).boxed())
    }

    async fn remove_all(&self) -> Result<(), EngineError> {
        lock(&self.containers).clear();
        Ok(())
    }
}

/// Log streams in memory; the group `/there` exists.
#[derive(Default)]
pub(super) struct FakeLogs(pub(super) Mutex<BTreeMap<String, Vec<LogLine>>>);

impl LogSink for FakeLogs {
    fn open(&self, group: &str, stream: &str, create_group: bool) -> Result<(), GroupMissing> {
        if group != "/there" && !create_group {
            return Err(GroupMissing);
        }
        lock(&self.0).entry(stream.to_owned()).or_default();
        Ok(())
    }

    fn append(&self, _group: &str, stream: &str, line: &LogLine) {
        lock(&self.0).entry(stream.to_owned()).or_default().push(line.clone());
    }

    fn last_timestamp_ms(&self, _group: &str, stream: &str) -> Option<i64> {
        lock(&self.0).get(stream)?.last().map(|l| l.timestamp_ms)
    }
}

//! Reconciles what ECS's state desires with what the engine observes.
//!
//! One loop owns the bookkeeping. State says which steps tasks need; each runs
//! on its own, and its reports go back into the state, which then says what is
//! next. The engine's events make that quick, a periodic list makes it certain.
//! No lock is held across an await.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::cloud::Cloud;
use crate::engine::{Engine, EngineError, EngineEvent, Observed};
use crate::state::ecs::balance::Check;
use crate::state::ecs::steps::{Step, next_deadline};
use crate::state::elb::check::Answer;
use crate::state::log_sink::LogSink;

mod adopt;
mod checks;
mod logs;
pub mod persist;
mod probe;
mod routes;
mod run;
pub(crate) mod secrets;
mod spec;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use crate::routes::Route;
use run::{Context, Report};

/// Between two full lists of the engine's containers.
const LIST_INTERVAL: Duration = Duration::from_secs(10);
/// How long an engine that is slow to answer holds up the first answers.
const ADOPTION: Duration = Duration::from_secs(10);
/// How long what the engine is making is waited for in the end.
const LAST_STEPS: Duration = Duration::from_secs(3);
/// How long after a change the state is saved, so that a burst is one write.
const SAVE_DELAY: Duration = Duration::from_millis(100);

/// The scheduler of one control plane.
pub struct Scheduler<E: Engine> {
    context: Arc<Context<E>>,
    routes: watch::Sender<Vec<Route>>,
    under_way: BTreeSet<(String, Step)>,
    steps: JoinSet<(String, Step, Vec<Report>)>,
    /// What the engine is being asked for: at most one list. It may be slow, and nothing waits for it.
    listing: JoinSet<Listed>,
    /// Health checks of target groups.
    checks: JoinSet<(Check, Answer)>,
    /// By task and container.
    pumps: BTreeMap<(String, String), JoinHandle<()>>,
    saved: u64,
    adopted: bool,
}

impl<E: Engine> Scheduler<E> {
    /// A scheduler that publishes these routes, and is told where new connections may go (see
    /// [`crate::proxy::Proxy::routed`]).
    pub fn new(
        cloud: Cloud,
        engine: Arc<E>,
        sink: Arc<dyn LogSink>,
        routes: watch::Sender<Vec<Route>>,
        routed: watch::Receiver<BTreeSet<SocketAddr>>,
    ) -> Self {
        let saved = cloud.ecs().generation;
        Self {
            saved,
            context: Arc::new(Context { cloud, engine, sink, routed }),
            routes,
            under_way: BTreeSet::new(),
            steps: JoinSet::new(),
            listing: JoinSet::new(),
            checks: JoinSet::new(),
            pumps: BTreeMap::new(),
            adopted: false,
        }
    }

    /// Looks at the engine once, before anybody asks: what died while no control plane ran must not
    /// be answered as running.
    pub async fn adopt(&mut self) {
        self.adopted = true;
        adopt::forget_unstarted(&self.context.cloud);
        self.list();
        let listed = tokio::time::timeout(ADOPTION, self.listing.join_next()).await;
        if let Ok(Some(Ok(listed))) = listed {
            self.compare(listed);
        }
        self.round();
    }

    /// Runs until `shutdown` resolves; then the state is saved, and containers go on running.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let (sender, mut events) = mpsc::unbounded_channel();
        let watcher = tokio::spawn(watch_events(Arc::clone(&self.context), sender));
        let mut list = tokio::time::interval(LIST_INTERVAL);
        list.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut save_at = None;
        if !self.adopted {
            adopt::forget_unstarted(&self.context.cloud);
        }
        loop {
            self.round();
            let changed = self.context.cloud.ecs().generation != self.saved;
            if changed && save_at.is_none() {
                save_at = Some(tokio::time::Instant::now() + SAVE_DELAY);
            }
            let deadline = self.deadline();
            tokio::select! {
                () = &mut shutdown => break,
                Some(done) = self.steps.join_next(), if !self.steps.is_empty() => {
                    if let Ok((task, step, reports)) = done {
                        self.finished(&task, step, reports);
                    }
                }
                Some(Ok(listed)) = self.listing.join_next() => self.compare(listed),
                Some(Ok((check, answer))) = self.checks.join_next() => {
                    let now = self.context.cloud.now();
                    self.context.cloud.ecs().checked(&check, answer, now);
                }
                Some(seen) = events.recv() => match seen {
                    Seen::Event(event) => self.observe(&event),
                    // Events may have been lost meanwhile.
                    Seen::Connected => list.reset_immediately(),
                },
                // Somebody waits for the answer.
                () = self.context.cloud.wait_for_ecs() => save_at = Some(tokio::time::Instant::now()),
                _ = list.tick(), if self.listing.is_empty() => self.list(),
                () = sleep_until(deadline) => {}
                () = sleep_until(save_at) => {
                    save_at = None;
                    self.save().await;
                }
            }
        }
        watcher.abort();
        self.let_go().await;
        self.steps.abort_all();
        self.listing.abort_all();
        self.checks.abort_all();
        self.save().await;
    }

    /// What the engine is making is waited for: it would come to be all the same, and nobody would know of it.
    async fn let_go(&mut self) {
        let makes = |(_, step): &(String, Step)| matches!(step, Step::Hold | Step::Start(_));
        let end = tokio::time::Instant::now() + LAST_STEPS;
        while self.under_way.iter().any(makes) {
            match tokio::time::timeout_at(end, self.steps.join_next()).await {
                Ok(Some(Ok((task, step, reports)))) => self.finished(&task, step, reports),
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Everything that needs no waiting: state, routes, new steps. Routes go out before the steps
    /// start, so a task is out of them before it gets a stop signal.
    fn round(&mut self) {
        let now = self.context.cloud.now();
        let (steps, checks) = {
            let mut ecs = self.context.cloud.ecs();
            ecs.tick(now);
            ecs.reconcile(now);
            let current = routes::of(&ecs);
            self.routes.send_if_modified(|published| {
                let changed = *published != current;
                *published = current;
                changed
            });
            (ecs.steps(), ecs.due_checks(now))
        };
        for check in checks {
            self.checks.spawn(async move {
                let answer = checks::made(&check).await;
                (check, answer)
            });
        }
        for (task, step) in steps {
            self.begin(task, step);
        }
    }

    fn begin(&mut self, task: String, step: Step) {
        let key = (task, step);
        if self.under_way.contains(&key) {
            return;
        }
        let (task, step) = key.clone();
        // What is still being made cannot be removed yet; a pull makes nothing of the task's.
        let mut pumps = Vec::new();
        if step == Step::Remove {
            let makes = |(other, step): &(String, Step)| *other == task && !matches!(step, Step::Pull(_));
            if self.under_way.iter().any(makes) {
                return;
            }
            pumps.extend(self.pumps.extract_if(.., |(of, _), _| *of == task).map(|(_, pump)| pump));
        }
        self.under_way.insert(key);
        let context = Arc::clone(&self.context);
        self.steps.spawn(async move {
            logs::drain(pumps).await;
            let reports = run::step(&context, &task, &step).await;
            (task, step, reports)
        });
    }

    fn finished(&mut self, task: &str, step: Step, reports: Vec<Report>) {
        self.under_way.remove(&(task.to_owned(), step));
        let now = self.context.cloud.now();
        let mut started = Vec::new();
        {
            let mut ecs = self.context.cloud.ecs();
            for report in reports {
                match report {
                    Report::Outcome(outcome) => {
                        if let crate::state::ecs::transition::Outcome::Started(name, id) = &outcome {
                            started.push((name.clone(), id.clone()));
                        }
                        ecs.apply(task, outcome, now);
                    }
                    Report::Observed(container, status) => {
                        ecs.observe(task, Some(&container), Some(status), now);
                    }
                }
            }
        }
        for (name, id) in started {
            self.pump(task, &name, &id);
        }
    }

    /// Follows what a container writes, if its log driver is `awslogs` and nobody does yet.
    fn pump(&mut self, task: &str, container: &str, id: &str) {
        let key = (task.to_owned(), container.to_owned());
        if self.pumps.get(&key).is_some_and(|pump| !pump.is_finished()) {
            return;
        }
        let Some(target) = logs::target(&self.context.cloud.ecs(), task, container) else {
            return;
        };
        let context = Arc::clone(&self.context);
        let id = crate::engine::ContainerId(id.to_owned());
        self.pumps.insert(key, tokio::spawn(async move { logs::pump(&context, &id, &target).await }));
    }

    fn observe(&mut self, event: &EngineEvent) {
        let now = self.context.cloud.now();
        let mut ecs = self.context.cloud.ecs();
        ecs.observe(&event.task_id, event.container.as_deref(), Some(event.status), now);
    }

    /// Asks the engine for everything. What it lists is older than what steps report meanwhile, so only
    /// what ran before the question was asked can be found missing.
    fn list(&mut self) {
        let expected = adopt::expected(&self.context.cloud.ecs());
        let context = Arc::clone(&self.context);
        self.listing.spawn(async move { (expected, context.engine.list().await) });
    }

    /// Compares everything.
    fn compare(&mut self, (expected, observed): Listed) {
        let Ok(observed) = observed else {
            return;
        };
        let strangers = adopt::compare(&self.context.cloud, &expected, &observed);
        for task in strangers {
            if !self.under_way.iter().any(|(other, _)| *other == task) {
                self.begin(task, Step::Remove);
            }
        }
        let running = adopt::running(&self.context.cloud.ecs());
        for (task, container, id) in running {
            self.pump(&task, &container, &id);
        }
    }

    fn deadline(&self) -> Option<tokio::time::Instant> {
        let now = self.context.cloud.now();
        let at = next_deadline(&self.context.cloud.ecs(), now)?;
        // A little later, so that the deadline has passed by the clock of the state too.
        Some(tokio::time::Instant::now() + Duration::from_secs_f64((at - now).max(0.0) + 0.002))
    }

    async fn save(&mut self) {
        let (generation, text) = {
            let ecs = self.context.cloud.ecs();
            (ecs.generation, serde_json::to_vec(&*ecs))
        };
        let Ok(text) = text else { return };
        if persist::save(self.context.cloud.state_dir(), self.context.cloud.region(), text).await.is_ok() {
            self.saved = generation;
            self.context.cloud.ecs_saved(generation);
        }
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What should have been there when the engine was asked, and its answer.
type Listed = (adopt::Expected, Result<Vec<Observed>, EngineError>);

enum Seen {
    /// The stream of events is there.
    Connected,
    Event(EngineEvent),
}

/// Follows the engine's events, connecting again when the stream ends.
async fn watch_events<E: Engine>(context: Arc<Context<E>>, sender: mpsc::UnboundedSender<Seen>) {
    use futures_util::StreamExt as _;
    let mut wait = Duration::from_millis(100);
    loop {
        if let Ok(mut events) = context.engine.events().await {
            wait = Duration::from_millis(100);
            if sender.send(Seen::Connected).is_err() {
                return;
            }
            while let Some(event) = events.next().await {
                if sender.send(Seen::Event(event)).is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(5));
    }
}

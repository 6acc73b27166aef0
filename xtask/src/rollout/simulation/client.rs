//! The client's side: [`follow`](crate::rollout::follow), as it is, with calls that are answered from the
//! simulated control plane in virtual time.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::cloud::Cloud;
use super::frame::{Frame, millis};
use super::laws::Truth;
use super::rng::Rng;
use super::run::act;
use super::scenario::{Deed, Scenario};
use crate::error::Result;
use crate::rollout::api::{Api, Stopped};
use crate::rollout::crash::Ended;
use crate::rollout::find::Listed;
use crate::rollout::snapshot::{Record, Service, Snapshot};

/// Everything but the client.
pub(super) struct World<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) cloud: Cloud,
    pub(super) truth: Truth,
    /// Of others, the next one last; by the time.
    pub(super) deeds: Vec<(f64, Deed)>,
    pub(super) rng: Rng,
}

/// The calls of one client, and what is to be known of them.
pub(super) struct Client<'s> {
    world: RefCell<World<'s>>,
    scenario: &'s Scenario,
    /// ARN of our definition.
    definition: String,
    /// When the client began, and when it wants to go on.
    began: f64,
    wakes: RefCell<Vec<f64>>,
    /// When each call was sent, and when things had moved last by then.
    calls: RefCell<Vec<(f64, f64)>>,
    asked: Cell<usize>,
    moved: Cell<f64>,
    last: RefCell<Option<Snapshot>>,
    /// When the last look began.
    looked: Cell<f64>,
}

/// One call's course.
struct Call {
    /// The moment that the answer is from.
    as_of: f64,
    /// When it is there.
    back: f64,
    /// Whether it took more than one attempt.
    retried: bool,
}

/// Longer than the last look takes, with all its calls retried.
const LONG_AFTER: f64 = 120.0;

/// What is left of a client.
pub(super) struct Left<'s> {
    pub(super) world: World<'s>,
    pub(super) calls: Vec<(f64, f64)>,
    pub(super) looked: f64,
    pub(super) last: Option<Snapshot>,
}

impl<'s> Client<'s> {
    pub(super) fn new(world: World<'s>, definition: String) -> Self {
        let began = world.cloud.now;
        Self {
            scenario: world.scenario,
            world: RefCell::new(world),
            definition,
            began,
            wakes: RefCell::default(),
            calls: RefCell::default(),
            asked: Cell::new(0),
            moved: Cell::new(began),
            last: RefCell::default(),
            looked: Cell::new(began),
        }
    }

    /// Runs the future to its end; time passes while it waits. `None`: it goes on long after its time.
    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
                return Some(done);
            }
            let now = self.at();
            if now - self.began > self.scenario.timeout + LONG_AFTER {
                return None;
            }
            let mut wakes = self.wakes.borrow_mut();
            wakes.retain(|at| *at > now);
            let next = wakes.iter().copied().min_by(f64::total_cmp).expect("it waits for something");
            drop(wakes);
            self.world().pass(next);
        }
    }

    /// Takes note of what the client is shown.
    pub(super) fn told(&self, snapshot: &Snapshot) {
        let mut last = self.last.borrow_mut();
        let same = |last: &Snapshot| (&last.service, &last.record) == (&snapshot.service, &snapshot.record);
        if !last.as_ref().is_some_and(same) {
            self.moved.set(self.at());
        }
        *last = Some(snapshot.clone());
    }

    pub(super) fn left(self) -> Left<'s> {
        Left {
            world: self.world.into_inner(),
            calls: self.calls.into_inner(),
            looked: self.looked.get(),
            last: self.last.into_inner(),
        }
    }

    fn world(&self) -> RefMut<'_, World<'s>> {
        self.world.borrow_mut()
    }

    fn at(&self) -> f64 {
        self.world.borrow().cloud.now
    }

    async fn until(&self, at: f64) {
        self.wakes.borrow_mut().push(at);
        poll_fn(|_| if self.at() >= at { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// An answer takes its time, longer if the call has to be retried, and may be from before the call.
    fn call(&self) -> Call {
        self.calls.borrow_mut().push((self.at(), self.moved.get()));
        self.send()
    }

    /// A call that is no poll.
    fn send(&self) -> Call {
        let sent = self.at();
        let rng = &mut self.world().rng;
        let retried = rng.percent(self.scenario.faults);
        let back = sent + if retried { rng.between(0.5, 12.0) } else { rng.between(0.01, 0.2) };
        let stale = if rng.percent(50) { rng.between(0.0, self.scenario.stale) } else { 0.0 };
        Call { as_of: rng.between(sent, back) - stale, back, retried }
    }

    /// Reads; the answer is what `read` finds in the frame.
    async fn read<T>(&self, read: impl FnOnce(&Frame, f64) -> T) -> T {
        let call = self.call();
        self.until(call.back).await;
        let world = self.world();
        let frame = world.cloud.seen_at(call.as_of);
        read(&frame, call.as_of)
    }
}

impl World<'_> {
    /// Lets time pass, with what others do meanwhile.
    fn pass(&mut self, until: f64) {
        let truth = &mut self.truth;
        while let Some((at, deed)) = self.deeds.pop_if(|(at, _)| *at <= until) {
            self.cloud.advance(at, |ecs, now| truth.watch(ecs, now));
            act(deed, self.scenario, &mut self.cloud, truth);
        }
        self.cloud.advance(until, |ecs, now| truth.watch(ecs, now));
        self.cloud.forget_frames();
    }

    /// `StopServiceDeployment`.
    fn stop(&mut self, arn: &str) -> Stopped {
        let now = self.cloud.now;
        match self.cloud.ecs.stop_service_deployment(arn, None, now) {
            Ok(()) => {
                self.truth.called_early(self.scenario, &self.cloud);
                self.cloud.settle();
                Stopped::Yes
            }
            Err(error) => Stopped::Refused(error.to_string()),
        }
    }
}

impl Api for Client<'_> {
    fn now(&self) -> Duration {
        Duration::from_secs_f64((self.at() - self.began).max(0.0))
    }

    fn calls(&self) -> u32 {
        let all = self.calls.borrow().len();
        u32::try_from(all - self.asked.replace(all)).unwrap_or(u32::MAX)
    }

    async fn sleep(&self, pause: Duration) {
        self.until(self.at() + pause.as_secs_f64()).await;
    }

    async fn service(&self) -> Result<Option<Service>> {
        self.looked.set(self.at());
        Ok(self.read(|frame, _| frame.service.clone()).await)
    }

    async fn listed(&self, after_ms: i64) -> Result<Option<Vec<Listed>>> {
        let lag = self.scenario.rules.listed_after;
        let found = self.read(|frame, at| listed(frame, at, lag)).await;
        let fresh = found.into_iter().filter(|one| one.created_ms > after_ms);
        Ok(self.scenario.records.then(|| fresh.collect()))
    }

    async fn running(&self, listed: &[Listed]) -> Result<Option<BTreeSet<String>>> {
        let asked = |arn: &str| listed.iter().any(|one| one.revision == arn);
        let all = self.read(|frame, _| frame.archive.revisions.clone()).await;
        let ours = all.into_iter().filter(|(arn, runs)| *runs == self.definition && asked(arn));
        Ok(Some(ours.map(|(arn, _)| arn).collect()))
    }

    async fn record(&self, arn: &str) -> Result<Option<Option<Record>>> {
        let find = |frame: &Frame| frame.archive.records.iter().find(|(other, _)| other == arn).cloned();
        Ok(Some(self.read(|frame, _| find(frame).map(|(_, record)| record)).await))
    }

    /// What the list shows, the description may not show yet.
    async fn stopped(&self) -> Option<Vec<Ended>> {
        let list = self.read(|_, at| at).await;
        let describe = self.read(|_, at| at).await;
        let mut world = self.world();
        let unread = self.scenario.faults > 0 && world.rng.percent(5);
        (!unread).then(|| world.cloud.ended_before(list.min(describe), &self.definition))
    }

    /// An attempt whose answer is lost has worked all the same; the next one tells of what there is then.
    async fn stop(&self, arn: &str) -> Result<Stopped> {
        let call = self.send();
        let sent = self.at();
        if !self.scenario.may_stop {
            self.until(call.back).await;
            return Ok(Stopped::Denied("not authorized".to_owned()));
        }
        let early = self.world().rng.between(sent, call.back);
        if call.retried && early < sent + (call.back - sent) / 2.0 {
            self.until(early).await;
            self.world().stop(arn);
        }
        self.until(call.back).await;
        Ok(self.world().stop(arn))
    }
}

/// What `ListServiceDeployments` answers.
fn listed(frame: &Frame, at: f64, after: f64) -> Vec<Listed> {
    let there = |one: &&Listed| millis(at - after) >= one.created_ms;
    frame.archive.listed.iter().filter(there).cloned().collect()
}

/// What the client knows before its call: ARNs of those that are there.
pub(super) fn known(frame: &Frame, at: f64, after: f64) -> BTreeSet<String> {
    listed(frame, at, after).into_iter().map(|one| one.arn).collect()
}

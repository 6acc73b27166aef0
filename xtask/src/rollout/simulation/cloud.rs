//! The control plane in virtual time: its state machine, and an engine that does what the scenario says.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use aws_sdk_ecs::types::TaskStopCode;
use local_aws::engine::{ContainerId, Health, Holder, ImageFacts, Status as Seen};
use local_aws::state::ecs::breaker::DeploymentConfiguration;
use local_aws::state::ecs::steps::{Step, next_deadline, steps};
use local_aws::state::ecs::stop::StopCode;
use local_aws::state::ecs::task::{Container, Last, Task};
use local_aws::state::ecs::transition::Outcome;
use local_aws::state::ecs::{Ecs, service::Service};

use super::frame::Frame;
use super::rng::Rng;
use super::scenario::{Behaviour, GOOD, Mix};
use crate::rollout::crash::{Ended, Part};

/// Cluster and service.
pub(super) const CLUSTER: &str = "c";
pub(super) const SERVICE: &str = "s";

/// Nanoseconds, so that times can be ordered.
type Nanos = u64;

/// What happens later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A step of a task is done.
    Done(String, Step),
    /// A task's container exits, with this code, or is killed for want of memory.
    Exit(String, i64, bool),
    /// A task's health check comes to a result.
    Check(String, bool),
    /// Time to look what time alone changed.
    Wake,
}

/// A control plane with one service.
pub(super) struct Cloud {
    pub(super) ecs: Ecs,
    pub(super) now: f64,
    pub(super) rng: Rng,
    /// By definition name.
    pub(super) mixes: BTreeMap<String, Mix>,
    queue: BinaryHeap<Reverse<(Nanos, u64, Event)>>,
    count: u64,
    exits: i64,
    under_way: BTreeSet<(String, Step)>,
    behaviours: BTreeMap<String, Behaviour>,
    woken: Nanos,
    /// What was to be seen since when, oldest first.
    frames: Vec<(f64, Rc<Frame>)>,
    generation: u64,
    /// Every stopped task: since when, of which definition.
    pub(super) ended: Vec<(f64, String, Ended)>,
    ended_tasks: BTreeSet<String>,
    /// How long ago the oldest answer is from; frames before that are dropped.
    pub(super) memory: f64,
    /// The first law of the scheduler that was broken.
    pub(super) broken: Option<String>,
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousand seconds")]
fn nanos(at: f64) -> Nanos {
    (at * 1e9) as Nanos
}

impl Cloud {
    pub(super) fn new(ecs: Ecs, now: f64, rng: Rng) -> Self {
        Self {
            ecs,
            now,
            rng,
            mixes: BTreeMap::new(),
            queue: BinaryHeap::new(),
            count: 0,
            exits: 1,
            under_way: BTreeSet::new(),
            behaviours: BTreeMap::new(),
            woken: Nanos::MAX,
            frames: Vec::new(),
            generation: u64::MAX,
            ended: Vec::new(),
            ended_tasks: BTreeSet::new(),
            memory: 0.0,
            broken: None,
        }
    }

    pub(super) fn service(&self) -> Option<&Service> {
        self.ecs.service(CLUSTER, SERVICE)
    }

    /// Healthy tasks of the definition of this name, or of all.
    pub(super) fn healthy(&self, definition: Option<&str>) -> u64 {
        let of = |name: &str| definition.is_none_or(|wanted| wanted == name);
        self.ecs.tasks.values().filter(|task| of(&task.definition) && task.is_healthy()).count() as u64
    }

    /// Lets time pass; `each` sees the state before every event, with the time until which it was so.
    pub(super) fn advance(&mut self, until: f64, mut each: impl FnMut(&Ecs, f64)) {
        while let Some(Reverse((at, ..))) = self.queue.peek() {
            if *at > nanos(until) {
                break;
            }
            let Some(Reverse((at, _, event))) = self.queue.pop() else { break };
            #[expect(clippy::cast_precision_loss, reason = "some thousand seconds")]
            let at = at as f64 / 1e9;
            self.now = self.now.max(at);
            each(&self.ecs, self.now);
            self.happen(event);
            self.settle();
            each(&self.ecs, self.now);
        }
        self.now = self.now.max(until);
        each(&self.ecs, self.now);
    }

    /// A round of the scheduler, then everything that it asks for begins.
    pub(super) fn settle(&mut self) {
        self.reconcile();
        if self.ecs.generation == self.generation {
            return self.wake_in_time();
        }
        self.generation = self.ecs.generation;
        self.note_ended();
        self.forget();
        self.begin_steps();
        self.remember();
        // What a round changes may be reason for another one.
        self.later(0.05, Event::Wake);
        self.wake_in_time();
    }

    fn wake_in_time(&mut self) {
        let Some(at) = next_deadline(&self.ecs, self.now).map(nanos) else { return };
        if self.woken <= nanos(self.now) || at < self.woken {
            self.woken = at;
            let wait = (next_deadline(&self.ecs, self.now).unwrap_or(self.now) - self.now).max(0.0);
            self.later(wait + 0.001, Event::Wake);
        }
    }

    /// The service scheduler, watched: it may not go below the minimum by its own doing, nor above the maximum.
    fn reconcile(&mut self) {
        let (healthy, wanted) = (self.healthy(None), self.wanted());
        self.ecs.reconcile(self.now);
        let (healthy_now, wanted_now) = (self.healthy(None), self.wanted());
        if (healthy_now >= healthy && wanted_now <= wanted) || self.broken.is_some() {
            return;
        }
        let Some(service) = self.service().filter(|service| service.is_active()) else { return };
        let limits = DeploymentConfiguration::of(&service.settings);
        let (minimum, maximum) = (limits.minimum(service.desired), limits.maximum(service.desired));
        if healthy_now < healthy && healthy_now < minimum.min(healthy) {
            self.broken =
                Some(format!("{healthy} healthy tasks became {healthy_now}, the minimum is {minimum}"));
        }
        if wanted_now > wanted && wanted_now > maximum {
            self.broken = Some(format!("{wanted} tasks became {wanted_now}, the maximum is {maximum}"));
        }
    }

    fn wanted(&self) -> u64 {
        self.ecs.tasks.values().filter(|task| task.wanted()).count() as u64
    }

    /// Tasks that are to stop are listed as stopped ones at once.
    fn note_ended(&mut self) {
        for task in self.ecs.tasks.values().filter(|task| !task.wanted()) {
            if !self.ended_tasks.contains(&task.id) {
                self.ended_tasks.insert(task.id.clone());
                self.ended.push((self.now, task.definition.clone(), ended(task)));
            }
        }
    }

    /// The stopped tasks of this definition (an ARN) at some time.
    pub(super) fn ended_before(&self, at: f64, definition: &str) -> Vec<Ended> {
        let there = self.ended.iter().take_while(|(since, ..)| *since <= at);
        let ours = there.filter(|(_, name, _)| definition.ends_with(&format!("/{name}")));
        ours.map(|(.., task)| task.clone()).collect()
    }

    /// Stopped tasks that were counted are of no interest any more, but cost time in a crash loop.
    fn forget(&mut self) {
        if self.ecs.tasks.len() > 24 {
            self.ecs.tasks.retain(|_, task| task.last != Last::Stopped || !task.counted);
        }
    }

    fn begin_steps(&mut self) {
        let live = self.ecs.tasks.values().filter(|task| task.last != Last::Stopped);
        let todo: Vec<(String, Step)> = live
            .flat_map(|task| steps(task).into_iter().map(|step| (task.id.clone(), step)))
            .filter(|todo| !self.under_way.contains(todo))
            .collect();
        for (task, step) in todo {
            if let Some(wait) = self.duration(&task, &step) {
                self.later(wait, Event::Done(task.clone(), step.clone()));
            }
            self.under_way.insert((task, step));
        }
    }

    fn later(&mut self, wait: f64, event: Event) {
        self.count += 1;
        self.queue.push(Reverse((nanos(self.now + wait), self.count, event)));
    }

    fn behaviour(&mut self, task: &str) -> Behaviour {
        if let Some(known) = self.behaviours.get(task) {
            return *known;
        }
        let definition = self.ecs.tasks.get(task).map(|task| task.definition.clone()).unwrap_or_default();
        let mix = self.mixes.get(&definition).copied().unwrap_or(GOOD);
        let drawn = if self.rng.percent(mix.percent) { mix.behaviour } else { Behaviour::Good };
        self.behaviours.insert(task.to_owned(), drawn);
        drawn
    }

    /// How long a step takes; `None`: for ever.
    fn duration(&mut self, task: &str, step: &Step) -> Option<f64> {
        let behaviour = self.behaviour(task);
        Some(match (step, behaviour) {
            (Step::Start(_), Behaviour::Hangs)
            | (
                Step::Probe,
                Behaviour::Deaf | Behaviour::CrashesAtOnce | Behaviour::Ends | Behaviour::Differs,
            ) => {
                return None;
            }
            (Step::Start(_), Behaviour::Late) => self.rng.between(3.0, 20.0),
            (Step::Pull(_), _) => self.rng.between(0.05, 1.5),
            _ => self.rng.between(0.02, 0.5),
        })
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake => self.ecs.tick(self.now),
            Event::Exit(task, code, oom_killed) => {
                let seen = Seen::Exited { code, oom_killed };
                self.ecs.observe(&task, Some("web"), Some(seen), self.now);
            }
            Event::Check(task, passed) => {
                let health = if passed { Health::Healthy } else { Health::Unhealthy };
                self.ecs.observe(&task, Some("web"), Some(Seen::Running(Some(health))), self.now);
            }
            Event::Done(task, step) => {
                self.done(&task, &step);
                self.under_way.remove(&(task, step));
            }
        }
    }

    fn done(&mut self, task: &str, step: &Step) {
        let behaviour = self.behaviour(task);
        let outcome = match (step, behaviour) {
            (Step::Hold, Behaviour::NoNetwork) => Outcome::Failed(None, "ResourceInitializationError".into()),
            (Step::Hold, _) => Outcome::Held(self.holder(task)),
            (Step::Pull(name), Behaviour::NoImage) => {
                Outcome::Failed(Some(name.clone()), "CannotPullContainerError".into())
            }
            (Step::Pull(name), _) => Outcome::Pulled(name.clone(), facts()),
            (Step::Start(name), _) => {
                self.started(task, behaviour);
                Outcome::Started(name.clone(), "id".into())
            }
            (Step::Probe, _) => Outcome::Ready,
            (Step::Stop(name), _) => Outcome::Ended(name.clone()),
            (Step::Deregister, _) => Outcome::Deregistered,
            (Step::Remove, _) => Outcome::Removed,
        };
        self.ecs.apply(task, outcome, self.now);
    }

    fn started(&mut self, task: &str, behaviour: Behaviour) {
        if let Some((soonest, latest)) = behaviour.exits() {
            let wait = self.rng.between(soonest, latest);
            let (code, oom_killed) = match behaviour {
                Behaviour::Ends => (0, false),
                Behaviour::Differs => (i64::from(self.rng.percent(70)) * 64 + self.exits, false),
                Behaviour::OutOfMemory => (137, true),
                _ => (1, false),
            };
            self.exits += 1;
            self.later(wait, Event::Exit(task.to_owned(), code, oom_killed));
        }
        if self.ecs.tasks.get(task).is_some_and(Task::has_check) {
            let sick = behaviour == Behaviour::Sick;
            let wait = self.rng.between(0.2, 3.0);
            // Some are well at first.
            if sick && self.rng.percent(20) {
                self.later(wait, Event::Check(task.to_owned(), true));
            }
            self.later(wait * if sick { 2.0 } else { 1.0 }, Event::Check(task.to_owned(), !sick));
        }
    }

    /// Definition 4 has no port.
    fn holder(&self, task: &str) -> Holder {
        let portless = self.ecs.tasks.get(task).is_some_and(|task| task.definition.ends_with(":4"));
        let port = (80, ([127, 0, 0, 1], 9).into());
        Holder { id: ContainerId("h".into()), published: (!portless).then_some(port).into_iter().collect() }
    }

    /// A container of some task dies.
    pub(super) fn kill(&mut self) {
        let running = self.ecs.tasks.values().find(|task| task.last == Last::Running);
        if let Some(task) = running.map(|task| task.id.clone()) {
            self.happen(Event::Exit(task, 137, false));
            self.settle();
        }
    }

    fn remember(&mut self) {
        let before = self.frames.last().map(|(_, frame)| &**frame);
        let frame = Rc::new(Frame::of(&self.ecs, before));
        match self.frames.last_mut() {
            Some((since, last)) if self.now - *since < 1e-9 => *last = frame,
            _ => self.frames.push((self.now, frame)),
        }
    }

    /// What was to be seen at some time.
    pub(super) fn seen_at(&self, at: f64) -> Rc<Frame> {
        let index = self.frames.partition_point(|(since, _)| *since <= at);
        let frame = self.frames.get(index.saturating_sub(1)).map(|(_, frame)| Rc::clone(frame));
        frame.unwrap_or_default()
    }

    /// Drops the frames that no answer can come from any more.
    pub(super) fn forget_frames(&mut self) {
        let oldest = self.now - self.memory;
        let old = self.frames.partition_point(|(since, _)| *since <= oldest).saturating_sub(1);
        self.frames.drain(..old);
    }
}

/// What `DescribeTasks` shows of a stopped task.
fn ended(task: &Task) -> Ended {
    let code = task.stop.as_ref().map(|stop| match stop.code {
        StopCode::TaskFailedToStart => TaskStopCode::TaskFailedToStart,
        StopCode::EssentialContainerExited => TaskStopCode::EssentialContainerExited,
        StopCode::UserInitiated => TaskStopCode::UserInitiated,
        StopCode::ServiceSchedulerInitiated => TaskStopCode::ServiceSchedulerInitiated,
    });
    let exit = |code: Option<i64>| code.and_then(|code| i32::try_from(code).ok());
    let part = |one: &Container| Part {
        name: one.name.clone(),
        exit_code: exit(one.exit_code),
        reason: one.reason.clone(),
    };
    Ended {
        started_by: task.started_by.clone().unwrap_or_default(),
        code,
        reason: task.stop.as_ref().map(|stop| stop.reason.clone()).unwrap_or_default(),
        containers: task.containers.iter().map(part).collect(),
    }
}

fn facts() -> ImageFacts {
    ImageFacts { digest: None, os: "linux".into(), architecture: "amd64".into() }
}

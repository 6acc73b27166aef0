//! What happens, as data. Steps emit events; `report` alone renders them.

mod rollout;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc;

pub use rollout::{Breaker, Container, Counts, Other, Rollout, Task};

/// A part of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Starting or finding the local control plane.
    Local,
    /// Reading what is there.
    Read,
    /// Source to binaries.
    Compile,
    /// Binaries or a Dockerfile to an image.
    Build,
    /// Image to ECR.
    Push,
    /// Cluster, log group, security group, repositories.
    Ensure,
    /// The task definition.
    Register,
    /// CreateService or UpdateService.
    Service,
    /// Watching the service deployment.
    Rollout,
}

/// One step: a phase and what it works on (`build ecs-test-server`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Step {
    /// The part of the pipeline.
    pub phase: Phase,
    /// The object's name: an image, a service, a cluster …
    pub subject: String,
}

/// How a step ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// Something was made or changed.
    Changed,
    /// Nothing had to be done.
    Unchanged,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A step began.
    Started {
        /// Which.
        step: Step,
    },
    /// A step goes on; the text replaces the last one.
    Progress {
        /// Which.
        step: Step,
        /// What it does now, short.
        message: String,
    },
    /// A rollout looks different than before.
    Rollout(Box<Rollout>),
    /// A line that a tool run by the step wrote (cargo, a Dockerfile step), verbatim.
    Output {
        /// Which.
        step: Step,
        /// Without the line's end.
        line: String,
    },
    /// A step ended well.
    Finished {
        /// Which.
        step: Step,
        /// Whether it changed anything.
        done: Done,
        /// The result in a few words: a digest, a revision, a size.
        message: String,
        /// How long it took.
        #[serde(serialize_with = "as_millis", rename = "elapsed-ms")]
        #[schemars(with = "u64")]
        elapsed: Duration,
    },
    /// A step ended without a result: it failed, or was given up because another one did. The
    /// error comes at the end of the run.
    Abandoned {
        /// Which.
        step: Step,
    },
    /// A service is up, and here it is reached.
    Reachable {
        /// Its name.
        service: String,
        /// `http://ADDRESS:PORT`.
        url: String,
        /// What the user should know about the address.
        remark: Option<String>,
    },
    /// Something the user should know, and that changes nothing else.
    Note {
        /// The text.
        message: String,
    },
    /// The user is asked something; nothing else is written until it is answered.
    Asked {
        /// The text.
        question: String,
    },
    /// The question is answered, or does not matter any more.
    Answered,
    /// Something is probably not as the user wants it.
    Warning {
        /// The text.
        message: String,
    },
}

fn as_millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// An event and its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When it was sent.
    pub at: SystemTime,
    /// What happened.
    pub event: Event,
}

/// Where steps send their events. Cheap to clone; sending never blocks or fails.
#[derive(Clone, Debug)]
pub struct Events {
    sender: mpsc::UnboundedSender<Stamped>,
    tasks_wanted: bool,
    under_way: Arc<Mutex<Vec<String>>>,
}

impl Events {
    /// A handle and the end that `report` reads.
    #[must_use]
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Stamped>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender, tasks_wanted: false, under_way: Arc::default() }, receiver)
    }

    /// Whether single tasks are shown: then they are worth the calls that read them.
    #[must_use]
    pub fn showing_tasks(self, wanted: bool) -> Self {
        Self { tasks_wanted: wanted, ..self }
    }

    /// Whether somebody wants to see single tasks.
    #[must_use]
    pub fn tasks_wanted(&self) -> bool {
        self.tasks_wanted
    }

    /// Sends one event. Nobody listening is fine: the run's outcome does not depend on it.
    pub fn emit(&self, event: Event) {
        drop(self.sender.send(Stamped { at: SystemTime::now(), event }));
    }

    /// Begins a step; end it with [`Running::finish`], or drop it when it fails.
    #[must_use]
    pub fn start(&self, phase: Phase, subject: impl Into<String>) -> Running {
        let step = Step { phase, subject: subject.into() };
        self.emit(Event::Started { step: step.clone() });
        Running { events: self.clone(), step, began: std::time::Instant::now(), ended: false }
    }

    /// Says that something begins which goes on without this run, until the handle is dropped.
    #[must_use]
    pub fn goes_on(&self, what: impl Into<String>) -> UnderWay {
        let what = what.into();
        self.all_under_way().push(what.clone());
        UnderWay { events: self.clone(), what }
    }

    /// What an interruption would leave behind.
    #[must_use]
    pub fn under_way(&self) -> Vec<String> {
        self.all_under_way().clone()
    }

    fn all_under_way(&self) -> MutexGuard<'_, Vec<String>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the user something.
    pub fn note(&self, message: impl Into<String>) {
        self.emit(Event::Note { message: message.into() });
    }

    /// Warns the user.
    pub fn warn(&self, message: impl Into<String>) {
        self.emit(Event::Warning { message: message.into() });
    }
}

/// Something that goes on without this run.
#[derive(Debug)]
pub struct UnderWay {
    events: Events,
    what: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = self.events.all_under_way();
        if let Some(index) = all.iter().position(|what| *what == self.what) {
            all.remove(index);
        }
    }
}

/// A step that runs. Dropped without [`Running::finish`], it was abandoned.
#[derive(Debug)]
pub struct Running {
    events: Events,
    step: Step,
    began: std::time::Instant,
    ended: bool,
}

impl Running {
    /// What it does now.
    pub fn progress(&self, message: impl Into<String>) {
        self.events.emit(Event::Progress { step: self.step.clone(), message: message.into() });
    }

    /// A line of a tool's output.
    pub fn output(&self, line: impl Into<String>) {
        self.events.emit(Event::Output { step: self.step.clone(), line: line.into() });
    }

    /// It ended well.
    pub fn finish(mut self, done: Done, message: impl Into<String>) {
        self.ended = true;
        let elapsed = self.began.elapsed();
        self.events.emit(Event::Finished { step: self.step.clone(), done, message: message.into(), elapsed });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.events.emit(Event::Abandoned { step: self.step.clone() });
        }
    }
}

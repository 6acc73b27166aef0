//! The loop that feeds snapshots to the verdict.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::snapshot::{self, Service, Snapshot};
use super::verdict::{Goal, Verdict, judge};
use super::{evidence, find};
use crate::aws::{Aws, fault};
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Events, Phase, Running};
use crate::register::{Registered, short};

/// What to watch.
#[derive(Clone, Debug)]
pub struct Watch<'a> {
    /// Cluster name.
    pub cluster: &'a str,
    /// Service name.
    pub service: &'a str,
    /// What is being rolled out.
    pub registered: &'a Registered,
    /// The deployment ID and its creation time, if the call started one.
    pub deployment: Option<(String, i64)>,
    /// Service deployments from before the call; `None` if they cannot be listed.
    pub before: Option<BTreeSet<String>>,
    /// How long at most.
    pub timeout: Duration,
}

/// How a rollout that succeeded ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Tasks that run.
    pub running: i32,
    /// Whether anything had to change.
    pub changed: bool,
}

/// Between two looks while things move, and while they do not.
/// Each look is two calls: four calls a second at most, one a second when idle.
const BUSY: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_secs(2);
/// How long after the last change things count as moving.
const MOVING: Duration = Duration::from_secs(10);
/// How long our service deployment may be missing from the list before we do without it.
const RECORD_PATIENCE: Duration = Duration::from_secs(30);

/// Watches until the verdict is in.
///
/// # Errors
/// The rollout did not succeed (each way has its [`Kind`]), the time is up, or a call failed
/// for longer than its retries last.
pub async fn watch(aws: &Aws, watch: &Watch<'_>, events: &Events) -> Result<Outcome> {
    let step = events.start(Phase::Rollout, watch.service);
    let began = Instant::now();
    let mut state = State::new(watch);
    loop {
        let snapshot = state.look(aws, watch, began).await.map_err(lost_sight)?;
        state.tell(&snapshot, &step);
        match judge(&state.goal, &snapshot) {
            Verdict::Continue if began.elapsed() < watch.timeout => tokio::time::sleep(state.pause()).await,
            Verdict::Succeeded => return Ok(succeeded(watch, &snapshot, step)),
            verdict => return Err(failed(aws, watch, verdict, &snapshot, events).await),
        }
    }
}

/// Not to see the rollout does not end it.
fn lost_sight(error: Error) -> Error {
    error.hint("the rollout goes on unwatched: run again to follow it")
}

struct State {
    goal: Goal,
    pinned: Option<String>,
    last: Option<String>,
    moved: Instant,
}

impl State {
    fn new(watch: &Watch<'_>) -> Self {
        let goal = match &watch.deployment {
            Some((id, created_ms)) => Goal::Deployment {
                id: id.clone(),
                created_ms: *created_ms,
                records: watch.before.is_some(),
                seen: false,
            },
            None => Goal::InPlace,
        };
        Self { goal, pinned: None, last: None, moved: Instant::now() }
    }

    async fn look(&mut self, aws: &Aws, watch: &Watch<'_>, began: Instant) -> Result<Snapshot> {
        let (service, record) = tokio::try_join!(service(aws, watch), self.record(aws, watch))?;
        let (pinned, record) = record;
        self.pinned = pinned;
        self.note_sight(service.as_ref());
        if self.pinned.is_none()
            && began.elapsed() > RECORD_PATIENCE
            && let Goal::Deployment { records, .. } = &mut self.goal
        {
            *records = false;
        }
        Ok(Snapshot { service, record })
    }

    /// A deployment that was in the service's list once and is not any more has ended.
    fn note_sight(&mut self, service: Option<&Service>) {
        if let Goal::Deployment { id, seen, .. } = &mut self.goal {
            *seen |= service.is_some_and(|service| service.deployments.iter().any(|one| one.id == *id));
        }
    }

    async fn record(
        &self,
        aws: &Aws,
        watch: &Watch<'_>,
    ) -> Result<(Option<String>, Option<snapshot::Record>)> {
        let Goal::Deployment { records: true, created_ms, .. } = self.goal else {
            return Ok((None, None));
        };
        let pinned = match (&self.pinned, &watch.before) {
            (Some(arn), _) => Some(arn.clone()),
            (None, Some(before)) => {
                find::ours(aws, watch.cluster, watch.service, before, &watch.registered.arn, created_ms)
                    .await?
            }
            (None, None) => None,
        };
        let Some(arn) = pinned else {
            return Ok((None, None));
        };
        let answer = aws.ecs.describe_service_deployments().service_deployment_arns(&arn).send().await;
        let answer = answer.map_err(|error| fault("ecs:DescribeServiceDeployments", &arn, error))?;
        Ok((Some(arn), answer.service_deployments().first().map(snapshot::record)))
    }

    fn tell(&mut self, snapshot: &Snapshot, step: &Running) {
        let Some(service) = &snapshot.service else { return };
        let text = progress(&self.goal, service, snapshot.record.as_ref());
        if self.last.as_ref() != Some(&text) {
            step.progress(text.as_str());
            self.last = Some(text);
            self.moved = Instant::now();
        }
    }

    fn pause(&self) -> Duration {
        if self.moved.elapsed() < MOVING { BUSY } else { IDLE }
    }
}

async fn service(aws: &Aws, watch: &Watch<'_>) -> Result<Option<Service>> {
    let answer = aws.ecs.describe_services().cluster(watch.cluster).services(watch.service).send().await;
    let answer = answer.map_err(|error| fault("ecs:DescribeServices", watch.service, error))?;
    Ok(answer.services().first().map(snapshot::service))
}

fn progress(goal: &Goal, service: &Service, record: Option<&snapshot::Record>) -> String {
    let Goal::Deployment { id, .. } = goal else {
        return format!("{} of {} tasks run", service.running, service.desired);
    };
    let ours = service.deployments.iter().find(|deployment| deployment.id == *id);
    let mut text = match ours {
        Some(ours) => format!("{} of {} tasks run", ours.running, ours.desired),
        None => "not in the service's list".to_owned(),
    };
    let parts = [
        (ours.map_or(0, |ours| ours.pending), "starting"),
        (ours.map_or(0, |ours| ours.failed), "failed"),
        (
            service.deployments.iter().filter(|other| other.id != *id).map(|other| other.running).sum(),
            "of the old revision",
        ),
    ];
    for (count, what) in parts.iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!(", {count} {what}"));
    }
    if let Some(record) = record.filter(|record| record.status.starts_with("ROLLBACK")) {
        text.push_str(&format!(", {}", record.status.to_lowercase().replace('_', " ")));
    }
    text
}

fn succeeded(watch: &Watch<'_>, snapshot: &Snapshot, step: Running) -> Outcome {
    let running = snapshot.service.as_ref().map_or(0, |service| service.running);
    let definition = watch.registered.short();
    step.finish(
        Done::Changed,
        format!("{definition} serves, {running} {}", if running == 1 { "task" } else { "tasks" }),
    );
    Outcome { running, changed: true }
}

async fn failed(
    aws: &Aws,
    watch: &Watch<'_>,
    verdict: Verdict,
    snapshot: &Snapshot,
    events: &Events,
) -> Error {
    let definition = watch.registered.short();
    let service = watch.service;
    let serving =
        snapshot.service.as_ref().and_then(Service::primary).map(|primary| short(&primary.task_definition));
    let error = match &verdict {
        Verdict::RolledBack(reason) => {
            let now = serving.unwrap_or("the old revision");
            Error::new(Kind::RolledBack, format!("`{definition}` failed on service `{service}`: {reason}"))
                .hint(format!("rolled back: `{now}` serves"))
        }
        Verdict::Failed(reason) => {
            Error::new(Kind::Failed, format!("`{definition}` failed on service `{service}`: {reason}"))
                .hint("nothing was rolled back: fix the cause and deploy again")
        }
        Verdict::Superseded(other) => {
            let other = short(other);
            Error::new(
                Kind::Conflict,
                format!("`{definition}` was superseded by `{other}` on service `{service}`"),
            )
            .hint("another client started a deployment while this one was in progress")
        }
        Verdict::Gone => Error::new(
            Kind::Conflict,
            format!("service `{service}` was deleted while `{definition}` rolled out"),
        )
        .hint("deploy again to create it"),
        Verdict::Continue | Verdict::Succeeded => {
            let seconds = watch.timeout.as_secs();
            let waited = if seconds.is_multiple_of(60) {
                format!("{} min", seconds / 60)
            } else {
                format!("{seconds} s")
            };
            Error::new(
                Kind::TimedOut,
                format!("`{definition}` is not up on service `{service}` after {waited}"),
            )
            .hint("the rollout goes on: run again to follow it")
            .hint("to wait longer: `deployment.timeout-minutes`, or `--timeout SECONDS`")
        }
    };
    match evidence::gather(aws, watch, events).await {
        Some(evidence) => error.detail(evidence),
        None => error,
    }
}

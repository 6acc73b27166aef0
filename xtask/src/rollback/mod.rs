//! `cargo xtask rollback`: to what worked before, in one call, and followed to its end.
//!
//! Always by UpdateService: StopServiceDeployment leaves the choice of the revision to ECS ("the
//! previous service revision", Amazon ECS Developer Guide, "Stopping Amazon ECS service deployments"),
//! and whether that is the one the user gets told of is known only once it has begun.

mod check;
mod choose;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ecs::types::Service;
use schemars::JsonSchema;
use serde::Serialize;

use crate::aws::Aws;
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Events, Phase};
use crate::live::{self, Record};
use crate::register::{Registered, short};
use crate::rollout::{self, Watch};
use crate::service;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Cluster name.
    pub cluster: &'a str,
    /// Service name.
    pub service: &'a str,
    /// `FAMILY:REVISION`, a revision of the service's family, or an ARN; `None`: the last that worked.
    pub to: Option<&'a str>,
    /// Change nothing.
    pub dry_run: bool,
    /// How long to wait for the rollout.
    pub timeout: Duration,
}

/// How it ended, or what would be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RolledBack {
    /// The service.
    pub service: String,
    /// `FAMILY:REVISION` that it was to run before.
    pub from: String,
    /// `FAMILY:REVISION` that it runs now.
    pub to: String,
    /// Whether anything had to be changed.
    pub changed: bool,
    /// Tasks that run.
    pub running: i32,
    /// Nothing was done yet.
    pub dry_run: bool,
}

/// How many service deployments to look back; AWS keeps them for 90 days.
const LOOK_BACK: usize = 100;

/// Rolls back.
///
/// # Errors
/// There is nothing to go back to, or it is not to be had any more ([`Kind::Preflight`]); the call
/// failed; the rollout did not succeed.
pub async fn rollback(aws: &Aws, request: &Request<'_>, events: &Events) -> Result<RolledBack> {
    let step = events.start(Phase::Read, request.service);
    let names = [request.service.to_owned()];
    let (services, history) = tokio::join!(
        live::services(aws, request.cluster, &names),
        live::history(aws, request.cluster, request.service, LOOK_BACK)
    );
    let service = services?.into_iter().next().ok_or_else(|| not_deployed(request))?;
    let target = target(aws, request, &service, history, events).await?;
    step.finish(Done::Unchanged, short(&target));
    let change = choose::change(&service, &target);
    let outcome = |changed, running| RolledBack {
        service: request.service.to_owned(),
        from: short(service.task_definition().unwrap_or_default()).to_owned(),
        to: short(&target).to_owned(),
        changed,
        running,
        dry_run: request.dry_run,
    };
    if request.dry_run || change == choose::Change::None {
        if change == choose::Change::None {
            let runs = format!("`{}` is what it runs", short(&target));
            events.start(Phase::Service, request.service).finish(Done::Unchanged, runs);
        }
        return Ok(outcome(change != choose::Change::None, service.running_count()));
    }
    let running =
        carry_out(aws, request, &service, &Registered { arn: target.clone() }, change, events).await?;
    Ok(outcome(true, running))
}

fn not_deployed(request: &Request<'_>) -> Error {
    let message = format!("service `{}` is not deployed in cluster `{}`", request.service, request.cluster);
    Error::new(Kind::Preflight, message)
        .hint("`cargo xtask status` shows what is; `cargo xtask deploy` deploys")
}

/// The ARN to go back to, which can be rolled out.
async fn target(
    aws: &Aws,
    request: &Request<'_>,
    service: &Service,
    history: Result<Vec<Record>>,
    events: &Events,
) -> Result<String> {
    let current = service.task_definition().unwrap_or_default();
    let others = match &history {
        Ok(history) => choose::candidates(history, choose::leaving(current, history)),
        Err(_) => Vec::new(),
    };
    let name = match (request.to, &history) {
        (Some(to), _) => choose::named(to, current).ok_or_else(|| not_a_revision(to))?,
        (None, Err(error)) => return Err(no_records(request, error)),
        (None, Ok(_)) => others.first().cloned().ok_or_else(|| nothing_worked(request, current))?,
    };
    let checked = check::check(aws, &name, events).await?;
    match checked {
        check::Checked::Fine(arn) => Ok(arn),
        check::Checked::Unfit(reason) => {
            let rest: Vec<String> = others.into_iter().filter(|other| *other != name).collect();
            let fine = check::fine(aws, &rest, events).await;
            Err(unfit(request, &name, &reason, &fine))
        }
    }
}

fn not_a_revision(to: &str) -> Error {
    Error::new(Kind::Config, format!("`--to {to}` is no revision"))
        .hint("a number (`--to 7`), `FAMILY:REVISION`, or the ARN of a task definition")
}

fn no_records(request: &Request<'_>, cause: &Error) -> Error {
    let message = format!(
        "what worked before on service `{}` is not known: its service deployments cannot be read",
        request.service
    );
    Error::new(Kind::Preflight, message)
        .detail(cause.message.clone())
        .hint("name the revision: `--to REVISION`")
}

fn nothing_worked(request: &Request<'_>, current: &str) -> Error {
    let message = format!(
        "service `{}` has nothing to go back to: no other revision than `{}` was rolled out successfully in the last 90 days",
        request.service,
        short(current)
    );
    Error::new(Kind::Preflight, message).hint("to go to another one all the same: `--to REVISION`")
}

fn unfit(request: &Request<'_>, name: &str, reason: &str, fine: &[String]) -> Error {
    let error = Error::new(Kind::Preflight, format!("`{}` cannot be rolled out: {reason}", short(name)));
    if fine.is_empty() {
        return error.hint("nothing else that worked before is there either: deploy again from source");
    }
    let service = request.service;
    fine.iter().fold(error, |error, other| {
        error.hint(format!(
            "this worked, and is there: `cargo xtask rollback {service} --to {}`",
            short(other)
        ))
    })
}

/// The one call, and what it starts.
async fn carry_out(
    aws: &Aws,
    request: &Request<'_>,
    service: &Service,
    target: &Registered,
    change: choose::Change,
    events: &Events,
) -> Result<i32> {
    let before = match change {
        choose::Change::Update { .. } => rollout::known(aws, request.cluster, request.service).await?,
        // ECS is on its way there: the rollout in progress is the one to follow.
        choose::Change::Follow | choose::Change::None => Some(BTreeSet::new()),
    };
    let _under_way =
        events.goes_on(format!("the rollout of `{}` on service `{}`", target.short(), request.service));
    let answer = match change {
        choose::Change::Update { force } => Some(update(aws, request, service, target, force, events).await?),
        choose::Change::Follow | choose::Change::None => None,
    };
    let start = rollout::start(answer.as_ref().unwrap_or(service), Some(service), &target.arn);
    let Request { cluster, service, timeout, .. } = *request;
    // What is rolled back to is not given up for what it does now: there may be nothing better.
    let watch = Watch { before, timeout, crash_limit: None, ..Watch::new(cluster, service, target, start) };
    Ok(rollout::watch(aws, &watch, events).await?.running)
}

async fn update(
    aws: &Aws,
    request: &Request<'_>,
    before: &Service,
    target: &Registered,
    force: bool,
    events: &Events,
) -> Result<Service> {
    let step = events.start(Phase::Service, request.service);
    let call = aws.ecs.update_service().cluster(request.cluster).service(request.service);
    let call = call.task_definition(&target.arn).set_force_new_deployment(force.then_some(true));
    let service = service::update(aws, request.cluster, request.service, Some(before), call).await?;
    step.finish(Done::Changed, format!("updated: task definition `{}`", target.short()));
    Ok(service)
}

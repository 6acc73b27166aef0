//! What watching a rollout asks, and of whom: AWS, or the simulation, which runs the same loop in
//! virtual time. Everything that decides is on this side of it, every call and the clock behind it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_ecs::types::{StopServiceDeploymentStopType, Task};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;

use super::crash::{self, Ended};
use super::find::{self, Listed};
use super::snapshot::{self, Deployment, Record, Service};
use super::tasks::Tasks;
use super::{Watch, evidence};
use crate::aws::{Aws, fault};
use crate::error::Result;

/// The calls, about the service that is watched. An error is one that its retries did not mend.
pub(super) trait Api {
    /// Time since the watch began.
    fn now(&self) -> Duration;

    /// How many calls were made since this was asked last.
    fn calls(&self) -> u32;

    /// Lets time pass.
    async fn sleep(&self, pause: Duration);

    /// The service; `None`: there is none.
    async fn service(&self) -> Result<Option<Service>>;

    /// Service deployments created after this moment; `None`: denied.
    async fn listed(&self, after_ms: i64) -> Result<Option<Vec<Listed>>>;

    /// Those of the target revisions that run our definition; `None`: denied.
    async fn running(&self, listed: &[Listed]) -> Result<Option<BTreeSet<String>>>;

    /// A service deployment; the outer `None`: denied.
    async fn record(&self, arn: &str) -> Result<Option<Option<Record>>>;

    /// The stopped tasks of our definition; `None`: they cannot be read.
    async fn stopped(&self) -> Option<Vec<Ended>>;

    /// Asks to stop a service deployment and roll back.
    async fn stop(&self, arn: &str) -> Result<Stopped>;
}

/// What ECS says to being asked to stop a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It stops it, and rolls back.
    Yes,
    /// We may not ask.
    Denied(String),
    /// It cannot, or not any more; in AWS's words.
    Refused(String),
}

/// How long a look at the tasks may take.
const CLOSER_LOOK: Duration = Duration::from_millis(500);

/// AWS, or what stands in for it.
pub(super) struct Live<'a> {
    aws: &'a Aws,
    watch: &'a Watch<'a>,
    began: Instant,
    calls: AtomicU32,
    /// The stopped tasks that were read last.
    stopped: Mutex<Vec<Task>>,
}

impl<'a> Live<'a> {
    pub(super) fn new(aws: &'a Aws, watch: &'a Watch<'a>) -> Self {
        Self { aws, watch, began: Instant::now(), calls: AtomicU32::new(0), stopped: Mutex::default() }
    }

    /// Hands on the stopped tasks that were read since this was asked last.
    pub(super) fn learned(&self, learn: impl FnOnce(&[Task])) {
        let tasks = std::mem::take(&mut *self.stopped.lock().unwrap_or_else(PoisonError::into_inner));
        learn(&tasks);
    }

    /// Looks at the tasks of our deployment: what is late is not shown, since the next look waits.
    pub(super) async fn look(&self, tasks: &mut Tasks, ours: &Deployment, now: Duration) {
        let look = tasks.look(self.aws, self.watch.cluster, ours, now);
        self.count(tokio::time::timeout(CLOSER_LOOK, look).await.unwrap_or(2));
    }

    fn count(&self, calls: u32) {
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }
}

impl Api for Live<'_> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn calls(&self) -> u32 {
        self.calls.swap(0, Ordering::Relaxed)
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }

    async fn service(&self) -> Result<Option<Service>> {
        self.count(1);
        let Watch { cluster, service, .. } = *self.watch;
        let answer = self.aws.ecs.describe_services().cluster(cluster).services(service).send().await;
        let answer = answer.map_err(|error| fault("ecs:DescribeServices", service, error))?;
        Ok(answer.services().first().map(snapshot::service))
    }

    async fn listed(&self, after_ms: i64) -> Result<Option<Vec<Listed>>> {
        self.count(1);
        find::list(self.aws, self.watch.cluster, self.watch.service, Some(after_ms)).await
    }

    async fn running(&self, listed: &[Listed]) -> Result<Option<BTreeSet<String>>> {
        self.count(1);
        find::revisions_of(self.aws, listed, &self.watch.registered.arn).await
    }

    async fn record(&self, arn: &str) -> Result<Option<Option<Record>>> {
        self.count(1);
        match self.aws.ecs.describe_service_deployments().service_deployment_arns(arn).send().await {
            Ok(answer) => Ok(Some(answer.service_deployments().first().map(snapshot::record))),
            Err(error) if fault::denied(&error) => Ok(None),
            Err(error) => Err(fault("ecs:DescribeServiceDeployments", arn, error)),
        }
    }

    async fn stopped(&self) -> Option<Vec<Ended>> {
        self.count(2); // a list, and what is on it
        let Watch { cluster, service, registered, .. } = self.watch;
        let tasks = evidence::stopped(self.aws, cluster, service, &registered.arn).await?;
        let ended = tasks.iter().map(crash::ended).collect();
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Some(ended)
    }

    async fn stop(&self, arn: &str) -> Result<Stopped> {
        self.count(1);
        let call = self.aws.ecs.stop_service_deployment().service_deployment_arn(arn);
        let Err(error) = call.stop_type(StopServiceDeploymentStopType::Rollback).send().await else {
            return Ok(Stopped::Yes);
        };
        let reason = error.message().or(error.code()).unwrap_or("no reason given").to_owned();
        if fault::denied(&error) {
            Ok(Stopped::Denied(reason))
        } else if fault::refused(&error) {
            Ok(Stopped::Refused(reason))
        } else {
            Err(fault("ecs:StopServiceDeployment", arn, error))
        }
    }
}

//! When things became so, as the control plane's API tells: what the time from fact to verdict is
//! measured from. Its clock is this machine's.

use aws_sdk_ecs::client::Waiters as _;
use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{DesiredStatus, ServiceDeployment, Task};
use std::time::{Duration, Instant, SystemTime};

use crate::support::{Workspace, block_on};

/// The moment that was so many seconds after 1970.
pub(crate) fn moment(seconds: f64) -> Instant {
    let ago = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock that is right");
    Instant::now() - Duration::from_secs_f64((ago.as_secs_f64() - seconds).max(0.0))
}

/// A workspace's cluster, by the API.
pub(crate) struct Cloud<'w> {
    workspace: &'w Workspace,
    ecs: aws_sdk_ecs::Client,
}

impl<'w> Cloud<'w> {
    pub(crate) fn of(workspace: &'w Workspace) -> Self {
        let endpoint = workspace.status()["endpoint"].as_str().map(str::to_owned);
        let target =
            xtask::target::Target { local: endpoint, profile: None, region: Some("eu-west-1".to_owned()) };
        let aws = block_on(target.connect()).expect("a client");
        Self { workspace, ecs: aws.ecs }
    }

    /// The service's events, and what became of its tasks.
    pub(crate) fn story(&self) -> String {
        let name = &self.workspace.name;
        let answer = block_on(self.ecs.describe_services().cluster(name).services(name).send());
        let events = answer.map(|answer| answer.services()[0].events().to_vec());
        let tasks: Vec<_> = block_on(self.stopped()).into_iter().map(Fate::of).collect();
        format!("{events:#?}\n{tasks:#?}")
    }

    /// Sets the desired count, as somebody does in the console.
    pub(crate) fn scale(&self, count: i32) {
        let name = &self.workspace.name;
        let call = self.ecs.update_service().cluster(name).service(name).desired_count(count);
        block_on(call.send()).expect("it is scaled");
    }

    /// When the newest service deployment came to its end, in seconds since 1970, and its status.
    pub(crate) fn ended(&self) -> (f64, String) {
        let record = block_on(self.record());
        let at = record.finished_at().or(record.stopped_at()).expect("it is over");
        (at.as_secs_f64(), record.status().map(|status| status.to_string()).unwrap_or_default())
    }

    async fn record(&self) -> ServiceDeployment {
        let name = &self.workspace.name;
        let listed = self.ecs.list_service_deployments().cluster(name).service(name).send().await;
        let listed = listed.expect("service deployments are listed");
        let newest = listed.service_deployments().iter().max_by_key(|one| one.created_at().map(millis));
        let arn = newest.and_then(|one| one.service_deployment_arn()).expect("there is one");
        let read = self.ecs.describe_service_deployments().service_deployment_arns(arn).send().await;
        read.expect("it is described").service_deployments().first().expect("it is there").clone()
    }

    /// When so many tasks of the revision had died: when their containers had, which is told before
    /// their network is gone.
    pub(crate) fn death(&self, revision: &str, count: usize) -> f64 {
        let tasks = block_on(self.stopped());
        let of_revision =
            |task: &&Task| task.task_definition_arn().is_some_and(|arn| arn.ends_with(revision));
        let mut died: Vec<f64> = tasks
            .iter()
            .filter(of_revision)
            .filter_map(|task| task.execution_stopped_at().or(task.stopped_at()))
            .map(DateTime::as_secs_f64)
            .collect();
        died.sort_by(f64::total_cmp);
        *died.get(count - 1).unwrap_or_else(|| panic!("only {} tasks of {revision} died", died.len()))
    }

    async fn stopped(&self) -> Vec<Task> {
        let name = &self.workspace.name;
        let call = self.ecs.list_tasks().cluster(name).desired_status(DesiredStatus::Stopped);
        let arns = call.send().await.expect("tasks are listed").task_arns().to_vec();
        let call = self.ecs.describe_tasks().cluster(name).set_tasks(Some(arns));
        call.send().await.expect("tasks are described").tasks().to_vec()
    }

    /// What `aws ecs wait services-stable` does: the same definition, from the same model.
    pub(crate) fn wait_until_services_stable(&self, seconds: u64) -> Result<(), String> {
        let name = &self.workspace.name;
        let wait = self.ecs.wait_until_services_stable().cluster(name).services(name);
        let waited = block_on(wait.wait(Duration::from_secs(seconds)));
        waited.map(drop).map_err(|error| error.to_string())
    }
}

fn millis(at: &DateTime) -> i64 {
    at.to_millis().unwrap_or_default()
}

/// How a task ended.
#[derive(Debug)]
#[expect(dead_code, reason = "read by `Debug` when a test fails")]
struct Fate {
    definition: Option<String>,
    reason: Option<String>,
    codes: Vec<Option<i32>>,
    times: [Option<f64>; 4],
}

impl Fate {
    fn of(task: Task) -> Self {
        let times = [task.created_at(), task.started_at(), task.stopping_at(), task.stopped_at()];
        Self {
            definition: task.task_definition_arn().map(str::to_owned),
            reason: task.stopped_reason().map(str::to_owned),
            codes: task.containers().iter().map(|one| one.exit_code()).collect(),
            times: times.map(|at| at.map(DateTime::as_secs_f64)),
        }
    }
}

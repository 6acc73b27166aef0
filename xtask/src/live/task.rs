//! Tasks, the stopped ones too: ECS tells of them for an hour at least.
//! Source: Amazon ECS API Reference, DescribeTasks.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{DesiredStatus, Task};
use futures_util::future::try_join_all;

use crate::aws::{Aws, fault};
use crate::error::Result;

/// How many tasks DescribeTasks takes at once.
/// Source: Amazon ECS API Reference, DescribeTasks.
const TASKS_A_CALL: usize = 100;

/// The service's tasks: those that run, are starting or stopping, and those that stopped lately. The
/// newest first; none if the service is not there.
///
/// # Errors
/// A call failed.
pub async fn tasks(aws: &Aws, cluster: &str, service: &str) -> Result<Vec<Task>> {
    let (wanted, stopped) = tokio::try_join!(
        list(aws, cluster, service, DesiredStatus::Running),
        list(aws, cluster, service, DesiredStatus::Stopped),
    )?;
    let arns = [wanted, stopped].concat();
    let calls = arns.chunks(TASKS_A_CALL).map(|arns| describe(aws, cluster, service, arns));
    let mut tasks: Vec<Task> = try_join_all(calls).await?.into_iter().flatten().collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(super::millis(task.created_at())));
    tasks.dedup_by(|a, b| a.task_arn() == b.task_arn());
    Ok(tasks)
}

async fn list(aws: &Aws, cluster: &str, service: &str, desired: DesiredStatus) -> Result<Vec<String>> {
    let mut arns = Vec::new();
    let mut next = None;
    loop {
        let call = aws.ecs.list_tasks().cluster(cluster).service_name(service);
        match call.desired_status(desired.clone()).set_next_token(next).send().await {
            Ok(answer) => {
                arns.extend_from_slice(answer.task_arns());
                next = answer.next_token().map(str::to_owned);
            }
            Err(error)
                if ["ServiceNotFoundException", "ClusterNotFoundException"]
                    .iter()
                    .any(|code| fault::is(&error, code)) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(fault("ecs:ListTasks", service, error)),
        }
        if next.is_none() {
            return Ok(arns);
        }
    }
}

async fn describe(aws: &Aws, cluster: &str, service: &str, arns: &[String]) -> Result<Vec<Task>> {
    let answer = aws.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec())).send().await;
    Ok(answer.map_err(|error| fault("ecs:DescribeTasks", service, error))?.tasks().to_vec())
}

/// The task's address in the VPC.
#[must_use]
pub fn private_address(task: &Task) -> Option<&str> {
    detail(task, "privateIPv4Address")
}

/// A detail of the task's network interface attachment.
/// Source: Amazon ECS API Reference, Attachment.
fn detail<'t>(task: &'t Task, name: &str) -> Option<&'t str> {
    let details = task.attachments().iter().flat_map(|attachment| attachment.details());
    details.filter(|pair| pair.name() == Some(name)).find_map(|pair| pair.value())
}

/// Task ARN to public address, of those that have one; one call for all. Best effort: an interface goes
/// when its task does, and the call may be denied.
pub async fn public_addresses(aws: &Aws, tasks: &[Task]) -> BTreeMap<String, String> {
    let running = tasks.iter().filter(|task| task.last_status() == Some("RUNNING"));
    let interfaces: BTreeMap<&str, &str> =
        running.filter_map(|task| Some((detail(task, "networkInterfaceId")?, task.task_arn()?))).collect();
    if interfaces.is_empty() {
        return BTreeMap::new();
    }
    let ids = interfaces.keys().map(|id| (*id).to_owned()).collect();
    let call = aws.ec2.describe_network_interfaces().set_network_interface_ids(Some(ids));
    let Ok(answer) = call.send().await else { return BTreeMap::new() };
    let address = |interface: &aws_sdk_ec2::types::NetworkInterface| {
        let task = interfaces.get(interface.network_interface_id()?)?;
        Some(((*task).to_owned(), interface.association()?.public_ip()?.to_owned()))
    };
    answer.network_interfaces().iter().filter_map(address).collect()
}

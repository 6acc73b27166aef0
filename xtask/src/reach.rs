//! Where the tasks of a service can be reached.

use aws_sdk_ecs::types::Task;

use crate::aws::Aws;
use crate::config::service::Service;
use crate::local::Status;

/// A place to send requests to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `http://ADDRESS:PORT`.
    pub url: String,
    /// What the user should know about it.
    pub remark: Option<String>,
}

/// The ports of a service on this machine, where the local control plane forwards them.
#[must_use]
pub fn local(status: &Status, cluster: &str, service: &str) -> Vec<Place> {
    let found = status.services.iter().find(|found| found.cluster == cluster && found.service == service);
    let ports = found.into_iter().flat_map(|found| &found.ports);
    let place = |port: &crate::local::Port| {
        let elsewhere = !port.url.ends_with(&format!(":{}", port.container_port));
        let remark = elsewhere.then(|| format!("port {} is taken on this machine", port.container_port));
        Place { url: port.url.clone(), remark }
    };
    ports.map(place).collect()
}

/// The addresses of the running tasks. Best effort: the service is up whether or not its
/// addresses can be read.
pub async fn on_aws(aws: &Aws, cluster: &str, service: &Service) -> Vec<Place> {
    let port =
        service.containers.iter().flat_map(|container| &container.ports).next().map(|port| port.number);
    let Some(port) = port else { return Vec::new() };
    let tasks = running(aws, cluster, &service.name).await.unwrap_or_default();
    let interfaces: Vec<String> =
        tasks.iter().filter_map(|task| detail(task, "networkInterfaceId")).collect();
    let public = public_addresses(aws, &interfaces).await.unwrap_or_default();
    if !public.is_empty() {
        return public
            .iter()
            .map(|address| Place { url: format!("http://{address}:{port}"), remark: None })
            .collect();
    }
    let private = tasks.iter().filter_map(|task| detail(task, "privateIPv4Address"));
    let remark = || Some("inside the VPC".to_owned());
    private.map(|address| Place { url: format!("http://{address}:{port}"), remark: remark() }).collect()
}

async fn running(aws: &Aws, cluster: &str, service: &str) -> Option<Vec<Task>> {
    let arns = aws.ecs.list_tasks().cluster(cluster).service_name(service).send().await.ok()?;
    if arns.task_arns().is_empty() {
        return None;
    }
    let answer =
        aws.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.task_arns().to_vec())).send().await;
    Some(answer.ok()?.tasks().to_vec())
}

/// A detail of the task's network interface attachment.
/// Source: Amazon ECS API Reference, Attachment.
fn detail(task: &Task, name: &str) -> Option<String> {
    let details = task.attachments().iter().flat_map(|attachment| attachment.details());
    details.filter(|pair| pair.name() == Some(name)).find_map(|pair| pair.value()).map(str::to_owned)
}

async fn public_addresses(aws: &Aws, interfaces: &[String]) -> Option<Vec<String>> {
    if interfaces.is_empty() {
        return None;
    }
    let call = aws.ec2.describe_network_interfaces().set_network_interface_ids(Some(interfaces.to_vec()));
    let answer = call.send().await.ok()?;
    let address = |interface: &aws_sdk_ec2::types::NetworkInterface| {
        Some(interface.association()?.public_ip()?.to_owned())
    };
    Some(answer.network_interfaces().iter().filter_map(address).collect())
}

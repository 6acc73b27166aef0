//! The cluster, its services, and task definitions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{DeploymentRolloutState, Service, ServiceField, TaskDefinitionField};
use serde_json::Value;

use crate::aws::json::Answer;
use crate::aws::{Aws, fault};
use crate::config::Config;
use crate::error::Result;

/// A service that exists and is active.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrentService {
    /// As DescribeServices told it.
    pub service: Service,
    /// The task definition it is to run, as ECS JSON; `None` if it was deleted.
    pub task_definition: Option<Value>,
}

impl CurrentService {
    /// Whether a rollout is in progress.
    #[must_use]
    pub fn in_progress(&self) -> bool {
        self.service.deployments().iter().any(|deployment| {
            deployment.status() == Some("PRIMARY")
                && deployment.rollout_state() == Some(&DeploymentRolloutState::InProgress)
        })
    }
}

/// How many services DescribeServices takes at once.
/// Source: Amazon ECS API Reference, DescribeServices.
const SERVICES_A_CALL: usize = 10;

/// The cluster's capacity providers, if it is active, and the declared services that are.
pub(super) async fn services(
    aws: &Aws,
    config: &Config,
) -> Result<(Option<Vec<String>>, BTreeMap<String, CurrentService>)> {
    let cluster = cluster_providers(aws, &config.cluster);
    let names: Vec<String> = config.services.iter().map(|service| service.name.clone()).collect();
    let calls = names.chunks(SERVICES_A_CALL).map(|names| described(aws, &config.cluster, names));
    let (providers, found) = tokio::try_join!(cluster, futures_util::future::try_join_all(calls))?;
    let live = found.into_iter().flatten().filter(|service| service.status() == Some("ACTIVE"));
    let with_definitions = live.map(|service| with_definition(aws, service));
    let services = futures_util::future::try_join_all(with_definitions).await?;
    Ok((providers, services.into_iter().collect()))
}

/// A service as it is now, if it exists and is active.
///
/// # Errors
/// A call failed.
pub async fn current(aws: &Aws, cluster: &str, name: &str) -> Result<Option<CurrentService>> {
    let found = described(aws, cluster, &[name.to_owned()]).await?;
    match found.into_iter().find(|service| service.status() == Some("ACTIVE")) {
        Some(service) => Ok(Some(with_definition(aws, service).await?.1)),
        None => Ok(None),
    }
}

async fn cluster_providers(aws: &Aws, cluster: &str) -> Result<Option<Vec<String>>> {
    let answer = aws.ecs.describe_clusters().clusters(cluster).send().await;
    let answer = answer.map_err(|error| fault("ecs:DescribeClusters", cluster, error))?;
    let active = answer.clusters().iter().find(|cluster| cluster.status() == Some("ACTIVE"));
    Ok(active.map(|cluster| cluster.capacity_providers().to_vec()))
}

async fn described(aws: &Aws, cluster: &str, names: &[String]) -> Result<Vec<Service>> {
    match aws
        .ecs
        .describe_services()
        .cluster(cluster)
        .set_services(Some(names.to_vec()))
        .include(ServiceField::Tags)
        .send()
        .await
    {
        Ok(answer) => Ok(answer.services().to_vec()),
        Err(error) if fault::is(&error, "ClusterNotFoundException") => Ok(Vec::new()),
        Err(error) => Err(fault("ecs:DescribeServices", &names.join(", "), error)),
    }
}

async fn with_definition(aws: &Aws, service: Service) -> Result<(String, CurrentService)> {
    let name = service.service_name().unwrap_or_default().to_owned();
    let task_definition = match service.task_definition() {
        Some(arn) => task_definition(aws, arn).await?,
        None => None,
    };
    Ok((name, CurrentService { service, task_definition }))
}

/// Family to its newest active revision.
pub(super) async fn families(aws: &Aws, config: &Config) -> Result<BTreeMap<String, Value>> {
    let families: BTreeSet<&str> = config.services.iter().map(|service| service.family.as_str()).collect();
    let each = families.into_iter().map(|family| async move {
        Ok::<_, crate::error::Error>(
            task_definition(aws, family).await?.map(|found| (family.to_owned(), found)),
        )
    });
    Ok(futures_util::future::try_join_all(each).await?.into_iter().flatten().collect())
}

/// A task definition by family (its newest active revision), `family:revision` or ARN, whole.
///
/// # Errors
/// The call failed for another reason than that there is none.
pub async fn task_definition(aws: &Aws, name: &str) -> Result<Option<Value>> {
    let answer = Answer::default();
    let call = aws.ecs.describe_task_definition().task_definition(name).include(TaskDefinitionField::Tags);
    match call.customize().interceptor(answer.clone()).send().await {
        Ok(_) => Ok(answer.take().map(|mut answer| answer["taskDefinition"].take()).filter(Value::is_object)),
        // `Unable to describe task definition.`: the words for one that does not exist (observed).
        Err(error) if fault::is(&error, "ClientException") => Ok(None),
        Err(error) => Err(fault("ecs:DescribeTaskDefinition", name, error)),
    }
}

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

/// What ECS has of the file.
pub(super) struct Found {
    /// The cluster's capacity providers, if it is there and active.
    pub(super) cluster: Option<Vec<String>>,
    /// By name, those that exist and are active.
    pub(super) services: BTreeMap<String, CurrentService>,
    /// Family to its newest active revision.
    pub(super) families: BTreeMap<String, Value>,
}

/// Reads the cluster, its declared services and their families. A service mostly runs its family's newest
/// revision, which is then asked for once.
pub(super) async fn read(aws: &Aws, config: &Config) -> Result<Found> {
    let names: Vec<String> = config.services.iter().map(|service| service.name.clone()).collect();
    let calls = names.chunks(SERVICES_A_CALL).map(|names| described(aws, &config.cluster, names));
    let (cluster, found, families) = tokio::try_join!(
        cluster_providers(aws, &config.cluster),
        futures_util::future::try_join_all(calls),
        families(aws, config)
    )?;
    let live = found.into_iter().flatten().filter(|service| service.status() == Some("ACTIVE"));
    let with_definitions = live.map(|service| with_definition(aws, service, &families));
    let services = futures_util::future::try_join_all(with_definitions).await?.into_iter().collect();
    Ok(Found { cluster, services, families })
}

/// A service as it is now, if it exists and is active.
///
/// # Errors
/// A call failed.
pub async fn current(aws: &Aws, cluster: &str, name: &str) -> Result<Option<CurrentService>> {
    let found = described(aws, cluster, &[name.to_owned()]).await?;
    match found.into_iter().find(|service| service.status() == Some("ACTIVE")) {
        Some(service) => Ok(Some(with_definition(aws, service, &BTreeMap::new()).await?.1)),
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

/// `known`: definitions that were read already.
async fn with_definition(
    aws: &Aws,
    service: Service,
    known: &BTreeMap<String, Value>,
) -> Result<(String, CurrentService)> {
    let name = service.service_name().unwrap_or_default().to_owned();
    let task_definition = match service.task_definition() {
        Some(arn) => match known.values().find(|known| known["taskDefinitionArn"] == arn) {
            Some(known) => Some(known.clone()),
            None => task_definition(aws, arn).await?,
        },
        None => None,
    };
    Ok((name, CurrentService { service, task_definition }))
}

/// Family to its newest active revision.
async fn families(aws: &Aws, config: &Config) -> Result<BTreeMap<String, Value>> {
    let families: BTreeSet<&str> = config.services.iter().map(|service| service.family.as_str()).collect();
    let each = families.into_iter().map(|family| async move {
        Ok::<_, crate::error::Error>(
            task_definition(aws, family).await?.map(|found| (family.to_owned(), found)),
        )
    });
    Ok(futures_util::future::try_join_all(each).await?.into_iter().flatten().collect())
}

/// The definition; its tags come beside it.
/// Source: Amazon ECS API Reference, DescribeTaskDefinition (response elements).
fn with_tags(mut answer: Value) -> Value {
    let mut definition = answer["taskDefinition"].take();
    if let Some(members) = definition.as_object_mut() {
        members.insert("tags".to_owned(), answer["tags"].take());
    }
    definition
}

/// A task definition by family (its newest active revision), `family:revision` or ARN, whole.
///
/// # Errors
/// The call failed for another reason than that there is none.
pub async fn task_definition(aws: &Aws, name: &str) -> Result<Option<Value>> {
    let answer = Answer::default();
    let call = aws.ecs.describe_task_definition().task_definition(name).include(TaskDefinitionField::Tags);
    match call.customize().interceptor(answer.clone()).send().await {
        Ok(_) => Ok(answer.take().map(with_tags).filter(Value::is_object)),
        // `Unable to describe task definition.`: the words for one that does not exist (observed).
        Err(error) if fault::is(&error, "ClientException") => Ok(None),
        Err(error) => Err(fault("ecs:DescribeTaskDefinition", name, error)),
    }
}

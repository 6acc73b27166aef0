//! The records of a service's rollouts.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{ServiceDeployment, ServiceDeploymentBrief};
use futures_util::future::try_join_all;

use super::millis;
use crate::aws::{Aws, fault};
use crate::error::Result;

/// A service deployment and what it rolled out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `…:service-deployment/CLUSTER/SERVICE/ID`.
    pub arn: String,
    /// One of nine words: Amazon ECS API Reference, ServiceDeployment.
    pub status: String,
    /// AWS's words for it; of one that was rolled back, why.
    pub reason: Option<String>,
    /// ARN of the task definition that it rolled out; `None` if AWS has forgotten it.
    pub task_definition: Option<String>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Milliseconds since 1970.
    pub finished_ms: Option<i64>,
}

/// How many ARNs DescribeServiceDeployments and DescribeServiceRevisions take at once.
/// Source: Amazon ECS API Reference, both.
const ARNS_A_CALL: usize = 20;

/// The newest `most` service deployments, the newest first; none if the service is not there. AWS
/// keeps them for 90 days.
///
/// # Errors
/// A call failed.
pub async fn history(aws: &Aws, cluster: &str, service: &str, most: usize) -> Result<Vec<Record>> {
    let mut briefs = list(aws, cluster, service).await?;
    briefs.sort_by_key(|brief| std::cmp::Reverse(millis(brief.created_at())));
    briefs.truncate(most);
    let arns = strings(&briefs, ServiceDeploymentBrief::service_deployment_arn);
    let mut revisions = strings(&briefs, ServiceDeploymentBrief::target_service_revision_arn);
    revisions.sort();
    revisions.dedup();
    let (details, definitions) = tokio::try_join!(
        try_join_all(arns.chunks(ARNS_A_CALL).map(|arns| details(aws, service, arns))),
        try_join_all(revisions.chunks(ARNS_A_CALL).map(|arns| definitions(aws, service, arns))),
    )?;
    let details: Vec<ServiceDeployment> = details.into_iter().flatten().collect();
    let definitions: BTreeMap<String, String> = definitions.into_iter().flatten().collect();
    Ok(briefs.iter().map(|brief| record(brief, &details, &definitions)).collect())
}

fn strings<T>(items: &[T], member: impl Fn(&T) -> Option<&str>) -> Vec<String> {
    items.iter().filter_map(member).map(str::to_owned).collect()
}

fn record(
    brief: &ServiceDeploymentBrief,
    details: &[ServiceDeployment],
    definitions: &BTreeMap<String, String>,
) -> Record {
    let arn = brief.service_deployment_arn().unwrap_or_default();
    let detail = details.iter().find(|detail| detail.service_deployment_arn() == Some(arn));
    let rollback = detail.and_then(|detail| detail.rollback()).and_then(|rollback| rollback.reason());
    let status = brief.status().map(|status| status.as_str().to_owned());
    Record {
        arn: arn.to_owned(),
        status: status.unwrap_or_default(),
        reason: rollback.or(brief.status_reason()).filter(|reason| !reason.is_empty()).map(str::to_owned),
        task_definition: brief.target_service_revision_arn().and_then(|arn| definitions.get(arn)).cloned(),
        created_ms: millis(brief.created_at()).unwrap_or_default(),
        finished_ms: millis(brief.finished_at()),
    }
}

/// All pages: the API says nothing of an order.
async fn list(aws: &Aws, cluster: &str, service: &str) -> Result<Vec<ServiceDeploymentBrief>> {
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let call = aws.ecs.list_service_deployments().cluster(cluster).service(service).max_results(100);
        match call.set_next_token(next).send().await {
            Ok(answer) => {
                found.extend_from_slice(answer.service_deployments());
                next = answer.next_token().map(str::to_owned);
            }
            Err(error)
                if ["ServiceNotFoundException", "ClusterNotFoundException"]
                    .iter()
                    .any(|code| fault::is(&error, code)) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(fault("ecs:ListServiceDeployments", service, error)),
        }
        if next.is_none() {
            return Ok(found);
        }
    }
}

async fn details(aws: &Aws, service: &str, arns: &[String]) -> Result<Vec<ServiceDeployment>> {
    let call = aws.ecs.describe_service_deployments().set_service_deployment_arns(Some(arns.to_vec()));
    let answer = call.send().await;
    let answer = answer.map_err(|error| fault("ecs:DescribeServiceDeployments", service, error))?;
    Ok(answer.service_deployments().to_vec())
}

/// Service revision to task definition, by ARN.
async fn definitions(aws: &Aws, service: &str, arns: &[String]) -> Result<Vec<(String, String)>> {
    let call = aws.ecs.describe_service_revisions().set_service_revision_arns(Some(arns.to_vec()));
    let answer = call.send().await;
    let answer = answer.map_err(|error| fault("ecs:DescribeServiceRevisions", service, error))?;
    let revisions = answer.service_revisions().iter();
    Ok(revisions
        .filter_map(|revision| {
            Some((revision.service_revision_arn()?.to_owned(), revision.task_definition()?.to_owned()))
        })
        .collect())
}

//! Finds the service deployment that our own call started, and pins it by its ARN.

use std::collections::BTreeSet;

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{CreatedAt, ServiceDeploymentBrief};

use crate::aws::{Aws, fault};
use crate::error::Result;

/// Which service deployments cannot be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// All that are there before our call.
    All,
    /// Those that are over: the one in progress is the one to follow.
    Finished,
}

/// ARNs of the service deployments that cannot be ours; `None` if they cannot be listed: what
/// is denied degrades, it does not fail the deploy.
pub async fn known(aws: &Aws, cluster: &str, service: &str, which: Known) -> Option<BTreeSet<String>> {
    let mut briefs = list(aws, cluster, service, None).await.ok()?;
    if which == Known::Finished {
        briefs.retain(|brief| brief.finished_at().is_some());
    }
    Some(briefs.iter().filter_map(|brief| brief.service_deployment_arn()).map(str::to_owned).collect())
}

/// All pages: the API says nothing of an order.
/// Source: Amazon ECS API Reference, ListServiceDeployments (at most 100 a page, kept for 90 days).
async fn list(
    aws: &Aws,
    cluster: &str,
    service: &str,
    created: Option<CreatedAt>,
) -> Result<Vec<ServiceDeploymentBrief>> {
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let call = aws.ecs.list_service_deployments().cluster(cluster).service(service).max_results(100);
        match call.set_created_at(created.clone()).set_next_token(next).send().await {
            Ok(answer) => {
                found.extend_from_slice(answer.service_deployments());
                next = answer.next_token().map(str::to_owned);
            }
            Err(error) if fault::is(&error, "ServiceNotFoundException") => return Ok(Vec::new()),
            Err(error) if fault::is(&error, "ClusterNotFoundException") => return Ok(Vec::new()),
            Err(error) => return Err(fault("ecs:ListServiceDeployments", service, error)),
        }
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// How far apart AWS may write the creation of a deployment and of its record, in seconds.
const SLACK: i64 = 60;

/// The ARN of the service deployment that is new since `before` and whose target runs `definition`. `created_ms` is
/// when the deployment was created, by AWS's clock.
///
/// # Errors
/// A call failed.
pub(super) async fn ours(
    aws: &Aws,
    cluster: &str,
    service: &str,
    before: &BTreeSet<String>,
    definition: &str,
    created_ms: i64,
) -> Result<Option<String>> {
    let since = DateTime::from_millis(created_ms - SLACK * 1000);
    let since = CreatedAt::builder().after(since).build();
    let mut fresh = list(aws, cluster, service, Some(since)).await?;
    fresh.retain(|brief| brief.service_deployment_arn().is_some_and(|arn| !before.contains(arn)));
    // Ours is the oldest of the new ones that run our definition: whoever came later superseded it.
    fresh.sort_by_key(|brief| brief.created_at().and_then(|at| at.to_millis().ok()));
    for brief in fresh {
        let Some(revision) = brief.target_service_revision_arn() else {
            continue;
        };
        if revision_runs(aws, revision, definition).await? {
            return Ok(brief.service_deployment_arn().map(str::to_owned));
        }
    }
    Ok(None)
}

async fn revision_runs(aws: &Aws, revision: &str, definition: &str) -> Result<bool> {
    let answer = aws.ecs.describe_service_revisions().service_revision_arns(revision).send().await;
    let answer = answer.map_err(|error| fault("ecs:DescribeServiceRevisions", revision, error))?;
    Ok(answer.service_revisions().iter().any(|revision| revision.task_definition() == Some(definition)))
}

//! Finds the service deployment that our own call started, and pins it by its ARN.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::ServiceDeploymentBrief;

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
    let mut briefs = list(aws, cluster, service).await.ok()?;
    if which == Known::Finished {
        briefs.retain(|brief| brief.finished_at().is_some());
    }
    Some(briefs.iter().filter_map(|brief| brief.service_deployment_arn()).map(str::to_owned).collect())
}

/// The first page: the newest ones, which is where ours is.
/// Source: Amazon ECS API Reference, ListServiceDeployments (order: assumed, so none is relied on).
async fn list(aws: &Aws, cluster: &str, service: &str) -> Result<Vec<ServiceDeploymentBrief>> {
    let answer = aws.ecs.list_service_deployments().cluster(cluster).service(service).send().await;
    match answer {
        Ok(answer) => Ok(answer.service_deployments().to_vec()),
        Err(error) if fault::is(&error, "ServiceNotFoundException") => Ok(Vec::new()),
        Err(error) if fault::is(&error, "ClusterNotFoundException") => Ok(Vec::new()),
        Err(error) => Err(fault("ecs:ListServiceDeployments", service, error)),
    }
}

/// The ARN of the service deployment that is new since `before` and whose target runs `definition`.
///
/// # Errors
/// A call failed.
pub(super) async fn ours(
    aws: &Aws,
    cluster: &str,
    service: &str,
    before: &BTreeSet<String>,
    definition: &str,
) -> Result<Option<String>> {
    let mut fresh = list(aws, cluster, service).await?;
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

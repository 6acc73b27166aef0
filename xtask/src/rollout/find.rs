//! Finds the service deployment that our own call started, to pin it by its ARN.

use std::collections::BTreeSet;

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{CreatedAt, ServiceDeploymentBrief};

use super::api::Api;
use crate::aws::{Aws, fault};
use crate::error::Result;

/// An entry of ListServiceDeployments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Of the service deployment.
    pub(super) arn: String,
    /// ARN of the service revision it deploys.
    pub(super) revision: String,
    /// Milliseconds since 1970.
    pub(super) created_ms: i64,
}

/// ARNs of the service deployments that are there before our call and so cannot be ours; `None` if
/// listing them is denied: then the service's own words have to do.
///
/// # Errors
/// The call failed for another reason.
pub async fn known(aws: &Aws, cluster: &str, service: &str) -> Result<Option<BTreeSet<String>>> {
    let listed = list(aws, cluster, service, None).await?;
    Ok(listed.map(|listed| listed.into_iter().map(|one| one.arn).collect()))
}

/// How far apart AWS may write the creation of a deployment and of its record, in milliseconds.
const SLACK_MS: i64 = 60_000;

/// The ARN of the service deployment that is not known from before and whose target runs our
/// definition. `created_ms` is when the deployment was created, by AWS's clock.
/// The outer `None` says that reading them is denied, the inner one that ours is not listed yet.
///
/// # Errors
/// A call failed for another reason.
pub(super) async fn ours(
    api: &impl Api,
    before: &BTreeSet<String>,
    created_ms: i64,
) -> Result<Option<Option<String>>> {
    let Some(mut listed) = api.listed(created_ms - SLACK_MS).await? else { return Ok(None) };
    listed.retain(|one| !before.contains(&one.arn));
    let Some(running) = api.running(&listed).await? else { return Ok(None) };
    Ok(Some(choose(&listed, &running, created_ms).map(|one| one.arn.clone())))
}

/// Ours is the one that runs our definition and was created when our deployment was: a retried
/// call, or another client, may have started one of the same definition before or after it.
fn choose<'l>(listed: &'l [Listed], running: &BTreeSet<String>, created_ms: i64) -> Option<&'l Listed> {
    let candidates = listed.iter().filter(|one| running.contains(&one.revision));
    candidates.min_by_key(|one| (one.created_ms - created_ms).abs())
}

/// All pages: the API says nothing of an order. `None` if it is denied.
/// Source: Amazon ECS API Reference, ListServiceDeployments (at most 100 a page, kept for 90 days).
pub(super) async fn list(
    aws: &Aws,
    cluster: &str,
    service: &str,
    after_ms: Option<i64>,
) -> Result<Option<Vec<Listed>>> {
    let created = after_ms.map(|after| CreatedAt::builder().after(DateTime::from_millis(after)).build());
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let call = aws.ecs.list_service_deployments().cluster(cluster).service(service).max_results(100);
        match call.set_created_at(created.clone()).set_next_token(next).send().await {
            Ok(answer) => {
                found.extend(answer.service_deployments().iter().filter_map(listed));
                next = answer.next_token().map(str::to_owned);
            }
            Err(error) if fault::is(&error, "ServiceNotFoundException") => return Ok(Some(Vec::new())),
            Err(error) if fault::is(&error, "ClusterNotFoundException") => return Ok(Some(Vec::new())),
            Err(error) if fault::denied(&error) => return Ok(None),
            Err(error) => return Err(fault("ecs:ListServiceDeployments", service, error)),
        }
        if next.is_none() {
            return Ok(Some(found));
        }
    }
}

fn listed(brief: &ServiceDeploymentBrief) -> Option<Listed> {
    Some(Listed {
        arn: brief.service_deployment_arn()?.to_owned(),
        revision: brief.target_service_revision_arn()?.to_owned(),
        created_ms: brief.created_at().and_then(|at| at.to_millis().ok())?,
    })
}

/// Those of the target revisions that run `definition`; `None` if it is denied.
pub(super) async fn revisions_of(
    aws: &Aws,
    listed: &[Listed],
    definition: &str,
) -> Result<Option<BTreeSet<String>>> {
    let mut running = BTreeSet::new();
    // Source: Amazon ECS API Reference, DescribeServiceRevisions: at most 20 a call.
    for page in listed.chunks(20) {
        let arns = page.iter().map(|one| one.revision.clone()).collect();
        match aws.ecs.describe_service_revisions().set_service_revision_arns(Some(arns)).send().await {
            Ok(answer) => {
                let ours =
                    answer.service_revisions().iter().filter(|one| one.task_definition() == Some(definition));
                running.extend(ours.filter_map(|one| one.service_revision_arn()).map(str::to_owned));
            }
            Err(error) if fault::denied(&error) => return Ok(None),
            Err(error) => return Err(fault("ecs:DescribeServiceRevisions", definition, error)),
        }
    }
    Ok(Some(running))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, created_ms: i64) -> Listed {
        Listed { arn: name.to_owned(), revision: format!("rev-{name}"), created_ms }
    }

    #[test]
    fn ours_runs_our_definition_and_was_created_with_our_deployment() {
        let listed = [one("retried", 900), one("other", 1000), one("ours", 1010), one("later", 5000)];
        let running = ["rev-retried", "rev-ours", "rev-later"].map(str::to_owned).into();
        assert_eq!(choose(&listed, &running, 1005).map(|one| one.arn.as_str()), Some("ours"));
        assert_eq!(choose(&listed, &BTreeSet::new(), 1005), None);
    }
}

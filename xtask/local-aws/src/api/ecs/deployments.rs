//! Operations on service deployments and revisions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::pages::{Page, page};
use super::{check_count, missing};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ecs::deployment::Status;
use crate::state::ecs::{Ecs, reference, service::Service};

/// Input of `ListServiceDeployments`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    service: String,
    cluster: Option<String>,
    #[serde(default)]
    status: Vec<Status>,
    created_at: Option<Between>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Between {
    before: Option<f64>,
    after: Option<f64>,
}

/// Input of `DescribeServiceDeployments`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Describe {
    service_deployment_arns: Vec<String>,
}

/// Input of `DescribeServiceRevisions`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeRevisions {
    service_revision_arns: Vec<String>,
}

/// Input of `StopServiceDeployment`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    service_deployment_arn: String,
    stop_type: Option<String>,
}

pub(super) fn list(cloud: &Cloud, input: &List) -> Result<Value, ApiError> {
    let ecs = cloud.ecs();
    let cluster = ecs.cluster_name(input.cluster.as_deref())?;
    let service = ecs
        .service_by(&cluster, &input.service)
        .ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))?;
    let within = |at: f64| {
        input.created_at.as_ref().is_none_or(|b| {
            b.before.is_none_or(|before| at < before) && b.after.is_none_or(|after| at > after)
        })
    };
    let all = ecs.listed(service, cloud.now()).into_iter();
    let found =
        all.filter(|d| (input.status.is_empty() || input.status.contains(&d.status)) && within(d.created_at));
    let briefs = found.map(|d| ecs.brief(service, d)).collect();
    // Twenty when not said (documented: `ListServiceDeployments.maxResults`).
    let rest = Page { max_results: input.max_results.or(Some(20)), next_token: input.next_token.clone() };
    page(briefs, "serviceDeployments", &rest)
}

pub(super) fn describe(cloud: &Cloud, input: &Describe) -> Result<Value, ApiError> {
    let names = ("Service deployment ARNs", "serviceDeploymentArns");
    each(cloud, &input.service_deployment_arns, names, "serviceDeployments", |ecs, service, id| {
        service.history.iter().find(|d| d.id == id).map(|d| ecs.render_service_deployment(service, d))
    })
}

pub(super) fn describe_revisions(cloud: &Cloud, input: &DescribeRevisions) -> Result<Value, ApiError> {
    let names = ("Service revision ARNs", "serviceRevisionArns");
    each(cloud, &input.service_revision_arns, names, "serviceRevisions", |ecs, service, id| {
        service.revision(id).map(|r| ecs.render_revision(service, r))
    })
}

/// At most 20 (documented: `DescribeServiceDeployments`, `DescribeServiceRevisions`; the message is assumed to be like
/// those of other lists).
fn each(
    cloud: &Cloud,
    arns: &[String],
    names: (&str, &str),
    member: &str,
    find: impl Fn(&Ecs, &Service, &str) -> Option<Value>,
) -> Result<Value, ApiError> {
    check_count(names, arns.len(), 20)?;
    let ecs = cloud.ecs();
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for arn in arns {
        let there = match reference::parts(arn).as_slice() {
            [cluster, service, id] => ecs.service(cluster, service).and_then(|s| find(&ecs, s, id)),
            _ => None,
        };
        match there {
            Some(it) => found.push(it),
            None => failures.push(missing(arn)),
        }
    }
    Ok(json!({member: found, "failures": failures}))
}

pub(super) fn stop(cloud: &Cloud, input: &Stop) -> Result<Value, ApiError> {
    let now = cloud.now();
    cloud.ecs().stop_service_deployment(&input.service_deployment_arn, input.stop_type.as_deref(), now)?;
    cloud.ecs_changed();
    Ok(json!({"serviceDeploymentArn": input.service_deployment_arn}))
}

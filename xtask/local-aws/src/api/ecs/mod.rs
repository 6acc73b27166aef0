//! Elastic Container Service.

use serde_json::{Map, Value};

use super::operations;
use crate::api::tags::{OneResource, UntagResource};
use crate::cloud::Cloud;
use crate::error::ApiError;

mod clusters;
mod definitions;
mod deployments;
mod pages;
mod services;
mod tags;
mod tasks;

/// An input that is read member by member, so that none is lost.
pub type Members = Map<String, Value>;

operations! {
    /// What ECS answers.
    pub enum EcsRequest {
        CreateCluster(Members),
        DescribeClusters(clusters::Describe),
        ListClusters(pages::Page),
        DeleteCluster(clusters::Delete),
        PutClusterCapacityProviders(clusters::PutProviders),
        DescribeCapacityProviders(clusters::DescribeProviders),
        RegisterTaskDefinition(Members),
        DescribeTaskDefinition(definitions::Describe),
        ListTaskDefinitions(definitions::List),
        ListTaskDefinitionFamilies(definitions::ListFamilies),
        DeregisterTaskDefinition(definitions::Describe),
        DeleteTaskDefinitions(definitions::Delete),
        CreateService(Members),
        UpdateService(Members),
        DescribeServices(services::Describe),
        ListServices(services::List),
        DeleteService(services::Delete),
        ListServiceDeployments(deployments::List),
        DescribeServiceDeployments(deployments::Describe),
        DescribeServiceRevisions(deployments::DescribeRevisions),
        StopServiceDeployment(deployments::Stop),
        RunTask(Members),
        StopTask(tasks::Stop),
        ListTasks(tasks::List),
        DescribeTasks(tasks::Describe),
        TagResource(tags::Tag),
        UntagResource(UntagResource),
        ListTagsForResource(OneResource),
    }
}

/// Performs the operation.
pub async fn handle(cloud: &Cloud, request: EcsRequest) -> Result<Value, ApiError> {
    use EcsRequest as R;
    match request {
        R::CreateCluster(input) => clusters::create(cloud, input),
        R::DescribeClusters(input) => Ok(clusters::describe(cloud, &input)),
        R::ListClusters(input) => clusters::list(cloud, &input),
        R::DeleteCluster(input) => clusters::delete(cloud, &input),
        R::PutClusterCapacityProviders(input) => clusters::put_providers(cloud, &input),
        R::DescribeCapacityProviders(input) => Ok(clusters::describe_providers(cloud, &input)),
        R::RegisterTaskDefinition(input) => definitions::register(cloud, input),
        R::DescribeTaskDefinition(input) => definitions::describe(cloud, &input),
        R::ListTaskDefinitions(input) => definitions::list(cloud, &input),
        R::ListTaskDefinitionFamilies(input) => definitions::list_families(cloud, &input),
        R::DeregisterTaskDefinition(input) => definitions::deregister(cloud, &input),
        R::DeleteTaskDefinitions(input) => definitions::delete(cloud, &input),
        R::CreateService(input) => services::create(cloud, input),
        R::UpdateService(input) => services::update(cloud, &input),
        R::DescribeServices(input) => services::describe(cloud, &input),
        R::ListServices(input) => services::list(cloud, &input),
        R::DeleteService(input) => services::delete(cloud, &input),
        R::ListServiceDeployments(input) => deployments::list(cloud, &input),
        R::DescribeServiceDeployments(input) => deployments::describe(cloud, &input),
        R::DescribeServiceRevisions(input) => deployments::describe_revisions(cloud, &input),
        R::StopServiceDeployment(input) => deployments::stop(cloud, &input),
        R::RunTask(input) => tasks::run(cloud, input),
        R::StopTask(input) => tasks::stop(cloud, input),
        R::ListTasks(input) => tasks::list(cloud, &input),
        R::DescribeTasks(input) => tasks::describe(cloud, &input),
        R::TagResource(input) => tags::tag(cloud, input),
        R::UntagResource(input) => tags::untag(cloud, &input),
        R::ListTagsForResource(input) => tags::list(cloud, &input),
    }
}

/// An entry of `failures`: AWS says `MISSING` of what it does not know (documented: "API failure reasons").
fn missing(arn: &str) -> Value {
    serde_json::json!({"arn": arn, "reason": "MISSING"})
}

fn asked(include: &[String], what: &str) -> bool {
    include.iter().any(|i| i == what)
}

/// Lists of references that an operation takes: at least one, at most so many. A list has two names (observed:
/// getmoto/moto's `ecs/models.py` for none; structurely/ecs-autoscale#32, sil-org/ecs-deploy#266 for too many).
fn check_count((none, many): (&str, &str), given: usize, most: usize) -> Result<(), ApiError> {
    let invalid = |why: String| Err(ApiError::new("InvalidParameterException", why));
    match given {
        0 => invalid(format!("{none} cannot be empty.")),
        n if n > most => invalid(format!("{many} can have at most {most} items.")),
        _ => Ok(()),
    }
}

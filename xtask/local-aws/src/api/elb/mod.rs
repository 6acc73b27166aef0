//! Elastic Load Balancing (version 2): target groups and the health of their targets. Load balancers,
//! listeners and rules are not made here.

use serde_json::Value;

use super::operations;
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ecs::Ecs;

mod attributes;
mod errors;
mod groups;
mod settings;
mod tags;
mod targets;

operations! {
    /// What Elastic Load Balancing answers.
    pub enum ElbRequest {
        AddTags(tags::AddTags),
        CreateTargetGroup(groups::CreateTargetGroup),
        DeleteTargetGroup(groups::OneGroup),
        DeregisterTargets(targets::Targets),
        DescribeTags(tags::DescribeTags),
        DescribeTargetGroupAttributes(groups::OneGroup),
        DescribeTargetGroups(groups::DescribeTargetGroups),
        DescribeTargetHealth(targets::DescribeTargetHealth),
        ModifyTargetGroup(groups::ModifyTargetGroup),
        ModifyTargetGroupAttributes(attributes::ModifyAttributes),
        RegisterTargets(targets::Targets),
        RemoveTags(tags::RemoveTags),
    }
}

/// Performs the operation.
pub async fn handle(cloud: &Cloud, request: ElbRequest) -> Result<Value, ApiError> {
    use ElbRequest as R;
    match request {
        R::AddTags(input) => tags::add(cloud, &input),
        R::CreateTargetGroup(input) => groups::create(cloud, &input),
        R::DeleteTargetGroup(input) => groups::delete(cloud, &input),
        R::DeregisterTargets(input) => targets::deregister(cloud, &input),
        R::DescribeTags(input) => tags::describe(cloud, &input),
        R::DescribeTargetGroupAttributes(input) => attributes::describe(cloud, &input),
        R::DescribeTargetGroups(input) => groups::describe(cloud, &input),
        R::DescribeTargetHealth(input) => targets::health(cloud, &input),
        R::ModifyTargetGroup(input) => groups::modify(cloud, &input),
        R::ModifyTargetGroupAttributes(input) => attributes::modify(cloud, &input),
        R::RegisterTargets(input) => targets::register(cloud, &input),
        R::RemoveTags(input) => tags::remove(cloud, &input),
    }
}

/// A change of the target groups, which are saved with ECS's state and whose targets the scheduler checks.
fn change<T>(cloud: &Cloud, change: impl FnOnce(&mut Ecs) -> Result<T, ApiError>) -> Result<T, ApiError> {
    let mut ecs = cloud.ecs();
    let changed = change(&mut ecs)?;
    ecs.touch();
    drop(ecs);
    cloud.ecs_changed();
    Ok(changed)
}

#[cfg(test)]
mod tests;

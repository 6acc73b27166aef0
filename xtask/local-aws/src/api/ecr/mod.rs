//! ECR. What repositories hold is the registry's; here it is only looked at,
//! removed, or tagged anew.

use serde_json::Value;

use super::operations;
use crate::api::tags::{OneResource, UntagResource};
use crate::cloud::Cloud;
use crate::error::ApiError;

mod delete_images;
mod errors;
mod images;
mod policies;
mod put_image;
mod repositories;
mod tags;

use delete_images::BatchDeleteImage;
use images::{BatchCheckLayerAvailability, BatchGetImage, DescribeImages, ListImages};
use policies::{OfRepository, PutLifecyclePolicy, SetRepositoryPolicy};
use put_image::PutImage;
use repositories::{
    CreateRepository, DeleteRepository, DescribeRegistry, DescribeRepositories, GetAuthorizationToken,
    PutImageScanningConfiguration, PutImageTagMutability,
};
use tags::TagResource;

operations! {
    /// What ECR answers.
    pub enum EcrRequest {
        BatchCheckLayerAvailability(BatchCheckLayerAvailability),
        BatchDeleteImage(BatchDeleteImage),
        BatchGetImage(BatchGetImage),
        CreateRepository(CreateRepository),
        DeleteLifecyclePolicy(OfRepository),
        DeleteRepository(DeleteRepository),
        DeleteRepositoryPolicy(OfRepository),
        DescribeImages(DescribeImages),
        DescribeRegistry(DescribeRegistry),
        DescribeRepositories(DescribeRepositories),
        GetAuthorizationToken(GetAuthorizationToken),
        GetLifecyclePolicy(OfRepository),
        GetRepositoryPolicy(OfRepository),
        ListImages(ListImages),
        ListTagsForResource(OneResource),
        PutImage(PutImage),
        PutImageScanningConfiguration(PutImageScanningConfiguration),
        PutImageTagMutability(PutImageTagMutability),
        PutLifecyclePolicy(PutLifecyclePolicy),
        SetRepositoryPolicy(SetRepositoryPolicy),
        TagResource(TagResource),
        UntagResource(UntagResource),
    }
}

/// Performs the operation, on a thread that may wait for the disk.
pub async fn handle(cloud: &Cloud, request: EcrRequest) -> Result<Value, ApiError> {
    let cloud = cloud.clone();
    tokio::task::spawn_blocking(move || perform(&cloud, request)).await.map_err(ApiError::server)?
}

fn perform(cloud: &Cloud, request: EcrRequest) -> Result<Value, ApiError> {
    match request {
        EcrRequest::BatchCheckLayerAvailability(input) => images::check_layers(cloud, &input),
        EcrRequest::BatchDeleteImage(input) => delete_images::delete(cloud, input),
        EcrRequest::BatchGetImage(input) => images::batch_get(cloud, input),
        EcrRequest::CreateRepository(input) => repositories::create(cloud, input),
        EcrRequest::DeleteLifecyclePolicy(input) => policies::delete_lifecycle(cloud, &input),
        EcrRequest::DeleteRepository(input) => repositories::delete(cloud, &input),
        EcrRequest::DeleteRepositoryPolicy(input) => policies::delete_policy(cloud, &input),
        EcrRequest::DescribeImages(input) => images::describe(cloud, &input),
        EcrRequest::DescribeRegistry(_) => Ok(repositories::describe_registry()),
        EcrRequest::DescribeRepositories(input) => repositories::describe(cloud, &input),
        EcrRequest::GetAuthorizationToken(_) => repositories::authorization_token(cloud),
        EcrRequest::GetLifecyclePolicy(input) => policies::get_lifecycle(cloud, &input),
        EcrRequest::GetRepositoryPolicy(input) => policies::get_policy(cloud, &input),
        EcrRequest::ListImages(input) => images::list(cloud, &input),
        EcrRequest::ListTagsForResource(input) => tags::list(cloud, &input),
        EcrRequest::PutImage(input) => put_image::put(cloud, &input),
        EcrRequest::PutImageScanningConfiguration(input) => repositories::put_scanning(cloud, &input),
        EcrRequest::PutImageTagMutability(input) => repositories::put_mutability(cloud, input),
        EcrRequest::PutLifecyclePolicy(input) => policies::put_lifecycle(cloud, &input),
        EcrRequest::SetRepositoryPolicy(input) => policies::set_policy(cloud, &input),
        EcrRequest::TagResource(input) => tags::tag(cloud, input),
        EcrRequest::UntagResource(input) => tags::untag(cloud, &input),
    }
}

#[cfg(test)]
mod tests;

//! ECR's errors, in its words where a public thread shows them.

use crate::api::paging::InvalidToken;
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::state::ecr::Repository;

/// Observed (public logs of Terraform and the SDKs).
pub(super) fn repository_not_found(name: &str, registry: &str) -> ApiError {
    ApiError::new(
        "RepositoryNotFoundException",
        format!("The repository with name '{name}' does not exist in the registry with id '{registry}'"),
    )
}

/// Observed (public logs of Terraform and the SDKs).
pub(super) fn repository_exists(name: &str) -> ApiError {
    ApiError::new(
        "RepositoryAlreadyExistsException",
        format!("The repository with name '{name}' already exists in the registry with id '{ACCOUNT}'"),
    )
}

/// Observed (getmoto/moto, `moto/ecr/exceptions.py`, which copies AWS's words).
pub(super) fn repository_not_empty(name: &str) -> ApiError {
    ApiError::new(
        "RepositoryNotEmptyException",
        format!(
            "The repository with name '{name}' in registry with id '{ACCOUNT}' cannot be deleted because it \
             still contains images"
        ),
    )
}

/// Observed (hashicorp/terraform-provider-aws#35268).
pub(super) fn image_not_found(digest: Option<&str>, tag: Option<&str>, name: &str) -> ApiError {
    let (digest, tag) = (digest.unwrap_or("null"), tag.unwrap_or("null"));
    ApiError::new(
        "ImageNotFoundException",
        format!(
            "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the \
             repository with name '{name}' in the registry with id '{ACCOUNT}'"
        ),
    )
}

/// Observed (jenkins-x/jx#1344, aws/aws-dotnet-deploy#549).
pub(super) fn invalid(parameter: &str, constraint: &str) -> ApiError {
    ApiError::new(
        "InvalidParameterException",
        format!("Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"),
    )
}

/// Assumed: the words.
pub(super) fn invalid_token(_: InvalidToken) -> ApiError {
    invalid("nextToken", "must be a token that an earlier call returned")
}

/// `maxResults`, 100 where it is absent (documented: DescribeRepositories; the words are assumed).
pub(super) fn limit(max_results: Option<usize>) -> Result<usize, ApiError> {
    match max_results {
        None => Ok(100),
        Some(0) => Err(invalid("maxResults", "must have value greater than or equal to 1")),
        Some(n) if n > 1000 => Err(invalid("maxResults", "must have value less than or equal to 1000")),
        Some(n) => Ok(n),
    }
}

/// The repository, or the error that it isn't there. A registry of another account holds none.
pub(super) fn find(cloud: &Cloud, registry: Option<&str>, name: &str) -> Result<Repository, ApiError> {
    let registry = registry.unwrap_or(ACCOUNT);
    let found = cloud.ecr().read(|ecr| ecr.repository(name).cloned());
    found.filter(|_| registry == ACCOUNT).ok_or_else(|| repository_not_found(name, registry))
}

/// Changes the repository, or says that it isn't there.
pub(super) fn change<R>(
    cloud: &Cloud,
    (registry, name): (Option<&str>, &str),
    change: impl FnOnce(&mut Repository) -> Result<R, ApiError>,
) -> Result<R, ApiError> {
    let registry = registry.unwrap_or(ACCOUNT);
    cloud.ecr().change(|ecr| {
        let found = ecr.repository_mut(name).filter(|_| registry == ACCOUNT);
        change(found.ok_or_else(|| repository_not_found(name, registry))?)
    })
}

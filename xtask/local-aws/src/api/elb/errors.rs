//! Errors of Elastic Load Balancing in AWS's words.

use crate::error::ApiError;

/// What is wrong with a request's parameters.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}

/// What this control plane does not do is refused, not ignored.
pub(super) fn unsupported(what: &str) -> ApiError {
    invalid(format!("{what} is not supported by the local control plane."))
}

/// Observed (public logs of the CLI).
pub(super) fn group_not_found() -> ApiError {
    ApiError::new("TargetGroupNotFound", "One or more target groups not found")
}

/// The code for ARNs that are none is observed (`DescribeTargetHealth` with a placeholder).
pub(super) fn no_arn(arn: &str) -> ApiError {
    invalid(format!("'{arn}' is not a valid target group ARN"))
}

/// Observed (public logs of Terraform and the CDK).
pub(super) fn duplicate(name: &str) -> ApiError {
    let message = format!("A target group with the same name '{name}' exists, but with different settings");
    ApiError::new("DuplicateTargetGroupName", message)
}

/// Observed of a listener or a rule (public logs of Terraform), for which a service stands here.
pub(super) fn in_use(arn: &str) -> ApiError {
    ApiError::new(
        "ResourceInUse",
        format!("Target group '{arn}' is currently in use by a listener or a rule"),
    )
}

/// Assumed.
pub(super) fn load_balancer_not_found() -> ApiError {
    ApiError::new("LoadBalancerNotFound", "One or more load balancers not found")
}

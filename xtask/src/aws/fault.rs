//! Failed AWS calls, in words: which call on what, what AWS said, what to do.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::error::{Error, Kind};

/// Makes an error of a failed call. `operation` is AWS's name of it, `object` what it was about.
pub fn fault<E, R>(operation: &str, object: &str, error: SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    match &error {
        SdkError::ServiceError(service) => {
            let said = service.err().message().unwrap_or("no message");
            let failed =
                Error::new(Kind::Aws, format!("`{operation}` failed for `{object}`: {code}: {said}"));
            with_hint(failed, &code, said, operation)
        }
        SdkError::TimeoutError(_) => unreachable_endpoint(operation, object, "no answer in time"),
        _ => {
            let reason = chain(&error);
            if reason.to_lowercase().contains("credential") {
                return not_renewed(operation, object, &reason);
            }
            unreachable_endpoint(operation, object, &reason)
        }
    }
}

/// Whether the service answered with this code.
pub fn is<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, code: &str) -> bool {
    error.code() == Some(code)
}

/// Whether the identity may not make this call.
pub fn denied<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code().is_some_and(is_denial)
}

/// Whether the service understood the call and will not do it, now or later.
pub fn refused<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let refusals =
        ["ConflictException", "InvalidParameterException", "ClientException", "UnsupportedFeatureException"];
    denied(error)
        || error.code().is_some_and(|code| refusals.contains(&code) || code.ends_with("NotFoundException"))
}

/// Whether the same call may well succeed in a moment: no answer, a failure of AWS's own, or too many
/// calls at once.
pub fn may_pass<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let throttled =
        |code: &str| matches!(code, "ThrottlingException" | "Throttling" | "LimitExceededException");
    match error {
        SdkError::ServiceError(said) => {
            said.raw().status().as_u16() >= 500 || said.err().code().is_some_and(throttled)
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        _ => false,
    }
}

/// Whether the code says that the credentials were good once.
pub(super) fn is_expiry(code: &str) -> bool {
    matches!(code, "ExpiredTokenException" | "ExpiredToken" | "RequestExpired")
}

fn is_denial(code: &str) -> bool {
    matches!(code, "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation")
}

/// Whether the text of a [`fault`] tells of a denial.
pub(crate) fn names_denial(text: &str) -> bool {
    text.split(": ").any(is_denial)
}

const LOG_IN_AGAIN: &str = "the session has expired: log in again (`aws sso login`)";

/// The credentials were good when the run began: [`no_credentials`] tells of those that were not.
fn not_renewed(operation: &str, object: &str, reason: &str) -> Error {
    let message = format!("`{operation}` failed for `{object}`: the credentials could not be renewed");
    Error::new(Kind::Aws, message).detail(reason.to_owned()).hint(LOG_IN_AGAIN)
}

/// No way to log in was found, or the one found does not work.
#[must_use]
pub fn no_credentials(reason: &str) -> Error {
    Error::new(Kind::Preflight, "no usable AWS credentials")
        .detail(reason.to_owned())
        .hint("`cargo xtask deploy --local` needs no AWS account at all")
        .hint("on a dev machine: `aws sso login --profile NAME`, then `--profile NAME` or AWS_PROFILE")
        .hint("with keys: `aws configure`, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN)")
        .hint("in CI: OpenID Connect (`aws-actions/configure-aws-credentials` on GitHub), or the runner's instance role")
}

fn with_hint(error: Error, code: &str, said: &str, operation: &str) -> Error {
    match code {
        code if is_denial(code) => {
            error.hint(format!("the identity in use may not call `{operation}`: add it to its policy"))
        }
        code if is_expiry(code) => error.hint(LOG_IN_AGAIN),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "AuthFailure"
        | "SignatureDoesNotMatch" => {
            error.hint("AWS does not know these credentials, or this machine's clock is wrong")
        }
        _ if said.contains("not idempotent") => {
            error.hint("another client has just created it: run again, and it is compared with the file")
        }
        _ if said.contains("still Draining") => error.hint("it is being deleted: run again in a minute"),
        _ if said.contains("unable to assume the role") || said.contains("Role is not valid") => error
            .hint("the role is missing, or does not trust ecs-tasks.amazonaws.com; to make it:")
            .hint(crate::config::role_recipe("ecsTaskExecutionRole")),
        _ => error,
    }
}

fn unreachable_endpoint(operation: &str, object: &str, reason: &str) -> Error {
    Error::new(Kind::Aws, format!("`{operation}` for `{object}`: AWS does not answer"))
        .detail(reason.to_owned())
        .hint("check the network, a proxy (HTTPS_PROXY), the region's name, and AWS_ENDPOINT_URL")
}

/// An error with everything below it, without repetition.
#[must_use]
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = error.source();
    }
    text
}

//! `cargo xtask verify`: whether what deploy.toml refers to is there and may be used. Nothing is changed, no secret is read, and
//! everything is looked at at once. Each check ends verified, refuted or unknown; what may not be looked at is
//! unknown, with the permission that is missing, and never a guess.
//!
//! What a service refers to is taken from the task definition that would be registered, not from the keys that
//! make it: whatever way a role or a secret came into it, it is looked at.

mod ahead;
mod iam;
mod identity;
mod images;
mod network;
mod references;
mod roles;
mod routes;
mod secrets;
mod targets;
mod things;
mod trust;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::{Aws, fault, partition};
use crate::config::Config;
use crate::config::service::Service;
use crate::error::{Error, Kind};
use crate::finding::{Finding, State};
use crate::push::PushedImage;
use crate::render;
pub use ahead::ahead;
pub use images::Registries;
use references::References;

/// How long one check may take: IAM, for one, is not reachable from everywhere.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service and what its tasks refer to.
#[derive(Clone, Debug)]
struct Subject<'a> {
    service: &'a Service,
    refers: References,
}

/// Checks everything. Without an engine to ask registries, platforms of images that are not built here stay unknown.
pub async fn verify(aws: &Aws, config: &Config, registries: Option<Registries<'_>>) -> Vec<Finding> {
    let services: Vec<&Service> = config.services.iter().collect();
    let (identity, placed) = tokio::join!(identity::read(aws), network::place(aws, &services));
    let subjects = subjects(aws, config, &identity.account, &services);
    let (things, network, targets, roles, secrets, images) = tokio::join!(
        things::check(aws, config, &identity),
        network::check(aws, &subjects, &placed),
        targets::check(aws, &subjects, &placed),
        roles::check(aws, &identity, &subjects),
        secrets::check(aws, &identity.account, &subjects),
        images::check(aws, registries, config, &subjects),
    );
    let account = vec![identity.finding(config, &aws.region)];
    [account, things, network, targets, roles, secrets, images].into_iter().flatten().collect()
}

/// What each service's tasks refer to; images that are yet to be built have a digest that stands in for theirs.
fn subjects<'a>(aws: &Aws, config: &Config, account: &str, services: &[&'a Service]) -> Vec<Subject<'a>> {
    let images = unbuilt(aws, config, account);
    let context = render::Context { region: &aws.region, account, images: &images, commit: None };
    let subject = |service: &&'a Service| {
        let definition = render::task_definition(service, context);
        Subject { service, refers: References::of(&definition.body) }
    };
    services.iter().map(subject).collect()
}

fn unbuilt(aws: &Aws, config: &Config, account: &str) -> BTreeMap<String, PushedImage> {
    let host = registry(&aws.region, account);
    let image = |image: &crate::config::image::Image| {
        let pushed = PushedImage {
            name: image.name.clone(),
            repository_uri: format!("{host}/{}", image.repository),
            digest: references::UNBUILT.to_owned(),
            tag: String::new(),
        };
        (image.name.clone(), pushed)
    };
    config.images.iter().map(image).collect()
}

/// The host of an account's private registry.
/// Source: Amazon ECR User Guide, "Amazon ECR private registry".
fn registry(region: &str, account: &str) -> String {
    let suffix = if partition(region) == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{account}.dkr.ecr.{region}.{suffix}")
}

/// A call that failed leaves its subject unknown: it is denied, or something happened.
fn unseen<E, R>(subject: impl Into<String>, operation: &str, error: SdkError<E, R>) -> Finding
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: Debug + Send + Sync + 'static,
{
    let subject = subject.into();
    if fault::denied(&error) {
        return Finding::unknown(subject, format!("`{operation}` is denied")).needs(operation);
    }
    let said = fault(operation, &subject, error);
    let detail = said.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    Finding::unknown(subject, format!("{}{detail}", said.message))
}

/// An error of a look: what is not there is refuted, a call that failed leaves it unknown.
fn failed(subject: impl Into<String>, error: &Error) -> Finding {
    let finding = Finding::of_error(subject, error);
    if error.kind == Kind::Preflight {
        return Finding { state: State::Refuted, ..finding };
    }
    let denied = fault::names_denial(&error.message);
    let operation = error.message.split('`').nth(1).filter(|_| denied);
    Finding { state: State::Unknown, permission: operation.map(str::to_owned), ..finding }
}

/// The findings, unless they take too long.
async fn within(subject: &str, check: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    let late = || Finding::unknown(subject, format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| vec![late()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::error::ErrorMetadata;

    #[test]
    fn a_denial_names_the_permission_and_other_failures_what_happened() {
        let failure = |code: &str| -> SdkError<ErrorMetadata, ()> {
            SdkError::service_error(ErrorMetadata::builder().code(code).message("so").build(), ())
        };
        let denied = unseen("role r", "iam:GetRole", failure("AccessDenied"));
        assert_eq!(denied, Finding::unknown("role r", "`iam:GetRole` is denied").needs("iam:GetRole"));
        let failed = unseen("role r", "iam:GetRole", failure("ServiceFailure"));
        assert_eq!(failed.permission, None);
        assert!(failed.message.contains("ServiceFailure: so"), "{}", failed.message);
    }

    #[test]
    fn what_is_not_there_is_refuted_and_what_may_not_be_looked_at_is_unknown() {
        let absent = failed("subnets", &Error::new(Kind::Preflight, "no subnet fits"));
        assert_eq!(absent, Finding::refuted("subnets", "no subnet fits"));
        let text = "`ec2:DescribeSubnets` failed for `web`: UnauthorizedOperation: no";
        let denied = failed("subnets", &Error::new(Kind::Aws, text));
        assert_eq!(denied, Finding::unknown("subnets", text).needs("ec2:DescribeSubnets"));
        let silent =
            failed("subnets", &Error::new(Kind::Aws, "`ec2:DescribeSubnets` for `web`: AWS does not answer"));
        assert_eq!((silent.state, silent.permission), (State::Unknown, None));
    }
}

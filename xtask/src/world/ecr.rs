//! The registry, its repositories, and what is in them.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::aws::{Aws, fault};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::push::RegistryAuth;

/// The account's registry and how to log in to it.
///
/// One call answers both: the account is not known otherwise without STS.
///
/// # Errors
/// The call failed, or its answer cannot be read.
pub async fn registry(aws: &Aws) -> Result<(String, RegistryAuth)> {
    let answer = aws.ecr.get_authorization_token().send().await;
    let answer = answer.map_err(|error| fault("ecr:GetAuthorizationToken", &aws.region, error))?;
    let data = answer.authorization_data().first();
    let endpoint = data.and_then(|data| data.proxy_endpoint()).unwrap_or_default().to_owned();
    let login = data.and_then(|data| data.authorization_token()).and_then(decode);
    let (username, password) = login.ok_or_else(|| unreadable("no token that reads USER:PASSWORD"))?;
    let account = match account_in(&endpoint) {
        Some(account) => account,
        None => account_by_registry(aws).await?,
    };
    Ok((account, RegistryAuth { endpoint, username, password }))
}

/// `AWS:…` from its base64.
fn decode(token: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The account of `https://ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
/// Source: Amazon ECR API Reference, AuthorizationData.
fn account_in(endpoint: &str) -> Option<String> {
    let host = endpoint.split_once("://")?.1;
    let account = host.split('.').next()?;
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then(|| account.to_owned())
}

/// An endpoint that does not say it (a registry behind another name).
async fn account_by_registry(aws: &Aws) -> Result<String> {
    let answer = aws.ecr.describe_registry().send().await;
    let answer = answer.map_err(|error| fault("ecr:DescribeRegistry", &aws.region, error))?;
    answer.registry_id().map(str::to_owned).ok_or_else(|| unreadable("no registry ID"))
}

fn unreadable(what: &str) -> Error {
    Error::new(Kind::Aws, format!("the answer of ECR holds {what}"))
}

/// URIs of the repositories that exist.
///
/// DescribeRepositories fails as a whole when one name is unknown, so each is asked alone.
pub(super) async fn repositories(aws: &Aws, config: &Config) -> Result<BTreeMap<String, String>> {
    let names = config.images.iter().map(|image| image.repository.as_str());
    let found = futures_util::future::try_join_all(names.map(|name| repository(aws, name))).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn repository(aws: &Aws, name: &str) -> Result<Option<(String, String)>> {
    match aws.ecr.describe_repositories().repository_names(name).send().await {
        Ok(answer) => {
            let uri = answer.repositories().first().and_then(|found| found.repository_uri());
            Ok(uri.map(|uri| (name.to_owned(), uri.to_owned())))
        }
        Err(error) if fault::is(&error, "RepositoryNotFoundException") => Ok(None),
        Err(error) => Err(fault("ecr:DescribeRepositories", name, error)),
    }
}

/// What kinds of manifest an image may have. With the index among them, the digest of one that was pushed as an index is
/// the index's (observed: awslabs/amazon-ecr-containerd-resolver asks like this).
const MANIFESTS: [&str; 4] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];

/// The digests that these tags (at most 100) stand for, of those that the repository has.
///
/// BatchGetImage names what is missing beside what is there; DescribeImages fails as a whole (documented: both in the
/// Amazon ECR API Reference). Whoever may push may call it: the engine's push itself does.
///
/// # Errors
/// The call failed for another reason than that.
pub async fn tagged(aws: &Aws, repository: &str, tags: &[String]) -> Result<BTreeMap<String, String>> {
    let ids = tags.iter().map(|tag| ImageIdentifier::builder().image_tag(tag).build()).collect();
    let manifests = MANIFESTS.map(str::to_owned).to_vec();
    let call = aws.ecr.batch_get_image().repository_name(repository);
    let answer = match call.set_image_ids(Some(ids)).set_accepted_media_types(Some(manifests)).send().await {
        Err(error) if fault::is(&error, "RepositoryNotFoundException") => return Ok(BTreeMap::new()),
        answer => answer.map_err(|error| fault("ecr:BatchGetImage", repository, error))?,
    };
    let missing = |code: &ImageFailureCode| *code == ImageFailureCode::ImageNotFound;
    if let Some(other) = answer.failures().iter().find(|failure| !failure.failure_code().is_some_and(missing))
    {
        let reason = other.failure_reason().unwrap_or("for no reason given").to_owned();
        let message = format!("ECR does not tell what the repository `{repository}` has");
        return Err(Error::new(Kind::Aws, message).caused_by(reason));
    }
    let pair = |id: &ImageIdentifier| Some((id.image_tag()?.to_owned(), id.image_digest()?.to_owned()));
    Ok(answer.images().iter().filter_map(|image| pair(image.image_id()?)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_tells_the_account() {
        let endpoint = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        assert_eq!(account_in(endpoint).as_deref(), Some("123456789012"));
        assert_eq!(account_in("http://127.0.0.1:4510"), None);
    }

    #[test]
    fn a_token_is_user_and_password() {
        assert_eq!(decode("QVdTOnNlY3JldDp4"), Some(("AWS".to_owned(), "secret:x".to_owned())));
        assert_eq!(decode("???"), None);
    }
}

//! The registry, its repositories, and what is in them.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::ImageIdentifier;
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

/// The digest that a tag stands for, if the repository has the tag.
///
/// # Errors
/// The call failed for another reason than that.
pub async fn tagged_digest(aws: &Aws, repository: &str, tag: &str) -> Result<Option<String>> {
    let id = ImageIdentifier::builder().image_tag(tag).build();
    match aws.ecr.describe_images().repository_name(repository).image_ids(id).send().await {
        Ok(answer) => {
            Ok(answer.image_details().first().and_then(|image| image.image_digest()).map(str::to_owned))
        }
        Err(error) if fault::is(&error, "ImageNotFoundException") => Ok(None),
        Err(error) if fault::is(&error, "RepositoryNotFoundException") => Ok(None),
        Err(error) => Err(fault("ecr:DescribeImages", repository, error)),
    }
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

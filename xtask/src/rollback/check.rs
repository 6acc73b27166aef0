//! Whether a revision can still be rolled out: a definition that is deregistered is refused by ECS, and one
//! whose images a lifecycle policy has deleted starts no task.

use std::collections::BTreeSet;

use aws_sdk_ecr::types::ImageIdentifier;
use futures_util::future::{join_all, try_join_all};

use crate::aws::{Aws, fault};
use crate::error::Result;
use crate::event::Events;
use crate::live;
use crate::world;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// It can be rolled out; its ARN.
    Fine(String),
    /// It cannot; why.
    Unfit(String),
}

/// How many alternatives are worth naming.
const ALTERNATIVES: usize = 3;

/// Looks at a task definition and its images.
pub(super) async fn check(aws: &Aws, name: &str, events: &Events) -> Result<Checked> {
    let names = BTreeSet::from([name.to_owned()]);
    let (definitions, registry) = tokio::join!(live::definitions(aws, &names), world::registry(aws));
    let unfit = |reason: &str| Ok(Checked::Unfit(reason.to_owned()));
    let definitions = definitions?;
    let Some(definition) = definitions.get(name) else {
        return unfit("there is no such task definition");
    };
    if !definition.active {
        return unfit("it is deregistered");
    }
    let endpoint = match registry {
        Ok((_, registry)) => registry.endpoint,
        Err(error) => {
            events.warn(format!("whether its images are still there is not known: {}", error.message));
            return Ok(Checked::Fine(definition.arn.clone()));
        }
    };
    let host = endpoint.split_once("://").map_or(endpoint.as_str(), |(_, host)| host);
    let images = definition.images.iter().filter_map(|(_, image)| Some((image, in_registry(image, host)?)));
    let missing = try_join_all(images.map(|(image, (repository, id))| async move {
        Ok::<_, crate::error::Error>((!exists(aws, repository, id, events).await?).then_some(image))
    }));
    let missing: Vec<&str> = missing.await?.into_iter().flatten().map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(Checked::Fine(definition.arn.clone()));
    }
    Ok(Checked::Unfit(format!("not in the registry any more: `{}`", missing.join("`, `"))))
}

/// The first few that are fine; what cannot be looked at is not named.
pub(super) async fn fine(aws: &Aws, names: &[String], events: &Events) -> Vec<String> {
    let looked = join_all(names.iter().take(10).map(|name| check(aws, name, events))).await;
    let fine = looked.into_iter().filter_map(|checked| match checked {
        Ok(Checked::Fine(arn)) => Some(arn),
        _ => None,
    });
    fine.take(ALTERNATIVES).collect()
}

/// Repository and ID of an image that lies in our registry; others are not ours to look at.
fn in_registry(image: &str, host: &str) -> Option<(String, ImageIdentifier)> {
    let path = image.strip_prefix(host)?.strip_prefix('/')?;
    let id = ImageIdentifier::builder();
    Some(match (path.split_once('@'), path.split_once(':')) {
        (Some((name, digest)), _) => {
            let repository = name.split_once(':').map_or(name, |(repository, _)| repository);
            (repository.to_owned(), id.image_digest(digest).build())
        }
        (None, Some((repository, tag))) => (repository.to_owned(), id.image_tag(tag).build()),
        (None, None) => (path.to_owned(), id.image_tag("latest").build()),
    })
}

async fn exists(aws: &Aws, repository: String, id: ImageIdentifier, events: &Events) -> Result<bool> {
    match aws.ecr.describe_images().repository_name(&repository).image_ids(id).send().await {
        Ok(answer) => Ok(!answer.image_details().is_empty()),
        Err(error) if fault::is(&error, "ImageNotFoundException") => Ok(false),
        Err(error) if fault::is(&error, "RepositoryNotFoundException") => Ok(false),
        Err(error) if fault::is(&error, "AccessDeniedException") => {
            events.warn(format!("whether images of `{repository}` are still there may not be looked at"));
            Ok(true)
        }
        Err(error) => Err(fault("ecr:DescribeImages", &repository, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(image: &str) -> Option<(String, Option<String>, Option<String>)> {
        let (repository, id) = in_registry(image, "127.0.0.1:4510")?;
        Some((repository, id.image_digest().map(str::to_owned), id.image_tag().map(str::to_owned)))
    }

    #[test]
    fn an_image_of_ours_is_named_by_digest_or_tag() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("127.0.0.1:4510/a/b@sha256:1"), Some(("a/b".to_owned(), some("sha256:1"), None)));
        assert_eq!(read("127.0.0.1:4510/a:v1@sha256:1"), Some(("a".to_owned(), some("sha256:1"), None)));
        assert_eq!(read("127.0.0.1:4510/a:v1"), Some(("a".to_owned(), None, some("v1"))));
        assert_eq!(read("127.0.0.1:4510/a"), Some(("a".to_owned(), None, some("latest"))));
    }

    #[test]
    fn an_image_of_another_registry_is_not() {
        assert_eq!(read("public.ecr.aws/x/side:1"), None);
        assert_eq!(read("127.0.0.1:45101/a:v1"), None);
        assert_eq!(read("busybox"), None);
    }
}

//! Images against the platform of the task that runs them.

use std::collections::BTreeSet;

use bollard::auth::DockerCredentials;
use bollard::models::OciPlatform;
use docker_credential::DockerCredential;
use futures_util::future::join_all;

use super::references::{UNBUILT, host};
use super::{Subject, registry, within};
use crate::aws::Aws;
use crate::config::Config;
use crate::config::service::ContainerImage;
use crate::engine::{Engine, text};
use crate::finding::Finding;

/// The container engine, which asks registries.
#[derive(Clone, Copy, Debug)]
pub struct Registries<'a> {
    /// It.
    pub engine: &'a Engine,
    /// Whether tasks run on it, so that what it has is what they run.
    pub runs_tasks: bool,
}

/// Those that are built here are built for a platform that the file says; others are asked of their registry, by
/// the engine, which has the logins.
pub(super) async fn check(
    aws: &Aws,
    engine: Option<Registries<'_>>,
    config: &Config,
    subjects: &[Subject<'_>],
) -> Vec<Finding> {
    let built = subjects.iter().flat_map(|subject| built(config, subject));
    let mut found: Vec<Finding> = built.collect();
    found.sort_by(|a, b| a.subject.cmp(&b.subject));
    found.dedup();
    let wanted: BTreeSet<(&str, &str)> = subjects.iter().flat_map(references).collect();
    let checks = wanted.into_iter().map(|(image, architecture)| async move {
        let check = async { vec![reference(aws, engine, image, architecture).await] };
        within(&format!("image {image}"), check).await
    });
    found.extend(join_all(checks).await.into_iter().flatten());
    found
}

fn references<'s>(subject: &'s Subject<'_>) -> impl Iterator<Item = (&'s str, &'s str)> {
    let images = subject.refers.images.iter().filter(|image| !image.ends_with(UNBUILT));
    images.map(|image| (image.as_str(), subject.refers.architecture))
}

fn built<'c>(config: &'c Config, subject: &Subject<'c>) -> impl Iterator<Item = Finding> {
    let task = subject.refers.architecture;
    let service = subject.service;
    let names = service.containers.iter().filter_map(|container| match &container.image {
        ContainerImage::Built(name) => Some(name),
        ContainerImage::Reference(_) => None,
    });
    let images = names.filter_map(|name| config.images.iter().find(|image| image.name == *name));
    images.map(move |image| {
        let subject = format!("image {}", image.name);
        let built = image.platform.architecture();
        if built == task {
            return Finding::verified(subject, format!("is built for {}, as the task", image.platform));
        }
        let said =
            format!("is built for {}, and the tasks of `{}` are linux/{task}", image.platform, service.name);
        Finding::refuted(subject, said)
            .fix(format!("`platform = \"linux/{task}\"` in `[image.{}]`", image.name))
    })
}

async fn reference(aws: &Aws, engine: Option<Registries<'_>>, image: &str, architecture: &str) -> Finding {
    let subject = format!("image {image}");
    let Some(Registries { engine, runs_tasks }) = engine else {
        return Finding::unknown(subject, "no container engine is there to ask its registry");
    };
    if runs_tasks && let Ok(there) = engine.docker().inspect_image(image).await {
        let platform =
            OciPlatform { architecture: there.architecture, os: there.os, ..OciPlatform::default() };
        return judge(subject, &[platform], architecture);
    }
    let login = login(aws, host(image)).await;
    match engine.docker().inspect_registry_image(image, login).await {
        Ok(answer) => judge(subject, &answer.platforms, architecture),
        Err(error) => Finding::unknown(subject, format!("its registry does not tell: {}", text(&error))),
    }
}

fn judge(subject: String, platforms: &[OciPlatform], architecture: &str) -> Finding {
    let is = |one: &OciPlatform| {
        (one.os.as_deref(), one.architecture.as_deref()) == (Some("linux"), Some(architecture))
    };
    if platforms.iter().any(is) {
        return Finding::verified(subject, format!("is there for linux/{architecture}, as the task"));
    }
    let name = |one: &OciPlatform| Some(format!("{}/{}", one.os.as_deref()?, one.architecture.as_deref()?));
    let mut names: Vec<String> =
        platforms.iter().filter_map(name).filter(|name| !name.contains("unknown")).collect();
    names.dedup();
    if names.is_empty() {
        return Finding::unknown(subject, "its registry does not tell for which platform it is");
    }
    Finding::refuted(subject, format!("is for {}, and the task is linux/{architecture}", names.join(", ")))
        .fix("take another image, or set the service's `platform`")
}

/// The account's own registry by its token, others by Docker's configuration.
async fn login(aws: &Aws, host: &str) -> Option<DockerCredentials> {
    if host.contains(".dkr.ecr.") {
        let (account, login) = crate::world::registry(aws).await.ok()?;
        let own = host == registry(&aws.region, &account);
        return own.then(|| DockerCredentials {
            username: Some(login.username),
            password: Some(login.password),
            serveraddress: Some(host.to_owned()),
            ..DockerCredentials::default()
        });
    }
    let key = if host == "docker.io" { "https://index.docker.io/v1/" } else { host }.to_owned();
    // A helper is a program.
    let found =
        tokio::task::spawn_blocking(move || docker_credential::get_credential(&key)).await.ok()?.ok()?;
    let serveraddress = Some(host.to_owned());
    Some(match found {
        DockerCredential::IdentityToken(token) => {
            DockerCredentials { identitytoken: Some(token), serveraddress, ..DockerCredentials::default() }
        }
        DockerCredential::UsernamePassword(username, password) => DockerCredentials {
            username: Some(username),
            password: Some(password),
            serveraddress,
            ..DockerCredentials::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    fn platform(os: &str, architecture: &str) -> OciPlatform {
        OciPlatform {
            os: Some(os.to_owned()),
            architecture: Some(architecture.to_owned()),
            ..OciPlatform::default()
        }
    }

    #[test]
    fn one_of_the_images_platforms_has_to_be_the_tasks() {
        let judged = |platforms: &[OciPlatform]| judge("image a".to_owned(), platforms, "arm64");
        // Attestations are listed as `unknown/unknown`.
        let both = [platform("linux", "amd64"), platform("unknown", "unknown"), platform("linux", "arm64")];
        assert_eq!(judged(&both).state, State::Verified);
        assert_eq!(judged(&both[..2]).message, "is for linux/amd64, and the task is linux/arm64");
        assert_eq!(judged(&both[1..2]).state, State::Unknown);
    }
}

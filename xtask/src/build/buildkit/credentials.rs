//! Logins for base images, from Docker's configuration and its credential helpers.

use std::collections::{BTreeSet, HashMap};

use bollard::auth::DockerCredentials;
use docker_credential::{CredentialRetrievalError, DockerCredential};

use super::dockerfile::DOCKER_HUB;
use crate::event::Events;

/// Docker Hub's key in Docker's configuration, a relic of the first registry protocol.
const HUB_CONFIG_KEY: &str = "https://index.docker.io/v1/";
/// What BuildKit calls Docker Hub when it asks for a login.
const HUB_HOST: &str = "registry-1.docker.io";

/// The logins that Docker's configuration has for these registries, by the host that BuildKit will name.
/// A helper that fails is a warning: the image may be public.
pub(crate) async fn for_registries(
    registries: BTreeSet<String>,
    events: &Events,
) -> HashMap<String, DockerCredentials> {
    // Helpers are programs, and some ask the network.
    let lookups = registries.into_iter().map(|registry| {
        tokio::task::spawn_blocking(move || {
            let key = if registry == DOCKER_HUB { HUB_CONFIG_KEY } else { &registry };
            let credential = docker_credential::get_credential(key);
            (registry, credential)
        })
    });
    let mut found = HashMap::new();
    for lookup in futures_util::future::join_all(lookups).await {
        match lookup {
            Ok((registry, Ok(credential))) => {
                let host = host(&registry);
                found.insert(host.to_owned(), credentials(credential, host));
            }
            Ok((registry, Err(error))) => {
                if let Some(reason) = problem(&error) {
                    events.warn(format!("no login for `{registry}`: {reason}; it is asked without one"));
                }
            }
            Err(_) => events.warn("a credential helper could not be waited for"),
        }
    }
    found
}

/// What BuildKit calls a registry.
pub(crate) fn host(registry: &str) -> &str {
    if registry == DOCKER_HUB { HUB_HOST } else { registry }
}

fn credentials(credential: DockerCredential, host: &str) -> DockerCredentials {
    let serveraddress = Some(host.to_owned());
    match credential {
        DockerCredential::IdentityToken(token) => {
            DockerCredentials { identitytoken: Some(token), serveraddress, ..DockerCredentials::default() }
        }
        DockerCredential::UsernamePassword(username, password) => DockerCredentials {
            username: Some(username),
            password: Some(password),
            serveraddress,
            ..DockerCredentials::default()
        },
    }
}

/// Why there is no login, unless there simply is none.
fn problem(error: &CredentialRetrievalError) -> Option<String> {
    match error {
        CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound => None,
        // Documented (docker-credential-helpers): the words of every helper for "I know none".
        CredentialRetrievalError::HelperFailure { stdout, .. }
            if stdout.contains("credentials not found") =>
        {
            None
        }
        // The output of a failed helper may hold anything, so only its first line of complaint is shown.
        CredentialRetrievalError::HelperFailure { helper, stderr, .. } => {
            Some(format!("`{helper}` failed: {}", stderr.lines().next().unwrap_or("it said nothing")))
        }
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_login_is_no_problem_but_a_broken_helper_is() {
        let helper = |stdout: &str, stderr: &str| CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".to_owned(),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        assert_eq!(problem(&CredentialRetrievalError::NoCredentialConfigured), None);
        assert_eq!(problem(&helper("credentials not found in native keychain\n", "")), None);
        insta::assert_snapshot!(problem(&helper("", "token expired\nmore")).expect("is one"), @"`docker-credential-x` failed: token expired");
    }
}

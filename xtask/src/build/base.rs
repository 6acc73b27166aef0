//! What the base images are that a Dockerfile names without a digest.
//!
//! A tag moves, so it is asked for, at the registry through the engine: all machines then say the same, whatever their
//! engines have. Only where a registry does not answer for one of them (no network, or an image that was never
//! pushed) does what the engine has count, as it does for the build. What neither knows is its name alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bollard::auth::DockerCredentials;
use futures_util::future::join_all;

use super::buildkit::{credentials, dockerfile};
use crate::engine::{Engine, Lazy};
use crate::event::Events;

/// A registry that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bases {
    /// Reference to digest, or to the engine's ID for one that was never pushed.
    pub(super) digests: BTreeMap<String, Option<String>>,
    /// Whether all of them are what the registry says, and the build has to take them from there.
    pub(super) pull: bool,
}

/// Finds out. References with a digest say all there is to know, and are left out.
pub(super) async fn resolve(
    engine: &Lazy,
    references: BTreeSet<String>,
    logins: &HashMap<String, DockerCredentials>,
    events: &Events,
) -> Bases {
    let tagged: Vec<String> = references.into_iter().filter(|reference| !reference.contains('@')).collect();
    // Without an engine it is the build that fails, if there has to be one.
    let (false, Ok(engine)) = (tagged.is_empty(), engine.get().await) else {
        return Bases { digests: tagged.into_iter().map(|name| (name, None)).collect(), pull: false };
    };
    let remote = join_all(tagged.iter().map(|name| of_registry(engine, name, logins))).await;
    let pull = remote.iter().all(Option::is_some);
    let local = match pull {
        true => vec![None; tagged.len()],
        false => join_all(tagged.iter().map(|name| of_engine(engine, name))).await,
    };
    let known = local.into_iter().zip(remote).map(|(local, remote)| local.or(remote));
    let digests: BTreeMap<_, _> = tagged.into_iter().zip(known).collect();
    for (name, _) in digests.iter().filter(|(_, digest)| digest.is_none()) {
        events.note(format!("what `{name}` is now cannot be found out: a newer one will not be noticed"));
    }
    Bases { digests, pull }
}

/// Documented: Docker Engine API, `GET /distribution/{name}/json`; of several platforms, the index's digest.
async fn of_registry(
    engine: &Engine,
    name: &str,
    logins: &HashMap<String, DockerCredentials>,
) -> Option<String> {
    let login = logins.get(credentials::host(&dockerfile::registry(name))).cloned();
    let asked = engine.docker().inspect_registry_image(name, login);
    let answer = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
    answer.descriptor.digest
}

async fn of_engine(engine: &Engine, name: &str) -> Option<String> {
    let image = engine.docker().inspect_image(name).await.ok()?;
    let digests = image.repo_digests.unwrap_or_default();
    digest_of(name, &digests).or(image.id)
}

/// The digest under which the engine got the image from this name's repository.
fn digest_of(name: &str, known: &[String]) -> Option<String> {
    let repository = repository(name);
    known.iter().find_map(|known| {
        let (of, digest) = known.split_once('@')?;
        (self::repository(of) == repository).then(|| digest.to_owned())
    })
}

/// Without the tag, and without what Docker leaves out of the names of its own hub.
fn repository(name: &str) -> &str {
    let tag = name.rfind(':').filter(|at| !name[*at..].contains('/'));
    let name = tag.map_or(name, |at| &name[..at]);
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_of_the_same_repository() {
        let known = ["debian@sha256:1".to_owned(), "127.0.0.1:5000/team/debian@sha256:2".to_owned()];
        for name in ["debian:12", "debian", "library/debian:12", "docker.io/library/debian"] {
            assert_eq!(digest_of(name, &known).as_deref(), Some("sha256:1"), "{name}");
        }
        assert_eq!(digest_of("127.0.0.1:5000/team/debian", &known).as_deref(), Some("sha256:2"));
        assert_eq!(digest_of("ghcr.io/debian:12", &known), None);
    }
}

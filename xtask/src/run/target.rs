//! What the commands that look at what runs have in common: where to look, and at which services.

use crate::aws::Aws;
use crate::cli::{Global, Where};
use crate::config::Config;
use crate::config::problem::nearest;
use crate::error::{Error, Kind, Result};
use crate::event::Events;
use crate::local;
use crate::target::Target;
use crate::workspace::Workspace;

/// The account, or the local control plane, which has to run: nothing is looked at by starting it.
pub(super) async fn connect(
    global: &Global,
    place: Where,
    workspace: &Workspace,
    config: &Config,
    events: &Events,
) -> Result<Aws> {
    let region = global.region.clone().or_else(|| config.region.clone());
    let mut target = Target { local: None, profile: global.profile.clone(), region };
    if place.local {
        let status = local::find(&global.instance(workspace)).await.ok_or_else(not_running)?;
        target = Target { local: Some(status.endpoint), region: Some(status.region), ..target };
    }
    let aws = target.connect().await?;
    aws.tell(events);
    Ok(aws)
}

fn not_running() -> Error {
    Error::new(Kind::Preflight, "the local control plane does not run, and nothing on it")
        .hint("`cargo xtask deploy --local` starts it and deploys; `cargo xtask local start` only starts it")
}

/// The services that were named, or all of the file.
pub(super) fn services(config: &Config, named: &[String]) -> Result<Vec<String>> {
    let known = || config.services.iter().map(|service| service.name.as_str());
    if named.is_empty() {
        return Ok(known().map(str::to_owned).collect());
    }
    match named.iter().find(|name| !known().any(|known| known == *name)) {
        None => Ok(named.to_vec()),
        Some(name) => Err(unknown(name, known())),
    }
}

fn unknown<'k>(name: &str, known: impl Iterator<Item = &'k str> + Clone) -> Error {
    let error = Error::new(Kind::Config, format!("deploy.toml declares no service `{name}`"));
    match nearest(name, known.clone()) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error.hint(format!("it declares {}", known.collect::<Vec<_>>().join(", "))),
    }
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

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

/// The names on ECS of the services that were named, by what the file calls them or by that name; or
/// of all of the file.
pub(super) fn services(config: &Config, named: &[String]) -> Result<Vec<String>> {
    if named.is_empty() {
        return Ok(config.services.iter().map(|service| service.name.clone()).collect());
    }
    let found = |name: &String| config.service(name).map(|service| service.name.clone());
    named.iter().map(|name| found(name).ok_or_else(|| unknown(name, config))).collect()
}

fn unknown(name: &str, config: &Config) -> Error {
    let known = config.services.iter().map(|service| service.key.as_str());
    let error = Error::new(Kind::Config, format!("deploy.toml declares no service `{name}`"));
    // `web-production` is what messages call it, with that environment.
    let of = |environment: &&String| {
        let key = name.strip_suffix(environment.as_str()).and_then(|rest| rest.strip_suffix('-'));
        key.is_some_and(|key| known.clone().any(|known| known == key))
    };
    if let Some(environment) = config.environments.iter().find(of) {
        return error.hint(format!("it is one with `--env {environment}`"));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Choice, Input, Purpose, load};
    use std::path::Path;

    #[test]
    fn a_service_goes_by_the_name_in_the_file_and_by_that_on_ecs() {
        let text = "cluster = \"c\"\nimage.app = { bin = \"app\" }\nenv.test.name = \"n\"\n\
                    [service.web]\ncpu = 256\nmemory = 512\nexecution-role = \"r\"\ncontainer.app = { image = \"app\" }\n";
        let choice = Choice { env: Some("test".to_owned()), set: Vec::new() };
        let config =
            load(&Input::new("deploy.toml", text, &choice), Purpose::Look, &|_| None, Path::new("/nowhere"));
        let config = config.expect("the file is valid");
        let found = |names: &[&str]| {
            services(&config, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(found(&[]).expect("all"), ["web-test"]);
        assert_eq!(found(&["web"]).expect("one"), ["web-test"]);
        assert_eq!(found(&["web-test"]).expect("one"), ["web-test"]);
        let error = found(&["wbe-test"]).expect_err("there is none");
        assert_eq!(error.message, "deploy.toml declares no service `wbe-test`");
        let base = crate::config::parse(text, Path::new("/nowhere")).expect("the file is valid");
        let error = services(&base, &["web-test".to_owned()]).expect_err("not without the environment");
        assert_eq!(error.hints, ["it is one with `--env test`"]);
    }
}

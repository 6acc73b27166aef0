//! `cargo xtask deploy`

use std::time::Duration;

use serde_json::json;

use super::{agreed, local};
use crate::aws::Aws;
use crate::build::BuildContext;
use crate::cli::{Deploy, Global};
use crate::config::Config;
use crate::config::service::Service;
use crate::deploy::{self, Deployed, Options, Planning};
use crate::engine::Lazy;
use crate::error::{Rest, Result};
use crate::event::{Event, Events};
use crate::git;
use crate::interrupt::Interrupts;
use crate::local::Instance;
use crate::reach::{self, Place};
use crate::report;
use crate::target::{LOCAL_REGION, Target};

/// Runs `deploy`: everything that can be wrong before the first side effect is looked at first.
///
/// # Errors
/// The file, the machine, or any step of the pipeline.
pub(super) async fn run(
    global: &Global,
    flags: &Deploy,
    interrupts: &Interrupts,
    events: &Events,
) -> Result<serde_json::Value> {
    let Stage { config, mut build, aws, instance } = stage(global, flags.local, events).await?;
    build.afresh = flags.no_cache;
    let options = Options {
        force: flags.force,
        conflict: flags.on_conflict.into(),
        timeout: flags.timeout.map(Duration::from_secs),
        until: flags.until.into(),
        exact: flags.plan.is_some(),
    };
    let planning = Planning { force: flags.force, carried_out: true };
    let planned = deploy::plan(&aws, &build, &config, planning, events).await?;
    let document = planned.document(&aws.region, &config);
    if let Some(file) = &flags.plan {
        agreed::check(file, &document)?;
    }
    document.set_by_hand().for_each(|words| events.warn(words));
    let results = deploy::deploy(&aws, &build, &config, planned, options, interrupts, events).await?;
    let deployed = all_or_first_failure(&config, results)?;
    show_places(&aws, &config, instance.as_ref(), &deployed, events).await;
    Ok(json!({ "services": deployed }))
}

/// What a run that builds and looks at the account begins with.
pub(super) struct Stage {
    pub(super) config: Config,
    pub(super) build: BuildContext,
    pub(super) aws: Aws,
    pub(super) instance: Option<Instance>,
}

/// The file, and the way to the account or the control plane, which is started if it has to be.
pub(super) async fn stage(global: &Global, local: bool, events: &Events) -> Result<Stage> {
    let workspace = global.workspace();
    let mut config = workspace.config(global.style().color)?;
    tell_of_environments(&config, events);
    let engine = Lazy::new(events);
    let instance = local.then(|| global.instance(&workspace));
    let region = global.region.clone().or_else(|| config.region.clone());
    let mut target = Target { local: None, profile: global.profile.clone(), region };
    if let Some(instance) = &instance {
        engine.get().await?; // tasks run on it
        target = local_target(instance, target, events).await?;
        // The account that the file guards is not the one that is played.
        config.account = None;
    }
    let aws = target.connect().await?;
    aws.tell(events);
    let build = BuildContext {
        root: workspace.root.clone(),
        engine,
        color: global.style().color,
        afresh: false,
        commit: git::reading(workspace.root.clone()),
    };
    Ok(Stage { config, build, aws, instance })
}

/// Without `--env`, what the file says outside of its environments is deployed: that may be meant.
fn tell_of_environments(config: &Config, events: &Events) {
    if config.environment.is_none() && !config.environments.is_empty() {
        let flags: Vec<_> = config.environments.iter().map(|name| format!("`--env {name}`")).collect();
        events.note(format!("no environment was chosen; the file has {}", flags.join(", ")));
    }
}

/// The control plane's own endpoint and region: one that runs plays the region it was started with.
async fn local_target(instance: &Instance, target: Target, events: &Events) -> Result<Target> {
    let wanted = target.region.as_deref().unwrap_or(LOCAL_REGION);
    let status = local::start(instance, wanted, events).await?;
    if status.region != wanted {
        events.note(format!(
            "the local control plane plays {}; after `local reset` it can play {wanted}",
            status.region
        ));
    }
    Ok(Target { local: Some(status.endpoint), region: Some(status.region), ..target })
}

/// The first failure in the order of the file is the run's; the others are told with it.
fn all_or_first_failure(config: &Config, results: Vec<Result<Deployed>>) -> Result<Vec<Deployed>> {
    let names = config.services.iter().map(|service| service.name.as_str());
    let summary = names.zip(&results).map(|(name, result)| told(name, result)).collect();
    let (good, bad): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let mut failures = bad.into_iter().filter_map(Result::err);
    let Some(mut first) = failures.next() else {
        return Ok(good.into_iter().filter_map(Result::ok).collect());
    };
    first.run = Some(Box::new(Rest { failures: failures.collect(), services: summary }));
    Err(first)
}

/// What became of one service, for programs.
fn told(name: &str, result: &Result<Deployed>) -> serde_json::Value {
    let mut told = match result {
        Ok(deployed) => json!(deployed),
        Err(error) => report::failed(error),
    };
    told["service"] = json!(name);
    told["ok"] = json!(result.is_ok());
    told
}

/// How long the addresses may take: the service is up without them.
const SHOWING: Duration = Duration::from_secs(5);

async fn show_places(
    aws: &Aws,
    config: &Config,
    local: Option<&Instance>,
    deployed: &[Deployed],
    events: &Events,
) {
    // AWS_ENDPOINT_URL may point at a control plane too.
    let played = match local {
        Some(instance) => crate::local::find(instance).await,
        None => crate::local::of_environment().await,
    };
    let up =
        |service: &&Service| deployed.iter().any(|done| done.service == service.name && done.running > 0);
    for service in config.services.iter().filter(up) {
        let places: Vec<Place> = match &played {
            Some(status) => reach::local(status, &config.cluster, &service.name),
            None if local.is_some() => Vec::new(),
            None => {
                let places = reach::on_aws(aws, &config.cluster, service);
                tokio::time::timeout(SHOWING, places).await.unwrap_or_default()
            }
        };
        for Place { url, remark } in places {
            events.emit(Event::Reachable { service: service.name.clone(), url, remark });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Kind};
    use std::path::Path;

    fn config(services: &[&str]) -> Config {
        let mut text = "cluster = \"c\"\nimage.app = { bin = \"app\" }\n".to_owned();
        for name in services {
            text.push_str(&format!(
                "[service.{name}]\ncpu = 256\nmemory = 512\nexecution-role = \"r\"\ncontainer.app = {{ image = \"app\" }}\n"
            ));
        }
        crate::config::parse(&text, Path::new("/nowhere")).expect("the file is valid")
    }

    fn up(service: &str) -> Result<Deployed> {
        let (service, task_definition) = (service.to_owned(), format!("{service}:2"));
        Ok(Deployed { service, task_definition, changed: true, complete: true, running: 1 })
    }

    #[test]
    fn the_first_failure_in_the_file_decides_and_all_are_told() {
        let failed = |kind, text: &str| Err(Error::new(kind, text));
        let results = vec![up("a"), failed(Kind::TimedOut, "b is late"), failed(Kind::Aws, "c is lost")];
        let error = all_or_first_failure(&config(&["a", "b", "c"]), results).expect_err("two failed");
        assert_eq!((error.kind, error.message.as_str()), (Kind::TimedOut, "b is late"));
        let rest = error.run.expect("they are told of");
        assert_eq!(
            rest.failures.iter().map(|other| other.message.as_str()).collect::<Vec<_>>(),
            ["c is lost"]
        );
        let told = |at: usize, key: &str| rest.services[at][key].clone();
        assert_eq!([told(0, "service"), told(1, "service")], ["a", "b"]);
        assert_eq!([told(0, "ok"), told(1, "ok")], [true, false]);
        assert_eq!([told(1, "exit-code"), told(2, "exit-code")], [9, 6]);
    }
}

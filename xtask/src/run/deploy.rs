//! `cargo xtask deploy`

use std::time::Duration;

use serde_json::json;

use super::local;
use crate::aws::Aws;
use crate::build::BuildContext;
use crate::cli::{Deploy, Global};
use crate::config::Config;
use crate::config::service::Service;
use crate::deploy::{self, Deployed, Options};
use crate::engine;
use crate::error::Result;
use crate::event::{Event, Events};
use crate::interrupt::Interrupts;
use crate::local::Instance;
use crate::reach::{self, Place};
use crate::target::{LOCAL_REGION, Target};
use crate::workspace::Workspace;

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
    let workspace = Workspace::of(&global.file);
    let mut config = workspace.config(global.style().color)?;
    let engine = engine::connect(events).await?;
    let instance = flags.local.then(|| global.instance(&workspace));
    let region = global.region.clone().or_else(|| config.region.clone());
    let mut target = Target { local: None, profile: global.profile.clone(), region };
    if let Some(instance) = &instance {
        target = local_target(instance, target, events).await?;
        // The account that the file guards is not the one that is played.
        config.account = None;
    }
    let aws = target.connect().await?;
    aws.tell(events);
    let build =
        BuildContext { root: workspace.root.clone(), engine: engine.clone(), color: global.style().color };
    let options = Options {
        force: flags.force,
        conflict: flags.on_conflict.into(),
        timeout: flags.timeout.map(Duration::from_secs),
        until: flags.until.into(),
    };
    let results = deploy::deploy(&aws, &engine, &build, &config, options, interrupts, events).await?;
    let deployed = all_or_first_failure(results, events)?;
    show_places(&aws, &config, instance.as_ref(), &deployed, events).await;
    Ok(json!({ "services": deployed }))
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

/// The first failure in the order of the file is the run's; the others are told.
fn all_or_first_failure(results: Vec<Result<Deployed>>, events: &Events) -> Result<Vec<Deployed>> {
    let (good, bad): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let mut failures = bad.into_iter().filter_map(Result::err);
    let Some(first) = failures.next() else {
        return Ok(good.into_iter().filter_map(Result::ok).collect());
    };
    for other in failures {
        events.warn(format!("failed too: {}", other.message));
    }
    Err(first)
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

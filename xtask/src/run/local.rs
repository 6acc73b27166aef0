//! `cargo xtask local …`

use serde_json::json;

use crate::cli::{Global, Local};
use crate::engine;
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Events, Phase};
use crate::local::{self, Instance, ServeOptions, Started, Status};
use crate::report::{self, Format};
use crate::target::LOCAL_REGION;
use crate::workspace::Workspace;

/// Runs `local start|stop|status|env|reset|serve`.
///
/// # Errors
/// The control plane cannot be started, found or stopped.
pub(super) async fn run(global: &Global, what: &Local, events: &Events) -> Result<serde_json::Value> {
    let workspace = global.workspace();
    let instance = global.instance(&workspace);
    match what {
        Local::Start => Ok(json!(start(&instance, &region(global, &workspace), events).await?)),
        Local::Stop => stop(&instance, events).await,
        Local::Status => status(global, &instance).await,
        Local::Env => env(&instance).await,
        Local::Reset => reset(&instance, events).await,
        Local::Serve { state_dir } => {
            let region = global.region.clone().unwrap_or_else(|| LOCAL_REGION.to_owned());
            local::serve(ServeOptions { dir: state_dir.clone(), region }).await?;
            Ok(json!(null))
        }
    }
}

/// The region it plays: `--region`, or deploy.toml's if there is one that can be read.
fn region(global: &Global, workspace: &Workspace) -> String {
    let of_file = || workspace.config_to_look(false).ok().and_then(|config| config.region);
    global.region.clone().or_else(of_file).unwrap_or_else(|| LOCAL_REGION.to_owned())
}

/// Finds or starts the control plane, and says which.
pub(super) async fn start(instance: &Instance, region: &str, events: &Events) -> Result<Status> {
    let step = events.start(Phase::Local, "control plane");
    let started = local::start(instance, region).await?;
    let status = started.status().clone();
    match started {
        Started::Running(_) => step.finish(Done::Unchanged, format!("at {}", status.endpoint)),
        Started::Now(_) => step.finish(Done::Changed, format!("started at {}", status.endpoint)),
        Started::Replaced(_) => {
            step.finish(Done::Changed, format!("restarted at {}, of this build now", status.endpoint))
        }
    }
    Ok(status)
}

async fn stop(instance: &Instance, events: &Events) -> Result<serde_json::Value> {
    let step = events.start(Phase::Local, "control plane");
    let ran = local::stop(instance).await?;
    if ran {
        step.finish(Done::Changed, "stopped; its tasks go on running, `local reset` removes them");
    } else {
        step.finish(Done::Unchanged, "does not run");
    }
    Ok(json!({ "stopped": ran }))
}

async fn reset(instance: &Instance, events: &Events) -> Result<serde_json::Value> {
    let step = events.start(Phase::Local, "control plane");
    local::reset(instance, &engine::connect(events).await?).await?;
    step.finish(Done::Changed, "stopped; everything that it made is removed");
    Ok(json!({ "reset": true }))
}

async fn status(global: &Global, instance: &Instance) -> Result<serde_json::Value> {
    let found = local::find(instance).await;
    if global.format == Format::Human {
        report::print(
            &found.as_ref().map_or_else(|| "The local control plane does not run.\n".to_owned(), text),
        );
    }
    Ok(json!(found))
}

fn text(status: &Status) -> String {
    let mut text = format!(
        "Local control plane {} at {}\n  process {}, account {}, region {}\n",
        status.version, status.endpoint, status.pid, status.account, status.region
    );
    if status.services.is_empty() {
        text.push_str("\nNo services.\n");
    }
    for service in &status.services {
        let counts = format!("{} of {} tasks run", service.running, service.desired);
        text.push_str(&format!("\n{}/{}: {counts}\n", service.cluster, service.service));
        for port in &service.ports {
            text.push_str(&format!("  {} (port {} of {})\n", port.url, port.container_port, port.container));
        }
    }
    text
}

async fn env(instance: &Instance) -> Result<serde_json::Value> {
    let found = local::find(instance).await.ok_or_else(not_running)?;
    report::print(&local::env(&found));
    Ok(json!(null))
}

fn not_running() -> Error {
    Error::new(Kind::Preflight, "the local control plane does not run").hint("`cargo xtask local start`")
}

//! `cargo xtask doctor`, `verify`: look, and tell what was found; a problem is exit code 3.

use serde_json::json;

use super::target::connect;
use crate::cli::{Doctor, Global, Verify};
use crate::doctor::{self, Patient};
use crate::engine;
use crate::error::Result;
use crate::event::Events;
use crate::finding::{self, Finding, Look};
use crate::report::{self, Format};
use crate::target::Target;
use crate::verify::{self, Registries};

/// Runs `doctor`.
///
/// # Errors
/// A problem was found.
pub(super) async fn doctor(global: &Global, flags: &Doctor, events: &Events) -> Result<serde_json::Value> {
    let workspace = global.workspace();
    let config =
        workspace.config_to_look(report::stdout_color(global.color) && global.format == Format::Human);
    let of_file = config.as_ref().ok().and_then(|config| config.region.clone());
    let patient = Patient {
        workspace: &workspace,
        config: &config,
        instance: &global.instance(&workspace),
        target: Target {
            local: None,
            profile: global.profile.clone(),
            region: global.region.clone().or(of_file),
        },
        local: flags.place.local,
    };
    tell(global, &doctor::examine(&patient, events).await)
}

/// Runs `verify`.
///
/// # Errors
/// The file, the way in, or something is refuted.
pub(super) async fn verify(global: &Global, flags: &Verify, events: &Events) -> Result<serde_json::Value> {
    let workspace = global.workspace();
    let mut config = workspace.config(global.style().color)?;
    let (aws, engine) = tokio::join!(
        connect(global, flags.place, &workspace, &config, events),
        // Without one, little is unknown: what registries say of images that are not built here.
        engine::connect(events),
    );
    let (aws, engine) = (aws?, engine.ok());
    if flags.place.local {
        // The account that the file guards is not the one that is played.
        config.account = None;
    }
    let registries = engine.as_ref().map(|engine| Registries { engine, runs_tasks: flags.place.local });
    tell(global, &verify::verify(&aws, &config, registries).await)
}

/// What was found is what was asked for: it goes to stdout.
fn tell(global: &Global, findings: &[Finding]) -> Result<serde_json::Value> {
    match global.format {
        Format::Human => {
            let columns = report::columns();
            let look = Look { columns, color: report::stdout_color(global.color), all: !global.quiet };
            report::print(&finding::render(findings, look));
        }
        Format::Json => {
            let lines = findings.iter().map(|one| json!({ "event": "finding", "finding": one }));
            lines.into_iter().all(|line| report::print_json(&line));
        }
    }
    match finding::verdict(findings) {
        Some(error) => Err(error),
        None => Ok(json!({ "findings": findings.len() })),
    }
}

//! `cargo xtask plan`

use serde_json::{Value, json};

use super::agreed;
use super::deploy::{Stage, stage};
use crate::cli::{Command, Global, Plan};
use crate::deploy::{self, Planning};
use crate::error::Result;
use crate::event::Events;
use crate::plan::{Look, render};
use crate::report::{self, Format};

/// What `plan --exit-code` says there are changes with.
const CHANGES: u8 = 11;

/// Runs `plan`.
///
/// # Errors
/// The file, the machine, a build, or a call.
pub(super) async fn run(global: &Global, flags: &Plan, events: &Events) -> Result<Value> {
    if let Some(key) = &flags.explain {
        return explain(global, key);
    }
    let Stage { config, build, aws, .. } = stage(global, flags.local, events).await?;
    let planned = deploy::plan(&aws, &build, &config, Planning::default(), events).await?;
    let document = planned.document(&aws.region, &config);
    if let Some(file) = &flags.out {
        agreed::write(file, &document)?;
    }
    if global.format == Format::Human {
        report::print(&render(&document, Look { color: report::stdout_color(global.color) }));
    }
    Ok(json!({ "changes": !document.changes_nothing(), "plan": document }))
}

fn explain(global: &Global, key: &str) -> Result<Value> {
    let explanation = global.workspace().explain(key, global.style().color)?;
    if global.format == Format::Human {
        report::print(&explanation);
    }
    Ok(json!({ "key": key, "explanation": explanation }))
}

/// The exit code of a command that went well.
pub(super) fn exit_code(command: &Command, summary: &Value) -> u8 {
    match command {
        Command::Plan(flags) if flags.exit_code && summary["changes"] == true => CHANGES,
        _ => 0,
    }
}

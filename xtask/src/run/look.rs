//! `cargo xtask status`, `logs`, `rollback`: flags to steps.

use std::time::Duration;

use serde_json::json;

use super::target::{connect, now_ms, services};
use crate::cli::{Global, Logs, Rollback, Status};
use crate::error::{Error, Kind, Result};
use crate::event::Events;
use crate::logs::{self, Line, Painter};
use crate::report::{self, Format};
use crate::rollback::{self, Request};
use crate::status::{self, text};

/// Runs `status`.
///
/// # Errors
/// The file, the way in, or a call.
pub(super) async fn status(global: &Global, flags: &Status, events: &Events) -> Result<serde_json::Value> {
    let workspace = global.workspace();
    let config = workspace.config_to_look(global.style().color)?;
    let names = services(&config, &flags.services)?;
    let aws = connect(global, flags.place, &workspace, &config, events).await?;
    let now_ms = now_ms();
    let all = status::read(&aws, &config.cluster, &names, now_ms, events).await?;
    if global.format == Format::Human {
        let look =
            text::Look { columns: report::columns(), color: report::stdout_color(global.color), now_ms };
        report::print(&text::render(&all, look));
    }
    Ok(json!({ "services": all }))
}

/// Runs `logs`.
///
/// # Errors
/// The file, the way in, or a call.
pub(super) async fn logs(global: &Global, flags: &Logs, events: &Events) -> Result<serde_json::Value> {
    let workspace = global.workspace();
    let config = workspace.config_to_look(global.style().color)?;
    let names = services(&config, &flags.services)?;
    let aws = connect(global, flags.place, &workspace, &config, events).await?;
    let now_ms = now_ms();
    let mut painter = Painter::new(report::stdout_color(global.color), names.len() > 1);
    let options = logs::Options {
        cluster: config.cluster.clone(),
        services: names,
        since_ms: flags.since.map(|since| since.moment(now_ms)),
        filter: flags.filter.clone(),
        task: flags.task.clone(),
        container: flags.container.clone(),
        previous: flags.previous,
        lines: flags.lines,
        follow: flags.follow,
        now_ms,
    };
    let format = global.format;
    let mut shown = 0_usize;
    let mut sink = |lines: &[Line]| {
        shown += lines.len();
        match format {
            Format::Human => report::print(&painter.text(lines)),
            Format::Json => {
                lines.iter().all(|line| report::print_json(&json!({ "event": "log", "line": line })))
            }
        }
    };
    logs::logs(&aws, &options, events, &mut sink).await?;
    Ok(json!({ "lines": shown }))
}

/// Runs `rollback`.
///
/// # Errors
/// The file, the way in, nothing to go back to, or the rollout.
pub(super) async fn rollback(
    global: &Global,
    flags: &Rollback,
    events: &Events,
) -> Result<serde_json::Value> {
    let workspace = global.workspace();
    let config = workspace.config_to_look(global.style().color)?;
    let names = services(&config, flags.service.as_slice())?;
    let [name] = names.as_slice() else {
        let names = names.join(", ");
        return Err(Error::new(Kind::Config, "which service?").hint(format!("name one of {names}")));
    };
    let declared = config.services.iter().find(|service| service.name == *name);
    let timeout = declared.map_or(Duration::from_secs(20 * 60), |service| service.deployment.timeout);
    let aws = connect(global, flags.place, &workspace, &config, events).await?;
    let request = Request {
        cluster: &config.cluster,
        service: name,
        to: flags.to.as_deref(),
        dry_run: flags.dry_run,
        timeout: flags.timeout.map_or(timeout, Duration::from_secs),
    };
    let done = rollback::rollback(&aws, &request, events).await?;
    if done.dry_run {
        let verb = if done.changed { "would go" } else { "is already" };
        events.note(format!("service {name} {verb} from {} to {}", done.from, done.to));
    }
    Ok(json!(done))
}

//! Runs a command: flags to steps, results to an exit code.

mod deploy;
mod local;
mod look;
mod target;

use crate::cli::{Cli, Command};
use crate::error::{Error, Kind, Result};
use crate::event::Events;
use crate::report;

/// Runs the command and returns the exit code.
pub async fn run(cli: Cli) -> u8 {
    let style = cli.global.style();
    let (events, receiver) = Events::channel();
    let renderer = tokio::spawn(report::render(style, receiver));
    let result = tokio::select! {
        result = command(&cli, &events) => result,
        () = interrupted(&cli.command) => Err(interruption(&events)),
    };
    // The last sender goes, the renderer ends; only then the outcome is shown.
    drop(events);
    drop(renderer.await);
    match result {
        Ok(summary) => {
            report::success(style, name(&cli.command), &summary);
            0
        }
        Err(error) => {
            report::failure(style, &error);
            error.kind.exit_code()
        }
    }
}

async fn command(cli: &Cli, events: &Events) -> Result<serde_json::Value> {
    match &cli.command {
        Command::Deploy(flags) => deploy::run(&cli.global, flags, events).await,
        Command::Status(flags) => look::status(&cli.global, flags, events).await,
        Command::Logs(flags) => look::logs(&cli.global, flags, events).await,
        Command::Rollback(flags) => look::rollback(&cli.global, flags, events).await,
        Command::Local(what) => local::run(&cli.global, what, events).await,
    }
}

const fn name(command: &Command) -> &'static str {
    match command {
        Command::Deploy(_) => "deploy",
        Command::Status(_) => "status",
        Command::Logs(_) => "logs",
        Command::Rollback(_) => "rollback",
        Command::Local(_) => "local",
    }
}

/// Ctrl-C; the control plane in the foreground has its own way to stop.
async fn interrupted(command: &Command) {
    if matches!(command, Command::Local(crate::cli::Local::Serve { .. }))
        || tokio::signal::ctrl_c().await.is_err()
    {
        std::future::pending::<()>().await;
    }
}

fn interruption(events: &Events) -> Error {
    let error = Error::new(Kind::Interrupted, "interrupted");
    if events.service_touched() {
        error.hint("a rollout that had begun goes on without this command: run it again to follow it")
    } else {
        error.hint("no service was changed")
    }
}

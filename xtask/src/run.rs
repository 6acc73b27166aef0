//! Runs a command: flags to steps, results to an exit code.

mod agreed;
mod check;
mod deploy;
mod local;
mod look;
mod plan;
mod target;

use tokio::task::JoinHandle;

use crate::cli::{Cli, Command, Local};
use crate::error::{Error, Kind, Result};
use crate::event::Events;
use crate::interrupt::{self, Interrupts, Policy};
use crate::report::{self, Style};

/// Runs the command and returns the exit code.
pub async fn run(cli: Cli) -> u8 {
    let style = cli.global.style();
    let (events, receiver) = Events::channel();
    let events = events.showing_tasks(style.shows_tasks());
    let renderer = tokio::spawn(report::render(style, receiver));
    let (interrupts, listener) = listen(&cli, style, &events);
    let result = {
        let mut command = std::pin::pin!(command(&cli, &interrupts, &events));
        tokio::select! {
            result = &mut command => result,
            () = interrupts.leave() => Err(interruption(&events)),
        }
    };
    listener.abort();
    drop(listener.await);
    // The last sender goes, the renderer ends; only then the outcome is shown.
    drop(events);
    drop(renderer.await);
    match result {
        Ok(summary) => {
            let code = plan::exit_code(&cli.command, &summary);
            report::success(style, name(&cli.command), &summary, code);
            code
        }
        Err(error) => {
            report::failure(style, &error);
            error.kind.exit_code()
        }
    }
}

async fn command(cli: &Cli, interrupts: &Interrupts, events: &Events) -> Result<serde_json::Value> {
    match &cli.command {
        Command::Deploy(flags) => deploy::run(&cli.global, flags, interrupts, events).await,
        Command::Plan(flags) => plan::run(&cli.global, flags, events).await,
        Command::Status(flags) => look::status(&cli.global, flags, events).await,
        Command::Logs(flags) => look::logs(&cli.global, flags, events).await,
        Command::Rollback(flags) => look::rollback(&cli.global, flags, events).await,
        Command::Verify(flags) => check::verify(&cli.global, flags, events).await,
        Command::Doctor(flags) => check::doctor(&cli.global, flags, events).await,
        Command::Local(what) => local::run(&cli.global, what, events).await,
    }
}

const fn name(command: &Command) -> &'static str {
    match command {
        Command::Deploy(_) => "deploy",
        Command::Plan(_) => "plan",
        Command::Status(_) => "status",
        Command::Logs(_) => "logs",
        Command::Rollback(_) => "rollback",
        Command::Verify(_) => "verify",
        Command::Doctor(_) => "doctor",
        Command::Local(_) => "local",
    }
}

/// The control plane in the foreground has its own way to stop.
fn listen(cli: &Cli, style: Style, events: &Events) -> (Interrupts, JoinHandle<()>) {
    let policy = match &cli.command {
        Command::Local(Local::Serve { .. }) => return (Interrupts::never(), tokio::spawn(async {})),
        Command::Deploy(deploy) if deploy.rollback_on_interrupt => Policy::RollBack,
        Command::Deploy(_) if style.can_ask() => Policy::Ask,
        _ => Policy::Leave,
    };
    interrupt::listen(policy, events.clone())
}

fn interruption(events: &Events) -> Error {
    let error = Error::new(Kind::Interrupted, "interrupted");
    let under_way = events.under_way();
    if under_way.is_empty() {
        return error.hint("no service was changed");
    }
    error.hint(format!("{} goes on without this command", under_way.join(", "))).hint(
        "to follow it, run the same again; `cargo xtask status` shows it, `cargo xtask rollback` goes back",
    )
}

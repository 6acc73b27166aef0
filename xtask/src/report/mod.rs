//! The one module that writes to the terminal. Progress goes to stderr, what was asked for to stdout.

mod human;
mod json;

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::error::Error;
use crate::event::Event;

/// How output looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object a line, on stdout.
    Json,
}

/// Whether output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Warnings, errors and results alone.
    Quiet,
    /// What changed.
    #[default]
    Normal,
    /// What did not change, too, and the output of tools.
    Verbose,
}

/// How this run reports.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// For people or for programs.
    pub format: Format,
    /// Whether to colour.
    pub color: bool,
    /// Whether a line can be overwritten.
    pub live: bool,
    /// How much is said.
    pub verbosity: Verbosity,
}

impl Style {
    /// Resolves the flags against the terminal and the environment.
    #[must_use]
    pub fn new(format: Format, color: Color, verbosity: Verbosity) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color && !dumb,
        };
        Self { format, color: color && format == Format::Human, live: terminal && !dumb, verbosity }
    }
}

/// Renders events until their last sender is gone.
pub async fn render(style: Style, mut events: UnboundedReceiver<Event>) {
    let mut human = human::Lines::new(style);
    while let Some(event) = events.recv().await {
        match style.format {
            Format::Human => write_err(&human.event(&event)),
            Format::Json => write_out(&json::event(&event)),
        }
    }
    if style.format == Format::Human {
        write_err(&human.end());
    }
}

/// Renders a failure, the last thing a run says.
pub fn failure(style: Style, error: &Error) {
    match style.format {
        Format::Human => write_err(&human::failure(style, error)),
        Format::Json => write_out(&json::failure(error)),
    }
}

/// Renders the end of a run that went well.
pub fn success(style: Style, command: &str, summary: &serde_json::Value) {
    if style.format == Format::Json {
        write_out(&json::success(command, summary));
    }
}

/// Prints what was asked for.
pub fn print(text: &str) {
    write_out(text);
}

/// A reader that went away (`| head`) is no error.
fn write_out(text: &str) {
    drop(std::io::stdout().lock().write_all(text.as_bytes()));
}

fn write_err(text: &str) {
    if !text.is_empty() {
        drop(std::io::stderr().lock().write_all(text.as_bytes()));
    }
}

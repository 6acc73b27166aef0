//! The one module that writes to the terminal. Progress goes to stderr, what was asked for to stdout.
//!
//! Three ways to see the same events: lines that last (`human`), with what goes on now below them on a
//! terminal (`view` into a frame, `screen` into what has to be written), or JSON.

#[cfg(test)]
mod document;
mod human;
mod json;
mod live;
pub mod paint;
mod screen;
mod span;
mod view;
#[cfg(test)]
mod view_tests;
mod words;

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::error::Error;
use crate::event::Stamped;

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
    /// Whether what was written can be overwritten.
    pub live: bool,
    /// How much is said.
    pub verbosity: Verbosity,
}

impl Style {
    /// Resolves the flags against the terminal and the environment.
    #[must_use]
    pub fn new(format: Format, color: Color, verbosity: Verbosity) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let color = colored(color, terminal);
        let dumb = dumb();
        Self {
            format,
            color: color && format == Format::Human,
            live: terminal && !dumb && format == Format::Human,
            verbosity,
        }
    }
}

impl Style {
    /// Whether single tasks are shown, so that reading them is worth some calls.
    #[must_use]
    pub fn shows_tasks(&self) -> bool {
        self.format == Format::Json || self.live && self.verbosity >= Verbosity::Normal
    }

    /// Whether somebody sits there who can answer.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.live && std::io::stdin().is_terminal()
    }
}

/// Renders events until their last sender is gone.
pub async fn render(style: Style, events: UnboundedReceiver<Stamped>) {
    match style.format {
        Format::Human if style.live && style.verbosity >= Verbosity::Normal => {
            live::live(style, events).await;
        }
        Format::Human => live::lines(style, events).await,
        Format::Json => json::lines(events).await,
    }
}

/// Renders a failure, the last thing a run says.
pub fn failure(style: Style, error: &Error) {
    match style.format {
        Format::Human => screen::beside(|| screen::write_err(&human::failure(style, error))),
        Format::Json => {
            write_out(&json::failure(error));
        }
    }
}

/// A failure for programs, as one of several.
#[must_use]
pub fn failed(error: &Error) -> serde_json::Value {
    json::failed(error)
}

/// Renders the end of a run that went well.
pub fn success(style: Style, command: &str, summary: &serde_json::Value, exit_code: u8) {
    if style.format == Format::Json {
        write_out(&json::success(command, summary, exit_code));
    }
}

/// Prints what was asked for. `false`: the reader went away (`| head`), which is no error.
pub fn print(text: &str) -> bool {
    write_out(text)
}

/// The same for programs: one JSON object a line.
#[must_use]
pub fn print_json(value: &serde_json::Value) -> bool {
    write_out(&json::object(value))
}

/// Columns of the terminal that stdout is, if it is one.
#[must_use]
pub fn columns() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Whether what was asked for is coloured.
#[must_use]
pub fn stdout_color(color: Color) -> bool {
    colored(color, std::io::stdout().is_terminal())
}

fn colored(color: Color, terminal: bool) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !no_color && !dumb(),
    }
}

fn dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn write_out(text: &str) -> bool {
    let write = || {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
    };
    // What is printed to the same terminal must not stand in the middle of a frame.
    if std::io::stdout().is_terminal() { screen::beside(write) } else { write() }
}

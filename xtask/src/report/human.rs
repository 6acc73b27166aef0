//! Lines for people: a verb in the margin, as Cargo does it, then what it was done to.

use std::time::Duration;

use anstyle::{AnsiColor, Style as Paint};

use super::{Style, Verbosity};
use crate::aws::fault::chain;
use crate::error::Error;
use crate::event::{Done, Event, Phase, Step};

const MARGIN: usize = 12;
const GOOD: Paint = AnsiColor::Green.on_default().bold();
const BUSY: Paint = AnsiColor::Cyan.on_default().bold();
const WARN: Paint = AnsiColor::Yellow.on_default().bold();
const BAD: Paint = AnsiColor::Red.on_default().bold();
const DIM: Paint = Paint::new().dimmed();

/// Renders events as lines; on a terminal, what runs now stands on a last line that is overwritten.
pub(super) struct Lines {
    style: Style,
    running: Vec<(Step, String)>,
    live_line: bool,
    /// While the user is asked something: what is to be written after the answer.
    held: Option<String>,
}

impl Lines {
    pub(super) fn new(style: Style) -> Self {
        Self { style, running: Vec::new(), live_line: false, held: None }
    }

    /// The text to write for an event.
    pub(super) fn event(&mut self, event: &Event) -> String {
        self.track(event);
        let line = self.line(event);
        let mut text = self.clear();
        if let Event::Asked { question } = event {
            self.held = Some(String::new());
            return text + &self.verb("Interrupted", WARN, question).replace('\n', " ");
        }
        if *event == Event::Answered {
            text.push_str(&self.held.take().unwrap_or_default());
        }
        text.push_str(&line.unwrap_or_default());
        if let Some(held) = &mut self.held {
            held.push_str(&text);
            return String::new();
        }
        text.push_str(&self.live());
        text
    }

    /// The text to write at the end.
    pub(super) fn end(&mut self) -> String {
        let held = self.held.take().map(|held| format!("\n{held}"));
        self.clear() + &held.unwrap_or_default()
    }

    fn track(&mut self, event: &Event) {
        match event {
            Event::Started { step } => self.running.push((step.clone(), String::new())),
            Event::Progress { step, message } => {
                if let Some(found) = self.running.iter_mut().find(|(running, _)| running == step) {
                    found.1.clone_from(message);
                }
            }
            Event::Finished { step, .. } | Event::Abandoned { step } => {
                self.running.retain(|(running, _)| running != step);
            }
            _ => {}
        }
    }

    fn line(&self, event: &Event) -> Option<String> {
        let verbosity = self.style.verbosity;
        let normal = verbosity >= Verbosity::Normal;
        let verbose = verbosity >= Verbosity::Verbose;
        match event {
            Event::Progress { step, message }
                if normal && (!self.style.live || step.phase == Phase::Rollout) =>
            {
                let lasting = step.phase == Phase::Rollout || verbose;
                lasting.then(|| self.verb(verb(step.phase), BUSY, &format!("{} {message}", step.subject)))
            }
            Event::Output { line, .. } if normal => Some(format!("{line}\n")),
            Event::Finished { step, done: Done::Changed, message, elapsed } if normal => {
                let text = format!("{} {message}{}", step.subject, self.took(*elapsed));
                Some(self.verb(verb(step.phase), GOOD, &text))
            }
            Event::Finished { step, done: Done::Unchanged, .. } if step.phase == Phase::Read && !verbose => {
                None
            }
            Event::Finished { step, done: Done::Unchanged, message, .. } if normal => {
                let text = self.paint(DIM, &format!("{} {message}, unchanged", step.subject));
                Some(self.verb(verb(step.phase), DIM, &text))
            }
            Event::Reachable { service, url, remark } if normal => {
                let remark = remark.as_ref().map(|remark| format!(" ({remark})")).unwrap_or_default();
                Some(self.verb("Reachable", GOOD, &format!("{service} at {url}{remark}")))
            }
            Event::Note { message } if normal => Some(self.verb("Note", BUSY, message)),
            Event::Warning { message } => Some(self.verb("Warning", WARN, message)),
            _ => None,
        }
    }

    fn verb(&self, verb: &str, paint: Paint, text: &str) -> String {
        format!("{} {text}\n", self.paint(paint, &format!("{verb:>MARGIN$}")))
    }

    /// How long a step took, where that is worth a word.
    fn took(&self, elapsed: Duration) -> String {
        let worth = elapsed >= Duration::from_millis(100);
        if worth {
            format!(" {}", self.paint(DIM, &format!("({})", seconds(elapsed))))
        } else {
            String::new()
        }
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        colored(self.style.color, paint, text)
    }

    /// Takes the live line away.
    fn clear(&mut self) -> String {
        if std::mem::take(&mut self.live_line) { "\r\x1b[2K".to_owned() } else { String::new() }
    }

    /// What runs now, in one line that fits the window.
    fn live(&mut self) -> String {
        if !self.style.live || self.style.verbosity < Verbosity::Normal || self.running.is_empty() {
            return String::new();
        }
        self.live_line = true;
        let names: Vec<String> = self
            .running
            .iter()
            .map(|(step, message)| {
                let verb = verb(step.phase).to_lowercase();
                if message.is_empty() {
                    format!("{verb} {}", step.subject)
                } else {
                    format!("{verb} {}: {message}", step.subject)
                }
            })
            .collect();
        let text: String = names.join(" · ").chars().take(columns().saturating_sub(MARGIN + 2)).collect();
        format!("{} {text}", self.paint(BUSY, &format!("{:>MARGIN$}", "…")))
    }
}

/// Each failure, then how many there were.
pub(super) fn failure(style: Style, error: &Error) -> String {
    let all = std::iter::once(error).chain(&error.others);
    let mut texts: Vec<String> = all.map(|error| one_failure(style, error)).collect();
    if texts.len() > 1 {
        let (failed, services) = (texts.len(), error.services.len());
        texts.push(format!(
            "{} {failed} of {services} services failed\n",
            colored(style.color, BAD, "error:")
        ));
    }
    texts.join("\n")
}

/// What, why, the evidence, what next.
fn one_failure(style: Style, error: &Error) -> String {
    let mut text = format!("{} {}\n", colored(style.color, BAD, "error:"), error.message);
    if let Some(source) = &error.source {
        text.push_str(&format!("  {} {}\n", colored(style.color, DIM, "cause:"), chain(source.as_ref())));
    }
    if let Some(detail) = &error.detail {
        text.push('\n');
        for line in detail.lines() {
            text.push_str(&format!("  {line}\n"));
        }
        text.push('\n');
    }
    for hint in &error.hints {
        let mut lines = hint.lines();
        text.push_str(&format!(
            "  {} {}\n",
            colored(style.color, BUSY, "help:"),
            lines.next().unwrap_or_default()
        ));
        lines.for_each(|line| text.push_str(&format!("        {line}\n")));
    }
    text
}

fn colored(color: bool, paint: Paint, text: &str) -> String {
    if color { format!("{paint}{text}{paint:#}") } else { text.to_owned() }
}

const fn verb(phase: Phase) -> &'static str {
    match phase {
        Phase::Local => "Local",
        Phase::Read => "Read",
        Phase::Compile => "Compile",
        Phase::Build => "Build",
        Phase::Push => "Push",
        Phase::Ensure => "Ensure",
        Phase::Register => "Register",
        Phase::Service => "Service",
        Phase::Rollout => "Rollout",
    }
}

fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}

fn columns() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

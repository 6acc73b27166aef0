//! Lines for people: a verb in the margin, as Cargo does it, then what it was done to. What they say
//! lasts; what goes on now is the live view's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anstyle::Style as Paint;

use super::span::painted;
use super::words::{BAD, BUSY, DIM, GOOD, MARGIN, WARN, brief, facts, taken_back, took, verb, why};
use super::{Style, Verbosity};
use crate::aws::fault::chain;
use crate::error::Error;
use crate::event::{Done, Event, Phase, Rollout, Task};

/// Renders events as lines.
pub(super) struct Lines {
    style: Style,
    told: BTreeMap<String, Told>,
    /// While the user is asked something: what is to be written after the answer.
    held: Option<String>,
}

/// What was said of a rollout, so that it is said once.
#[derive(Default)]
struct Told {
    progress: String,
    reasons: BTreeSet<String>,
}

impl Lines {
    pub(super) fn new(style: Style) -> Self {
        Self { style, told: BTreeMap::new(), held: None }
    }

    /// The text to write for an event.
    pub(super) fn event(&mut self, event: &Event) -> String {
        let text = match event {
            Event::Rollout(rollout) => self.rollout(rollout),
            Event::Asked { question } => {
                self.held = Some(String::new());
                // The answer has a line of its own, which another Ctrl-C leaves to what comes next.
                return format!("{}{:>MARGIN$} ", self.verb("Interrupted", WARN, question), ">");
            }
            Event::Answered => self.held.take().unwrap_or_default(),
            event => self.line(event).unwrap_or_default(),
        };
        match &mut self.held {
            Some(held) => {
                held.push_str(&text);
                String::new()
            }
            None => text,
        }
    }

    /// Whether the user is being asked something.
    pub(super) fn asking(&self) -> bool {
        self.held.is_some()
    }

    /// The text to write at the end.
    pub(super) fn end(&mut self) -> String {
        self.held.take().map(|held| format!("\n{held}")).unwrap_or_default()
    }

    fn line(&self, event: &Event) -> Option<String> {
        let verbosity = self.style.verbosity;
        let normal = verbosity >= Verbosity::Normal;
        let verbose = verbosity >= Verbosity::Verbose;
        match event {
            Event::Progress { step, message } if verbose && !self.style.live => {
                Some(self.verb(verb(step.phase), BUSY, &format!("{} {message}", step.subject)))
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
                // What was only read says nothing of a change.
                let unchanged = if step.phase == Phase::Read { "" } else { ", unchanged" };
                let text = self.paint(DIM, &format!("{} {message}{unchanged}", step.subject));
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

    /// Tasks that failed, each way once; and the counts, where no live view shows them.
    fn rollout(&mut self, rollout: &Rollout) -> String {
        if self.style.verbosity < Verbosity::Normal {
            return String::new();
        }
        let told = self.told.entry(rollout.service.clone()).or_default();
        let tasks = rollout.tasks.iter().flatten();
        let failed: Vec<&Task> =
            tasks.filter(|task| task.failure().is_some() && told.reasons.insert(why(task))).collect();
        let progress = match self.style.live {
            false => facts(rollout).join(", "),
            true => taken_back(rollout).unwrap_or_default().to_owned(),
        };
        let news = told.progress != progress && !progress.is_empty();
        told.progress.clone_from(&progress);
        let mut text = String::new();
        for task in failed {
            let line = format!("{} task {} stopped: {}", rollout.service, brief(&task.id), why(task));
            text.push_str(&self.verb(verb(Phase::Rollout), BAD, &line));
        }
        if news {
            let line = format!("{} {progress}", rollout.service);
            text.push_str(&self.verb(verb(Phase::Rollout), BUSY, &line));
        }
        text
    }

    fn verb(&self, verb: &str, paint: Paint, text: &str) -> String {
        format!("{} {text}\n", self.paint(paint, &format!("{verb:>MARGIN$}")))
    }

    /// How long a step took, where that is worth a word.
    fn took(&self, elapsed: Duration) -> String {
        let worth = elapsed >= Duration::from_millis(100);
        if worth { format!(" {}", self.paint(DIM, &format!("({})", took(elapsed)))) } else { String::new() }
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        painted(self.style.color, paint, text)
    }
}

/// Each failure, then how many there were.
pub(super) fn failure(style: Style, error: &Error) -> String {
    let all = std::iter::once(error).chain(error.run.iter().flat_map(|run| &run.failures));
    let mut texts: Vec<String> = all.map(|error| one_failure(style, error)).collect();
    if texts.len() > 1 {
        let (failed, services) = (texts.len(), error.run.as_ref().map_or(0, |run| run.services.len()));
        let head = painted(style.color, BAD, "error:");
        texts.push(format!("{head} {failed} of {services} services failed\n"));
    }
    texts.join("\n")
}

/// What, why, the evidence, what next.
fn one_failure(style: Style, error: &Error) -> String {
    let mut text = format!("{} {}\n", painted(style.color, BAD, "error:"), error.message);
    if let Some(source) = &error.source {
        text.push_str(&format!("  {} {}\n", painted(style.color, DIM, "cause:"), chain(source.as_ref())));
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
        let first = lines.next().unwrap_or_default();
        text.push_str(&format!("  {} {first}\n", painted(style.color, BUSY, "help:")));
        lines.for_each(|line| text.push_str(&format!("        {line}\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Breaker, Container, Counts, Other, Step};
    use crate::report::Format;

    fn lines(live: bool) -> Lines {
        Lines::new(Style { format: Format::Human, color: false, live, verbosity: Verbosity::Normal })
    }

    fn counts(running: i32, pending: i32, failed: i32) -> Option<Counts> {
        Some(Counts { desired: 2, running, pending, failed })
    }

    fn stopped(id: &str, code: i32) -> Task {
        Task {
            id: id.to_owned(),
            status: "STOPPED".to_owned(),
            stopped_reason: Some("Essential container in task exited".to_owned()),
            containers: vec![Container { name: "app".to_owned(), exit_code: Some(code), reason: None }],
            ..Task::default()
        }
    }

    /// A rollout that fails and is rolled back.
    fn story() -> Vec<Rollout> {
        let old = Other { task_definition: "web:1".to_owned(), counts: counts(2, 0, 0).unwrap_or_default() };
        let seen = Rollout {
            service: "web".to_owned(),
            task_definition: "web:2".to_owned(),
            status: Some("IN_PROGRESS".to_owned()),
            counts: counts(0, 2, 0),
            others: vec![old],
            breaker: Some(Breaker { failures: 0, threshold: 3 }),
            ..Rollout::default()
        };
        let (mut crashed, mut again, mut back) = (seen.clone(), seen.clone(), seen.clone());
        crashed.tasks = Some(vec![stopped("0123456789abcdef", 3)]);
        crashed.counts = counts(0, 1, 1);
        crashed.breaker = Some(Breaker { failures: 1, threshold: 3 });
        again.tasks = Some(vec![stopped("0123456789abcdef", 3), stopped("fedcba9876543210", 3)]);
        again.counts = crashed.counts;
        again.breaker = crashed.breaker;
        back.counts = None;
        back.status = Some("ROLLBACK_IN_PROGRESS".to_owned());
        vec![seen.clone(), seen, crashed, again, back]
    }

    fn told(lines: &mut Lines) -> String {
        story().into_iter().map(|rollout| lines.event(&Event::Rollout(Box::new(rollout)))).collect()
    }

    #[test]
    fn without_a_terminal_each_change_is_a_line_and_nothing_is_said_twice() {
        insta::assert_snapshot!(told(&mut lines(false)), @r"
        Rollout web 0 of 2 tasks run, 2 starting, 2 of web:1
        Rollout web task 01234567 stopped: Essential container in task exited (app: exit code 3)
        Rollout web 0 of 2 tasks run, 1 starting, 1 failed, 2 of web:1, 1 of 3 failures (circuit breaker)
        Rollout web 2 of web:1, rolling back
        ");
    }

    #[test]
    fn with_a_live_view_only_what_lasts_is_a_line() {
        insta::assert_snapshot!(told(&mut lines(true)), @r"
        Rollout web task 01234567 stopped: Essential container in task exited (app: exit code 3)
        Rollout web rolling back
        ");
    }

    #[test]
    fn while_the_user_is_asked_nothing_else_is_written() {
        let mut lines = lines(true);
        let asked = Event::Asked { question: "Go on?".to_owned() };
        assert_eq!(lines.event(&asked), " Interrupted Go on?\n           > ");
        let note = Event::Note { message: "something".to_owned() };
        assert_eq!((lines.event(&note).as_str(), lines.asking()), ("", true));
        assert_eq!(lines.event(&Event::Answered), "        Note something\n");
        assert!(!lines.asking());
    }

    #[test]
    fn a_quiet_run_says_only_what_is_wrong() {
        let style = Style { verbosity: Verbosity::Quiet, ..lines(false).style };
        let mut quiet = Lines::new(style);
        assert_eq!(told(&mut quiet), "");
        let step = Step { phase: Phase::Push, subject: "web".to_owned() };
        let done = Done::Changed;
        let pushed = Event::Finished { step, done, message: String::new(), elapsed: Duration::ZERO };
        assert_eq!(quiet.event(&pushed), "");
        let warning = Event::Warning { message: "beware".to_owned() };
        assert_eq!(quiet.event(&warning), "     Warning beware\n");
    }
}

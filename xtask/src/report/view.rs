//! What goes on now: the steps that run, and of each rollout the counts and the tasks. Events in, the
//! lines of a frame out; pure, time and the window's size are passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::Style as Paint;

use super::screen::Size;
use super::span::{Spans, width};
use super::words::{BAD, BUSY, DIM, GOOD, MARGIN, WARN, brief, facts, verb, whole_seconds, why};
use crate::event::{Event, Phase, Rollout, Step, Task};

/// From this width on there is room for a margin.
const ROOMY: usize = 60;
/// How many tasks of a rollout are shown, one a line.
const TASKS: usize = 8;

/// What goes on.
#[derive(Debug, Default)]
pub(super) struct View {
    running: Vec<Running>,
    rollouts: BTreeMap<String, Rollout>,
}

#[derive(Debug)]
struct Running {
    step: Step,
    message: String,
    since: Duration,
}

impl View {
    /// Takes in an event that came at this moment.
    pub(super) fn event(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Started { step } => {
                self.running.push(Running { step: step.clone(), message: String::new(), since: now });
            }
            Event::Progress { step, message } => {
                if let Some(found) = self.running.iter_mut().find(|running| running.step == *step) {
                    found.message.clone_from(message);
                }
            }
            Event::Rollout(rollout) => {
                self.rollouts.insert(rollout.service.clone(), (**rollout).clone());
            }
            Event::Finished { step, .. } | Event::Abandoned { step } => {
                self.running.retain(|running| running.step != *step);
                if step.phase == Phase::Rollout {
                    self.rollouts.remove(&step.subject);
                }
            }
            _ => {}
        }
    }

    /// The lines to show, none wider or more than fit the window.
    pub(super) fn frame(&self, now: Duration, size: Size, color: bool) -> Vec<String> {
        // In the last column a terminal may wrap, and in the last row scroll.
        let (columns, rows) = (size.columns.saturating_sub(1), size.rows.saturating_sub(1));
        let room = Room { columns, roomy: size.columns >= ROOMY };
        let heads: Vec<Vec<Spans>> = self.running.iter().map(|one| self.head(one, now, room)).collect();
        let used: usize = heads.iter().map(Vec::len).sum();
        let shown = self.rollouts.values().filter(|rollout| rollout.tasks.is_some()).count().max(1);
        let each = TASKS.min(rows.saturating_sub(used) / shown);
        let mut lines = Vec::new();
        for (running, head) in self.running.iter().zip(heads) {
            lines.extend(head);
            let rollout = self.rollout_of(&running.step);
            lines.extend(
                rollout.map(|rollout| tasks_of(&shown_tasks(rollout), each, room)).unwrap_or_default(),
            );
        }
        cut(&mut lines, rows);
        lines.iter().map(|line| line.fit(columns, color)).collect()
    }

    fn rollout_of(&self, step: &Step) -> Option<&Rollout> {
        self.rollouts.get(&step.subject).filter(|_| step.phase == Phase::Rollout)
    }

    /// What it does, for how long, and how far it is.
    fn head(&self, running: &Running, now: Duration, room: Room) -> Vec<Spans> {
        let Running { step, message, since } = running;
        let rollout = self.rollout_of(step);
        let object = match rollout {
            Some(rollout) => format!("{}: {}", step.subject, rollout.task_definition),
            None => step.subject.clone(),
        };
        let elapsed = now.saturating_sub(*since);
        let elapsed =
            if elapsed.as_secs() > 0 { format!("  {}", whole_seconds(elapsed)) } else { String::new() };
        let message = if message.is_empty() { String::new() } else { format!("  {message}") };
        let head = Spans::default().add(BUSY, &room.margin(verb(step.phase)));
        let head = head.plain(&format!(" {object}")).add(DIM, &elapsed).plain(&message);
        let facts = rollout.map(|rollout| folded(&facts(rollout), room)).unwrap_or_default();
        std::iter::once(head).chain(facts).collect()
    }
}

/// What a line may take.
#[derive(Clone, Copy)]
struct Room {
    columns: usize,
    roomy: bool,
}

impl Room {
    fn margin(self, verb: &str) -> String {
        if self.roomy { format!("{verb:>MARGIN$}") } else { verb.to_owned() }
    }

    fn indent(self) -> Spans {
        Spans::default().plain(&" ".repeat(if self.roomy { MARGIN + 1 } else { 2 }))
    }

    /// Columns beside the margin.
    fn inner(self) -> usize {
        self.columns.saturating_sub(if self.roomy { MARGIN + 1 } else { 2 })
    }
}

/// As many facts a line as fit.
fn folded(facts: &[String], room: Room) -> Vec<Spans> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some(line) if width(line) + 2 + width(fact) <= room.inner() => {
                line.push_str(", ");
                line.push_str(fact);
            }
            _ => lines.push(fact.clone()),
        }
    }
    lines.iter().map(|line| room.indent().plain(line)).collect()
}

/// Of a deployment that left the list, tasks are not read any more: only what is over is known.
fn shown_tasks(rollout: &Rollout) -> Vec<&Task> {
    let listed = rollout.counts.is_some();
    rollout.tasks.iter().flatten().filter(|task| listed || task.stopped()).collect()
}

/// The tasks worth a line, oldest first, then how many more there are.
fn tasks_of(tasks: &[&Task], most: usize, room: Room) -> Vec<Spans> {
    if tasks.len() <= most {
        return tasks.iter().map(|task| line_of(task, room)).collect();
    }
    let Some(most) = most.checked_sub(1) else { return Vec::new() };
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    order.sort_by_key(|at| (rank(tasks[*at]), std::cmp::Reverse(*at)));
    let (shown, hidden) = order.split_at(most);
    let mut shown = shown.to_vec();
    shown.sort_unstable();
    let lines = shown.iter().map(|at| line_of(tasks[*at], room));
    lines.chain(std::iter::once(more(hidden.iter().map(|at| tasks[*at]), room))).collect()
}

/// What moves tells more than what runs, and that more than what is over.
fn rank(task: &Task) -> u8 {
    match task.status.as_str() {
        "RUNNING" => 1,
        "STOPPED" => 2,
        _ => 0,
    }
}

fn more<'t>(hidden: impl Iterator<Item = &'t Task>, room: Room) -> Spans {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for task in hidden {
        *counts.entry(&task.status).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    room.indent().add(DIM, &format!("and {}", counts.join(", ")))
}

fn line_of(task: &Task, room: Room) -> Spans {
    let line = room.indent().add(DIM, brief(&task.id)).plain(" ");
    let line = line.add(paint_of(task), &task.status);
    let stopping = !task.stopped() && task.desired_status == "STOPPED";
    let line = match task.health.as_deref().filter(|_| task.status == "RUNNING" && !stopping) {
        Some(health) => line.plain(" ").add(if health == "HEALTHY" { GOOD } else { BAD }, health),
        None => line,
    };
    match task.stopped_reason.as_deref() {
        Some(_) => line.plain(" ").plain(&why(task)),
        None if stopping => line.plain(" to be stopped"),
        None => line,
    }
}

fn paint_of(task: &Task) -> Paint {
    match task.status.as_str() {
        "RUNNING" if task.desired_status == "STOPPED" => WARN,
        "RUNNING" => GOOD,
        "STOPPED" if task.failure().is_some() => BAD,
        "STOPPED" => DIM,
        _ => BUSY,
    }
}

/// No more lines than rows; the last one says how many there are.
fn cut(lines: &mut Vec<Spans>, rows: usize) {
    let rows = rows.max(1);
    if lines.len() > rows {
        let hidden = lines.len() - rows + 1;
        lines.truncate(rows - 1);
        lines.push(Spans::default().add(DIM, &format!("… {hidden} more lines")));
    }
}

//! A status as lines: a word in the margin, then what it says, folded to the window with the margin kept
//! free. Pure.

use anstyle::Style;

use super::model::{Crashed, DeploymentStatus, Revision, RolloutStatus, ServiceStatus, Targets, TaskStatus};
use crate::report::paint::{BAD, GOOD, HEAD, WARN, paint};

/// How it is to look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns to fold at; `None`: not at all, for a pipe.
    pub columns: Option<usize>,
    /// Whether to colour.
    pub color: bool,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

const MARGIN: usize = 12;

/// The text of all of them.
#[must_use]
pub fn render(all: &[ServiceStatus], look: Look) -> String {
    all.iter().map(|status| service(status, look)).collect::<Vec<_>>().join("\n")
}

fn service(status: &ServiceStatus, look: Look) -> String {
    let mut out = title(status, look);
    let mut row =
        |label: &str, style: Option<Style>, text: &str| out.push_str(&line(label, style, text, look));
    for warning in &status.warnings {
        row("warning", Some(WARN), warning);
    }
    for one in &status.revisions {
        row("revision", None, &revision(one));
        one.images
            .iter()
            .for_each(|image| row("image", None, &format!("{} {}", image.container, digest(image))));
    }
    for one in &status.deployments {
        row("deployment", Some(state_style(&one.state)), &deployment(one, look));
    }
    for one in &status.tasks {
        row("task", task_style(one), &task(one, look));
    }
    for one in &status.target_groups {
        let well = one.reasons.is_empty();
        row("targets", Some(if well { GOOD } else { BAD }), &targets(one));
    }
    for one in &status.crashed {
        row("crashed", Some(BAD), &crashed(one, look));
    }
    for one in &status.rollouts {
        row("rollout", Some(state_style(&one.status)), &rollout(one, look));
    }
    for one in &status.events {
        row("event", None, &format!("{}{}", ago_then(one.at_ms, look), one.message));
    }
    out
}

fn title(status: &ServiceStatus, look: Look) -> String {
    let name = paint(HEAD, &format!("{}/{}", status.cluster, status.service), look.color);
    let pending = if status.pending > 0 { format!(", {} starting", status.pending) } else { String::new() };
    match status.status.as_deref() {
        None => format!("{name}: not deployed\n"),
        Some("ACTIVE") => format!("{name}: {} of {} tasks run{pending}\n", status.running, status.desired),
        Some(other) => format!("{name}: {}, {} tasks run{pending}\n", other.to_lowercase(), status.running),
    }
}

fn revision(revision: &Revision) -> String {
    let commit = revision.git_commit.as_deref().map(|hash| hash.get(..12).unwrap_or(hash));
    let dirty = if revision.git_dirty == Some(true) { " with changes" } else { "" };
    let commit = commit.map(|commit| format!(", commit {commit}{dirty}")).unwrap_or_default();
    format!("{}{commit}", revision.task_definition)
}

/// `sha256:` and twelve digits are enough to tell images apart.
fn digest(image: &super::model::Image) -> &str {
    image.digest.as_deref().map_or(&image.image, |digest| digest.get(..19).unwrap_or(digest))
}

fn deployment(one: &DeploymentStatus, look: Look) -> String {
    let mut text = format!(
        "{} {} {}, {} of {} run",
        one.task_definition,
        one.role,
        words(&one.state),
        one.running,
        one.desired
    );
    for (count, what) in [(one.pending, "starting"), (one.failed, "failed")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text.push_str(&ago(one.created_ms, look));
    if one.state != "COMPLETED" && !one.reason.is_empty() {
        text.push_str(&format!(": {}", one.reason));
    }
    text
}

fn task(one: &TaskStatus, look: Look) -> String {
    let mut text = format!("{} {} {}", short_id(&one.id), one.task_definition, one.state);
    let address = match (&one.address, &one.public_address) {
        (Some(private), Some(public)) => Some(format!("{public} ({private})")),
        (private, public) => public.clone().or_else(|| private.clone()),
    };
    for part in one.health.iter().chain(address.iter()) {
        text.push_str(&format!(" {part}"));
    }
    text.push_str(&ago(one.started_ms, look).replacen(',', ", started", 1));
    text
}

fn targets(one: &Targets) -> String {
    let counts: Vec<String> = one.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    let reasons =
        if one.reasons.is_empty() { String::new() } else { format!(": {}", one.reasons.join("; ")) };
    format!("{} {counts}{reasons}", one.target_group)
}

fn crashed(one: &Crashed, look: Look) -> String {
    let mut text =
        format!("{} {}{}: {}", short_id(&one.id), one.task_definition, ago(one.stopped_ms, look), one.reason);
    for container in &one.containers {
        text.push_str(&format!("; {container}"));
    }
    text
}

fn rollout(one: &RolloutStatus, look: Look) -> String {
    let definition = one.task_definition.as_deref().unwrap_or("a revision that AWS has forgotten");
    let reason = one.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{definition} {}{}{reason}", words(&one.status), ago(Some(one.created_ms), look))
}

/// `ROLLBACK_SUCCESSFUL`: rollback successful.
fn words(constant: &str) -> String {
    constant.to_lowercase().replace('_', " ")
}

/// As much of a task's ID as tells it from the others.
fn short_id(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn state_style(state: &str) -> Style {
    match state {
        "COMPLETED" | "SUCCESSFUL" => GOOD,
        "FAILED" | "STOPPED" | "ROLLBACK_FAILED" | "ROLLBACK_SUCCESSFUL" => BAD,
        _ => WARN,
    }
}

fn task_style(task: &TaskStatus) -> Option<Style> {
    match (task.state.as_str(), task.health.as_deref()) {
        (_, Some("UNHEALTHY")) => Some(BAD),
        ("RUNNING", _) => Some(GOOD),
        _ => Some(WARN),
    }
}

fn ago(at: Option<i64>, look: Look) -> String {
    at.map(|at| format!(", {} ago", age(look.now_ms - at))).unwrap_or_default()
}

fn ago_then(at: Option<i64>, look: Look) -> String {
    at.map(|at| format!("{} ago: ", age(look.now_ms - at))).unwrap_or_default()
}

/// The two clocks need not agree.
fn age(millis: i64) -> String {
    let seconds = (millis / 1000).max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn line(label: &str, style: Option<Style>, text: &str, look: Look) -> String {
    let label = paint(style.unwrap_or_default(), &format!("{label:>MARGIN$}"), look.color && style.is_some());
    let folded = fold(text, look.columns.map(|columns| columns.saturating_sub(MARGIN + 2).max(20)));
    let rest = format!("\n{:MARGIN$}  ", "");
    format!("{label}  {}\n", folded.join(&rest))
}

/// Folds at spaces; a word that is longer than the line stays whole.
fn fold(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![text.replace('\n', " ")] };
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

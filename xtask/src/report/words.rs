//! Words that lines and the live view share. Pure.

use std::time::Duration;

use anstyle::{AnsiColor, Style as Paint};

use crate::event::{Phase, Rollout, Task};

pub(super) const MARGIN: usize = 12;
pub(super) const GOOD: Paint = AnsiColor::Green.on_default().bold();
pub(super) const BUSY: Paint = AnsiColor::Cyan.on_default().bold();
pub(super) const WARN: Paint = AnsiColor::Yellow.on_default().bold();
pub(super) const BAD: Paint = AnsiColor::Red.on_default().bold();
pub(super) const DIM: Paint = Paint::new().dimmed();

/// What a phase does.
pub(super) const fn verb(phase: Phase) -> &'static str {
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

/// How long something took.
pub(super) fn took(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        whole_seconds(duration)
    }
}

/// How long something has gone on.
pub(super) fn whole_seconds(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// The counts of a rollout, a fact each.
pub(super) fn facts(rollout: &Rollout) -> Vec<String> {
    let mut facts = Vec::new();
    match (rollout.counts, taken_back(rollout)) {
        (Some(counts), _) => facts.push(format!("{} of {} tasks run", counts.running, counts.desired)),
        (None, Some(_)) => {}
        (None, None) => facts.push("not in the service's list".to_owned()),
    }
    let mut count = |count: i32, what: &str| {
        if count > 0 {
            facts.push(format!("{count} {what}"));
        }
    };
    let counts = rollout.counts.unwrap_or_default();
    count(counts.pending, "starting");
    count(counts.failed, "failed");
    for other in &rollout.others {
        count(other.counts.running + other.counts.pending, &format!("of {}", other.task_definition));
    }
    if let Some(breaker) = rollout.breaker.filter(|breaker| breaker.failures > 0) {
        facts.push(format!("{} of {} failures (circuit breaker)", breaker.failures, breaker.threshold));
    }
    facts.extend(taken_back(rollout).map(str::to_owned));
    facts
}

/// Whether it is taken back, in words.
pub(super) fn taken_back(rollout: &Rollout) -> Option<&'static str> {
    match rollout.status.as_deref() {
        Some("ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS") => Some("rolling back"),
        Some("ROLLBACK_SUCCESSFUL") => Some("rolled back"),
        Some("ROLLBACK_FAILED") => Some("the rollback failed"),
        _ => None,
    }
}

/// Why a task stopped: AWS's words, then what its containers say beyond them.
pub(super) fn why(task: &Task) -> String {
    let reason = task.stopped_reason.as_deref().unwrap_or("stopped");
    let said = task.containers.iter().filter_map(|container| {
        let code = container.exit_code.map(|code| format!("exit code {code}"));
        let told = container.reason.clone().filter(|told| told != reason);
        let words: Vec<String> = code.into_iter().chain(told).collect();
        (!words.is_empty()).then(|| format!("{}: {}", container.name, words.join(", ")))
    });
    match said.collect::<Vec<_>>().join("; ") {
        said if said.is_empty() => reason.to_owned(),
        said => format!("{reason} ({said})"),
    }
}

/// As much of an ID as tells tasks apart.
pub(super) fn brief(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

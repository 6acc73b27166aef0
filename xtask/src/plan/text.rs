//! A plan as lines. Pure.

use super::document::{Action, Difference, Document, Item, Object};
use crate::report::paint::{BAD, GOOD, HEAD, WARN, paint};

/// How it is to look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether to colour.
    pub color: bool,
}

/// The text of a plan.
#[must_use]
pub fn render(plan: &Document, look: Look) -> String {
    let place = format!("cluster {}, account {}, {}", plan.cluster, plan.account, plan.region);
    let mut out = format!("{}\n", paint(HEAD, &place, look.color));
    for item in &plan.items {
        out.push_str(&entry(item, look));
    }
    for note in &plan.notes {
        out.push_str(&format!("  {} {note}\n", paint(WARN, "note", look.color)));
    }
    out.push_str(&summary(plan));
    out
}

fn entry(item: &Item, look: Look) -> String {
    let (mark, style) = match item.action {
        Action::Create => ("+", GOOD),
        Action::Change => ("~", WARN),
        Action::Refuse => ("!", BAD),
    };
    let effect = item.effect.map(|effect| effect.words().to_owned());
    let remarks: Vec<String> = effect.into_iter().chain(item.why.clone()).collect();
    let remarks = if remarks.is_empty() { String::new() } else { format!(": {}", remarks.join(", ")) };
    let what = format!("{} {}", item.object.words(), item.name);
    let mut out =
        format!("  {} {}{remarks}\n", paint(style, mark, look.color), paint(HEAD, &what, look.color));
    let width = item.differences.iter().map(|one| one.key.chars().count()).max().unwrap_or(0).min(40);
    for one in &item.differences {
        out.push_str(&difference(one, width, look));
    }
    out
}

fn difference(one: &Difference, width: usize, look: Look) -> String {
    let (mark, style, value) = match (&one.from, &one.to) {
        (Some(from), Some(to)) => ("~", WARN, format!("{} -> {}", short(from), short(to))),
        (Some(from), None) => ("-", BAD, short(from)),
        (None, to) => ("+", GOOD, to.as_deref().map(short).unwrap_or_default()),
    };
    let hand = if one.set_by_hand { "  (set by hand since the last deploy)" } else { "" };
    let line = format!("      {} {:width$}  {value}{hand}", paint(style, mark, look.color), one.key);
    format!("{}\n", line.trim_end())
}

/// Long values are cut in the middle, images to what tells them apart.
fn short(value: &str) -> String {
    const MOST: usize = 100;
    let value = match value.rsplit_once('@') {
        Some((repository, digest)) if digest.starts_with("sha256:") || digest.starts_with("image-") => {
            let name = repository.split_once('/').map_or(repository, |(_, name)| name);
            let digest = if digest.len() > 64 { digest.get(..19).unwrap_or(digest) } else { digest };
            format!("{name}@{digest}")
        }
        _ => value.replace('\n', "\\n"),
    };
    if value.chars().count() <= MOST {
        return value;
    }
    let head: String = value.chars().take(MOST - 20).collect();
    let tail: Vec<char> = value.chars().rev().take(16).collect();
    format!("{head}...{}", tail.into_iter().rev().collect::<String>())
}

fn summary(plan: &Document) -> String {
    if plan.changes_nothing() {
        return "Nothing to change.\n".to_owned();
    }
    let count = |wanted: &dyn Fn(&Item) -> bool| plan.items.iter().filter(|item| wanted(item)).count();
    let counts = [
        (count(&|item| item.action == Action::Create && item.object != Object::Image), "to create"),
        (count(&|item| item.object == Object::Image), "to push"),
        (count(&|item| item.action == Action::Change), "to change"),
        (count(&|item| item.action == Action::Refuse), "refused"),
    ];
    let told: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    format!("{}.\n", told.join(", "))
}

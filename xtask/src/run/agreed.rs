//! A plan that was written to a file, and what has to be done now.

use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::plan::{Document, Item, Look, render};

/// Writes the plan.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(file: &Path, plan: &Document) -> Result<()> {
    let text = serde_json::to_string_pretty(plan).map_err(crate::error::bug)?;
    std::fs::write(file, text + "\n").map_err(|error| {
        Error::new(Kind::Unexpected, format!("the plan cannot be written to `{}`", file.display()))
            .caused_by(error)
    })
}

/// Whether the plan in the file is what has to be done now.
///
/// # Errors
/// The file is no plan ([`Kind::Config`]), or something changed since it was made ([`Kind::Preflight`]).
pub(super) fn check(file: &Path, now: &Document) -> Result<()> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Error::new(Kind::Config, format!("the plan `{name}` cannot be read")).caused_by(error)
    })?;
    let agreed: Document = serde_json::from_str(&text).map_err(|error| {
        Error::new(Kind::Config, format!("`{name}` is no plan of this version"))
            .caused_by(error)
            .hint("`cargo xtask plan --out FILE` writes one")
    })?;
    if agreed.does_the_same(now) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Preflight,
        format!("the plan in `{name}` is not what has to be done now: nothing was changed"),
    )
    .detail(moved(&agreed, now))
    .hint("plan again, look at it, and deploy that: `cargo xtask plan --out FILE`"))
}

/// What only one of the two does.
fn moved(agreed: &Document, now: &Document) -> String {
    let only = |these: &Document, others: &Document| {
        let items: Vec<Item> =
            these.items.iter().filter(|item| !others.items.contains(item)).cloned().collect();
        render(&Document { items, notes: Vec::new(), ..these.clone() }, Look { color: false })
    };
    format!(
        "planned, and not to be done now:\n{}to be done now, and not planned:\n{}",
        only(agreed, now),
        only(now, agreed)
    )
}

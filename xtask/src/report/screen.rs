//! The region at the bottom of the terminal that is redrawn in place.
//!
//! Between two frames the cursor stands at the region's first column, in its first row. A terminal that
//! folds or cuts lines when its window is resized takes the cursor along with the text, so that
//! "from the cursor to the end of the screen" is the region, whatever became of its lines. The cursor
//! is never hidden: there is nothing to restore, however the run ends.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What changes between these two shows at once, in terminals that know them; others skip them.
/// Source: "Synchronized Output", DEC private mode 2026.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";
/// Without wrapping a row stays a row, even if the window has just become narrower.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";
const ERASE_BELOW: &str = "\x1b[J";
const ERASE_RIGHT: &str = "\x1b[K";

/// A window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// What stands in the region.
#[derive(Debug)]
pub(super) struct Screen {
    drawn: Vec<String>,
    size: Option<Size>,
}

impl Screen {
    const fn new() -> Self {
        Self { drawn: Vec::new(), size: None }
    }

    /// What to write so that `text`, whole lines, stands above the region and `frame` in it.
    fn update(&mut self, text: &str, frame: Vec<String>, size: Size) -> String {
        let resized = self.size.replace(size) != Some(size);
        let anew = resized || !text.is_empty() || self.drawn.is_empty();
        let drawn = std::mem::replace(&mut self.drawn, frame);
        if self.drawn == drawn && (!anew || text.is_empty() && drawn.is_empty()) {
            return String::new();
        }
        let mut out = BEGIN.to_owned();
        if anew && !drawn.is_empty() {
            out.push('\r');
            out.push_str(ERASE_BELOW);
        }
        out.push_str(text);
        let old = if anew { &[] } else { drawn.as_slice() };
        out.push_str(&rows(old, &self.drawn));
        out.push_str(END);
        out
    }

    /// What to write so that the region is gone.
    fn clear(&mut self) -> &'static str {
        if std::mem::take(&mut self.drawn).is_empty() { "" } else { "\r\x1b[J" }
    }
}

/// The rows that changed, and the way back to the first.
fn rows(old: &[String], new: &[String]) -> String {
    if new.is_empty() {
        return if old.is_empty() { String::new() } else { format!("\r{ERASE_BELOW}") };
    }
    let mut out = NO_WRAP.to_owned();
    let last = new.len() - 1;
    for (at, line) in new.iter().enumerate() {
        if at > 0 {
            out.push_str("\r\n");
        }
        let fewer = at == last && old.len() > new.len();
        if fewer || old.get(at) != Some(line) {
            out.push_str(line);
            out.push_str(if fewer { ERASE_BELOW } else { ERASE_RIGHT });
        }
    }
    if last > 0 {
        out.push_str(&format!("\x1b[{last}A"));
    }
    out.push('\r');
    out.push_str(WRAP);
    out
}

/// The one terminal that this process has.
static SCREEN: Mutex<Screen> = Mutex::new(Screen::new());

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes lines that last above the region, and what changed in it, in one write.
pub(super) fn draw(text: &str, frame: Vec<String>, size: Size) {
    let mut screen = screen();
    let text = screen.update(text, frame, size);
    write_err(&text);
}

/// Takes the region away and keeps it so while `write` runs, which may write to the terminal, too.
pub(super) fn beside<T>(write: impl FnOnce() -> T) -> T {
    let mut screen = screen();
    write_err(screen.clear());
    write()
}

/// To stderr, where progress goes; whether anybody reads it is not the run's concern.
pub(super) fn write_err(text: &str) {
    if !text.is_empty() {
        drop(std::io::stderr().lock().write_all(text.as_bytes()));
    }
}

/// Of the window, if stderr is one.
pub(super) fn size() -> Option<Size> {
    let found = std::io::stderr().is_terminal().then(|| terminal_size::terminal_size_of(std::io::stderr()));
    let (columns, rows) = found.flatten()?;
    Some(Size { columns: usize::from(columns.0), rows: usize::from(rows.0) })
}

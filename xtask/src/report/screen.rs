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
/// Row first, then the rest from its second column on: erased from the window's very corner, a
/// screen is moved into the history by tmux.
const ERASE_REGION: &str = "\r\x1b[K\x1b[C\x1b[J\r";
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
            out.push_str(ERASE_REGION);
        }
        out.push_str(text);
        let old = if anew { &[] } else { drawn.as_slice() };
        out.push_str(&rows(old, &self.drawn));
        out.push_str(END);
        out
    }

    /// What to write so that the region is gone.
    fn clear(&mut self) -> &'static str {
        if std::mem::take(&mut self.drawn).is_empty() { "" } else { ERASE_REGION }
    }
}

/// The rows that changed, and the way back to the first.
fn rows(old: &[String], new: &[String]) -> String {
    if new.is_empty() {
        return if old.is_empty() { "" } else { ERASE_REGION }.to_owned();
    }
    let mut out = format!("{NO_WRAP}\r");
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

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 20, rows: 8 };

    /// As much of a terminal as the region uses.
    #[derive(Default)]
    struct Terminal {
        rows: Vec<Vec<char>>,
        row: usize,
        column: usize,
    }

    impl Terminal {
        fn write(&mut self, text: &str) {
            let mut rest = text;
            while let Some(c) = rest.chars().next() {
                rest = &rest[c.len_utf8()..];
                match c {
                    '\r' => self.column = 0,
                    '\n' => (self.row, self.column) = (self.row + 1, 0),
                    '\x1b' => {
                        let end = rest.find(|c: char| c.is_ascii_alphabetic()).expect("a sequence ends");
                        self.sequence(&rest[1..=end]);
                        rest = &rest[end + 1..];
                    }
                    c => self.put(c),
                }
            }
        }

        fn put(&mut self, c: char) {
            let (row, column) = (self.row, self.column);
            self.rows.resize(self.rows.len().max(row + 1), Vec::new());
            let line = &mut self.rows[row];
            line.resize(line.len().max(column + 1), ' ');
            line[column] = c;
            self.column += 1;
        }

        fn sequence(&mut self, sequence: &str) {
            let (parameters, kind) = sequence.split_at(sequence.len() - 1);
            let count = parameters.parse().unwrap_or(1);
            match kind {
                "A" => self.row -= count,
                "C" => self.column += count,
                "K" | "J" => {
                    if let Some(line) = self.rows.get_mut(self.row) {
                        line.truncate(self.column);
                    }
                    if kind == "J" {
                        self.rows.truncate(self.row + 1);
                    }
                }
                _ => assert!(parameters.starts_with('?'), "{sequence}"),
            }
        }

        fn text(&self) -> Vec<String> {
            let lines = self.rows.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned());
            let mut lines: Vec<String> = lines.collect();
            while lines.last().is_some_and(String::is_empty) {
                lines.pop();
            }
            lines
        }
    }

    fn frame(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn frames_replace_each_other_below_the_lines_that_last() {
        let (mut screen, mut terminal) = (Screen::new(), Terminal::default());
        let frames: [(&str, &[&str]); 7] = [
            ("", &["one"]),
            ("first\n", &["longer", "two"]),
            ("", &["longer", "2", "three"]),
            ("", &["short"]),
            ("second\n", &["short"]),
            ("", &[]),
            ("third\n", &["x", "y"]),
        ];
        let mut lasting: Vec<String> = Vec::new();
        for (text, lines) in frames {
            terminal.write(&screen.update(text, frame(lines), SIZE));
            lasting.extend(text.lines().map(str::to_owned));
            assert_eq!(terminal.text(), [lasting.clone(), frame(lines)].concat());
            assert_eq!((terminal.row, terminal.column), (lasting.len(), 0), "the cursor waits at the region");
        }
        terminal.write(screen.clear());
        assert_eq!(terminal.text(), lasting);
    }

    #[test]
    fn only_what_changed_is_written() {
        let mut screen = Screen::new();
        screen.update("", frame(&["same", "old"]), SIZE);
        assert_eq!(screen.update("", frame(&["same", "old"]), SIZE), "");
        let update = screen.update("", frame(&["same", "new"]), SIZE);
        assert!(update.contains("new") && !update.contains("same"), "{update:?}");
        assert!(update.starts_with(BEGIN) && update.ends_with(END), "one frame, shown at once");
    }

    #[test]
    fn a_window_of_another_size_is_drawn_anew() {
        let mut screen = Screen::new();
        screen.update("", frame(&["same"]), SIZE);
        let update = screen.update("", frame(&["same"]), Size { columns: 10, rows: 8 });
        assert!(update.contains(ERASE_REGION) && update.contains("same"), "{update:?}");
    }

    #[test]
    fn nothing_is_cleared_where_nothing_stands() {
        let mut screen = Screen::new();
        assert_eq!((screen.clear(), screen.update("", Vec::new(), SIZE)), ("", String::new()));
    }
}

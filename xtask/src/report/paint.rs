//! The colours of what was asked for.

use anstyle::{AnsiColor, Style};

/// As it should be, or new.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Worth a look, or changed.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Not as it should be, or gone.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What to do.
pub const HELP: Style = AnsiColor::Cyan.on_default();
/// What the lines below are of.
pub const HEAD: Style = Style::new().bold();

/// The text in that style, if colours are wanted.
#[must_use]
pub fn paint(style: Style, text: &str, color: bool) -> String {
    if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

//! Text in pieces of different colours, cut to a width as a terminal counts it. Pure.

use anstyle::Style as Paint;
use unicode_width::UnicodeWidthChar as _;

/// A line that is still to be cut and coloured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(Vec<(Paint, String)>);

impl Spans {
    /// Adds a piece, without what would move the cursor or break the line.
    pub(super) fn add(mut self, paint: Paint, text: &str) -> Self {
        let plain = anstream::adapter::strip_str(text).to_string();
        let clean = plain.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.0.push((paint, clean));
        self
    }

    /// Adds a piece without a colour of its own.
    pub(super) fn plain(self, text: &str) -> Self {
        self.add(Paint::new(), text)
    }

    /// At most `columns` wide; what is cut off leaves an ellipsis.
    pub(super) fn fit(&self, columns: usize, color: bool) -> String {
        let whole: usize = self.0.iter().map(|(_, text)| width(text)).sum();
        let mut left = if whole > columns { columns.saturating_sub(1) } else { columns };
        let mut line = String::new();
        for (paint, text) in &self.0 {
            let kept = head(text, left);
            line.push_str(&painted(color, *paint, kept));
            if kept.len() < text.len() {
                break;
            }
            left = left.saturating_sub(width(kept));
        }
        if whole > columns && columns > 0 {
            line.push('…');
        }
        line
    }
}

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// As much of the beginning as fits.
fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += self::columns(c);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// Coloured, if there is anything to colour.
pub(super) fn painted(color: bool, paint: Paint, text: &str) -> String {
    if color && !text.is_empty() && paint != Paint::new() {
        format!("{paint}{text}{paint:#}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstyle::AnsiColor;

    fn fit(text: &str, columns: usize) -> String {
        Spans::default().plain(text).fit(columns, false)
    }

    #[test]
    fn cut_by_columns_not_by_characters() {
        assert_eq!(fit("배포 중", 7), "배포 중");
        assert_eq!(fit("배포 중", 6), "배포 …");
        assert_eq!(fit("배포 중", 4), "배…");
        assert_eq!([fit("abc", 1), fit("abc", 0)], ["…", ""]);
    }

    #[test]
    fn colours_take_no_columns_and_end() {
        let red = AnsiColor::Red.on_default();
        let spans = Spans::default().add(red, "abc").plain(" def");
        assert_eq!(spans.fit(7, true), "\x1b[31mabc\x1b[0m def");
        assert_eq!(spans.fit(3, true), "\x1b[31mab\x1b[0m…");
    }

    #[test]
    fn what_a_program_wrote_moves_no_cursor() {
        assert_eq!(fit("\x1b[2Ka\tb\r\nc\x1b[31md", 20), "a b  cd");
    }
}

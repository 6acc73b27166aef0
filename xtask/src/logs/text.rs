//! Lines for people: task and container in the margin, a colour for each task. Pure.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};

use super::Line;

const COLORS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::BrightRed,
];

/// Writes lines; knows which task has which colour.
#[derive(Clone, Debug)]
pub struct Painter {
    color: bool,
    with_service: bool,
    width: usize,
    tasks: BTreeMap<String, AnsiColor>,
}

impl Painter {
    /// Coloured or not, and whether lines come from several services.
    #[must_use]
    pub const fn new(color: bool, with_service: bool) -> Self {
        Self { color, with_service, width: 0, tasks: BTreeMap::new() }
    }

    /// The text of some lines.
    pub fn text(&mut self, lines: &[Line]) -> String {
        let widest = lines.iter().map(|line| self.margin(line).chars().count()).max();
        self.width = self.width.max(widest.unwrap_or_default());
        lines.iter().map(|line| self.line(line)).collect()
    }

    /// A message of several lines keeps its margin.
    fn line(&mut self, line: &Line) -> String {
        let margin = format!("{:width$} |", self.margin(line), width = self.width);
        let margin = if self.color {
            let style = Style::new().fg_color(Some(self.color_of(&line.task).into()));
            format!("{style}{margin}{style:#}")
        } else {
            margin
        };
        let reset = if self.color && line.message.contains('\x1b') { "\x1b[0m" } else { "" };
        let message = line.message.trim_end_matches(['\n', '\r']);
        message.split('\n').map(|part| format!("{margin} {}{reset}\n", self.safe(part))).collect()
    }

    fn margin(&self, line: &Line) -> String {
        let task = line.task.get(..8).unwrap_or(&line.task);
        let own = format!("{task}/{}", line.container);
        if self.with_service { format!("{} {own}", line.service) } else { own }
    }

    /// Each task has a colour of its own, as far as there are colours.
    fn color_of(&mut self, task: &str) -> AnsiColor {
        let next = COLORS[self.tasks.len() % COLORS.len()];
        *self.tasks.entry(task.to_owned()).or_insert(next)
    }

    /// What a program logs may colour itself, but not move the cursor or name the window.
    fn safe(&self, text: &str) -> String {
        let plain = anstream::adapter::strip_str(text);
        let kept = if self.color && only_colors(text) { text.to_owned() } else { plain.to_string() };
        kept.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\x1b')).collect()
    }
}

/// Whether every escape sequence is `ESC [ … m`.
fn only_colors(text: &str) -> bool {
    text.split('\x1b').skip(1).all(|rest| {
        let parameters = rest
            .strip_prefix('[')
            .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
        parameters.is_some_and(|rest| rest.starts_with('m'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(task: &str, container: &str, message: &str) -> Line {
        Line {
            timestamp_ms: 1,
            service: "web".to_owned(),
            task: task.to_owned(),
            container: container.to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn task_and_container_stand_in_the_margin() {
        let lines = [
            line("0123456789ab", "app", "one\ntwo\n"),
            line("aaaaaaaaaaaa", "data-store", "\x1b[31mred\x1b[0m"),
        ];
        insta::assert_snapshot!(Painter::new(false, false).text(&lines), @r"
        01234567/app        | one
        01234567/app        | two
        aaaaaaaa/data-store | red
        ");
        assert!(Painter::new(false, true).text(&lines[..1]).starts_with("web 01234567/app | one"));
    }

    #[test]
    fn each_task_keeps_its_colour() {
        let mut painter = Painter::new(true, false);
        let text = painter.text(&[line("a", "x", "1"), line("b", "x", "2"), line("a", "y", "3")]);
        let colours: Vec<&str> = text.lines().filter_map(|line| line.get(..5)).collect();
        assert_eq!(colours[0], colours[2]);
        assert_ne!(colours[0], colours[1]);
    }

    #[test]
    fn a_program_may_colour_its_lines_and_nothing_else() {
        let mut painter = Painter::new(true, false);
        assert!(painter.text(&[line("a", "x", "\x1b[1;31mred")]).contains("\x1b[1;31mred\x1b[0m"));
        let sly = painter.text(&[line("a", "x", "\x1b]0;title\x07 and \x1b[2Jgone \x08")]);
        assert!(!sly.contains("\x1b]") && !sly.contains("[2J") && !sly.contains('\x08'), "{sly:?}");
    }
}

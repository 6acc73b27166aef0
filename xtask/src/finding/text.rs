//! Findings as lines: the state in the margin, what was looked at, what was seen; below it the fix. Folded to
//! the window with the columns kept free, or a line each in a pipe. Pure.

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use super::{Finding, State};
use crate::report::paint::{BAD, GOOD, HELP, WARN, paint};

/// How it is to look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns to fold at; `None`: not at all, for a pipe.
    pub columns: Option<usize>,
    /// Whether to colour.
    pub color: bool,
    /// Whether what is good is told, too.
    pub all: bool,
}

const MARGIN: usize = 12;
/// A longer subject pushes its own message to the right, not everybody's.
const WIDEST: usize = 32;

/// The text of all of them, and how many of each there are.
#[must_use]
pub fn render(findings: &[Finding], look: Look) -> String {
    let told = |finding: &&Finding| look.all || finding.state.is_bad();
    let told: Vec<&Finding> = findings.iter().filter(told).collect();
    let widths = told.iter().map(|finding| finding.subject.width());
    let subjects = widths.filter(|width| *width <= WIDEST).max().unwrap_or_default();
    let mut text: String = told.iter().map(|finding| one(finding, subjects, look)).collect();
    if look.all && !findings.is_empty() {
        text.push_str(&format!("\n{:MARGIN$}  {}\n", "", counts(findings)));
    }
    text
}

fn counts(findings: &[Finding]) -> String {
    let all = [State::Verified, State::Ok, State::Refuted, State::Problem, State::Unknown];
    let counted = all.into_iter().filter_map(|state| {
        let count = findings.iter().filter(|finding| finding.state == state).count();
        (count > 0).then(|| format!("{count} {}", word(state)))
    });
    counted.collect::<Vec<_>>().join(", ")
}

const fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Problem => "problem",
        State::Verified => "verified",
        State::Refuted => "refuted",
        State::Unknown => "unknown",
    }
}

const fn style(state: State) -> Style {
    match state {
        State::Ok | State::Verified => GOOD,
        State::Problem | State::Refuted => BAD,
        State::Unknown => WARN,
    }
}

fn one(finding: &Finding, subjects: usize, look: Look) -> String {
    let state = paint(style(finding.state), &format!("{:>MARGIN$}", word(finding.state)), look.color);
    let pad = subjects.saturating_sub(finding.subject.width());
    let indent = MARGIN + 2 + subjects + 2;
    let mut text = format!("{state}  {}{:pad$}  ", finding.subject, "");
    text.push_str(&block(&finding.message, indent, look));
    for fix in &finding.fix {
        let help = paint(HELP, "help:", look.color);
        // Several lines are commands, which are copied.
        let look = if fix.contains('\n') { Look { columns: None, ..look } } else { look };
        text.push_str(&format!("{:indent$}{help} {}", "", block(fix, indent + 6, look)));
    }
    text
}

/// Lines, each folded at spaces; those after the first begin at `indent`.
fn block(text: &str, indent: usize, look: Look) -> String {
    let width = look.columns.map(|columns| columns.saturating_sub(indent).max(24));
    let lines: Vec<String> = text.lines().flat_map(|line| fold(line, width)).collect();
    format!("{}\n", lines.join(&format!("\n{:indent$}", "")))
}

/// A word that is longer than the line stays whole.
fn fold(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![text.to_owned()] };
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        let commands = "aws iam create-role --role-name r\naws iam attach-role-policy --role-name r";
        vec![
            Finding::verified("account", "123456789012"),
            Finding::refuted(
                "role web-execution",
                "there is no role `web-execution` in the account 123456789012",
            )
            .fix("make it:")
            .fix(commands),
            Finding::unknown("secret db", "it may not be looked at").needs("secretsmanager:DescribeSecret"),
        ]
    }

    #[test]
    fn in_a_pipe_each_is_a_line_with_its_fix_below() {
        let look = Look { columns: None, color: false, all: true };
        insta::assert_snapshot!(render(&findings(), look), @r"
        verified  account             123456789012
         refuted  role web-execution  there is no role `web-execution` in the account 123456789012
                                      help: make it:
                                      help: aws iam create-role --role-name r
                                            aws iam attach-role-policy --role-name r
         unknown  secret db           it may not be looked at

                  1 verified, 1 refuted, 1 unknown
        ");
    }

    #[test]
    fn in_a_window_columns_stay_free() {
        let look = Look { columns: Some(72), color: false, all: true };
        insta::assert_snapshot!(render(&findings(), look), @r"
        verified  account             123456789012
         refuted  role web-execution  there is no role `web-execution` in
                                      the account 123456789012
                                      help: make it:
                                      help: aws iam create-role --role-name r
                                            aws iam attach-role-policy --role-name r
         unknown  secret db           it may not be looked at

                  1 verified, 1 refuted, 1 unknown
        ");
    }

    #[test]
    fn a_quiet_run_tells_what_is_bad_and_colours_end() {
        let look = Look { columns: None, color: true, all: false };
        let text = render(&findings(), look);
        assert!(
            text.starts_with("\u{1b}[31m     refuted\u{1b}[0m  role web-execution  there is no role"),
            "{text:?}"
        );
        assert!(!text.contains("account  ") && !text.contains("verified"), "{text:?}");
    }
}

//! What looking at something showed, and what to do about it: the words of `doctor` and `verify`.

mod text;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Error, Kind};
pub use text::{Look, render};

/// What is known after a look. Nothing is ever guessed: what could not be seen is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// `doctor`: as it has to be.
    Ok,
    /// `doctor`: not as it has to be.
    Problem,
    /// `verify`: it holds.
    Verified,
    /// `verify`: it does not hold.
    Refuted,
    /// Either: it could not be seen.
    Unknown,
}

impl State {
    /// Whether something has to be done before a deploy can go well.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Problem | Self::Refuted)
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What was looked at: `engine`, `role web-task`.
    pub subject: String,
    /// What is known of it.
    pub state: State,
    /// What was seen, or why nothing was.
    pub message: String,
    /// What to do about it, most likely first; may hold several lines, of commands.
    pub fix: Vec<String>,
    /// The permission whose lack kept it unknown: `iam:GetRole`.
    pub permission: Option<String>,
}

impl Finding {
    /// A finding without a fix.
    #[must_use]
    pub fn new(subject: impl Into<String>, state: State, message: impl Into<String>) -> Self {
        Self { subject: subject.into(), state, message: message.into(), fix: Vec::new(), permission: None }
    }

    /// As it has to be.
    #[must_use]
    pub fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(subject, State::Ok, message)
    }

    /// Not as it has to be.
    #[must_use]
    pub fn problem(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(subject, State::Problem, message)
    }

    /// It holds.
    #[must_use]
    pub fn verified(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(subject, State::Verified, message)
    }

    /// It does not hold.
    #[must_use]
    pub fn refuted(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(subject, State::Refuted, message)
    }

    /// It could not be seen.
    #[must_use]
    pub fn unknown(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(subject, State::Unknown, message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix.push(fix.into());
        self
    }

    /// Names the permission that is missing.
    #[must_use]
    pub fn needs(mut self, permission: impl Into<String>) -> Self {
        self.permission = Some(permission.into());
        self
    }

    /// An error as a problem: its message, cause and hints.
    #[must_use]
    pub fn of_error(subject: impl Into<String>, error: &Error) -> Self {
        let cause = error.source.as_ref().map(|cause| crate::aws::fault::chain(cause.as_ref()));
        let details = cause.iter().chain(&error.detail);
        let message = details.fold(error.message.clone(), |text, detail| format!("{text}: {detail}"));
        let fix = error.hints.clone();
        Self { fix, ..Self::problem(subject, message) }
    }
}

/// What ends a run whose findings are not all good; nothing where they are.
#[must_use]
pub fn verdict(findings: &[Finding]) -> Option<Error> {
    let bad = findings.iter().filter(|finding| finding.state.is_bad()).count();
    let words = match bad {
        0 => return None,
        1 => "1 problem was found".to_owned(),
        many => format!("{many} problems were found"),
    };
    Some(Error::new(Kind::Preflight, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_bad_ends_a_run() {
        let fine = [Finding::ok("a", ""), Finding::verified("b", ""), Finding::unknown("c", "")];
        assert!(verdict(&fine).is_none());
        let error = verdict(&[Finding::problem("a", ""), fine[0].clone(), Finding::refuted("b", "")]);
        let error = error.expect("two are bad");
        assert_eq!((error.kind.exit_code(), error.message.as_str()), (3, "2 problems were found"));
    }

    #[test]
    fn an_error_is_a_problem_with_its_cause_and_its_hints() {
        let error = Error::new(Kind::Build, "it failed").caused_by("why").hint("do this");
        let finding = Finding::of_error("rust", &error);
        assert_eq!(finding, Finding::problem("rust", "it failed: why").fix("do this"));
    }
}

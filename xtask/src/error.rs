//! One error type: what failed (operation and object), why, and what to do next.
//!
//! It is made where the failure is understood and rendered once, by `report`.

use std::error::Error as StdError;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// A `Result` with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a failure means to the caller of the command; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A bug, or something nobody foresaw.
    Unexpected,
    /// Bad flags or deploy.toml.
    Config,
    /// Something that must be there before the first side effect is not.
    Preflight,
    /// An image could not be built.
    Build,
    /// An image could not be pushed.
    Push,
    /// An AWS call failed.
    Aws,
    /// The rollout failed and the old version serves.
    RolledBack,
    /// The rollout failed and there was nothing to roll back to.
    Failed,
    /// The rollout was still in progress when the time was up.
    TimedOut,
    /// Another deployment was in progress or took over.
    Conflict,
    /// The user interrupted.
    Interrupted,
}

impl Kind {
    /// The process exit code; the table stands in the README.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Unexpected => 1,
            Self::Config => 2,
            Self::Preflight => 3,
            Self::Build => 4,
            Self::Push => 5,
            Self::Aws => 6,
            Self::RolledBack => 7,
            Self::Failed => 8,
            Self::TimedOut => 9,
            Self::Conflict => 10,
            Self::Interrupted => 130,
        }
    }
}

/// A failure, ready to be shown.
#[derive(Debug)]
pub struct Error {
    /// Decides the exit code.
    pub kind: Kind,
    /// Names operation and object, in backticks where it quotes.
    pub message: String,
    /// What lies below, outermost first.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
    /// The last lines of the output of what failed, or a rendered diagnostic; shown verbatim.
    pub detail: Option<String>,
    /// What to do next, most likely first.
    pub hints: Vec<String>,
    /// The facts behind `detail`, for programs.
    pub facts: Option<Box<serde_json::Value>>,
    /// Of a run over several services: the others.
    pub run: Option<Box<Rest>>,
}

/// What a failure of one service leaves to be told of the others.
#[derive(Debug, Default)]
pub struct Rest {
    /// The other failures.
    pub failures: Vec<Error>,
    /// What became of each service, in the order of the file, for programs.
    pub services: Vec<serde_json::Value>,
}

impl Error {
    /// A failure without a cause below it.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message, source: None, detail: None, hints: Vec::new(), facts: None, run: None }
    }

    /// Adds the error below this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds output of what failed, shown verbatim.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

/// Something that cannot happen did: says so instead of panicking.
pub fn bug(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::new(Kind::Unexpected, "something that should not happen did").caused_by(source)
}

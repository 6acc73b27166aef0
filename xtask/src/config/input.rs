//! What is read: the text of deploy.toml, and what the command line adds to it.
//!
//! All texts lie in one space of offsets, one behind the other, the file's first: so a span alone
//! tells which text it is in, and a problem with a flag is shown as one with the file is.

use std::ffi::OsString;
use std::ops::Range;

use super::set::Flag;

/// Looks up a variable of the process environment, which this module does not know itself.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What the command line says about the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The environment, `[env.NAME]`; `None` is the file without any.
    pub env: Option<String>,
    /// `KEY=VALUE`, in the order in which they are laid over the file.
    pub set: Vec<String>,
}

/// A text and where it comes from.
#[derive(Clone, Debug)]
pub struct Text {
    /// The file's name, or that it is the command line.
    pub name: String,
    /// All of it; of a flag, with its name.
    pub text: String,
    /// The offset of its first byte.
    pub(super) start: usize,
    /// So many bytes are the flag's name.
    prefix: usize,
}

impl Text {
    /// The flag's value and its offset; the whole text of a file.
    pub(super) fn value(&self) -> (&str, usize) {
        (&self.text[self.prefix..], self.start + self.prefix)
    }
}

/// Where the texts of flags come from.
const COMMAND_LINE: &str = "command line";

/// Everything that is read.
#[derive(Clone, Debug)]
pub struct Input {
    file: Text,
    env: Option<Text>,
    sets: Vec<Flag>,
    /// A flag that asks about the file, `--explain KEY`.
    question: Option<Text>,
    /// Where the lines of the file end.
    line_ends: Vec<usize>,
}

impl Input {
    /// The text of a file, by its name for those who see it, and the flags.
    #[must_use]
    pub fn new(file: &str, text: &str, choice: &Choice) -> Self {
        let file = Text { name: file.to_owned(), text: text.to_owned(), start: 0, prefix: 0 };
        let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
        let mut input = Self { file, env: None, sets: Vec::new(), question: None, line_ends };
        input.env = choice.env.as_ref().map(|name| input.flag("--env", name));
        for set in &choice.set {
            let flag = input.flag("--set", set);
            input.sets.push(Flag::new(flag));
        }
        input
    }

    /// The same with a question about a key: `--explain KEY`.
    #[must_use]
    pub fn asking(&self, key: &str) -> Self {
        let asked = Self { question: None, ..self.clone() };
        Self { question: Some(asked.flag("--explain", key)), ..asked }
    }

    /// One byte lies between two texts, so that the end of one is not the start of the next.
    fn flag(&self, name: &str, value: &str) -> Text {
        let last = self.texts().last().unwrap_or(&self.file);
        let start = last.start + last.text.len() + 1;
        let prefix = name.len() + 1;
        Text { name: COMMAND_LINE.to_owned(), text: format!("{name} {value}"), start, prefix }
    }

    fn texts(&self) -> impl Iterator<Item = &Text> {
        let sets = self.sets.iter().map(|flag| &flag.text);
        std::iter::once(&self.file).chain(&self.env).chain(sets).chain(&self.question)
    }

    /// deploy.toml.
    #[must_use]
    pub fn file(&self) -> &Text {
        &self.file
    }

    /// The name after `--env`, and where it stands.
    pub(super) fn env(&self) -> Option<(&str, Range<usize>)> {
        let (name, start) = self.env.as_ref()?.value();
        Some((name, start..start + name.len()))
    }

    pub(super) fn sets(&self) -> &[Flag] {
        &self.sets
    }

    pub(super) fn question(&self) -> Option<(&str, usize)> {
        self.question.as_ref().map(Text::value)
    }

    /// The text that an offset lies in.
    #[must_use]
    pub fn text_at(&self, offset: usize) -> &Text {
        self.texts().filter(|text| text.start <= offset).last().unwrap_or(&self.file)
    }

    /// `deploy.toml:12`, or the flag as it was typed.
    pub(super) fn place(&self, offset: usize) -> String {
        let text = self.text_at(offset);
        if text.start > 0 {
            return text.text.clone();
        }
        format!("{}:{}", text.name, 1 + self.line_ends.partition_point(|end| *end < offset))
    }
}

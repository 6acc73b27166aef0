//! Which files of a context are sent: `.dockerignore` as Docker reads it.

use std::path::{Path, PathBuf};

use super::pattern::Pattern;
use crate::error::{Error, Kind, Result};

/// The patterns of an ignore file, in order: the last one that matches decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct DockerIgnore(Vec<Pattern>);

/// Which patterns matched a directory: they match everything below it, too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherited(Vec<bool>);

impl DockerIgnore {
    /// The ignore file of a build: `<Dockerfile>.dockerignore` beside the Dockerfile, else
    /// `.dockerignore` in the context's root, else nothing is ignored (documented).
    pub(crate) fn of(dockerfile: &Path, context: &Path) -> Result<Self> {
        let mut own = dockerfile.as_os_str().to_owned();
        own.push(".dockerignore");
        for path in [PathBuf::from(own), context.join(".dockerignore")] {
            match std::fs::read(&path) {
                Ok(text) => {
                    return Self::parse(&String::from_utf8_lossy(&text)).map_err(|e| unreadable(&path, &e));
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(unreadable(&path, &e.to_string())),
            }
        }
        Ok(Self::default())
    }

    /// Reads an ignore file's text; the error names the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut patterns = Vec::new();
        // A `#` counts as a comment before blanks are trimmed, not after.
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let line = line.trim();
            let (negated, rest) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            if rest.is_empty() && !negated {
                continue;
            }
            let pattern = if rest.is_empty() {
                Err("`!` needs a pattern".to_owned())
            } else {
                Pattern::new(&clean(rest), negated)
            };
            patterns.push(pattern.map_err(|e| format!("line {}: `{line}`: {e}", number + 1))?);
        }
        Ok(Self(patterns))
    }

    /// Whether this path (relative to the context, with `/`) stays out, given what its directory inherited.
    pub(crate) fn excludes(&self, path: &str, parent: &Inherited) -> (bool, Inherited) {
        let mut excluded = false;
        let mut inherited = vec![false; self.0.len()];
        for (at, pattern) in self.0.iter().enumerate() {
            let from_parent = parent.0.get(at).copied().unwrap_or(false);
            // A pattern that could not change the verdict is not tried.
            let hit = from_parent || (pattern.negated == excluded && pattern.matches(path));
            inherited[at] = hit;
            if hit {
                excluded = !pattern.negated;
            }
        }
        (excluded, Inherited(inherited))
    }

    /// Whether an excluded directory must be walked all the same, for a `!` that may match below it.
    pub(crate) fn may_include_below(&self, directory: &str) -> bool {
        self.0.iter().any(|pattern| pattern.negated && pattern.may_match_below(directory))
    }
}

fn unreadable(path: &Path, why: &str) -> Error {
    Error::new(Kind::Build, format!("`{}` cannot be used: {why}", path.display()))
}

/// Go's `filepath.Clean`, and without the `/` in front that Docker ignores.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if pattern.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the walk asks: every directory on the way first.
    fn excluded(ignore: &str, path: &str) -> bool {
        let ignore = DockerIgnore::parse(ignore).expect("parses");
        let mut inherited = Inherited::default();
        let mut verdict = false;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            (verdict, inherited) = ignore.excludes(&path[..end], &inherited);
        }
        verdict
    }

    #[test]
    fn the_examples_of_the_manual() {
        let first = "# comment\n*/temp*\n*/*/temp*\ntemp?\n";
        assert!(excluded(first, "somedir/temporary.txt"));
        assert!(excluded(first, "somedir/temp/inside"));
        assert!(excluded(first, "somedir/subdir/temporary.txt"));
        assert!(excluded(first, "tempa"));
        assert!(!excluded(first, "temp"));
        assert!(!excluded(first, "temporary.txt"));

        assert!(!excluded("*.md\n!README.md", "README.md"));
        assert!(excluded("*.md\n!README.md", "other.md"));

        let order = "*.md\n!README*.md\nREADME-secret.md";
        assert!(excluded(order, "README-secret.md"));
        assert!(!excluded(order, "README-public.md"));
        assert!(!excluded("*.md\nREADME-secret.md\n!README*.md", "README-secret.md"));
        assert!(excluded("**/*.go", "a/b/c.go"));
        assert!(excluded("**/*.go", "c.go"));
    }

    #[test]
    fn a_directory_takes_its_content_along_and_a_later_negation_brings_it_back() {
        assert!(excluded("target", "target/debug/app"));
        assert!(!excluded("target", "sub/target/app"));
        let whitelist = "*\n!src\n!Cargo.toml";
        assert!(!excluded(whitelist, "src/bin/main.rs"));
        assert!(!excluded(whitelist, "Cargo.toml"));
        assert!(excluded(whitelist, "target/x"));
        assert!(!excluded("target\n!target/release/app", "target/release/app"));
        assert!(excluded("target\n!target/release/app", "target/release/other"));
        assert!(excluded("docs\n!docs/README.md\ndocs/README.md", "docs/README.md"));
    }

    #[test]
    fn slashes_blanks_and_marks_are_cleaned() {
        for text in ["/target/", "./target", "  target  ", "\u{feff}target", "a/../target"] {
            assert!(excluded(text, "target/x"), "{text:?}");
        }
        assert!(!excluded(" *\n!  /keep ", "keep"));
        assert!(excluded(" #x", "#x"), "only an unindented `#` is a comment");
        assert!(!excluded("#x", "#x"));
    }

    #[test]
    fn a_bad_pattern_names_its_line() {
        let error = DockerIgnore::parse("a\n\n[x\n").expect_err("is bad");
        insta::assert_snapshot!(error, @"line 3: `[x`: `[` without its `]`, or an empty or reversed range");
        assert!(DockerIgnore::parse("!").is_err());
    }
}

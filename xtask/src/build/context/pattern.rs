//! One pattern of a `.dockerignore`, with the rules of moby/patternmatcher (documented:
//! "`.dockerignore` files" in Docker's build manual; observed where that is silent: its source).
//!
//! They are not those of `.gitignore`: a pattern is anchored at the context's root, `*` and `?`
//! do not cross a `/`, `**` does, and a character class may match a `/`.

/// A pattern, compiled.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// It begins with `!`: what it matches is sent after all.
    pub(super) negated: bool,
    text: String,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Char(char),
    /// `?`: one character, not `/`.
    One,
    /// `*`: any number of characters, no `/` among them.
    Star,
    /// `**` in the middle: nothing, or anything that ends with `/`.
    Directories,
    /// `**` at the end: anything.
    Rest,
    /// `[a-z]`, `[^a-z]`.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Pattern {
    /// Compiles a cleaned pattern, without its `!`. The error says what is wrong with it.
    pub(super) fn new(text: &str, negated: bool) -> Result<Self, String> {
        let tokens = tokens(text)?;
        Ok(Self { negated, text: text.to_owned(), tokens })
    }

    /// Whether it matches this path (relative, with `/`), parents not considered.
    pub(super) fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        matches(&self.tokens, &path)
    }

    /// Whether it could match anything below this directory: what decides if an excluded one is walked.
    pub(super) fn may_match_below(&self, directory: &str) -> bool {
        let wild = |part: &&str| part.contains(['*', '?', '[', '\\']);
        let parts: Vec<&str> = self.text.split('/').collect();
        let literal = parts.iter().take_while(|part| !wild(part)).count();
        let depth = directory.split('/').count();
        let agrees = parts[..literal].iter().zip(directory.split('/')).all(|(a, b)| *a == b);
        agrees && (parts.len() > depth || literal < parts.len())
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut chars = text.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        let token = match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                let slash = chars.next_if_eq(&'/').is_some();
                let plain = !chars.clone().any(|c| matches!(c, '*' | '?' | '[' | ']' | '\\'));
                // Observed: `**x` with nothing special after it is "ends with x".
                if chars.peek().is_none() || (tokens.is_empty() && !slash && plain) {
                    Token::Rest
                } else {
                    Token::Directories
                }
            }
            '*' => Token::Star,
            '?' => Token::One,
            '[' => class(&mut chars).ok_or("`[` without its `]`, or an empty or reversed range")?,
            '\\' => Token::Char(chars.next().ok_or("nothing follows the last `\\`")?),
            c => Token::Char(c),
        };
        tokens.push(token);
    }
    Ok(tokens)
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let low = match chars.next()? {
            ']' if !ranges.is_empty() => return Some(Token::Class { negated, ranges }),
            ']' => return None,
            '\\' => chars.next()?,
            c => c,
        };
        let high = match chars.next_if_eq(&'-') {
            None => low,
            Some(_) => match chars.next()? {
                '\\' => chars.next()?,
                ']' => return None,
                c => c,
            },
        };
        if high < low {
            return None;
        }
        ranges.push((low, high));
    }
}

fn matches(tokens: &[Token], path: &[char]) -> bool {
    let Some((token, rest)) = tokens.split_first() else {
        return path.is_empty();
    };
    match token {
        Token::Rest => (0..=path.len()).any(|at| matches(rest, &path[at..])),
        Token::Star => {
            let reach = path.iter().position(|c| *c == '/').unwrap_or(path.len());
            (0..=reach).any(|at| matches(rest, &path[at..]))
        }
        Token::Directories => {
            matches(rest, path)
                || (1..=path.len()).any(|at| path[at - 1] == '/' && matches(rest, &path[at..]))
        }
        Token::One | Token::Char(_) | Token::Class { .. } => match path.split_first() {
            Some((c, below)) => token.takes(*c) && matches(rest, below),
            None => false,
        },
    }
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::One => c != '/',
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
            Self::Star | Self::Directories | Self::Rest => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(pattern: &str, path: &str) -> bool {
        Pattern::new(pattern, false).expect("compiles").matches(path)
    }

    #[test]
    fn matches_like_patternmatcher() {
        // Pattern, path, whether the pattern itself (not through a parent) matches.
        let table = [
            ("**", "file", true),
            ("**", "dir/file", true),
            ("**/file", "file", true),
            ("**/file", "a/b/file", true),
            ("**/file", "a/xfile", false),
            ("**file", "a/xfile", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir", false),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/*", "dir/dir2/a/b", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/xb", false),
            ("a**/*.txt", "abc/x/y.txt", true),
            ("*", "a/b", false),
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("file?.txt", "file1.txt", true),
            ("file?.txt", "file/.txt", false),
            ("[a-c]b", "bb", true),
            ("[^a-c]b", "bb", false),
            ("[\\-x]", "-", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a.b", "axb", false),
            ("(a)|{b}$", "(a)|{b}$", true),
            ("dä*", "därt", true),
        ];
        for (pattern, path, expected) in table {
            assert_eq!(hit(pattern, path), expected, "`{pattern}` on `{path}`");
        }
    }

    #[test]
    fn what_can_not_be_compiled_is_an_error() {
        for bad in ["[", "[a", "[]", "[b-a]", "a\\"] {
            assert!(Pattern::new(bad, false).is_err(), "`{bad}`");
        }
    }

    #[test]
    fn a_negation_keeps_only_the_directories_on_its_way() {
        let below = |pattern: &str, dir: &str| Pattern::new(pattern, true).expect("ok").may_match_below(dir);
        assert!(below("target/release/app", "target"));
        assert!(below("target/release/app", "target/release"));
        assert!(!below("target/release/app", "target/debug"));
        assert!(!below("target", "target"));
        assert!(below("target/*/app", "target/debug"));
        assert!(!below("target/*/app", "node_modules"));
        assert!(below("**/README.md", "node_modules"));
    }
}

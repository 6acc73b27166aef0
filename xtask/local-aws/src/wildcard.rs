//! `*` and `?` in EC2's filters and ECR's tag filters.

/// Whether the whole text matches: `*` is any run of characters, `?` any one, and a
/// backslash takes the next one as it is (documented: EC2, "Filtering resources").
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| matches(rest.as_str(), &text[at..])),
        Some('?') => after_one(text, |_| true).is_some_and(|text| matches(rest.as_str(), text)),
        Some('\\') => match rest.next() {
            Some(c) => after_one(text, |first| first == c).is_some_and(|text| matches(rest.as_str(), text)),
            None => text == "\\",
        },
        Some(c) => after_one(text, |first| first == c).is_some_and(|text| matches(rest.as_str(), text)),
    }
}

fn after_one(text: &str, is: impl FnOnce(char) -> bool) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().filter(|first| is(*first)).map(|_| chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("a*c", "abbc"),
            ("a?c", "abc"),
            ("*é?", "xéy"),
            (r"\*", "*"),
            ("**b", "ab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", "ab"), ("a?", "a"), ("*b", "abc"), (r"\*", "x"), ("A", "a")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}

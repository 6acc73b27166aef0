//! Filter patterns for unstructured text (documented: "Filter pattern syntax for metric filters,
//! subscription filters, filter log events"): every plain term must be there, one of the
//! `?optional` ones, none of the `-excluded` ones; a `"quoted phrase"` is one term. Patterns
//! for JSON, for space-delimited fields and regular expressions are not understood here.

/// What a message must be like.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// The error is AWS's message.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with(['{', '[', '%']) {
            return Err(
                "Invalid filter pattern: only text terms are supported by this control plane".to_owned()
            );
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (sign, term, after) = next_term(rest)?;
            let list = match sign {
                Some('?') => &mut pattern.any,
                Some('-') => &mut pattern.none,
                _ => &mut pattern.all,
            };
            list.push(term.to_owned());
            rest = after.trim_start();
        }
        if !pattern.all.is_empty() || !pattern.none.is_empty() {
            pattern.any.clear(); // documented: `?` has no effect together with other terms
        }
        Ok(pattern)
    }

    /// Case counts.
    pub fn matches(&self, message: &str) -> bool {
        let holds = |term: &String| message.contains(term.as_str());
        self.all.iter().all(holds)
            && !self.none.iter().any(holds)
            && (self.any.is_empty() || self.any.iter().any(holds))
    }
}

fn next_term(text: &str) -> Result<(Option<char>, &str, &str), String> {
    let sign = text.chars().next().filter(|c| matches!(c, '?' | '-'));
    let body = if sign.is_some() { &text[1..] } else { text };
    if let Some(quoted) = body.strip_prefix('"') {
        let (term, after) = quoted.split_once('"').ok_or_else(|| invalid(text))?;
        return Ok((sign, term, after));
    }
    let end = body.find(char::is_whitespace).unwrap_or(body.len());
    let (term, after) = body.split_at(end);
    // Documented: anything but letters, digits and `_` needs quotes.
    if term.is_empty() || !term.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(invalid(&text[..text.len() - after.len()]));
    }
    Ok((sign, term, after))
}

/// Observed: DefangLabs/defang issue 1008, apex/up issue 724.
fn invalid(term: &str) -> String {
    format!("Invalid filter pattern: Invalid character(s) in term '{term}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, message: &str) -> bool {
        Pattern::parse(pattern).expect("is a pattern").matches(message)
    }

    #[test]
    fn terms_are_all_optional_or_excluded() {
        assert!(matches("", "anything"));
        assert!(matches("ERROR main", "ERROR in main"));
        assert!(!matches("ERROR main", "ERROR elsewhere"));
        assert!(matches("?ERROR ?WARN", "a WARN line"));
        assert!(!matches("?ERROR ?WARN", "fine"));
        assert!(!matches("ERROR -main", "ERROR in main"));
        assert!(!matches("error", "ERROR"));
        assert!(matches("\"GET /healthz\" -curl", "GET /healthz 200"));
    }

    #[test]
    fn terms_with_other_characters_need_quotes() {
        let error = Pattern::parse("ERROR: x").expect_err("is invalid");
        assert_eq!(error, "Invalid filter pattern: Invalid character(s) in term 'ERROR:'");
        assert!(Pattern::parse("\"open").is_err());
        assert!(Pattern::parse("{ $.level = \"error\" }").is_err());
    }
}

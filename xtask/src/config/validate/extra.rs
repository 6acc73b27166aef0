//! `[service.NAME.extra]` and `[service.NAME.container.NAME.extra]`: what ECS knows and this file has no key for.

use serde_json::{Map, Value};

use super::Check;
use crate::config::raw::Extra;
use crate::config::source::Path;

/// Members that this tool writes itself, and the key that says them.
type Taken = &'static [(&'static str, &'static str)];

/// Of a task definition.
pub(super) const OF_TASK: Taken =
    &[("family", "family"), ("tags", "tags"), ("containerDefinitions", "container")];

/// Of a container definition.
pub(super) const OF_CONTAINER: Taken = &[("name", "container"), ("image", "image")];

/// Which members there are is ECS's to say; what cannot be one, or is written elsewhere, is a mistake.
pub(super) fn extra(check: &mut Check<'_>, at: &Path, extra: Extra, taken: Taken) -> Map<String, Value> {
    let at = at.at("extra");
    for name in extra.0.keys() {
        if let Some((_, key)) = taken.iter().find(|(member, _)| member == name) {
            let title = format!("`{name}` has a key of its own");
            check.key(&at.at(name), title, "", [format!("say it by `{key}`")]);
        } else if !is_member(name) {
            let help = format!("members of ECS JSON are written like `{}`", camel_case(name));
            check.key(&at.at(name), format!("`{name}` is no member of ECS JSON"), "", [help]);
        }
    }
    extra.0
}

/// Source: Amazon ECS API Reference: every member's name is written in camelCase.
fn is_member(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn camel_case(name: &str) -> String {
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let lower = |word: &str| {
        word.get(..1).unwrap_or_default().to_ascii_lowercase() + word.get(1..).unwrap_or_default()
    };
    let upper = |word: &str| {
        word.get(..1).unwrap_or_default().to_ascii_uppercase() + word.get(1..).unwrap_or_default()
    };
    words.next().map(lower).into_iter().chain(words.map(upper)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_styles_are_told_in_camel_case() {
        for (typed, meant) in
            [("pid-mode", "pidMode"), ("PidMode", "pidMode"), ("ephemeral_storage", "ephemeralStorage")]
        {
            assert!(!is_member(typed));
            assert_eq!(camel_case(typed), meant);
        }
        assert!(is_member("pidMode"));
    }
}

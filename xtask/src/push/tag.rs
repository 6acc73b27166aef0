//! The tags of an image: made of its address, and of how often it was built anew. Pure.
//!
//! | tag | is |
//! |---|---|
//! | `image-ADDRESS` | the first build of these inputs |
//! | `image-ADDRESS-2`, `-3` … | builds with `--no-cache`, of the same inputs |
//!
//! A tag may be immutable, so a build anew needs another one; and whoever deploys these inputs next has to find that
//! one, not the first. So the newest is what counts, and all of them are asked for at once.

use std::collections::BTreeMap;

/// Digits of an address in a tag: 160 bits, more than anybody can find two images for.
const DIGITS: usize = 40;
/// Tags that one call asks for. Who has built anew more often is asked again.
const AT_ONCE: usize = 8;

/// What a repository has of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// Tag and digest of the newest build.
    pub newest: Option<(String, String)>,
    /// The tag of the next.
    pub next: String,
}

/// The tags to ask for after so many that were all there.
#[must_use]
pub fn ask(address: &str, known: usize) -> Vec<String> {
    (known..known + AT_ONCE).map(|build| tag(address, build)).collect()
}

/// What was found, tag to digest, of the tags asked for; or nothing while there may be newer ones.
#[must_use]
pub fn shelf(address: &str, found: &BTreeMap<String, String>, asked: usize) -> Option<Shelf> {
    let newest = (0..asked).rev().find(|build| found.contains_key(&tag(address, *build)));
    if newest.is_some_and(|newest| newest + 1 == asked) {
        return None;
    }
    let pair = |build| Some((tag(address, build), found.get(&tag(address, build))?.clone()));
    let next = tag(address, newest.map_or(0, |build| build + 1));
    Some(Shelf { newest: newest.and_then(pair), next })
}

fn tag(address: &str, build: usize) -> String {
    let digits = address.get(..DIGITS).unwrap_or(address);
    if build == 0 { format!("image-{digits}") } else { format!("image-{digits}-{}", build + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "0123456789012345678901234567890123456789ffff";

    fn found(builds: &[usize]) -> BTreeMap<String, String> {
        builds.iter().map(|build| (tag(ADDRESS, *build), format!("sha256:{build}"))).collect()
    }

    fn newest(builds: &[usize], asked: usize) -> Option<(Option<String>, String)> {
        let shelf = shelf(ADDRESS, &found(builds), asked)?;
        Some((shelf.newest.map(|(_, digest)| digest), shelf.next.replace(&ADDRESS[..40], "A")))
    }

    #[test]
    fn the_first_tag_is_the_address() {
        let tags = ask(ADDRESS, 0);
        assert_eq!(
            tags[..2],
            [
                "image-0123456789012345678901234567890123456789",
                "image-0123456789012345678901234567890123456789-2"
            ]
        );
        assert_eq!(tags.len(), AT_ONCE);
        assert!(ask(ADDRESS, AT_ONCE)[0].ends_with("-9"));
    }

    #[test]
    fn the_newest_build_counts_whatever_a_lifecycle_rule_left() {
        let sha = |text: &str| Some(text.to_owned());
        assert_eq!(newest(&[], 8), Some((None, "image-A".to_owned())));
        assert_eq!(newest(&[0], 8), Some((sha("sha256:0"), "image-A-2".to_owned())));
        assert_eq!(newest(&[0, 1, 2], 8), Some((sha("sha256:2"), "image-A-4".to_owned())));
        assert_eq!(newest(&[5], 8), Some((sha("sha256:5"), "image-A-7".to_owned())));
    }

    #[test]
    fn while_the_last_one_asked_for_is_there_more_are_asked_for() {
        assert_eq!(newest(&[7], 8), None);
        assert_eq!(newest(&[7], 16), Some((Some("sha256:7".to_owned()), "image-A-9".to_owned())));
        assert_eq!(newest(&[7, 15], 16), None);
    }
}

//! What BuildKit makes an image of, and the address that follows from it.
//!
//! Equal inputs are taken for an equal image. That is a promise of the Dockerfile's author: a build that downloads
//! something may come out differently, and is then made anew by `--no-cache` alone.

use std::collections::BTreeMap;

use serde_json::json;

use super::minimal::layer::Measure;
use crate::config::image::Platform;

/// Raise it when equal inputs are to make another image, because they are handed to BuildKit another way.
const FORMAT: u32 = 1;

/// Everything that an image may depend on. Labels of ours are not among it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inputs {
    /// Digest of the context as it is sent, the Dockerfile in it.
    pub(super) content: String,
    /// The Dockerfile's name in the context.
    pub(super) dockerfile: String,
    pub(super) target: Option<String>,
    pub(super) args: BTreeMap<String, String>,
    /// Base images named without a digest, and the digests they have now, as far as known.
    pub(super) bases: BTreeMap<String, Option<String>>,
    pub(super) platform: Platform,
}

impl Inputs {
    /// Their digest, in hexadecimal.
    pub(super) fn address(&self) -> String {
        // In order of the keys, so that the bytes do not depend on how serde_json keeps a map.
        let inputs = json!({
            "args": self.args,
            "bases": self.bases,
            "content": self.content,
            "dockerfile": self.dockerfile,
            "format": FORMAT,
            "platform": self.platform.to_string(),
            "target": self.target,
        });
        Measure::digest_of(inputs.to_string().as_bytes()).trim_start_matches("sha256:").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        Inputs {
            content: "0123".to_owned(),
            dockerfile: "Dockerfile".to_owned(),
            target: None,
            args: BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), String::new())]),
            bases: BTreeMap::from([("debian:12".to_owned(), None)]),
            platform: Platform::LinuxAmd64,
        }
    }

    #[test]
    fn it_stays_as_it_is_from_version_to_version() {
        insta::assert_snapshot!(inputs().address(), @"a598ff4cc8fc530dbfdc0d156086e484fa03b0ed04c31e3ab0a3a27093231c12");
    }

    #[test]
    fn everything_counts() {
        let changes: [fn(&mut Inputs); 8] = [
            |inputs| inputs.content = "4567".to_owned(),
            |inputs| inputs.dockerfile = "Other".to_owned(),
            |inputs| inputs.target = Some("A".to_owned()),
            |inputs| drop(inputs.args.insert("A".to_owned(), "2".to_owned())),
            |inputs| drop(inputs.args.remove("B")),
            |inputs| drop(inputs.bases.insert("debian:12".to_owned(), Some("sha256:1".to_owned()))),
            |inputs| inputs.bases.clear(),
            |inputs| inputs.platform = Platform::LinuxArm64,
        ];
        let mut addresses = std::collections::BTreeSet::from([inputs().address()]);
        for (at, change) in changes.iter().enumerate() {
            let mut changed = inputs();
            change(&mut changed);
            assert!(addresses.insert(changed.address()), "change {at} makes no other address");
        }
    }
}

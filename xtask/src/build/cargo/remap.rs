//! The paths of sources in executables, made the same on every machine. Pure.
//!
//! rustc writes them into panic messages and debug information: those of the workspace's crates relative, all
//! others absolute (observed: cargo names sources outside the workspace in full), those of the standard library
//! too where its sources are installed (documented: RFC 3127, "Handling sysroot paths").
//!
//! `--remap-path-prefix` among the rustflags of the target is the least invasive way that reaches dependencies:
//! cargo's `trim-paths` is unstable, `cargo rustc` reaches the last crate alone, and a `rustc-wrapper` would take the
//! place of the user's. The flags are given to our invocation and written to no file; build scripts and macros do
//! not see them. Cargo keeps them out of what it makes symbols of (documented: rust-lang/cargo#6966). The price: what
//! lies in `target/TRIPLE/PROFILE` is compiled once more, and again when builds of the user's for that very triple and
//! profile take turns with ours.
//!
//! What they cannot reach: `path` dependencies outside the workspace, whose place cargo makes symbols of (observed).

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Directories that lie elsewhere on other machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// The workspace's root.
    pub(super) root: PathBuf,
    /// Where cargo builds, and what build scripts generate lies.
    pub(super) targets: Vec<PathBuf>,
    /// Of the dependencies' sources.
    pub(super) cargo_home: Option<PathBuf>,
    /// The standard library's sources, and what they are called where they are not installed.
    pub(super) library: Option<(PathBuf, String)>,
}

/// The flags for rustc.
pub(super) fn flags(places: &Places) -> Vec<String> {
    let mut names = BTreeMap::from([(places.root.clone(), "/workspace".to_owned())]);
    names.extend(places.targets.iter().map(|path| (path.clone(), "/target".to_owned())));
    names.extend(places.cargo_home.iter().map(|path| (path.clone(), "/cargo".to_owned())));
    names.extend(places.library.clone());
    let mut names: Vec<(PathBuf, String)> = names.into_iter().collect();
    // Of several that fit, rustc takes the last one (documented: the rustc book, "Remap source paths").
    names.sort_by_key(|(path, _)| path.components().count());
    names.iter().map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_comes_last() {
        let places = Places {
            root: "/home/me/code/app".into(),
            targets: vec!["/home/me/code/app/target".into(), "/home/me/code/app/target".into()],
            cargo_home: Some("/home/me/.cargo".into()),
            library: Some(("/home/me/.rustup/lib/rustlib/src/rust".into(), "/rustc/0123".to_owned())),
        };
        insta::assert_snapshot!(flags(&places).join("\n"), @r"
        --remap-path-prefix=/home/me/.cargo=/cargo
        --remap-path-prefix=/home/me/code/app=/workspace
        --remap-path-prefix=/home/me/code/app/target=/target
        --remap-path-prefix=/home/me/.rustup/lib/rustlib/src/rust=/rustc/0123
        ");
    }

    #[test]
    fn a_workspace_inside_the_target_directory_is_itself() {
        let places = Places {
            root: "/w/target/tmp/app".into(),
            targets: vec!["/w/target".into()],
            ..Places::default()
        };
        let flags = flags(&places);
        assert_eq!(
            flags.last().map(String::as_str),
            Some("--remap-path-prefix=/w/target/tmp/app=/workspace")
        );
        assert!(flags.contains(&"--remap-path-prefix=/w/target=/target".to_owned()), "{flags:?}");
    }
}

//! Binaries of the workspace, by one cargo invocation for all that can share it.

mod config;
pub(crate) mod link;
mod metadata;
mod remap;
mod run;
mod survey;
mod toolchain;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::image::{BinImage, Platform};
use crate::error::{Error, Kind, Result};
use crate::event::Events;
use link::Link;
use metadata::Workspace;
pub(crate) use survey::survey;
use toolchain::Toolchain;

/// What distinguishes one cargo invocation from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    platform: Platform,
    profile: String,
    features: Vec<String>,
    default_features: bool,
}

/// One invocation and whom it serves.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    key: Key,
    /// Index into the caller's images -> package and binary.
    pub(crate) members: BTreeMap<usize, Binary>,
    link: Link,
}

/// A binary target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Binary {
    pub(crate) package: String,
    /// Cargo's ID of the package, which its messages carry.
    pub(crate) package_id: String,
    pub(crate) name: String,
}

/// The images' binaries, as few invocations as they allow; the failure belongs to the image of the index.
pub(crate) async fn plan(
    root: &Path,
    images: &[(usize, &BinImage, Platform)],
) -> (Vec<Group>, Vec<(usize, Error)>) {
    let Some((first, ..)) = images.first() else {
        return (Vec::new(), Vec::new());
    };
    match tokio::try_join!(Workspace::read(root), Toolchain::read(root)) {
        Err(error) => (Vec::new(), vec![(*first, error)]),
        Ok((workspace, toolchain)) => {
            let remap = remap::flags(&places(&workspace, &toolchain));
            group(&workspace, &toolchain, &remap, images)
        }
    }
}

/// Under the names that cargo and the file system have for them: rustc sees now the one, now the other.
fn places(workspace: &Workspace, toolchain: &Toolchain) -> remap::Places {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let targets = workspace.target_directories();
    remap::Places {
        root: real(workspace.root()),
        targets: targets.iter().map(|path| real(path)).chain(targets.iter().cloned()).collect(),
        cargo_home: config::cargo_home(),
        library: Some(toolchain.library()),
    }
}

fn group(
    workspace: &Workspace,
    toolchain: &Toolchain,
    remap: &[String],
    images: &[(usize, &BinImage, Platform)],
) -> (Vec<Group>, Vec<(usize, Error)>) {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    let mut failures = Vec::new();
    for (index, image, platform) in images {
        let found =
            workspace.find(image).and_then(|binary| Ok((binary, link::choose(toolchain, *platform, remap)?)));
        match found {
            Err(error) => failures.push((*index, error)),
            Ok((binary, link)) => {
                let key = key(image, *platform);
                let group = groups.entry(key.clone());
                let group = group.or_insert_with(|| Group { key, members: BTreeMap::new(), link });
                group.members.insert(*index, binary);
            }
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| group.members.keys().next().copied());
    (groups, failures)
}

fn key(image: &BinImage, platform: Platform) -> Key {
    let mut features = image.features.clone();
    features.sort();
    features.dedup();
    Key { platform, profile: image.profile.clone(), features, default_features: image.default_features }
}

impl Group {
    /// Builds; every member's executable under the index of its image.
    pub(crate) async fn compile(
        &self,
        root: &Path,
        color: bool,
        events: &Events,
    ) -> Result<BTreeMap<usize, PathBuf>> {
        let built = run::build(self, root, color, events).await?;
        let find = |(index, binary): (&usize, &Binary)| {
            let key = (binary.package_id.clone(), binary.name.clone());
            match built.get(&key) {
                Some(path) => Ok((*index, path.clone())),
                None => Err(Error::new(
                    Kind::Build,
                    format!("cargo built no executable for the binary `{}`", binary.name),
                )),
            }
        };
        self.members.iter().map(find).collect()
    }

    /// The names of the binaries, for people.
    fn subject(&self) -> String {
        let names: std::collections::BTreeSet<&str> =
            self.members.values().map(|b| b.name.as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// Everything after `cargo`.
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = vec!["build".to_owned()];
        let mut add = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
        let packages: std::collections::BTreeSet<&str> =
            self.members.values().map(|b| b.package.as_str()).collect();
        let names: std::collections::BTreeSet<&str> =
            self.members.values().map(|b| b.name.as_str()).collect();
        packages.iter().for_each(|package| add("--package", package));
        names.iter().for_each(|name| add("--bin", name));
        add("--profile", &self.key.profile);
        add("--target", &self.link.triple);
        for feature in &self.key.features {
            // A feature is the package's own; with several packages cargo wants to know whose.
            match feature.contains('/') {
                true => add("--features", feature),
                false => {
                    packages.iter().for_each(|package| add("--features", &format!("{package}/{feature}")))
                }
            }
        }
        self.link.config.iter().for_each(|setting| add("--config", setting));
        if !self.key.default_features {
            arguments.push("--no-default-features".to_owned());
        }
        arguments.push("--message-format=json-render-diagnostics".to_owned());
        arguments
    }
}

#[cfg(test)]
mod tests;

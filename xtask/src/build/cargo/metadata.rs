//! Which package a binary belongs to, and where things lie, from `cargo metadata`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use xshell::{Shell, cmd};

use super::{Binary, run};
use crate::config::image::BinImage;
use crate::error::{Error, Kind, Result};

/// The workspace's packages and directories; other members of the JSON are not looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Workspace {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
    /// Where it is not the target directory; cargo before 1.91 does not have it.
    build_directory: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    id: String,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(super) async fn read(root: &Path) -> Result<Self> {
        let command = {
            let shell = Shell::new().map_err(|e| Error::new(Kind::Build, "no shell").caused_by(e))?;
            shell.change_dir(root);
            let cargo = run::cargo();
            run::clean(cmd!(shell, "{cargo} metadata --no-deps --format-version 1"))
        };
        let output = run::output(command, "cargo metadata").await?;
        Self::parse(&output)
    }

    fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json)
            .map_err(|e| Error::new(Kind::Build, "`cargo metadata` printed something else").caused_by(e))
    }

    /// The directory of the workspace's Cargo.toml.
    pub(super) fn root(&self) -> &Path {
        &self.workspace_root
    }

    /// Where cargo puts what it makes.
    pub(super) fn target_directories(&self) -> Vec<PathBuf> {
        [self.target_directory.clone()].into_iter().chain(self.build_directory.clone()).collect()
    }

    /// The binary target that the image names.
    pub(super) fn find(&self, image: &BinImage) -> Result<Binary> {
        let candidates: Vec<&Package> = self.packages.iter().filter(|p| p.has(&image.bin)).collect();
        let wanted = |p: &&Package| image.package.as_ref().is_none_or(|name| *name == p.name);
        let matching: Vec<&Package> = candidates.iter().copied().filter(wanted).collect();
        match matching.as_slice() {
            [package] => Ok(Binary {
                package: package.name.clone(),
                package_id: package.id.clone(),
                name: image.bin.clone(),
            }),
            [] => Err(self.missing(image, &candidates)),
            several => {
                let names: Vec<String> = several.iter().map(|p| format!("`{}`", p.name)).collect();
                Err(Error::new(
                    Kind::Build,
                    format!("the binary `{}` is in several packages: {}", image.bin, names.join(", ")),
                )
                .hint("say which one with `package`"))
            }
        }
    }

    fn missing(&self, image: &BinImage, elsewhere: &[&Package]) -> Error {
        let bin = &image.bin;
        match (&image.package, elsewhere.first()) {
            (Some(package), Some(other)) => {
                Error::new(Kind::Build, format!("the package `{package}` has no binary `{bin}`"))
                    .hint(format!("the package `{}` has one", other.name))
            }
            _ => {
                let error =
                    Error::new(Kind::Build, format!("no package of this workspace has a binary `{bin}`"));
                match self.similar(bin) {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
        }
    }

    fn similar(&self, bin: &str) -> Option<String> {
        let names = self.packages.iter().flat_map(|p| &p.targets).filter(|t| t.is_bin());
        let names: std::collections::BTreeSet<&str> = names.map(|t| t.name.as_str()).collect();
        let nearest = names
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a, bin).total_cmp(&strsim::jaro_winkler(b, bin)))?;
        if strsim::jaro_winkler(nearest, bin) > 0.8 {
            return Some(format!("did you mean `{nearest}`?"));
        }
        let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        Some(format!("there are {}", all.join(", ")))
    }
}

impl Package {
    fn has(&self, bin: &str) -> bool {
        self.targets.iter().any(|target| target.is_bin() && target.name == bin)
    }
}

impl Target {
    fn is_bin(&self) -> bool {
        self.kind.iter().any(|kind| kind == "bin")
    }
}

#[cfg(test)]
impl Workspace {
    /// For tests: packages and their binaries.
    pub(super) fn of(packages: &[(&str, &[&str])]) -> Self {
        let target = |name: &&str| Target { name: (*name).to_owned(), kind: vec!["bin".to_owned()] };
        let package = |(name, bins): &(&str, &[&str])| Package {
            name: (*name).to_owned(),
            id: format!("path+file:///w#{name}"),
            targets: bins.iter().map(target).collect(),
        };
        Self {
            packages: packages.iter().map(package).collect(),
            workspace_root: "/w".into(),
            target_directory: "/w/target".into(),
            build_directory: None,
        }
    }
}

//! The few settings of the user's cargo configuration that static linking must not override.
//!
//! Cargo cannot be asked (`cargo config get` is unstable), so its files are read as its manual says
//! ("Configuration", hierarchical structure): from the workspace upwards, then `$CARGO_HOME`.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::{Error, Kind, Result};

/// Configuration files, the nearest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct CargoConfig(Vec<Table>);

impl CargoConfig {
    /// Reads every file that cargo would read in this directory.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let mut places: Vec<PathBuf> = directory.ancestors().map(|dir| dir.join(".cargo")).collect();
        if let Some(home) = cargo_home()
            && !places.contains(&home)
        {
            places.push(home);
        }
        let tables = places.iter().map(|place| table(place)).collect::<Result<Vec<_>>>()?;
        Ok(Self(tables.into_iter().flatten().collect()))
    }

    /// `target.<triple>.linker`
    pub(super) fn linker(&self, triple: &str) -> Option<&str> {
        self.0.iter().find_map(|table| at(table, &["target", triple, "linker"])?.as_str())
    }

    /// Whether some `target.….rustflags` applies or may apply; cargo then ignores `build.rustflags`.
    pub(super) fn has_target_rustflags(&self, triple: &str) -> bool {
        let targets = self.0.iter().filter_map(|table| table.get("target")?.as_table());
        targets.flatten().any(|(name, settings)| {
            (name == triple || name.starts_with("cfg(")) && settings.get("rustflags").is_some()
        })
    }

    /// `build.rustflags` of all files, in cargo's order: nearer files add to the end.
    pub(super) fn build_rustflags(&self) -> Vec<String> {
        let lists = self.0.iter().rev().filter_map(|table| at(table, &["build", "rustflags"]));
        lists.flat_map(words).collect()
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self(vec![toml::from_str(text).expect("is TOML")])
    }
}

/// Where cargo keeps what it downloads.
pub(super) fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

fn table(place: &Path) -> Result<Option<Table>> {
    // The name without the extension is older, and wins when both are there.
    for path in [place.join("config"), place.join("config.toml")] {
        if let Ok(text) = std::fs::read_to_string(&path) {
            return toml::from_str(&text).map(Some).map_err(|e| {
                Error::new(Kind::Build, format!("cargo's configuration `{}` is not valid", path.display()))
                    .caused_by(e)
            });
        }
    }
    Ok(None)
}

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    if rest.is_empty() { Some(value) } else { at(value.as_table()?, rest) }
}

/// An array of strings, or one string to be split at blanks.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearer_files_come_first_and_flags_add_up() {
        let dir = tempfile::tempdir().expect("tempdir");
        let inner = dir.path().join("work/space");
        for (place, text) in [
            (
                dir.path().join("work/.cargo"),
                "build.rustflags = '-C opt-level=1'\n[target.t]\nlinker = 'outer'",
            ),
            (inner.join(".cargo"), "build.rustflags = ['--cfg', 'x']\n[target.t]\nlinker = 'inner'"),
        ] {
            std::fs::create_dir_all(&place).expect("mkdir");
            std::fs::write(place.join("config.toml"), text).expect("write");
        }
        let config = CargoConfig::read(&inner).expect("reads");
        assert_eq!(config.linker("t"), Some("inner"));
        let flags = config.build_rustflags();
        assert!(
            flags.ends_with(&["-C".into(), "opt-level=1".into(), "--cfg".into(), "x".into()]),
            "{flags:?}"
        );
        assert!(!config.has_target_rustflags("t"));
    }

    #[test]
    fn flags_of_a_cfg_count_as_the_targets() {
        let config = CargoConfig::of("[target.'cfg(unix)']\nrustflags = ['-Dwarnings']");
        assert!(config.has_target_rustflags("x86_64-unknown-linux-gnu"));
    }
}

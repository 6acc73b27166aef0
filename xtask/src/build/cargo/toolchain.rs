//! What the workspace's toolchain can link for: facts, gathered once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use super::config::CargoConfig;
use super::run;
use crate::error::{Error, Kind, Result};

/// Facts about rustc, cargo's configuration and the host's linkers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Toolchain {
    /// `x86_64-unknown-linux-gnu`
    pub(super) host: String,
    /// `rustc --print sysroot`
    pub(super) sysroot: PathBuf,
    /// What rustc was built from: a commit, or its version where that is not known.
    pub(super) source: String,
    /// Triples whose standard library is installed.
    pub(super) targets: BTreeSet<String>,
    /// Programs of [`LINKERS`] that were found on the PATH.
    pub(super) linkers: BTreeSet<String>,
    /// Whether rustc brought its own lld.
    pub(super) rust_lld: bool,
    /// The user's configuration of cargo.
    pub(super) config: CargoConfig,
    /// Environment variables that matter here.
    pub(super) env: BTreeMap<String, String>,
}

/// Cross linkers that work with the musl targets, which bring their own start files and libc.
pub(super) const LINKERS: [&str; 4] =
    ["x86_64-linux-musl-gcc", "aarch64-linux-musl-gcc", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc"];

impl Toolchain {
    /// Asks rustc and looks around.
    pub(super) async fn read(root: &Path) -> Result<Self> {
        let (version, sysroot) = {
            let shell = Shell::new().map_err(|e| Error::new(Kind::Build, "no shell").caused_by(e))?;
            shell.change_dir(root);
            let rustc = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
            let rustc = &rustc;
            (run::clean(cmd!(shell, "{rustc} -vV")), run::clean(cmd!(shell, "{rustc} --print sysroot")))
        };
        let (version, sysroot) = tokio::try_join!(
            run::output(version, "rustc -vV"),
            run::output(sysroot, "rustc --print sysroot")
        )?;
        let version = String::from_utf8_lossy(&version);
        let host = host(&version)?;
        let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot).trim());
        let rustlib = sysroot.join("lib/rustlib");
        Ok(Self {
            targets: installed(&rustlib),
            rust_lld: rustlib.join(&host).join("bin").join(executable("rust-lld")).exists(),
            linkers: LINKERS.into_iter().filter(|name| on_path(name)).map(str::to_owned).collect(),
            config: CargoConfig::read(root)?,
            env: std::env::vars_os()
                .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
                .filter(|(key, _)| key.starts_with("CARGO_") || key == "RUSTFLAGS")
                .collect(),
            source: source(&version),
            host,
            sysroot,
        })
    }

    /// Where the standard library's sources lie if they are installed, and what rustc calls that place if they are not
    /// (documented: RFC 3127; the version without a commit is what distributions build: observed).
    pub(super) fn library(&self) -> (PathBuf, String) {
        (self.sysroot.join("lib/rustlib/src/rust"), format!("/rustc/{}", self.source))
    }
}

fn host(version: &str) -> Result<String> {
    field(version, "host").ok_or_else(|| Error::new(Kind::Build, "`rustc -vV` does not tell the host"))
}

fn source(version: &str) -> String {
    let commit = field(version, "commit-hash").filter(|commit| commit != "unknown");
    commit.or_else(|| field(version, "release")).unwrap_or_default()
}

fn field(version: &str, name: &str) -> Option<String> {
    let value = version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.map(|value| value.trim().to_owned())
}

fn installed(rustlib: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(rustlib).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            // A target that was removed may leave its directory behind.
            let libs = std::fs::read_dir(entry.path().join("lib")).into_iter().flatten().flatten();
            libs.into_iter().any(|lib| lib.file_name().to_string_lossy().starts_with("libstd-"))
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(executable(name)).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_in_rustcs_version() {
        let text = "rustc 1.95.0\nbinary: rustc\nhost: aarch64-apple-darwin\nrelease: 1.95.0\n";
        assert_eq!(host(text).expect("is there"), "aarch64-apple-darwin");
        assert!(host("rustc 1.0").is_err());
        assert_eq!(source(text), "1.95.0");
        assert_eq!(source(&format!("{text}commit-hash: unknown\n")), "1.95.0");
        assert_eq!(source(&format!("{text}commit-hash: 0123\n")), "0123");
    }

    #[test]
    fn only_directories_with_a_standard_library_count() {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir_all(dir.path().join("etc")).expect("mkdir");
        let lib = dir.path().join("x86_64-unknown-linux-musl/lib");
        std::fs::create_dir_all(&lib).expect("mkdir");
        assert!(installed(dir.path()).is_empty());
        std::fs::write(lib.join("libstd-0123.rlib"), "").expect("write");
        assert_eq!(installed(dir.path()), BTreeSet::from(["x86_64-unknown-linux-musl".to_owned()]));
    }
}

//! Whether static executables can be linked here, without building any: for `doctor`.

use std::path::Path;

use xshell::{Shell, cmd};

use super::link;
use super::run;
use super::toolchain::Toolchain;
use crate::config::image::Platform;
use crate::error::{Error, Kind, Result};

/// What there is to build with.
#[derive(Debug)]
pub(crate) struct Survey {
    /// `rustc 1.94.1 (e408947bf 2026-03-25)`
    pub(crate) rustc: String,
    /// `cargo 1.94.1 (…)`
    pub(crate) cargo: String,
    /// How each platform is linked for, in words, or why it cannot be.
    pub(crate) links: Vec<(Platform, Result<String>)>,
}

/// Asks rustc, cargo and the C compiler.
///
/// # Errors
/// There is no rustc or no cargo, or they fail.
pub(crate) async fn survey(root: &Path, platforms: &[Platform]) -> Result<Survey> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let cargo = run::cargo();
    let (rustc, cargo, toolchain) = tokio::try_join!(
        output(root, &rustc, &["--version"]),
        output(root, cargo.as_os_str(), &["--version"]),
        Toolchain::read(root)
    )?;
    let links = platforms.iter().map(|platform| {
        let toolchain = &toolchain;
        async move { (*platform, linked(root, toolchain, *platform).await) }
    });
    Ok(Survey { rustc, cargo, links: futures_util::future::join_all(links).await })
}

/// As the build would do it, and what of the C toolchain that needs.
async fn linked(root: &Path, toolchain: &Toolchain, platform: Platform) -> Result<String> {
    let link = link::choose(toolchain, platform, &[])?;
    let triple = &link.triple;
    if link::configured_linker(toolchain, triple) {
        return Ok(format!("{triple}, by the linker that cargo's configuration names"));
    }
    if !link::is_native(toolchain, platform.rust_arch()) {
        return Ok(format!("{triple}, crossing"));
    }
    // Prints the path of a library that it has, and the bare name of one that it has not.
    // Source: GCC manual, "Options for Linking"/"Overall Options", -print-file-name; clang follows it.
    let found = output(root, "cc".as_ref(), &["-print-file-name=libc.a"]).await.map_err(|_| no_compiler())?;
    if triple.ends_with("-musl") || Path::new(&found).is_absolute() {
        let how = if triple.ends_with("-musl") { "static by itself" } else { "glibc linked statically" };
        return Ok(format!("{triple}, {how}"));
    }
    Err(no_static_libc(triple, platform))
}

fn no_compiler() -> Error {
    Error::new(Kind::Build, "there is no C compiler (`cc`), which Rust links with")
        .hint("install a C toolchain: `apt install gcc libc6-dev`, `dnf install gcc glibc-static`")
}

fn no_static_libc(triple: &str, platform: Platform) -> Error {
    Error::new(Kind::Build, format!("there is no static C library (`libc.a`) to link {triple} with"))
        .hint(format!("`rustup target add {}-unknown-linux-musl`", platform.rust_arch()))
        .hint("or install it: `apt install libc6-dev`, `dnf install glibc-static`")
}

async fn output(root: &Path, program: &std::ffi::OsStr, arguments: &[&str]) -> Result<String> {
    let command = {
        let shell = Shell::new().map_err(|e| Error::new(Kind::Build, "no shell").caused_by(e))?;
        if root.is_dir() {
            shell.change_dir(root);
        }
        run::clean(cmd!(shell, "{program} {arguments...}"))
    };
    let what = program.to_string_lossy();
    Ok(String::from_utf8_lossy(&run::output(command, &what).await?).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_builds_this_so_it_can_link_for_itself() {
        let dir = tempfile::tempdir().expect("a directory");
        let native = if cfg!(target_arch = "aarch64") { Platform::LinuxArm64 } else { Platform::LinuxAmd64 };
        let survey = survey(dir.path(), &[native]).await.expect("rustc and cargo are there");
        assert!(survey.rustc.starts_with("rustc 1."), "{}", survey.rustc);
        assert!(survey.cargo.starts_with("cargo 1."), "{}", survey.cargo);
        assert_eq!(survey.links.len(), 1);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(output(dir.path(), "no-such-compiler".as_ref(), &[]).await.is_err());
    }
}

//! How a static executable for a platform is linked on this host, or why it cannot be; with which flags. Pure.
//!
//! 1. `<arch>-unknown-linux-musl`, when its standard library is installed: static by itself.
//! 2. On a Linux host of the same CPU with glibc: the host's own target with `crt-static`.
//! 3. Otherwise an error that names what to install.

use super::toolchain::Toolchain;
use crate::config::image::Platform;
use crate::error::{Error, Kind, Result};

const STATIC: [&str; 2] = ["-C", "target-feature=+crt-static"];
const SEPARATOR: &str = "\x1f";

/// Target and settings of a cargo invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(super) triple: String,
    /// Values of `--config`.
    pub(super) config: Vec<String>,
    /// A variable to set instead, where the user's environment would beat the configuration.
    pub(super) env: Option<(&'static str, String)>,
}

/// Chooses.
pub(super) fn choose(toolchain: &Toolchain, platform: Platform, remap: &[String]) -> Result<Link> {
    let arch = platform.rust_arch();
    let musl = format!("{arch}-unknown-linux-musl");
    let gnu = format!("{arch}-unknown-linux-gnu");
    if toolchain.targets.contains(&musl) {
        return Ok(flagged(toolchain, with_musl(toolchain, arch, musl)?, remap.to_vec()));
    }
    if toolchain.host == gnu {
        let flags = STATIC.into_iter().map(str::to_owned).chain(remap.iter().cloned()).collect();
        return Ok(flagged(toolchain, Link { triple: gnu, ..Link::default() }, flags));
    }
    Err(Error::new(
        Kind::Build,
        format!(
            "this Rust toolchain (host `{}`) cannot link static executables for {platform}",
            toolchain.host
        ),
    )
    .hint(format!("`rustup target add {musl}`"))
    .hint("or build the image from a Dockerfile: `dockerfile = \"…\"` in place of `bin`"))
}

fn with_musl(toolchain: &Toolchain, arch: &str, triple: String) -> Result<Link> {
    if is_native(toolchain, arch) || configured_linker(toolchain, &triple) {
        return Ok(Link { triple, ..Link::default() });
    }
    let candidates = [format!("{arch}-linux-musl-gcc"), format!("{arch}-linux-gnu-gcc")];
    let found = candidates.iter().find(|name| toolchain.linkers.contains(*name));
    let linker = match found {
        Some(name) => name.as_str(),
        None if toolchain.rust_lld => "rust-lld",
        None => return Err(no_linker(arch, &triple)),
    };
    Ok(Link { config: vec![format!("target.{triple}.linker=\"{linker}\"")], triple, env: None })
}

/// Whether the host's own C toolchain links for this CPU.
pub(super) fn is_native(toolchain: &Toolchain, arch: &str) -> bool {
    toolchain.host.starts_with(&format!("{arch}-")) && toolchain.host.contains("-linux-")
}

/// Whether the user names a linker for the target.
pub(super) fn configured_linker(toolchain: &Toolchain, triple: &str) -> bool {
    let variable = format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase().replace('-', "_"));
    toolchain.env.contains_key(&variable) || toolchain.config.linker(triple).is_some()
}

fn no_linker(arch: &str, triple: &str) -> Error {
    Error::new(Kind::Build, format!("there is no linker for `{triple}` on this host"))
        .hint(format!(
            "Debian, Ubuntu: `apt install gcc-{}-linux-gnu`; macOS: `brew install filosottile/musl-cross/musl-cross`",
            arch.replace('_', "-")
        ))
        .hint(format!("or name one in `.cargo/config.toml`: `[target.{triple}] linker = \"…\"`"))
        .hint("or build the image from a Dockerfile: `dockerfile = \"…\"` in place of `bin`")
}

/// Adds flags where cargo will look. The first of these that is set is the only one it looks at
/// (documented: cargo's manual, `build.rustflags`): `CARGO_ENCODED_RUSTFLAGS`, `RUSTFLAGS`, `target.….rustflags`
/// (of all sources, joined), `build.rustflags`.
/// What is in one of the variables goes on in the first, whose separator no path holds.
fn flagged(toolchain: &Toolchain, mut link: Link, ours: Vec<String>) -> Link {
    if ours.is_empty() {
        return link;
    }
    if let Some(theirs) = of_environment(toolchain) {
        let all: Vec<String> = theirs.into_iter().chain(ours).collect();
        return Link { env: Some(("CARGO_ENCODED_RUSTFLAGS", all.join(SEPARATOR))), ..link };
    }
    let flags = shadowed(toolchain, &link.triple).into_iter().chain(ours);
    let flags: Vec<String> = flags.map(|flag| toml::Value::String(flag).to_string()).collect();
    link.config.push(format!("target.{}.rustflags=[{}]", link.triple, flags.join(",")));
    link
}

fn of_environment(toolchain: &Toolchain) -> Option<Vec<String>> {
    if let Some(flags) = toolchain.env.get("CARGO_ENCODED_RUSTFLAGS") {
        let flags = flags.split(SEPARATOR).filter(|flag| !flag.is_empty());
        return Some(flags.map(str::to_owned).collect());
    }
    let flags = toolchain.env.get("RUSTFLAGS").filter(|flags| !flags.is_empty());
    flags.map(|flags| flags.split_whitespace().map(str::to_owned).collect())
}

/// The user's flags for every target, which ours for one target would hide.
fn shadowed(toolchain: &Toolchain, triple: &str) -> Vec<String> {
    let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", triple.to_uppercase().replace('-', "_"));
    if toolchain.env.contains_key(&variable) || toolchain.config.has_target_rustflags(triple) {
        return Vec::new();
    }
    match toolchain.env.get("CARGO_BUILD_RUSTFLAGS") {
        Some(flags) => {
            let mut all = toolchain.config.build_rustflags();
            all.extend(flags.split_whitespace().map(str::to_owned));
            all
        }
        None => toolchain.config.build_rustflags(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::CargoConfig;
    use super::*;

    fn choose(toolchain: &Toolchain, platform: Platform) -> Result<Link> {
        super::choose(toolchain, platform, &[])
    }

    fn toolchain(host: &str, targets: &[&str]) -> Toolchain {
        Toolchain {
            host: host.to_owned(),
            targets: targets.iter().map(|t| (*t).to_owned()).collect(),
            ..Toolchain::default()
        }
    }

    const GNU: &str = "x86_64-unknown-linux-gnu";
    const MUSL: &str = "x86_64-unknown-linux-musl";

    #[test]
    fn musl_is_static_by_itself() {
        let link = choose(&toolchain(GNU, &[GNU, MUSL]), Platform::LinuxAmd64).expect("links");
        assert_eq!(link, Link { triple: MUSL.to_owned(), ..Link::default() });
    }

    #[test]
    fn glibc_needs_the_flag() {
        let link = choose(&toolchain(GNU, &[GNU]), Platform::LinuxAmd64).expect("links");
        insta::assert_snapshot!(link.config.join(" "), @r#"target.x86_64-unknown-linux-gnu.rustflags=["-C","target-feature=+crt-static"]"#);
        assert_eq!(link.env, None);
    }

    #[test]
    fn paths_are_remapped_for_every_target() {
        let remap = ["--remap-path-prefix=/my code=/workspace".to_owned()];
        let link =
            |toolchain: &Toolchain| super::choose(toolchain, Platform::LinuxAmd64, &remap).expect("links");
        let mut musl = toolchain(GNU, &[GNU, MUSL]);
        insta::assert_snapshot!(link(&musl).config.join(" "), @r#"target.x86_64-unknown-linux-musl.rustflags=["--remap-path-prefix=/my code=/workspace"]"#);
        insta::assert_snapshot!(link(&toolchain(GNU, &[GNU])).config.join(" "), @r#"target.x86_64-unknown-linux-gnu.rustflags=["-C","target-feature=+crt-static","--remap-path-prefix=/my code=/workspace"]"#);
        musl.env.insert("RUSTFLAGS".to_owned(), "-C  opt-level=1".to_owned());
        let flags = "-C\x1fopt-level=1\x1f--remap-path-prefix=/my code=/workspace".to_owned();
        assert_eq!(link(&musl).env, Some(("CARGO_ENCODED_RUSTFLAGS", flags)));
    }

    #[test]
    fn the_users_flags_stay() {
        let mut with_env = toolchain(GNU, &[GNU]);
        with_env.env.insert("RUSTFLAGS".to_owned(), "-C target-cpu=native".to_owned());
        let link = choose(&with_env, Platform::LinuxAmd64).expect("links");
        assert_eq!(
            link.env,
            Some((
                "CARGO_ENCODED_RUSTFLAGS",
                "-C\x1ftarget-cpu=native\x1f-C\x1ftarget-feature=+crt-static".to_owned()
            ))
        );
        assert!(link.config.is_empty());

        with_env.env.insert("CARGO_ENCODED_RUSTFLAGS".to_owned(), "--cfg\x1fa b".to_owned());
        let link = choose(&with_env, Platform::LinuxAmd64).expect("links");
        let expected = "--cfg\x1fa b\x1f-C\x1ftarget-feature=+crt-static".to_owned();
        assert_eq!(link.env, Some(("CARGO_ENCODED_RUSTFLAGS", expected)));

        let mut with_config = toolchain(GNU, &[GNU]);
        with_config.config = CargoConfig::of("build.rustflags = ['--cfg', 'feature=\"x\"']");
        let link = choose(&with_config, Platform::LinuxAmd64).expect("links");
        insta::assert_snapshot!(link.config.join(" "), @r#"target.x86_64-unknown-linux-gnu.rustflags=["--cfg",'feature="x"',"-C","target-feature=+crt-static"]"#);

        with_config.config = CargoConfig::of(
            "build.rustflags = ['--cfg', 'x']\n[target.x86_64-unknown-linux-gnu]\nrustflags = ['-Cy']",
        );
        let link = choose(&with_config, Platform::LinuxAmd64).expect("links");
        assert!(!link.config.join(" ").contains("--cfg"), "cargo ignores build.rustflags here");
    }

    #[test]
    fn crossing_takes_the_users_linker_then_a_gcc_then_rust_lld() {
        let mut mac = toolchain("aarch64-apple-darwin", &["aarch64-apple-darwin", MUSL]);
        let linker =
            |toolchain: &Toolchain| choose(toolchain, Platform::LinuxAmd64).expect("links").config.join(" ");
        mac.rust_lld = true;
        insta::assert_snapshot!(linker(&mac), @r#"target.x86_64-unknown-linux-musl.linker="rust-lld""#);
        mac.linkers.insert("x86_64-linux-gnu-gcc".to_owned());
        insta::assert_snapshot!(linker(&mac), @r#"target.x86_64-unknown-linux-musl.linker="x86_64-linux-gnu-gcc""#);
        mac.linkers.insert("x86_64-linux-musl-gcc".to_owned());
        insta::assert_snapshot!(linker(&mac), @r#"target.x86_64-unknown-linux-musl.linker="x86_64-linux-musl-gcc""#);
        mac.config = CargoConfig::of("[target.x86_64-unknown-linux-musl]\nlinker = 'zig-cc'");
        assert_eq!(linker(&mac), "");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = choose(&toolchain(GNU, &[GNU]), Platform::LinuxArm64).expect_err("cannot");
        insta::assert_snapshot!(error, @"this Rust toolchain (host `x86_64-unknown-linux-gnu`) cannot link static executables for linux/arm64");
        insta::assert_snapshot!(error.hints[0], @"`rustup target add aarch64-unknown-linux-musl`");

        let error = choose(&toolchain(GNU, &["aarch64-unknown-linux-musl"]), Platform::LinuxArm64)
            .expect_err("cannot");
        insta::assert_snapshot!(error, @"there is no linker for `aarch64-unknown-linux-musl` on this host");
        assert!(error.hints[0].contains("apt install gcc-aarch64-linux-gnu"));
    }
}

//! Images of deploy.toml, validated: what `build` takes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// What an image is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Platform {
    /// `linux/amd64`, X86_64 on ECS.
    #[default]
    LinuxAmd64,
    /// `linux/arm64`, ARM64 on ECS.
    LinuxArm64,
}

impl Platform {
    /// Docker's word for the CPU architecture.
    #[must_use]
    pub const fn architecture(self) -> &'static str {
        match self {
            Self::LinuxAmd64 => "amd64",
            Self::LinuxArm64 => "arm64",
        }
    }

    /// The CPU part of Rust's target triples.
    #[must_use]
    pub const fn rust_arch(self) -> &'static str {
        match self {
            Self::LinuxAmd64 => "x86_64",
            Self::LinuxArm64 => "aarch64",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.architecture())
    }
}

/// An image to build and push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its key in `[image]`.
    pub name: String,
    /// The ECR repository's name.
    pub repository: String,
    /// What it is built for.
    pub platform: Platform,
    /// How it is built.
    pub source: ImageSource,
}

/// The two kinds of image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSource {
    /// A binary of this workspace in a minimal image.
    Bin(BinImage),
    /// A Dockerfile, built by BuildKit.
    Dockerfile(DockerfileImage),
}

/// A binary of this workspace, linked statically, in a minimal image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinImage {
    /// The binary's name, as in `cargo build --bin`.
    pub bin: String,
    /// The package, where the name alone is ambiguous.
    pub package: Option<String>,
    /// Cargo profile, `release` unless said otherwise.
    pub profile: String,
    /// Cargo features of the package.
    pub features: Vec<String>,
    /// Whether the package's default features are on.
    pub default_features: bool,
    /// Base image; nothing (`scratch`) unless set.
    pub base: Option<String>,
    /// `uid:gid` or a name the base knows; `None` is 65532:65532, which is nobody in particular.
    pub user: Option<String>,
    /// Whether the time zone database is put in.
    pub time_zones: bool,
    /// Extra files: path below the workspace root (a file or a directory) and absolute path in the image.
    pub files: Vec<(PathBuf, String)>,
}

/// A Dockerfile and its context, paths absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerfileImage {
    /// The Dockerfile, inside or outside the context.
    pub dockerfile: PathBuf,
    /// The context's directory.
    pub context: PathBuf,
    /// The stage to build, the last one unless set.
    pub target: Option<String>,
    /// Build arguments. Values end up in the image's history: not for secrets.
    pub args: BTreeMap<String, String>,
}

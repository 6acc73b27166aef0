//! `[image.NAME]`.

use std::collections::BTreeMap;
use std::path::Path as FsPath;

use super::Check;
use crate::config::image::{BinImage, DockerfileImage, Image, ImageSource, Platform};
use crate::config::raw;
use crate::config::source::Path;

pub(super) fn images(
    check: &mut Check<'_>,
    tables: BTreeMap<String, raw::Image>,
    root: &FsPath,
) -> Vec<Image> {
    let top = Path::default().at("image");
    let tables = check.in_order(&top, tables);
    tables.into_iter().filter_map(|(at, name, table)| image(check, &at, name, table, root)).collect()
}

fn image(check: &mut Check<'_>, at: &Path, name: String, table: raw::Image, root: &FsPath) -> Option<Image> {
    let repository = table.repository.clone().unwrap_or_else(|| name.clone());
    repository_name(check, at, &table, &repository);
    let platform = table.platform.map(Platform::from).unwrap_or_default();
    let source = match (&table.bin, &table.dockerfile) {
        (Some(_), None) => {
            misplaced(
                check,
                at,
                "bin",
                &[
                    ("context", table.context.is_some()),
                    ("target", table.target.is_some()),
                    ("args", !table.args.is_empty()),
                ],
            );
            ImageSource::Bin(bin(check, at, table)?)
        }
        (None, Some(_)) => {
            misplaced(check, at, "dockerfile", &bin_keys(&table));
            ImageSource::Dockerfile(dockerfile(check, at, table, root)?)
        }
        (Some(_), Some(_)) => {
            check.key(
                &at.at("dockerfile"),
                "`bin` and `dockerfile` exclude each other",
                "",
                ["keep one of them".to_owned()],
            );
            return None;
        }
        (None, None) => {
            let help =
                "`bin = \"NAME\"` for a binary of this workspace, or `dockerfile = \"PATH\"`".to_owned();
            check.key(at, format!("image `{name}` says nothing to build"), "", [help]);
            return None;
        }
    };
    Some(Image { name, repository, platform, source })
}

impl From<raw::PlatformName> for Platform {
    fn from(name: raw::PlatformName) -> Self {
        match name {
            raw::PlatformName::Amd64 => Self::LinuxAmd64,
            raw::PlatformName::Arm64 => Self::LinuxArm64,
        }
    }
}

fn bin_keys(table: &raw::Image) -> [(&'static str, bool); 8] {
    [
        ("package", table.package.is_some()),
        ("profile", table.profile.is_some()),
        ("features", !table.features.is_empty()),
        ("default-features", table.default_features.is_some()),
        ("base", table.base.is_some()),
        ("user", table.user.is_some()),
        ("time-zones", table.time_zones.is_some()),
        ("files", !table.files.is_empty()),
    ]
}

fn misplaced(check: &mut Check<'_>, at: &Path, kind: &str, keys: &[(&str, bool)]) {
    for (key, _) in keys.iter().filter(|(_, present)| *present) {
        let help = format!("remove it, or the `{kind}`");
        check.key(&at.at(key), format!("`{key}` means nothing beside `{kind}`"), "", [help]);
    }
}

/// Source: Amazon ECR API Reference, CreateRepository: 2 to 256 characters of this pattern.
fn repository_name(check: &mut Check<'_>, at: &Path, table: &raw::Image, repository: &str) {
    let part = |part: &str| {
        let edges = [part.bytes().next(), part.bytes().last()];
        edges.iter().all(|edge| edge.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    };
    if (2..=256).contains(&repository.len()) && repository.split('/').all(part) {
        return;
    }
    let help =
        "lowercase letters, digits, `-`, `_`, `.`, parts separated by `/`; 2 to 256 characters".to_owned();
    let title = format!("`{repository}` is not an ECR repository name");
    if table.repository.is_some() {
        check.value(&at.at("repository"), title, "", [help]);
    } else {
        check.key(at, title, "", [help, "or set `repository` beside `bin` or `dockerfile`".to_owned()]);
    }
}

fn bin(check: &mut Check<'_>, at: &Path, table: raw::Image) -> Option<BinImage> {
    let mut files = Vec::new();
    for (to, from) in table.files {
        if !to.starts_with('/') {
            check.key(
                &at.at("files").at(&to),
                format!("`{to}` is not an absolute path"),
                "",
                ["the key is the path in the image".to_owned()],
            );
        }
        files.push((from.into(), to));
    }
    Some(BinImage {
        bin: table.bin?,
        package: table.package,
        profile: table.profile.unwrap_or_else(|| "release".to_owned()),
        features: table.features,
        default_features: table.default_features.unwrap_or(true),
        base: table.base,
        user: table.user,
        time_zones: table.time_zones.unwrap_or(false),
        files,
    })
}

fn dockerfile(check: &mut Check<'_>, at: &Path, table: raw::Image, root: &FsPath) -> Option<DockerfileImage> {
    let dockerfile = root.join(table.dockerfile.as_ref()?);
    let context = table.context.as_ref().map_or_else(|| root.to_owned(), |context| root.join(context));
    if !dockerfile.is_file() {
        check.value(
            &at.at("dockerfile"),
            "there is no such file",
            "",
            [format!("looked for `{}`", dockerfile.display())],
        );
    }
    if table.context.is_some() && !context.is_dir() {
        check.value(
            &at.at("context"),
            "there is no such directory",
            "",
            [format!("looked for `{}`", context.display())],
        );
    }
    Some(DockerfileImage { dockerfile, context, target: table.target, args: table.args })
}

//! The images that a Dockerfile starts from and copies from.
//!
//! Read for logins, and to ask what these images are now. Too many do no harm there: a word that is no image
//! is one that no registry knows.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::image::Platform;

/// Docker Hub, which an image name without a registry means.
pub(crate) const DOCKER_HUB: &str = "docker.io";

/// Registries of the images that this Dockerfile names, its own frontend among them.
pub(crate) fn registries(
    dockerfile: &str,
    args: &BTreeMap<String, String>,
    platform: Platform,
) -> BTreeSet<String> {
    let images = images(dockerfile, args, platform);
    images.iter().map(registry).chain(frontend(dockerfile).map(registry)).collect()
}

/// References of the images that this Dockerfile names: `FROM`, `COPY --from`, `RUN --mount=from=`.
pub(crate) fn images(
    dockerfile: &str,
    args: &BTreeMap<String, String>,
    platform: Platform,
) -> BTreeSet<String> {
    let mut variables = predefined(platform);
    let mut stages = BTreeSet::new();
    let mut images = BTreeSet::new();
    for line in instructions(dockerfile) {
        let (instruction, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        match instruction.to_ascii_uppercase().as_str() {
            "ARG" => argument(rest, args, &mut variables),
            "FROM" => from(rest, &variables, &mut stages, &mut images),
            "COPY" | "RUN" => images.extend(
                sources(rest).map(|image| expand(image, &variables)).filter(|image| is_image(image, &stages)),
            ),
            _ => {}
        }
    }
    images
}

/// Documented: Dockerfile reference, "Automatic platform ARGs in the global scope".
fn predefined(platform: Platform) -> BTreeMap<String, String> {
    [("TARGETPLATFORM", platform.to_string()), ("TARGETOS", "linux".to_owned())]
        .into_iter()
        .chain([("TARGETARCH", platform.architecture().to_owned())])
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// `# syntax=docker/dockerfile:1`, on the first lines only.
fn frontend(dockerfile: &str) -> Option<&str> {
    let directives = dockerfile.lines().map_while(|line| line.trim().strip_prefix('#'));
    let mut pairs = directives.filter_map(|line| line.split_once('='));
    pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case("syntax")).map(|(_, value)| value.trim())
}

/// Logical lines: comments out, continued lines joined.
fn instructions(dockerfile: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in dockerfile.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_suffix('\\').or_else(|| line.strip_suffix('`')) {
            Some(part) => {
                open.push_str(part);
                open.push(' ');
            }
            None => lines.push(std::mem::take(&mut open) + line),
        }
    }
    lines.push(open);
    lines
}

fn argument(rest: &str, args: &BTreeMap<String, String>, variables: &mut BTreeMap<String, String>) {
    for word in rest.split_whitespace() {
        let (name, default) = word.split_once('=').unwrap_or((word, ""));
        let default = expand(default.trim_matches(['"', '\'']), variables);
        let known = args.get(name).or_else(|| variables.get(name).filter(|_| default.is_empty()));
        let value = known.cloned().unwrap_or(default);
        variables.insert(name.to_owned(), value);
    }
}

fn from(
    rest: &str,
    variables: &BTreeMap<String, String>,
    stages: &mut BTreeSet<String>,
    images: &mut BTreeSet<String>,
) {
    let words: Vec<&str> = rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
    let Some(image) = words.first().map(|image| expand(image, variables)) else {
        return;
    };
    if is_image(&image, stages) {
        images.insert(image);
    }
    if let [_, as_, name, ..] = words.as_slice()
        && as_.eq_ignore_ascii_case("as")
    {
        stages.insert(name.to_lowercase());
    }
}

/// `--from=IMAGE` and `--mount=…,from=IMAGE`.
fn sources(rest: &str) -> impl Iterator<Item = &str> {
    let options = rest.split_whitespace().take_while(|word| word.starts_with("--"));
    options
        .flat_map(|word| word.trim_start_matches("--").split(','))
        .filter_map(|part| part.strip_prefix("from=").or_else(|| part.strip_prefix("mount=from=")))
}

fn is_image(name: &str, stages: &BTreeSet<String>) -> bool {
    let stage = stages.contains(&name.to_lowercase()) || name.parse::<usize>().is_ok();
    !name.is_empty() && name != "scratch" && !stage
}

/// The registry's host in an image reference (documented: "distribution reference grammar"):
/// the part before the first `/` if it can be a host.
pub(crate) fn registry(image: impl AsRef<str>) -> String {
    match image.as_ref().split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host.to_owned(),
        _ => DOCKER_HUB.to_owned(),
    }
}

/// `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+value}`.
fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let Some((before, rest)) = text.split_once('$') else {
        return text.to_owned();
    };
    let (value, rest) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((inner, rest)) => (braced(inner, variables), rest),
        None => {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (variables.get(&rest[..end]).cloned().unwrap_or_default(), &rest[end..])
        }
    };
    format!("{before}{value}{}", expand(rest, variables))
}

fn braced(inner: &str, variables: &BTreeMap<String, String>) -> String {
    let (name, operator, word) = match inner.split_once(":-").map(|(n, w)| (n, '-', w)) {
        Some(parts) => parts,
        None => inner.split_once(":+").map_or((inner, ' ', ""), |(n, w)| (n, '+', w)),
    };
    let value = variables.get(name).filter(|value| !value.is_empty());
    match (operator, value) {
        ('+', Some(_)) | ('-', None) => expand(word, variables),
        ('+', None) => String::new(),
        (_, value) => value.cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(dockerfile: &str, args: &[(&str, &str)]) -> String {
        let args = args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        registries(dockerfile, &args, Platform::LinuxArm64).into_iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn images_are_named_in_full() {
        let dockerfile = "# syntax=docker/dockerfile:1\nARG TAG\nARG TARGETARCH\n\
            FROM debian:${TAG:-12} AS base\nFROM ghcr.io/x-$TARGETARCH@sha256:01 AS other\n\
            FROM base\nCOPY --from=other /a /\nCOPY --from=busybox:musl /b /\nFROM scratch\n";
        let images = images(dockerfile, &BTreeMap::new(), Platform::LinuxArm64);
        let images: Vec<_> = images.iter().map(String::as_str).collect();
        assert_eq!(images, ["busybox:musl", "debian:12", "ghcr.io/x-arm64@sha256:01"]);
    }

    #[test]
    fn registries_of_every_image_named() {
        let dockerfile = "# syntax=quay.io/frontends/dockerfile:1\n\
            FROM --platform=$BUILDPLATFORM rust:1 AS build\n\
            RUN --mount=type=bind,from=ghcr.io/tools/x,target=/x \\\n  x\n\
            FROM 1234.dkr.ecr.eu-west-1.amazonaws.com/base:2 as Base\n\
            COPY --from=build /a /a\n\
            COPY --chown=1 --from=localhost:5000/b /b /b\n\
            FROM base\nFROM scratch\nCOPY --from=0 /c /c\n";
        assert_eq!(
            found(dockerfile, &[]),
            "1234.dkr.ecr.eu-west-1.amazonaws.com docker.io ghcr.io localhost:5000 quay.io"
        );
    }

    #[test]
    fn arguments_are_filled_in() {
        let dockerfile = "ARG REGISTRY=ghcr.io\nARG BASE=${REGISTRY}/base\nFROM ${BASE}:1\n";
        assert_eq!(found(dockerfile, &[]), "ghcr.io");
        assert_eq!(found(dockerfile, &[("REGISTRY", "quay.io")]), "quay.io");
        assert_eq!(found("ARG R\nFROM ${R:-mcr.microsoft.com}/x\n", &[]), "mcr.microsoft.com");
        assert_eq!(found("ARG R=a\nFROM ${R:+gcr.io/}x", &[]), "gcr.io");
    }

    #[test]
    fn a_host_has_a_dot_or_a_port() {
        assert_eq!(registry("alpine"), "docker.io");
        assert_eq!(registry("library/alpine:3"), "docker.io");
        assert_eq!(registry("localhost/x"), "localhost");
        assert_eq!(registry("host:5000/x@sha256:0"), "host:5000");
        assert_eq!(found("FROM scratch\nCOPY a /\n", &[]), "");
    }
}

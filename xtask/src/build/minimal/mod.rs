//! A minimal image around one static program, made by us: no Dockerfile, no base, no BuildKit.
//!
//! The image is known before the engine sees it: its layers are hashed first, so an image that
//! the engine has already is never sent, and the same program is the same image ID on any host.

pub(crate) mod archive;
pub(crate) mod content;
pub(crate) mod layer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::image::{BinImage, Platform};
use crate::error::{Error, Kind, Result, bug};
use content::{BIN_DIR, CA_FILE, Layer, NONROOT};
use layer::Measure;

/// `created` of everything: a time would make every build another image.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// An image, measured and ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Minimal {
    pub(crate) layers: Vec<MeasuredLayer>,
    pub(crate) config: Blob,
    pub(crate) manifest: Blob,
}

/// A layer and what its tar is.
#[derive(Clone, Debug)]
pub(crate) struct MeasuredLayer {
    pub(crate) layer: Layer,
    /// `sha256:…`, of the uncompressed tar.
    pub(crate) digest: String,
    pub(crate) size: u64,
}

/// A small JSON document and its digest.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: String,
}

impl Minimal {
    /// Reads and hashes what the image consists of. Blocking.
    pub(crate) fn new(image: &BinImage, platform: Platform, program: &Path, root: &Path) -> Result<Self> {
        let layers = layers(image, program, root)?;
        let layers = layers.into_iter().map(measure).collect::<Result<Vec<_>>>()?;
        Ok(Self::of(configuration(image, platform, &layers)?, layers))
    }

    fn of(configuration: serde_json::Value, layers: Vec<MeasuredLayer>) -> Self {
        let config = Blob::new(&configuration);
        let manifest = Blob::new(&archive::manifest(&config, &layers));
        Self { layers, config, manifest }
    }

    /// What is in it, in hexadecimal.
    pub(crate) fn address(&self) -> &str {
        self.config.digest.trim_start_matches("sha256:")
    }

    /// The same with labels, which make it another image.
    pub(crate) fn labelled(self, labels: &BTreeMap<String, String>) -> Result<Self> {
        let mut configuration: serde_json::Value = serde_json::from_slice(&self.config.bytes).map_err(bug)?;
        configuration["config"]["Labels"] = json!(labels);
        Ok(Self::of(configuration, self.layers))
    }

    /// What an engine may call this image: the configuration's digest in the classic store,
    /// the manifest's in containerd's.
    pub(crate) fn ids(&self) -> [&str; 2] {
        [&self.config.digest, &self.manifest.digest]
    }
}

impl Blob {
    fn new(value: &serde_json::Value) -> Self {
        let bytes = value.to_string().into_bytes();
        Self { digest: Measure::digest_of(&bytes), bytes }
    }
}

fn layers(image: &BinImage, program: &Path, root: &Path) -> Result<Vec<Layer>> {
    let mut layers = vec![Layer::System];
    if image.time_zones {
        layers.push(Layer::TimeZones);
    }
    if !image.files.is_empty() {
        layers.push(Layer::Files(files(image, root)?));
    }
    layers.push(Layer::Program(program.to_owned(), in_image(&program_path(image))));
    Ok(layers)
}

/// The program's absolute path in the image.
pub(crate) fn program_path(image: &BinImage) -> String {
    format!("{BIN_DIR}/{}", image.bin)
}

fn in_image(path: &str) -> String {
    path.trim_matches('/').to_owned()
}

/// The `files`, resolved; a destination that ends in `/` takes the file under its own name.
pub(crate) fn files(image: &BinImage, root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let resolve = |(source, target): &(PathBuf, String)| {
        let path = root.join(source);
        let metadata = path.symlink_metadata().map_err(|e| {
            Error::new(Kind::Build, format!("`files` names `{}`, which cannot be read", source.display()))
                .caused_by(e)
                .hint("paths in `files` are relative to the workspace's root")
        })?;
        let name = source.file_name().and_then(|name| name.to_str());
        let target = match name {
            Some(name) if target.ends_with('/') && !metadata.is_dir() => in_image(&format!("{target}{name}")),
            _ => in_image(target),
        };
        Ok((path, target))
    };
    let mut files = image.files.iter().map(resolve).collect::<Result<Vec<_>>>()?;
    files.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(files)
}

fn measure(layer: Layer) -> Result<MeasuredLayer> {
    let mut sink = Measure::default();
    layer.write(&mut sink).map_err(|e| {
        Error::new(Kind::Build, format!("the layer \"{}\" could not be made", layer.describe())).caused_by(e)
    })?;
    Ok(MeasuredLayer { size: sink.size, digest: sink.digest(), layer })
}

fn configuration(
    image: &BinImage,
    platform: Platform,
    layers: &[MeasuredLayer],
) -> Result<serde_json::Value> {
    let history: Vec<_> = layers
        .iter()
        .map(|layer| json!({ "created": EPOCH, "created_by": layer.layer.describe() }))
        .collect();
    let digests: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    // In order of their keys, so that the bytes do not depend on how serde_json keeps a map.
    Ok(json!({
        "architecture": platform.architecture(),
        "config": {
            "Entrypoint": [program_path(image)],
            "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                format!("SSL_CERT_FILE={CA_FILE}"),
            ],
            "User": user(image)?,
            "WorkingDir": "/",
        },
        "created": EPOCH,
        "history": history,
        "os": "linux",
        "rootfs": { "diff_ids": digests, "type": "layers" },
    }))
}

/// The image's user. Names other than those of our `/etc/passwd` would fail when the task starts.
fn user(image: &BinImage) -> Result<String> {
    let user = image.user.as_deref().unwrap_or(NONROOT);
    let known = |part: &str| {
        matches!(part, "root" | "nobody" | "nonroot") || (!part.is_empty() && part.parse::<u32>().is_ok())
    };
    if user.split(':').count() <= 2 && user.split(':').all(known) {
        return Ok(user.to_owned());
    }
    Err(Error::new(Kind::Build, format!("an image without a base has no user `{user}`"))
        .hint("give numbers (`uid:gid`), `nonroot` or `root`, or set `base` to an image that has the user"))
}

#[cfg(test)]
mod tests;

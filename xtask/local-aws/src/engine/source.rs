//! Images on this machine's disk, as an archive for `docker load`: for an engine that cannot
//! reach the registry that has them. Nothing of a layer is held in memory.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use tokio_util::io::ReaderStream;

use super::archive::{END, header, padding};

/// Where images are on disk.
pub trait ImageSource: Send + Sync + 'static {
    /// Looks for an image; of several platforms, the one for Linux on this architecture (Docker's
    /// word). `reference` is a digest or a tag. What is missing is said by the error. Blocks.
    fn find(&self, repository: &str, reference: &str, architecture: &str) -> io::Result<StoredImage>;
}

/// An image on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// Of the manifest that was asked for, `sha256:…`.
    pub digest: String,
    /// The file of its configuration.
    pub config: PathBuf,
    /// The files of its layers, bottom first, compressed or not.
    pub layers: Vec<PathBuf>,
}

/// A piece of the archive.
enum Part {
    Bytes(Bytes),
    File(PathBuf),
}

impl StoredImage {
    /// The archive, with the image called `name`.
    pub fn archive(&self, name: &str) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let mut parts = Vec::new();
        add_file(&mut parts, "config.json", &self.config)?;
        let mut layers = Vec::new();
        for (index, path) in self.layers.iter().enumerate() {
            let layer = format!("layer-{index}.tar");
            add_file(&mut parts, &layer, path)?;
            layers.push(layer);
        }
        let manifest = serde_json::json!([
            { "Config": "config.json", "RepoTags": [name], "Layers": layers }
        ]);
        add_bytes(&mut parts, "manifest.json", manifest.to_string());
        parts.push(Part::Bytes(Bytes::from_static(&END)));
        Ok(stream::iter(parts).flat_map(read).boxed())
    }
}

fn add_file(parts: &mut Vec<Part>, name: &str, path: &Path) -> io::Result<()> {
    let size = std::fs::metadata(path)?.len();
    parts.push(Part::Bytes(Bytes::copy_from_slice(&header(name, 0o644, size))));
    parts.push(Part::File(path.to_owned()));
    parts.push(Part::Bytes(Bytes::from_static(padding(size))));
    Ok(())
}

fn add_bytes(parts: &mut Vec<Part>, name: &str, content: String) {
    let size = content.len() as u64;
    parts.push(Part::Bytes(Bytes::copy_from_slice(&header(name, 0o644, size))));
    parts.push(Part::Bytes(content.into()));
    parts.push(Part::Bytes(Bytes::from_static(padding(size))));
}

fn read(part: Part) -> BoxStream<'static, io::Result<Bytes>> {
    match part {
        Part::Bytes(bytes) => stream::iter([Ok(bytes)]).boxed(),
        Part::File(path) => {
            let opened = stream::once(async move { tokio::fs::File::open(path).await });
            opened.map_ok(ReaderStream::new).try_flatten().boxed()
        }
    }
}

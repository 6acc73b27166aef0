//! An image as the tar that `docker load` reads.
//!
//! It is a docker-archive and an OCI layout at once, as `docker save` writes them since 25:
//! the classic store reads `manifest.json`, the containerd store `index.json`. It names no
//! repository: the push gives the image its name.

use std::io::{self, Write};

use serde_json::{Value, json};
use tar::{EntryType, Header};

use super::{Blob, MeasuredLayer, Minimal};

const BLOCK: u64 = 512;

/// The OCI manifest of an image whose layers are plain tars.
pub(super) fn manifest(config: &Blob, layers: &[MeasuredLayer]) -> Value {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", &layer.digest, layer.size))
        .collect();
    // In order of their keys: these bytes have an identity.
    json!({
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config.digest, config.bytes.len() as u64),
        "layers": layers,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "schemaVersion": 2,
    })
}

fn descriptor(media_type: &str, digest: &str, size: u64) -> Value {
    json!({ "digest": digest, "mediaType": media_type, "size": size })
}

impl Minimal {
    /// Writes the archive, layers last. Blocking; reads the image's files again.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let manifest = &self.manifest;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [descriptor(
                "application/vnd.oci.image.manifest.v1+json", &manifest.digest, manifest.bytes.len() as u64,
            )],
        });
        let layers: Vec<String> = self.layers.iter().map(|layer| blob_path(&layer.digest)).collect();
        let docker =
            json!([{ "Config": blob_path(&self.config.digest), "RepoTags": null, "Layers": layers }]);
        bytes(out, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        bytes(out, "index.json", index.to_string().as_bytes())?;
        bytes(out, "manifest.json", docker.to_string().as_bytes())?;
        bytes(out, &blob_path(&manifest.digest), &manifest.bytes)?;
        bytes(out, &blob_path(&self.config.digest), &self.config.bytes)?;
        for layer in &self.layers {
            entry(out, &blob_path(&layer.digest), layer.size, |out| layer.layer.write(out))?;
        }
        out.write_all(&[0; 2 * BLOCK as usize])
    }
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn bytes(out: &mut dyn Write, path: &str, content: &[u8]) -> io::Result<()> {
    entry(out, path, content.len() as u64, |out| out.write_all(content))
}

/// An entry whose content is written rather than read; it must have the size that was measured.
fn entry(
    out: &mut dyn Write,
    path: &str,
    size: u64,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_path(path)?;
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    out.write_all(header.as_bytes())?;
    let mut counted = Counted { out, count: 0 };
    content(&mut counted)?;
    if counted.count != size {
        return Err(io::Error::other("the image's files changed while they were read"));
    }
    let padding = (BLOCK - size % BLOCK) % BLOCK;
    out.write_all(&[0; BLOCK as usize][..usize::try_from(padding).unwrap_or(0)])
}

struct Counted<'a> {
    out: &'a mut dyn Write,
    count: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

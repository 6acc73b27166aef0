//! An image archive with one layer, as `docker load` reads it: the way to make an image
//! where nothing can be pulled. The same input gives the same bytes, so the same image ID.

use sha2::{Digest, Sha256};

/// One file of the image.
pub(crate) struct File<'a> {
    /// Path without a leading `/`, at most 100 bytes.
    pub path: &'a str,
    /// Permission bits.
    pub mode: u32,
    /// Its content.
    pub content: &'a [u8],
}

/// An image of a few files.
pub(crate) struct Image<'a> {
    /// `repository:tag`.
    pub name: &'a str,
    /// Docker's word for it: `amd64`, `arm64`.
    pub architecture: &'a str,
    /// The `config` object of the image configuration: `Entrypoint`, `User`, ….
    pub config: serde_json::Value,
    /// In the order given.
    pub files: &'a [File<'a>],
}

impl Image<'_> {
    /// The archive: a configuration, a layer, and the manifest that ties them.
    pub(crate) fn to_archive(&self) -> Vec<u8> {
        let layer = tar(self.files);
        let layer_hex = sha256_hex(&layer);
        let config = self.configuration(&layer_hex).to_string();
        let config_name = format!("{}.json", sha256_hex(config.as_bytes()));
        let layer_name = format!("{layer_hex}.tar");
        let manifest = serde_json::json!([
            { "Config": config_name, "RepoTags": [self.name], "Layers": [layer_name] }
        ])
        .to_string();
        tar(&[
            File {
                path: &config_name,
                mode: 0o644,
                content: config.as_bytes(),
            },
            File {
                path: &layer_name,
                mode: 0o644,
                content: &layer,
            },
            File {
                path: "manifest.json",
                mode: 0o644,
                content: manifest.as_bytes(),
            },
        ])
    }

    fn configuration(&self, layer_hex: &str) -> serde_json::Value {
        serde_json::json!({
            "architecture": self.architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_hex}")] },
            "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "local-aws" }],
        })
    }
}

/// Lower-case hex of the SHA-256.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").ok();
            hex
        })
}

/// A ustar archive: a header and the padded content of each file, then two empty blocks.
fn tar(files: &[File<'_>]) -> Vec<u8> {
    let mut archive = Vec::new();
    for file in files {
        archive.extend_from_slice(&header(file));
        archive.extend_from_slice(file.content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn header(file: &File<'_>) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, file.path.as_bytes());
    put(100, format!("{:07o}\0", file.mode).as_bytes());
    put(108, b"0000000\0"); // owner and group: root
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", file.content.len()).as_bytes());
    put(136, b"00000000000\0"); // modified: 1970
    put(148, b"        "); // the checksum counts itself as blanks
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_checksum_is_the_sum_of_the_bytes() {
        let header = header(&File {
            path: "pause",
            mode: 0o755,
            content: b"abc",
        });
        let mut blank = header;
        blank[148..156].fill(b' ');
        let sum: u32 = blank.iter().copied().map(u32::from).sum();
        assert_eq!(&header[148..156], format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(&header[124..136], b"00000000003\0");
    }

    #[test]
    fn the_same_image_is_the_same_bytes() {
        let files = [File {
            path: "a",
            mode: 0o755,
            content: b"x",
        }];
        let image = Image {
            name: "n:t",
            architecture: "amd64",
            config: serde_json::json!({}),
            files: &files,
        };
        assert_eq!(image.to_archive(), image.to_archive());
        assert_eq!(image.to_archive().len() % 512, 0);
    }
}

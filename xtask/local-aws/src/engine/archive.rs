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
    /// The image's configuration and its layer.
    pub(crate) fn parts(&self) -> (Vec<u8>, Vec<u8>) {
        let layer = tar(self.files);
        let config = self.configuration(&sha256_hex(&layer)).to_string();
        (config.into_bytes(), layer)
    }

    /// The archive: configuration, layer, and the manifest that ties them.
    pub(crate) fn to_archive(&self) -> Vec<u8> {
        let (config, layer) = self.parts();
        let config_name = format!("{}.json", sha256_hex(&config));
        let layer_name = format!("{}.tar", sha256_hex(&layer));
        let manifest = serde_json::json!([
            { "Config": config_name, "RepoTags": [self.name], "Layers": [layer_name] }
        ])
        .to_string();
        tar(&[
            File { path: &config_name, mode: 0o644, content: &config },
            File { path: &layer_name, mode: 0o644, content: &layer },
            File { path: "manifest.json", mode: 0o644, content: manifest.as_bytes() },
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
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

/// A ustar archive: a header and the padded content of each file, then the end.
fn tar(files: &[File<'_>]) -> Vec<u8> {
    let mut archive = Vec::new();
    for file in files {
        let size = file.content.len() as u64;
        archive.extend_from_slice(&header(file.path, file.mode, size));
        archive.extend_from_slice(file.content);
        archive.extend_from_slice(padding(size));
    }
    archive.extend_from_slice(&END);
    archive
}

/// What follows the last file.
pub(super) const END: [u8; 1024] = [0; 1024];

/// What follows a file of this size.
pub(super) fn padding(size: u64) -> &'static [u8] {
    let length = size.next_multiple_of(512) - size;
    &END[..usize::try_from(length).unwrap_or(0)]
}

/// What precedes a file. Its path has at most 100 bytes.
pub(super) fn header(path: &str, mode: u32, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, path.as_bytes());
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0"); // owner and group: root
    put(116, b"0000000\0");
    put(124, &size_field(size));
    put(136, b"00000000000\0"); // modified: 1970
    put(148, b"        "); // the checksum counts itself as blanks
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Octal digits, or from 8 GiB on the number itself behind a set bit.
fn size_field(size: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if size < 1 << 33 {
        field[..11].copy_from_slice(format!("{size:011o}").as_bytes());
    } else {
        field[0] = 0x80;
        field[4..].copy_from_slice(&size.to_be_bytes());
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_checksum_is_the_sum_of_the_bytes() {
        let header = header("pause", 0o755, 3);
        let mut blank = header;
        blank[148..156].fill(b' ');
        let sum: u32 = blank.iter().copied().map(u32::from).sum();
        assert_eq!(&header[148..156], format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(&header[124..136], b"00000000003\0");
    }

    #[test]
    fn the_same_image_is_the_same_bytes() {
        let files = [File { path: "a", mode: 0o755, content: b"x" }];
        let image =
            Image { name: "n:t", architecture: "amd64", config: serde_json::json!({}), files: &files };
        assert_eq!(image.to_archive(), image.to_archive());
        assert_eq!(image.to_archive().len() % 512, 0);
    }

    #[test]
    fn a_size_beyond_eleven_octal_digits_is_binary() {
        assert_eq!(&size_field((1 << 33) - 1), b"77777777777\0");
        assert_eq!(size_field(1 << 33), [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    }
}

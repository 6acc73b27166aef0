//! Source to images on the Docker Engine.

use crate::config::image::Platform;

/// An image on the engine, of the platform that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltImage {
    /// Its key in `[image]`.
    pub name: String,
    /// The ECR repository's name.
    pub repository: String,
    /// The engine's image ID, `sha256:…`.
    pub id: String,
    /// Checked against the image itself.
    pub platform: Platform,
    /// Uncompressed size in bytes, as the engine tells it.
    pub size: u64,
}

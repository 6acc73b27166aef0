//! What one repository holds: which blobs, which manifests, and what its tags
//! point at. Pure; the bytes are elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::manifest::{Descriptor, Manifest};

/// The content of a repository.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Images {
    /// Its name; files are named by a hash of it.
    pub repository: String,
    /// Blobs that were pushed here or mounted, with their sizes in bytes.
    pub blobs: BTreeMap<Digest, u64>,
    /// By digest.
    pub images: BTreeMap<Digest, Image>,
    /// What each tag points at.
    pub tags: BTreeMap<String, Digest>,
}

/// A manifest in a repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Image {
    /// What it says.
    pub manifest: Manifest,
    /// Bytes of the manifest itself.
    pub size: u64,
    /// Seconds since 1970, UTC.
    pub pushed_at: f64,
}

/// How an image is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// By content.
    Digest(Digest),
    /// By name.
    Tag(String),
}

/// What a manifest refers to that isn't as it says.
#[derive(Debug, PartialEq, Eq)]
pub enum Gap {
    /// Layers or the configuration.
    Blobs(Vec<Digest>),
    /// Images of an index.
    Images(Vec<Digest>),
    /// There, but of another size: digest, declared, actual.
    Size(Digest, u64, u64),
}

impl Reference {
    /// A digest, or else a tag as the specification has it; `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(digest) = text.parse() {
            return Some(Self::Digest(digest));
        }
        is_tag(text).then(|| Self::Tag(text.to_owned()))
    }
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (documented: distribution-spec, "Pulling manifests").
pub fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || c == '.' || c == '-')
}

impl Images {
    /// The digest behind a reference, if it is here.
    pub fn resolve(&self, reference: &Reference) -> Option<Digest> {
        let digest = match reference {
            Reference::Digest(digest) => digest,
            Reference::Tag(tag) => self.tags.get(tag)?,
        };
        self.images.contains_key(digest).then_some(*digest)
    }

    /// The tags of an image, in order.
    pub fn tags_of(&self, digest: &Digest) -> Vec<&str> {
        self.tags.iter().filter(|(_, d)| *d == digest).map(|(tag, _)| tag.as_str()).collect()
    }

    /// Whether all that the manifest refers to is here, in the size it says.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Gap> {
        let blob_size = |d: &Digest| self.blobs.get(d).copied();
        check_all(manifest.blobs(), blob_size, Gap::Blobs)?;
        let image_size = |d: &Digest| self.images.get(d).map(|image| image.size);
        check_all(manifest.manifests.iter(), image_size, Gap::Images)
    }

    /// Adds an image and points the tag at it. Pushing it again changes its time only.
    pub fn put(&mut self, digest: Digest, image: Image, tag: Option<&str>) {
        self.images.insert(digest, image);
        if let Some(tag) = tag {
            self.tags.insert(tag.to_owned(), digest);
        }
    }

    /// Removes a tag; the image goes with its last one (documented: BatchDeleteImage).
    pub fn remove_tag(&mut self, tag: &str) {
        if let Some(digest) = self.tags.remove(tag)
            && self.tags_of(&digest).is_empty()
        {
            self.remove_image(&digest);
        }
    }

    /// Removes an image and its tags, and lets go of the blobs that no other one needs.
    pub fn remove_image(&mut self, digest: &Digest) {
        self.tags.retain(|_, d| d != digest);
        let Some(removed) = self.images.remove(digest) else {
            return;
        };
        let needed: BTreeSet<Digest> =
            self.images.values().flat_map(|i| i.manifest.blobs()).map(|b| b.digest).collect();
        for blob in removed.manifest.blobs().filter(|blob| !needed.contains(&blob.digest)) {
            self.blobs.remove(&blob.digest);
        }
    }

    /// The indexes that list this image; ECR doesn't delete it while there are any.
    pub fn indexes_of(&self, digest: &Digest) -> Vec<Digest> {
        let lists = |image: &Image| image.manifest.manifests.iter().any(|m| m.digest == *digest);
        self.images.iter().filter(|(_, image)| lists(image)).map(|(d, _)| *d).collect()
    }

    /// Everything on disk that this repository needs.
    pub fn needs(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest) || self.images.contains_key(digest)
    }
}

fn check_all<'a>(
    wanted: impl Iterator<Item = &'a Descriptor>,
    size_of: impl Fn(&Digest) -> Option<u64>,
    missing: impl Fn(Vec<Digest>) -> Gap,
) -> Result<(), Gap> {
    let mut absent = Vec::new();
    for descriptor in wanted {
        match size_of(&descriptor.digest) {
            None => absent.push(descriptor.digest),
            Some(size) if size != descriptor.size => {
                return Err(Gap::Size(descriptor.digest, descriptor.size, size));
            }
            Some(_) => {}
        }
    }
    if absent.is_empty() { Ok(()) } else { Err(missing(absent)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(content: &[u8]) -> Descriptor {
        let size = content.len() as u64;
        Descriptor { media_type: String::new(), digest: Digest::of(content), size, urls: Vec::new() }
    }

    fn image(config: &[u8], layer: &[u8]) -> Image {
        let manifest = Manifest {
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            artifact_type: None,
            config: Some(descriptor(config)),
            layers: vec![descriptor(layer)],
            manifests: Vec::new(),
            subject: None,
            annotations: BTreeMap::new(),
        };
        Image { manifest, size: 100, pushed_at: 1.0 }
    }

    fn repository() -> Images {
        let mut images = Images::default();
        for blob in [b"c1".as_slice(), b"c2", b"shared"] {
            images.blobs.insert(Digest::of(blob), blob.len() as u64);
        }
        images.put(Digest::of(b"m1"), image(b"c1", b"shared"), Some("a"));
        images.put(Digest::of(b"m2"), image(b"c2", b"shared"), Some("b"));
        images
    }

    #[test]
    fn the_last_tag_takes_the_image_and_only_its_own_blobs() {
        let mut images = repository();
        images.tags.insert("also".into(), Digest::of(b"m1"));
        images.remove_tag("a");
        assert!(images.images.contains_key(&Digest::of(b"m1")));
        images.remove_tag("also");
        assert!(!images.images.contains_key(&Digest::of(b"m1")));
        assert!(!images.needs(&Digest::of(b"c1")));
        assert!(images.needs(&Digest::of(b"shared")));
    }

    #[test]
    fn a_moved_tag_leaves_its_image_untagged() {
        let mut images = repository();
        images.put(Digest::of(b"m2"), image(b"c2", b"shared"), Some("a"));
        assert_eq!(images.tags_of(&Digest::of(b"m2")), ["a", "b"]);
        assert_eq!(images.tags_of(&Digest::of(b"m1")), [""; 0]);
        assert_eq!(images.resolve(&Reference::Digest(Digest::of(b"m1"))), Some(Digest::of(b"m1")));
    }

    #[test]
    fn gaps_are_found() {
        let images = repository();
        let absent = image(b"c1", b"absent").manifest;
        assert_eq!(images.check(&absent), Err(Gap::Blobs(vec![Digest::of(b"absent")])));
        let mut wrong = image(b"c1", b"shared").manifest;
        wrong.layers[0].size = 7;
        assert_eq!(images.check(&wrong), Err(Gap::Size(Digest::of(b"shared"), 7, 6)));
        let mut index = image(b"c1", b"shared").manifest;
        index.manifests = vec![descriptor(b"m3")];
        assert_eq!(images.check(&index), Err(Gap::Images(vec![Digest::of(b"m3")])));
    }

    #[test]
    fn references() {
        assert_eq!(Reference::parse("v1.0-rc"), Some(Reference::Tag("v1.0-rc".into())));
        let digest = Digest::of(b"");
        assert_eq!(Reference::parse(&digest.to_string()), Some(Reference::Digest(digest)));
        for text in ["", ".x", "-x", "a b", "sha256:abc", &"x".repeat(129)] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }
}

//! Which images have to be pushed.

use crate::push::PushedImage;

/// An image of the file, and whether its repository has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePlan {
    /// Its key in `[image]`.
    pub name: String,
    /// Its repository's URI, or what that will be.
    pub repository_uri: String,
    /// The tag, made of what the image is made from.
    pub tag: String,
    /// The digest that the tag has in the repository; `None`: it is to be pushed.
    pub digest: Option<String>,
}

impl ImagePlan {
    /// As the pushed image. Before the push its digest is not known, and its tag stands in for it: whatever
    /// names it differs from whatever is registered.
    #[must_use]
    pub fn expected(&self) -> PushedImage {
        PushedImage {
            name: self.name.clone(),
            repository_uri: self.repository_uri.clone(),
            digest: self.digest.clone().unwrap_or_else(|| format!("{} (to be pushed)", self.tag)),
            tag: self.tag.clone(),
        }
    }
}

//! The names that images have in the local registry; with the registry, they lose their meaning.

use std::collections::HashMap;

use bollard::Docker;
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptions};

/// Removes the names of images in the registry at `host` (`127.0.0.1:PORT`), and images that
/// have no other name. Best effort: an image that something uses stays.
pub(super) async fn forget(docker: &Docker, host: &str) {
    // A `*` of the engine's reference filter ends at a `/`: names of up to four parts.
    let depths = ["*", "*/*", "*/*/*", "*/*/*/*"];
    let references = depths.iter().map(|depth| format!("{host}/{depth}")).collect();
    let filters = HashMap::from([("reference".to_owned(), references)]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let images = docker.list_images(Some(options)).await.unwrap_or_default();
    let names = images.iter().flat_map(|image| image.repo_tags.iter().chain(&image.repo_digests));
    for name in names.filter(|name| name.starts_with(host)) {
        let options = RemoveImageOptions { force: false, ..RemoveImageOptions::default() };
        drop(docker.remove_image(name, Some(options), None).await);
    }
}

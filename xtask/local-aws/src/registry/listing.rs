//! Lists: repositories, tags, and what refers to an image.

use axum::Json;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Registry;
use super::blobs::set;
use super::digest::Digest;
use super::images::Images;
use super::route::Page;

const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

pub(super) fn repositories(registry: &Registry, page: &Page) -> Response {
    let names = registry.repository_names();
    let (names, more) = cut(names, page);
    paged(json!({"repositories": names}), "/v2/_catalog", more)
}

pub(super) fn tags(registry: &Registry, repository: &str, page: &Page) -> Response {
    let tags = registry.store().look(repository, |images| images.tags.keys().cloned().collect());
    let (tags, more) = cut(tags, page);
    paged(json!({"name": repository, "tags": tags}), &format!("/v2/{repository}/tags/list"), more)
}

pub(super) fn referrers(
    registry: &Registry,
    repository: &str,
    of: Digest,
    artifact_type: Option<&str>,
) -> Response {
    let manifests = registry.store().look(repository, |images| descriptors(images, of, artifact_type));
    let index = json!({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests});
    let mut response = Json(index).into_response();
    set(&mut response, [(header::CONTENT_TYPE, INDEX_TYPE.to_owned())]);
    if artifact_type.is_some() {
        set(&mut response, [(OCI_FILTERS_APPLIED, "artifactType".to_owned())]);
    }
    response
}

fn descriptors(images: &Images, of: Digest, artifact_type: Option<&str>) -> Vec<Value> {
    let refers =
        images.images.iter().filter(|(_, i)| i.manifest.subject.as_ref().is_some_and(|s| s.digest == of));
    let wanted =
        refers.filter(|(_, i)| artifact_type.is_none_or(|t| i.manifest.artifact_media_type() == Some(t)));
    wanted
        .map(|(digest, image)| {
            let manifest = &image.manifest;
            json!({
                "mediaType": manifest.media_type,
                "digest": digest,
                "size": image.size,
                "artifactType": manifest.artifact_media_type(),
                "annotations": manifest.annotations,
            })
        })
        .collect()
}

/// Entries after `last`, at most `count`, and the query of the next page if there is one.
fn cut(entries: Vec<String>, page: &Page) -> (Vec<String>, Option<String>) {
    let mut rest = entries.into_iter().filter(|e| page.last.as_ref().is_none_or(|last| e > last));
    let count = page.count.unwrap_or(usize::MAX);
    let part: Vec<String> = rest.by_ref().take(count).collect();
    let more = part.last().filter(|_| rest.next().is_some());
    let next = more.map(|last| format!("n={count}&last={}", last.replace('/', "%2F")));
    (part, next)
}

fn paged(body: Value, path: &str, next: Option<String>) -> Response {
    let mut response = Json(body).into_response();
    if let Some(query) = next {
        set(&mut response, [(header::LINK, format!("<{path}?{query}>; rel=\"next\""))]);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(count: Option<usize>, last: Option<&str>) -> (Vec<String>, Option<String>) {
        let entries = ["a", "b/c", "d"].map(str::to_owned).to_vec();
        cut(entries, &Page { count, last: last.map(str::to_owned) })
    }

    #[test]
    fn pages() {
        assert_eq!(page(None, None).0.len(), 3);
        assert_eq!(page(Some(2), None), (vec!["a".into(), "b/c".into()], Some("n=2&last=b%2Fc".into())));
        assert_eq!(page(Some(2), Some("b/c")), (vec!["d".into()], None));
        assert_eq!(page(Some(3), None).1, None);
        assert_eq!(page(Some(0), None), (vec![], None));
    }
}

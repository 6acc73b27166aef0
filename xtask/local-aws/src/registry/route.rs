//! A request line to a closed enum of what can be asked of the registry.

use axum::http::Method;

use super::digest::Digest;
use super::error::{Code, RegistryError};
use super::images::Reference;
use crate::state::ecr::is_repository_name;
use crate::wire::form;

/// What is asked. Names of repositories are well formed, not known to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `GET /v2/`: is it a registry, and am I let in?
    CheckVersion,
    /// `GET /v2/_catalog`.
    ListRepositories(Page),
    /// Within a repository.
    In(String, RepositoryAction),
}

/// What is asked of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryAction {
    /// `GET …/tags/list`.
    ListTags(Page),
    /// `GET …/referrers/DIGEST`, perhaps of one artifact type only.
    ListReferrers(Digest, Option<String>),
    /// `GET` or `HEAD …/blobs/DIGEST`.
    GetBlob(Digest),
    /// `GET` or `HEAD …/manifests/REFERENCE`.
    GetManifest(Reference),
    /// `PUT …/manifests/REFERENCE`.
    PutManifest(Reference),
    /// `POST …/blobs/uploads/`.
    StartUpload,
    /// `POST …/blobs/uploads/?digest=`: the whole blob at once.
    UploadWhole(Digest),
    /// `POST …/blobs/uploads/?mount=&from=`.
    Mount(Digest, String),
    /// `GET …/blobs/uploads/ID`.
    UploadStatus(String),
    /// `PATCH …/blobs/uploads/ID`.
    AppendUpload(String),
    /// `PUT …/blobs/uploads/ID?digest=`.
    FinishUpload(String, Digest),
    /// `DELETE …/blobs/uploads/ID`.
    CancelUpload(String),
}

/// A part of a list: at most `count` entries after `last`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// `n`.
    pub count: Option<usize>,
    /// `last`.
    pub last: Option<String>,
}

/// Parses what follows `/v2`.
pub fn parse(method: &Method, path: &str, query: &str) -> Result<Action, RegistryError> {
    let query = form::decode(query.as_bytes());
    let path = path.strip_prefix('/').unwrap_or(path);
    let reads = [Method::GET, Method::HEAD].contains(method);
    match path {
        "" if reads => Ok(Action::CheckVersion),
        "_catalog" if reads => Ok(Action::ListRepositories(page(&query)?)),
        "" | "_catalog" => Err(unsupported()),
        _ => in_repository(method, path, &query),
    }
}

fn in_repository(method: &Method, path: &str, query: &[(String, String)]) -> Result<Action, RegistryError> {
    // From the end: a repository may be called `a/blobs`.
    let unknown = || RegistryError::new(Code::NameUnknown, "404 page not found");
    let (rest, last) = path.rsplit_once('/').ok_or_else(unknown)?;
    let (name, kind) = rest.rsplit_once('/').ok_or_else(unknown)?;
    let (name, action) = match (kind, last) {
        ("tags", "list") => (name, RepositoryAction::ListTags(page(query)?)),
        ("blobs", "uploads") => (name, upload(method, "", query)?),
        ("uploads", id) => (name.strip_suffix("/blobs").ok_or_else(unknown)?, upload(method, id, query)?),
        ("blobs", digest) => (name, RepositoryAction::GetBlob(self::digest(digest)?)),
        ("manifests", reference) => (name, manifest(method, reference)?),
        ("referrers", digest) => {
            let artifact_type = get(query, "artifactType").map(str::to_owned);
            (name, RepositoryAction::ListReferrers(self::digest(digest)?, artifact_type))
        }
        _ => return Err(unknown()),
    };
    check_method(method, &action)?;
    Ok(Action::In(repository(name)?, action))
}

fn upload(method: &Method, id: &str, query: &[(String, String)]) -> Result<RepositoryAction, RegistryError> {
    let id = id.to_owned();
    Ok(match method.as_str() {
        "POST" if id.is_empty() => start(query)?,
        "GET" | "HEAD" if !id.is_empty() => RepositoryAction::UploadStatus(id),
        "PATCH" if !id.is_empty() => RepositoryAction::AppendUpload(id),
        "PUT" if !id.is_empty() => {
            RepositoryAction::FinishUpload(id, digest(get(query, "digest").unwrap_or_default())?)
        }
        "DELETE" if !id.is_empty() => RepositoryAction::CancelUpload(id),
        _ => return Err(unsupported()),
    })
}

fn start(query: &[(String, String)]) -> Result<RepositoryAction, RegistryError> {
    Ok(match (get(query, "digest"), get(query, "mount"), get(query, "from")) {
        (Some(whole), _, _) => RepositoryAction::UploadWhole(digest(whole)?),
        (None, Some(mount), Some(from)) => RepositoryAction::Mount(digest(mount)?, from.to_owned()),
        _ => RepositoryAction::StartUpload,
    })
}

fn manifest(method: &Method, reference: &str) -> Result<RepositoryAction, RegistryError> {
    let parsed = Reference::parse(reference).ok_or_else(|| match reference.contains(':') {
        true => invalid_digest(),
        false => RegistryError::new(Code::TagInvalid, format!("`{reference}` is not a tag")),
    })?;
    Ok(match *method {
        Method::PUT => RepositoryAction::PutManifest(parsed),
        _ => RepositoryAction::GetManifest(parsed),
    })
}

/// Deleting is the API's business (assumed: ECR has `BatchDeleteImage` for it).
fn check_method(method: &Method, action: &RepositoryAction) -> Result<(), RegistryError> {
    use RepositoryAction::{GetBlob, GetManifest, ListReferrers, ListTags};
    let reads_only = matches!(action, ListTags(_) | ListReferrers(..) | GetBlob(_) | GetManifest(_));
    let reads = [Method::GET, Method::HEAD].contains(method);
    if reads_only && !reads { Err(unsupported()) } else { Ok(()) }
}

fn repository(name: &str) -> Result<String, RegistryError> {
    if is_repository_name(name) {
        Ok(name.to_owned())
    } else {
        Err(RegistryError::new(Code::NameInvalid, format!("invalid repository name `{name}`")))
    }
}

fn digest(text: &str) -> Result<Digest, RegistryError> {
    text.parse().map_err(|_| invalid_digest())
}

fn invalid_digest() -> RegistryError {
    RegistryError::new(Code::DigestInvalid, "a digest is `sha256:` and 64 hex digits")
}

fn unsupported() -> RegistryError {
    RegistryError::new(Code::Unsupported, "The operation is unsupported.")
}

fn page(query: &[(String, String)]) -> Result<Page, RegistryError> {
    let count = get(query, "n").map(str::parse).transpose();
    let count = count.map_err(|_| RegistryError::new(Code::Unsupported, "`n` is not a number"))?;
    Ok(Page { count, last: get(query, "last").map(str::to_owned) })
}

fn get<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(method: &Method, path: &str, query: &str) -> String {
        match parse(method, path, query) {
            Ok(action) => format!("{action:?}"),
            Err(e) => format!("{:?}: {}", e.code(), e.message()),
        }
    }

    #[test]
    fn what_clients_ask() {
        insta::assert_snapshot!(show(&Method::GET, "/", ""), @"CheckVersion");
        insta::assert_snapshot!(
            show(&Method::GET, "/_catalog", "n=5&last=a%2Fb"),
            @r#"ListRepositories(Page { count: Some(5), last: Some("a/b") })"#
        );
        insta::assert_snapshot!(show(&Method::POST, "/a/b/blobs/uploads/", ""), @r#"In("a/b", StartUpload)"#);
        insta::assert_snapshot!(show(&Method::POST, "/a/blobs/uploads", "from=x"), @r#"In("a", StartUpload)"#);
        insta::assert_snapshot!(show(&Method::PATCH, "/a/blobs/uploads/ID", "_state=x"), @r#"In("a", AppendUpload("ID"))"#);
        insta::assert_snapshot!(show(&Method::PUT, "/a/manifests/v1", ""), @r#"In("a", PutManifest(Tag("v1")))"#);
        insta::assert_snapshot!(
            show(&Method::HEAD, "/a/blobs/manifests/v1", ""),
            @r#"In("a/blobs", GetManifest(Tag("v1")))"#
        );
    }

    #[test]
    fn an_escaped_digest_is_understood() {
        let digest = Digest::of(b"");
        let query = format!("digest=sha256%3A{}", digest.hex());
        let action = parse(&Method::PUT, "/a/blobs/uploads/ID", &query).expect("it is well formed");
        assert_eq!(action, Action::In("a".into(), RepositoryAction::FinishUpload("ID".into(), digest)));
    }

    #[test]
    fn what_is_refused() {
        insta::assert_snapshot!(show(&Method::DELETE, "/a/manifests/v1", ""), @"Unsupported: The operation is unsupported.");
        insta::assert_snapshot!(show(&Method::GET, "/A/manifests/v1", ""), @"NameInvalid: invalid repository name `A`");
        insta::assert_snapshot!(
            show(&Method::GET, "/a/blobs/sha256:12", ""),
            @"DigestInvalid: a digest is `sha256:` and 64 hex digits"
        );
        insta::assert_snapshot!(show(&Method::PUT, "/a/manifests/.x", ""), @"TagInvalid: `.x` is not a tag");
        insta::assert_snapshot!(show(&Method::GET, "/a/b", ""), @"NameUnknown: 404 page not found");
    }
}

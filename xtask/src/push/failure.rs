//! What a failed push means, from the words of engine and registry.
//!
//! Observed, where not said otherwise: the texts that users quote in public issues; `docker push` prints
//! the registry's error code in lower case with blanks (`TAG_INVALID` -> `tag invalid`).

use crate::error::{Error, Kind};

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The tag is there and may not be moved: the image is there, too, since the tag is made from it.
    ImmutableTag,
    /// The token was not taken.
    Login,
    /// The token has expired (documented: after 12 hours).
    Expired,
    /// The principal may not push.
    Denied,
    /// No such repository.
    NotFound,
    /// The registry speaks plain HTTP, which the engine allows on loopback only.
    PlainHttp,
    /// The network, or a registry that is overloaded: worth another try.
    Transient,
    /// Anything else.
    Other,
}

/// Texts and meanings; the first that is found decides.
const KNOWN: [(&[&str], Failure); 7] = [
    (&["is immutable"], Failure::ImmutableTag),
    (&["token has expired"], Failure::Expired),
    (&["server gave http response to https client"], Failure::PlainHttp),
    (&["not authorized to perform", "denied: ", "403 forbidden"], Failure::Denied),
    (&["no basic auth credentials", "unauthorized", "authentication required", "401 "], Failure::Login),
    (&["name unknown", "repository with name", "name_unknown"], Failure::NotFound),
    (
        &[
            "i/o timeout",
            "connection refused",
            "connection reset",
            "broken pipe",
            "no such host",
            "tls handshake timeout",
            "unexpected eof",
            ": eof",
            "network is unreachable",
            "temporary failure in name resolution",
            "toomanyrequests",
            "rate exceeded",
            "500 internal server error",
            "502 bad gateway",
            "503 service",
            "504 gateway",
            "received unexpected http status: 5",
            "context deadline exceeded",
            "no answer in time",
        ],
        Failure::Transient,
    ),
];

/// Reads the message.
pub(super) fn classify(message: &str) -> Failure {
    let message = message.to_lowercase();
    let known = KNOWN.iter().find(|(texts, _)| texts.iter().any(|text| message.contains(text)));
    known.map_or(Failure::Other, |(_, failure)| *failure)
}

/// The error for the user.
pub(super) fn error(name: &str, repository_uri: &str, message: String) -> Error {
    let host = repository_uri.split('/').next().unwrap_or(repository_uri);
    let failure = classify(&message);
    let error = Error::new(Kind::Push, format!("pushing `{name}` to `{repository_uri}` failed"));
    let error = error.caused_by(message);
    match failure {
        Failure::Denied => error.hint(
            "allow the principal `ecr:BatchCheckLayerAvailability`, `ecr:InitiateLayerUpload`, `ecr:UploadLayerPart`, \
             `ecr:CompleteLayerUpload` and `ecr:PutImage` on the repository (managed policy AmazonEC2ContainerRegistryPowerUser)",
        ),
        Failure::Login | Failure::Expired => {
            error.hint("run it again: every run asks for a new token; if it stays, the token is of another region or account")
        }
        Failure::NotFound => error.hint("it was deleted meanwhile, or is in another region or account: run it again"),
        Failure::PlainHttp => error.hint(format!(
            "the engine does not run on this host: add `{host}` to its `insecure-registries`"
        )),
        Failure::Transient => error
            .hint(format!("the engine, not this command, talks to `{host}`: check its network and proxy settings")),
        Failure::ImmutableTag | Failure::Other => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_engines_and_registries() {
        let table = [
            (
                "tag invalid: The image tag 'image-1' already exists in the 'app' repository and cannot be overwritten because the repository is immutable.",
                Failure::ImmutableTag,
            ),
            (
                "TAG_INVALID: The image tag 'x' already exists in the 'y' repository and cannot be overwritten because the tag is immutable.",
                Failure::ImmutableTag,
            ),
            ("denied: Your authorization token has expired. Reauthenticate and try again.", Failure::Expired),
            (
                "denied: User: arn:aws:iam::123456789012:user/deploy is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:us-east-1:123456789012:repository/app because no identity-based policy allows the ecr:InitiateLayerUpload action",
                Failure::Denied,
            ),
            ("no basic auth credentials", Failure::Login),
            ("unauthorized: authentication required", Failure::Login),
            (
                "name unknown: The repository with name 'app' does not exist in the registry with id '123456789012'",
                Failure::NotFound,
            ),
            ("Get \"https://registry/v2/\": dial tcp: lookup registry: no such host", Failure::Transient),
            ("Get \"https://r/v2/\": net/http: TLS handshake timeout", Failure::Transient),
            ("toomanyrequests: Rate exceeded", Failure::Transient),
            ("received unexpected HTTP status: 503 Service Unavailable", Failure::Transient),
            (
                "Get \"https://10.0.0.7:5000/v2/\": http: server gave HTTP response to HTTPS client",
                Failure::PlainHttp,
            ),
            ("something nobody has seen", Failure::Other),
        ];
        for (message, expected) in table {
            assert_eq!(classify(message), expected, "{message}");
        }
    }

    #[test]
    fn every_error_is_a_push_error_and_keeps_the_text() {
        let error =
            error("web", "1.dkr.ecr.eu-west-1.amazonaws.com/web", "no basic auth credentials".to_owned());
        assert_eq!(error.kind, Kind::Push);
        insta::assert_snapshot!(error, @"pushing `web` to `1.dkr.ecr.eu-west-1.amazonaws.com/web` failed");
        assert_eq!(error.source.as_ref().expect("has one").to_string(), "no basic auth credentials");
        assert_eq!(error.hints.len(), 1);
    }
}

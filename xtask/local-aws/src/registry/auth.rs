//! Who may talk to the registry: Basic auth, user `AWS`, and a token that
//! GetAuthorizationToken handed out in the last twelve hours.
//!
//! Tokens are kept as hashes only, so that the state directory gives nobody access,
//! and survive a restart, so that `docker login` stays good for as long as on ECR.

use std::io;
use std::path::PathBuf;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::error::{Code, RegistryError};
use crate::saved::Saved;

/// Documented (Amazon ECR user guide, "Private registry authentication"): valid for 12 hours.
const LIFETIME_SECONDS: u64 = 12 * 60 * 60;

/// How long an expired token is remembered, to be told from a wrong one.
const MEMORY_SECONDS: u64 = 24 * 60 * 60;

/// A token as it is handed out, once.
pub struct AuthorizationToken {
    /// `base64("AWS:" + token)`, what `docker login` sends.
    pub encoded: String,
    /// Seconds since 1970, UTC.
    pub expires_at: u64,
}

/// Every token that was handed out and may still be used.
pub(super) struct Tokens {
    issued: Saved<Vec<Issued>>,
    /// The control plane's own: it pulls for as long as it runs.
    own: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Issued {
    hash: Digest,
    expires_at: u64,
}

impl Tokens {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let own = URL_SAFE_NO_PAD.encode(random_bytes()?);
        Ok(Self { issued: Saved::open(path)?, own })
    }

    /// A new token. Earlier ones stay valid.
    pub(super) fn issue(&self, now: u64) -> io::Result<AuthorizationToken> {
        let token = URL_SAFE_NO_PAD.encode(random_bytes()?);
        let expires_at = now + LIFETIME_SECONDS;
        self.issued.change(|issued| -> io::Result<()> {
            issued.retain(|token| token.expires_at + MEMORY_SECONDS > now);
            issued.push(Issued { hash: Digest::of(token.as_bytes()), expires_at });
            Ok(())
        })?;
        Ok(AuthorizationToken { encoded: STANDARD.encode(format!("AWS:{token}")), expires_at })
    }

    /// The password of the control plane itself, which ends with the process.
    pub(super) fn own(&self) -> &str {
        &self.own
    }

    /// Lets the request through or says why not.
    pub(super) fn check(&self, headers: &HeaderMap, realm: &str, now: u64) -> Result<(), RegistryError> {
        let Some(token) = basic_token(headers) else {
            return Err(unauthorized(realm));
        };
        let hash = Digest::of(token.as_bytes());
        if Digest::of(self.own.as_bytes()).same(&hash) {
            return Ok(());
        }
        // Every token is compared, whether or not one matched before.
        let expires_at = self
            .issued
            .read(|issued| issued.iter().filter(|token| token.hash.same(&hash)).map(|t| t.expires_at).max());
        match expires_at {
            Some(at) if at > now => Ok(()),
            // Observed (CircleCI-Public/aws-ecr-orb#265): docker prints it as `denied: Your authorization token has expired. …`.
            Some(_) => Err(RegistryError::new(
                Code::Denied,
                "Your authorization token has expired. Reauthenticate and try again.",
            )),
            None => Err(unauthorized(realm)),
        }
    }
}

fn unauthorized(realm: &str) -> RegistryError {
    let challenge = format!("Basic realm=\"{realm}\",service=\"ecr.amazonaws.com\"");
    RegistryError::new(Code::Unauthorized, "Not Authorized").with_header(header::WWW_AUTHENTICATE, &challenge)
}

/// The password of `Authorization: Basic base64(AWS:password)`.
fn basic_token(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    (user == "AWS").then(|| password.to_owned())
}

/// 32 bytes from the system's source of randomness.
pub(super) fn random_bytes() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(encoded: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {encoded}").parse().expect("a header value");
        headers.insert(header::AUTHORIZATION, value);
        headers
    }

    fn code(result: Result<(), RegistryError>) -> Option<Code> {
        result.err().map(|e| e.code())
    }

    #[test]
    fn a_token_opens_until_it_expires_and_after_a_restart() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("tokens.json");
        let first = Tokens::open(path.clone())?.issue(1000)?;
        let tokens = Tokens::open(path)?;
        let second = tokens.issue(2000)?;
        for token in [&first, &second] {
            assert_eq!(code(tokens.check(&headers(&token.encoded), "r", 1000 + 43_199)), None);
        }
        assert_eq!(code(tokens.check(&headers(&first.encoded), "r", 1000 + 43_200)), Some(Code::Denied));
        assert_eq!(code(tokens.check(&headers(&second.encoded), "r", 1000 + 43_200)), None);
        Ok(())
    }

    #[test]
    fn anything_else_is_unauthorized() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let tokens = Tokens::open(dir.path().join("tokens.json"))?;
        let token = tokens.issue(0)?.encoded;
        let password = String::from_utf8(STANDARD.decode(&token).expect("base64")).expect("text");
        let other_user = STANDARD.encode(password.replace("AWS:", "root:"));
        for encoded in ["", "%%%", &STANDARD.encode("AWS:"), &STANDARD.encode("AWS:guess"), &other_user] {
            assert_eq!(code(tokens.check(&headers(encoded), "r", 1)), Some(Code::Unauthorized), "{encoded}");
        }
        assert_eq!(code(tokens.check(&HeaderMap::new(), "r", 1)), Some(Code::Unauthorized));
        Ok(())
    }

    #[test]
    fn the_file_holds_no_token() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("tokens.json");
        let encoded = Tokens::open(path.clone())?.issue(0)?.encoded;
        let token = String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("text");
        assert!(!std::fs::read_to_string(path)?.contains(&token["AWS:".len()..]));
        Ok(())
    }
}

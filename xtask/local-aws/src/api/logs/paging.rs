//! Pages of names: the token is the last name of the page before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{constraint, invalid};
use crate::error::ApiError;

/// A page's size, between 1 and `most`.
pub(super) fn limit(given: Option<i64>, most: usize) -> Result<usize, ApiError> {
    match given {
        None => Ok(most),
        Some(limit) if limit < 1 => Err(constraint("limit", limit, "have value greater than or equal to 1")),
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| *limit <= most)
            .ok_or_else(|| constraint("limit", limit, &format!("have value less than or equal to {most}"))),
    }
}

/// One page of `items`, which come in the order of paging, and the token of the next.
pub(super) fn page<T>(
    items: Vec<T>,
    name: impl Fn(&T) -> &str,
    token: Option<&String>,
    limit: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let from = match token {
        None => 0,
        Some(token) => {
            let last = decode(token)?;
            items.iter().position(|item| name(item) == last).map_or(items.len(), |at| at + 1)
        }
    };
    let more = items.len() > from + limit;
    let page: Vec<T> = items.into_iter().skip(from).take(limit).collect();
    let next = page.last().filter(|_| more).map(|item| encode(name(item)));
    Ok((page, next))
}

/// An opaque token.
pub(super) fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Observed (getmoto/moto, `moto/logs/models.py`): the message for a token that is not one of ours.
pub(super) fn decode(token: &str) -> Result<String, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad_token)
}

pub(super) fn bad_token() -> ApiError {
    invalid("The specified nextToken is invalid.")
}

//! Lists in pages. A token names the last entry that was returned, so entries
//! that come and go in between neither repeat nor hide others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The token is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

/// At most `limit` of the entries after the token's, in the order of their keys, which are
/// unique; and the next page's token if there are more.
pub fn page<T>(
    mut entries: Vec<T>,
    key: impl Fn(&T) -> String,
    limit: usize,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), InvalidToken> {
    let last = token.map(decode).transpose()?;
    entries.sort_by_cached_key(&key);
    entries.retain(|entry| last.as_ref().is_none_or(|last| key(entry) > *last));
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|entry| URL_SAFE_NO_PAD.encode(key(entry)));
    Ok((entries, next))
}

fn decode(token: &str) -> Result<String, InvalidToken> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidToken)?;
    String::from_utf8(bytes).map_err(|_| InvalidToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(entries: &[u8], limit: usize, token: Option<&str>) -> (Vec<u8>, Option<String>) {
        page(entries.to_vec(), |n| n.to_string(), limit, token).expect("the token is valid")
    }

    #[test]
    fn pages_cover_the_list_once() {
        let (first, token) = get(&[3, 1, 2], 2, None);
        assert_eq!(first, [1, 2]);
        // `2`, the last one, is gone and `0` is new.
        let (second, token) = get(&[3, 1, 0], 2, token.as_deref());
        assert_eq!((second, token), (vec![3], None));
        assert_eq!(get(&[1, 2], 2, None).1, None);
    }

    #[test]
    fn foreign_tokens() {
        assert_eq!(page(vec![1], u8::to_string, 1, Some("?")), Err(InvalidToken));
    }
}

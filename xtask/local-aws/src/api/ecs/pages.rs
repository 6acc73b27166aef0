//! Lists in pages.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;

/// Where a list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Page {
    /// 1 to 100; 100 when not said.
    pub max_results: Option<usize>,
    /// From the answer before.
    pub next_token: Option<String>,
}

/// One page of a list as the answer's `member`. The token is the position, which AWS does not promise either.
pub(super) fn page(all: Vec<Value>, member: &str, page: &Page) -> Result<Value, ApiError> {
    let start = match &page.next_token {
        None => 0,
        Some(token) => token.parse::<usize>().map_err(|_| {
            ApiError::new("InvalidParameterException", "Invalid token.") // assumed
        })?,
    };
    let most = page.max_results.unwrap_or(100);
    if !(1..=100).contains(&most) {
        return Err(ApiError::new("InvalidParameterException", "maxResults must be between 1 and 100."));
    }
    let end = start.saturating_add(most);
    let more = all.len() > end;
    let items: Vec<Value> = all.into_iter().skip(start).take(most).collect();
    let mut out = json!({ member: items });
    if more {
        out["nextToken"] = end.to_string().into();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let all = || vec![json!(1), json!(2), json!(3)];
        let get = |max, token: Option<&str>| {
            page(all(), "xs", &Page { max_results: Some(max), next_token: token.map(str::to_owned) })
        };
        assert_eq!(get(2, None), Ok(json!({"xs": [1, 2], "nextToken": "2"})));
        assert_eq!(get(2, Some("2")), Ok(json!({"xs": [3]})));
        assert!(get(0, None).is_err() && get(1, Some("x")).is_err());
        assert_eq!(get(1, Some(&usize::MAX.to_string())), Ok(json!({"xs": []})));
    }
}

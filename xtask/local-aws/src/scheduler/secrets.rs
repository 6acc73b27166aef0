//! Values of `secrets`. The user writes them into `secrets.json` in the state
//! directory; they go from there into the container's environment and nowhere else.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::state::ecs::container::Secret;

/// The environment that the secrets become, or `stoppedReason`.
pub(super) async fn resolve(state_dir: &Path, wanted: &[Secret]) -> Result<Vec<(String, String)>, String> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let text = tokio::fs::read(state_dir.join("secrets.json")).await.unwrap_or_default();
    let known: BTreeMap<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    wanted
        .iter()
        .map(|s| {
            find(&known, &s.value_from).map(|v| (s.name.clone(), v)).ok_or_else(|| missing(&s.value_from))
        })
        .collect()
}

/// What there is, by name.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// What the user wrote down.
    pub(crate) async fn read(state_dir: &Path) -> Self {
        let text = tokio::fs::read(state_dir.join("secrets.json")).await.unwrap_or_default();
        Self::of(&serde_json::from_slice(&text).unwrap_or_default())
    }

    /// Of the file's content.
    pub(crate) fn of(known: &Value) -> Self {
        Self(known.as_object().into_iter().flat_map(|known| known.keys().cloned()).collect())
    }

    /// A secret, by name or ARN.
    pub(crate) fn has_secret(&self, id: &str) -> bool {
        self.0.iter().any(|key| aliases(key).any(|alias| aliases(id).any(|other| alias == other)))
    }

    /// A parameter, by name.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        let plain = |name: &str| name.trim_start_matches('/').to_owned();
        self.0.iter().any(|key| plain(name_and_key(key).0) == plain(name))
    }
}

/// A secret's name, with and without what Secrets Manager adds to it.
fn aliases(id: &str) -> impl Iterator<Item = &str> {
    let name = name_and_key(id).0;
    let short = name.rsplit_once('-').filter(|(_, suffix)| suffix.len() == 6).map(|(short, _)| short);
    std::iter::once(name).chain(short)
}

/// By the whole `valueFrom`, or by the secret's or parameter's name; a JSON key picks a member.
fn find(known: &BTreeMap<String, Value>, value_from: &str) -> Option<String> {
    let (name, key) = name_and_key(value_from);
    let value = known.get(value_from).or_else(|| known.get(name)).or_else(|| {
        // Secrets Manager adds a hyphen and six characters to a name in the ARN.
        let (short, suffix) = name.rsplit_once('-')?;
        (suffix.len() == 6).then(|| known.get(short)).flatten()
    })?;
    let value = match value {
        Value::String(text) => match key {
            Some(key) => serde_json::from_str::<Value>(text).ok()?.get(key)?.clone(),
            None => Value::String(text.clone()),
        },
        object => key.map_or(Some(object), |key| object.get(key))?.clone(),
    };
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// `arn:…:secret:NAME:KEY:STAGE:VERSION` or `arn:…:parameter/NAME` or `NAME`.
fn name_and_key(value_from: &str) -> (&str, Option<&str>) {
    let mut parts = value_from.split(':').skip(5);
    match (value_from.starts_with("arn:"), parts.next()) {
        (true, Some("secret")) => {
            let name = parts.next().unwrap_or_default();
            (name, parts.next().filter(|k| !k.is_empty()))
        }
        (true, Some(resource)) => (resource.strip_prefix("parameter/").unwrap_or(resource), None),
        _ => (value_from, None),
    }
}

/// Observed: `stoppedReason` in public logs, of Secrets Manager for secrets that may not be read
/// (aws/aws-cdk#18555); that one that is not there reads like this is assumed.
fn missing(value_from: &str) -> String {
    let head = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed:";
    if value_from.contains(":secretsmanager:") {
        format!(
            "{head} unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret \
             {value_from} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified \
             secret."
        )
    } else {
        format!(
            "{head} unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm \
             parameters: {value_from}"
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names() {
        let known: BTreeMap<String, Value> = [
            ("db".to_owned(), json!({"password": "p"})),
            ("/app/key".to_owned(), json!("k")),
            ("j".to_owned(), json!("{\"a\":1}")),
        ]
        .into();
        let get = |from: &str| find(&known, from);
        assert_eq!(get("/app/key").as_deref(), Some("k"));
        assert_eq!(get("arn:aws:ssm:r:1:parameter//app/key").as_deref(), Some("k"));
        assert_eq!(get("arn:aws:secretsmanager:r:1:secret:db-AbCdEf:password::").as_deref(), Some("p"));
        assert_eq!(get("arn:aws:secretsmanager:r:1:secret:j:a::").as_deref(), Some("1"));
        assert_eq!(get("arn:aws:secretsmanager:r:1:secret:db-AbCdEf:nothing::"), None);
        assert_eq!(get("other"), None);
    }
}

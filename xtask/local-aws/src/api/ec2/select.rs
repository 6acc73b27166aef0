//! What every Describe call has: IDs, filters and pages.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{invalid_value, not_found};
use crate::api::paging::page;
use crate::error::ApiError;
use crate::state::ec2::Tags;
use crate::wildcard;

/// One of a call's filters; all must hold, of each one value (documented: "Filtering resources").
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filter {
    name: String,
    #[serde(default)]
    value: Vec<String>,
}

/// The members that Describe calls share; flattening would lose the types of a form's members.
pub(super) struct Query<'a> {
    pub(super) kind: &'static str,
    pub(super) ids: &'a [String],
    pub(super) filters: &'a [Filter],
    pub(super) max_results: Option<i64>,
    pub(super) next_token: Option<&'a str>,
}

/// What can be described.
pub(super) trait Resource {
    /// The documented filters, tags aside.
    const FILTERS: &'static [&'static str];

    /// The ID.
    fn id(&self) -> &str;

    /// Tags, if it can have any.
    fn tags(&self) -> Option<&Tags> {
        None
    }

    /// The values of a filter; none for what isn't modelled, which then matches nothing.
    fn values(&self, filter: &str) -> Vec<String>;
}

/// The resources that a call asks for, as `member` of its answer.
pub(super) fn select<R: Resource>(
    resources: Vec<R>,
    query: &Query<'_>,
    member: &str,
    render: impl Fn(&R) -> Value,
) -> Result<Value, ApiError> {
    check_filters::<R>(query.filters)?;
    let has = |id: &String| resources.iter().any(|resource| resource.id() == id);
    if let Some(missing) = query.ids.iter().find(|id| !has(id)) {
        return Err(not_found(query.kind, missing));
    }
    let asked = |r: &R| query.ids.is_empty() || query.ids.iter().any(|id| id == r.id());
    let found: Vec<R> = resources.into_iter().filter(|r| asked(r) && matches(r, query.filters)).collect();
    let (part, next) = cut(found, query)?;
    let mut answer = json!({member: part.iter().map(render).collect::<Vec<_>>()});
    if let Some(token) = next {
        answer["nextToken"] = token.into();
    }
    Ok(answer)
}

fn check_filters<R: Resource>(filters: &[Filter]) -> Result<(), ApiError> {
    let known = |name: &str| R::FILTERS.contains(&name) || name == "tag-key" || name.starts_with("tag:");
    match filters.iter().find(|filter| !known(&filter.name)) {
        Some(filter) => Err(invalid_value(format!("The filter '{}' is invalid", filter.name))),
        None => Ok(()),
    }
}

fn matches<R: Resource>(resource: &R, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| {
        let values = values(resource, &filter.name);
        filter.value.iter().any(|pattern| values.iter().any(|value| wildcard::matches(pattern, value)))
    })
}

fn values<R: Resource>(resource: &R, name: &str) -> Vec<String> {
    match (name.strip_prefix("tag:"), resource.tags()) {
        (Some(key), Some(tags)) => tags.get(key).cloned().into_iter().collect(),
        (None, Some(tags)) if name == "tag-key" => tags.keys().cloned().collect(),
        _ => resource.values(name),
    }
}

/// Without `MaxResults` there is one page (documented: each Describe call's `MaxResults`).
fn cut<R: Resource>(found: Vec<R>, query: &Query<'_>) -> Result<(Vec<R>, Option<String>), ApiError> {
    let limit = match query.max_results {
        None => usize::MAX,
        Some(_) if !query.ids.is_empty() => {
            let message =
                format!("The parameter {} cannot be used with the parameter maxResults", query.ids_name());
            return Err(ApiError::new("InvalidParameterCombination", message));
        }
        // Observed: aws/aws-cli#1976 (above), aws/aws-sdk-ruby#2575.
        Some(n) if n < 5 => {
            let message = format!(
                "Value ( {n} ) for parameter maxResults is invalid. Expecting a value greater than 5."
            );
            return Err(invalid_value(message));
        }
        Some(n) => usize::try_from(n).unwrap_or(usize::MAX).min(1000),
    };
    page(found, |resource: &R| resource.id().to_owned(), limit, query.next_token).map_err(|_| {
        let token = query.next_token.unwrap_or_default();
        ApiError::new("InvalidNextToken", format!("The token '{token}' is invalid"))
    })
}

impl Query<'_> {
    /// `subnet` is asked for by `subnetIds`.
    fn ids_name(&self) -> String {
        let mut words = self.kind.split('-');
        let first = words.next().unwrap_or_default().to_owned();
        let rest = words.map(|word| word[..1].to_uppercase() + &word[1..]);
        rest.fold(first, |name, word| name + &word) + "Ids"
    }
}

/// `tagSet`.
pub(super) fn tag_set(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// One value.
pub(super) fn one<T: ToString + ?Sized>(value: &T) -> Vec<String> {
    vec![value.to_string()]
}

/// The input of a Describe call: its IDs are a member of their own name, as may be something else.
macro_rules! describe_input {
    ($name:ident, $ids:literal $(, $more:ident: $of:literal)?) => {
        #[derive(Debug, serde::Deserialize)]
        pub struct $name {
            #[serde(rename = $ids, default)]
            ids: Vec<String>,
            $(#[serde(rename = $of, default)]
            $more: Vec<String>,)?
            #[serde(rename = "Filter", default)]
            filters: Vec<$crate::api::ec2::select::Filter>,
            #[serde(rename = "MaxResults")]
            max_results: Option<i64>,
            #[serde(rename = "NextToken")]
            next_token: Option<String>,
        }

        impl $name {
            pub(super) fn query(&self, kind: &'static str) -> $crate::api::ec2::select::Query<'_> {
                $crate::api::ec2::select::Query {
                    kind,
                    ids: &self.ids,
                    filters: &self.filters,
                    max_results: self.max_results,
                    next_token: self.next_token.as_deref(),
                }
            }
        }
    };
}

pub(super) use describe_input;

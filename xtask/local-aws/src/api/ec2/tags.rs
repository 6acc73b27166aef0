//! Tags of EC2's resources.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{invalid_value, not_found};
use super::select::{Filter, Query, Resource, one, select};
use crate::cloud::Cloud;
use crate::error::ApiError;
use crate::state::ec2::Tags;

/// Documented (Amazon EC2 user guide, "Tag restrictions").
const MAX_TAGS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    /// Absent means any value, where tags are deleted.
    value: Option<String>,
}

/// Tags of what a call creates.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagSpecification {
    resource_type: Option<String>,
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}

/// The tags of a call that creates one resource of this type.
pub(super) fn tags_for(kind: &str, specifications: &[TagSpecification]) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for specification in specifications {
        if specification.resource_type.as_deref() != Some(kind) {
            let given = specification.resource_type.as_deref().unwrap_or_default();
            // Observed: the words, for other calls.
            return Err(invalid_value(format!(
                "'{given}' is not a valid taggable resource type for this operation."
            )));
        }
        add(&mut tags, &specification.tags)?;
    }
    Ok(tags)
}

fn add(tags: &mut Tags, new: &[Tag]) -> Result<(), ApiError> {
    for tag in new {
        if tag.key.starts_with("aws:") {
            return Err(invalid_value("Tag keys starting with 'aws:' are reserved for internal use"));
        }
        if tag.key.is_empty() || tag.key.chars().count() > 128 {
            return Err(invalid_value("Tag keys have 1 to 128 characters")); // assumed
        }
        tags.insert(tag.key.clone(), tag.value.clone().unwrap_or_default());
    }
    if tags.len() > MAX_TAGS {
        let message = "The maximum number of Tags for a resource has been reached.";
        return Err(ApiError::new("TagLimitExceeded", message));
    }
    Ok(())
}

/// `CreateTags` and `DeleteTags`.
#[derive(Debug, Deserialize)]
pub struct ChangeTags {
    #[serde(rename = "ResourceId", default)]
    resources: Vec<String>,
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}

pub(super) fn create(cloud: &Cloud, input: &ChangeTags) -> Result<Value, ApiError> {
    change(cloud, input, |tags| add(tags, &input.tags))
}

/// Without tags: all of them (documented: DeleteTags).
pub(super) fn delete(cloud: &Cloud, input: &ChangeTags) -> Result<Value, ApiError> {
    let goes = |key: &String, value: &String| {
        let named = |tag: &Tag| tag.key == *key && tag.value.as_ref().is_none_or(|v| v == value);
        input.tags.is_empty() || input.tags.iter().any(named)
    };
    change(cloud, input, |tags| {
        tags.retain(|key, value| !goes(key, value));
        Ok(())
    })
}

fn change(
    cloud: &Cloud,
    input: &ChangeTags,
    change: impl Fn(&mut Tags) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    cloud.ec2().change(|ec2| {
        for id in &input.resources {
            change(ec2.tags_mut(id).ok_or_else(|| not_found(kind(id), id))?)?;
        }
        Ok(json!({"return": true}))
    })
}

fn kind(id: &str) -> &'static str {
    match id.split_once('-').map_or(id, |(prefix, _)| prefix) {
        "vpc" => "vpc",
        "subnet" => "subnet",
        "sg" => "security-group",
        "sgr" => "security-group-rule",
        "rtb" => "route-table",
        "igw" => "internet-gateway",
        "eni" => "network-interface",
        _ => "",
    }
}

#[derive(Debug, Deserialize)]
pub struct DescribeTags {
    #[serde(rename = "Filter", default)]
    filters: Vec<Filter>,
    #[serde(rename = "MaxResults")]
    max_results: Option<i64>,
    #[serde(rename = "NextToken")]
    next_token: Option<String>,
}

/// A tag, which is described like a resource. Its ID, for the pages, is resource and key.
struct Tagged {
    id: String,
    resource: String,
    kind: &'static str,
    key: String,
    value: String,
}

impl Resource for Tagged {
    const FILTERS: &'static [&'static str] = &["key", "resource-id", "resource-type", "value"];

    fn id(&self) -> &str {
        &self.id
    }

    fn values(&self, filter: &str) -> Vec<String> {
        match filter.strip_prefix("tag:") {
            Some(key) if key == self.key => one(&self.value),
            Some(_) => Vec::new(),
            None => match filter {
                "key" | "tag-key" => one(&self.key),
                "resource-id" => one(&self.resource),
                "resource-type" => one(self.kind),
                "value" => one(&self.value),
                _ => Vec::new(),
            },
        }
    }
}

pub(super) fn describe(cloud: &Cloud, input: &DescribeTags) -> Result<Value, ApiError> {
    let tags = cloud.ec2().read(|ec2| {
        let all = ec2.tagged().into_iter();
        all.flat_map(|(id, kind, tags)| {
            tags.iter().map(move |(key, value)| Tagged {
                id: format!("{id} {key}"),
                resource: id.to_owned(),
                kind,
                key: key.clone(),
                value: value.clone(),
            })
        })
        .collect()
    });
    let query = Query {
        kind: "tag",
        ids: &[],
        filters: &input.filters,
        max_results: input.max_results,
        next_token: input.next_token.as_deref(),
    };
    select(
        tags,
        &query,
        "tagSet",
        |tag: &Tagged| json!({"resourceId": tag.resource, "resourceType": tag.kind, "key": tag.key, "value": tag.value}),
    )
}

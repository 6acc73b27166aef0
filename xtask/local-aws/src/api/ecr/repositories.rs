//! Repositories and the token to log in with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::{
    change, find, invalid, invalid_token, limit, repository_exists, repository_not_empty,
    repository_not_found,
};
use super::tags::{Tag, to_map};
use crate::api::paging::page;
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::state::ecr::{AlreadyExists, Mutability, Repository, is_repository_name};

const NAME_PATTERN: &str = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";
const MUTABILITIES: [&str; 4] =
    ["MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"];
const ENCRYPTIONS: [&str; 3] = ["AES256", "KMS", "KMS_DSSE"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateRepository {
    registry_id: Option<String>,
    repository_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
    image_tag_mutability: Option<String>,
    #[serde(default)]
    image_tag_mutability_exclusion_filters: Vec<ExclusionFilter>,
    image_scanning_configuration: Option<ScanningConfiguration>,
    encryption_configuration: Option<EncryptionConfiguration>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExclusionFilter {
    filter_type: String,
    filter: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScanningConfiguration {
    #[serde(default)]
    scan_on_push: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EncryptionConfiguration {
    encryption_type: String,
    kms_key: Option<String>,
}

pub(super) fn create(cloud: &Cloud, input: CreateRepository) -> Result<Value, ApiError> {
    check_name(&input.repository_name)?;
    if let Some(registry) = input.registry_id.filter(|id| id != ACCOUNT) {
        return Err(invalid("registryId", &format!("'{registry}' is not the caller's registry")));
    }
    let encryption = input.encryption_configuration;
    let encryption_type = encryption.as_ref().map_or("AES256", |e| &e.encryption_type);
    one_of("encryptionType", encryption_type, &ENCRYPTIONS)?;
    let repository = Repository {
        created_at: cloud.now(),
        mutability: mutability(input.image_tag_mutability, input.image_tag_mutability_exclusion_filters)?,
        scan_on_push: input.image_scanning_configuration.is_some_and(|c| c.scan_on_push),
        encryption_type: encryption_type.to_owned(),
        kms_key: encryption.and_then(|e| e.kms_key),
        tags: to_map(&BTreeMap::new(), input.tags)?,
        policy: None,
        lifecycle_policy: None,
        name: input.repository_name,
    };
    cloud.ecr().change(|ecr| {
        let created = ecr.create(repository.clone());
        created.map_err(|AlreadyExists| repository_exists(&repository.name))
    })?;
    Ok(json!({"repository": render(cloud, &repository)}))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let constraint = match name.len() {
        0 | 1 => "must have length greater than or equal to 2".to_owned(),
        257.. => "must have length less than or equal to 256".to_owned(),
        _ if is_repository_name(name) => return Ok(()),
        _ => format!("must satisfy regular expression '{NAME_PATTERN}'"),
    };
    Err(invalid("repositoryName", &constraint))
}

fn mutability(setting: Option<String>, filters: Vec<ExclusionFilter>) -> Result<Mutability, ApiError> {
    let setting = setting.unwrap_or_else(|| "MUTABLE".to_owned());
    one_of("imageTagMutability", &setting, &MUTABILITIES)?;
    if setting.ends_with("_WITH_EXCLUSION") == filters.is_empty() {
        let constraint = "must be given with, and only with, a setting WITH_EXCLUSION";
        return Err(invalid("imageTagMutabilityExclusionFilters", constraint));
    }
    for filter in &filters {
        one_of("filterType", &filter.filter_type, &["WILDCARD"])?;
    }
    Ok(Mutability { setting, exclusions: filters.into_iter().map(|filter| filter.filter).collect() })
}

/// Observed (getmoto/moto, `moto/ecr/models.py`).
fn one_of(parameter: &str, value: &str, values: &[&str]) -> Result<(), ApiError> {
    if values.contains(&value) {
        return Ok(());
    }
    Err(invalid(parameter, &format!("Member must satisfy enum value set: [{}]", values.join(", "))))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeRepositories {
    registry_id: Option<String>,
    repository_names: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

pub(super) fn describe(cloud: &Cloud, input: &DescribeRepositories) -> Result<Value, ApiError> {
    let registry = input.registry_id.as_deref();
    if let Some(names) = &input.repository_names {
        let found: Result<Vec<_>, _> = names.iter().map(|name| find(cloud, registry, name)).collect();
        let rendered: Vec<Value> = found?.iter().map(|repository| render(cloud, repository)).collect();
        return Ok(json!({"repositories": rendered}));
    }
    let all = cloud.ecr().read(|ecr| ecr.repositories().cloned().collect());
    let limit = limit(input.max_results)?;
    let (part, next) = page(all, |r: &Repository| r.name.clone(), limit, input.next_token.as_deref())
        .map_err(invalid_token)?;
    let rendered: Vec<Value> = part.iter().map(|repository| render(cloud, repository)).collect();
    Ok(with_token(json!({"repositories": rendered}), next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteRepository {
    registry_id: Option<String>,
    repository_name: String,
    #[serde(default)]
    force: bool,
}

pub(super) fn delete(cloud: &Cloud, input: &DeleteRepository) -> Result<Value, ApiError> {
    let name = &input.repository_name;
    find(cloud, input.registry_id.as_deref(), name)?;
    let store = cloud.registry().store();
    if !input.force && !store.look(name, |images| images.images.is_empty()) {
        return Err(repository_not_empty(name));
    }
    let deleted =
        cloud.ecr().change(|ecr| ecr.delete(name).ok_or_else(|| repository_not_found(name, ACCOUNT)))?;
    store.delete_repository(name)?;
    Ok(json!({"repository": render(cloud, &deleted)}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutImageTagMutability {
    registry_id: Option<String>,
    repository_name: String,
    image_tag_mutability: String,
    #[serde(default)]
    image_tag_mutability_exclusion_filters: Vec<ExclusionFilter>,
}

pub(super) fn put_mutability(cloud: &Cloud, input: PutImageTagMutability) -> Result<Value, ApiError> {
    let to = mutability(Some(input.image_tag_mutability), input.image_tag_mutability_exclusion_filters)?;
    let mut answer = json!({"registryId": ACCOUNT, "repositoryName": input.repository_name});
    render_mutability(&mut answer, &to);
    change(cloud, (input.registry_id.as_deref(), &input.repository_name), |repository| {
        repository.mutability = to;
        Ok(())
    })?;
    Ok(answer)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutImageScanningConfiguration {
    registry_id: Option<String>,
    repository_name: String,
    image_scanning_configuration: ScanningConfiguration,
}

pub(super) fn put_scanning(cloud: &Cloud, input: &PutImageScanningConfiguration) -> Result<Value, ApiError> {
    let scan_on_push = input.image_scanning_configuration.scan_on_push;
    change(cloud, (input.registry_id.as_deref(), &input.repository_name), |repository| {
        repository.scan_on_push = scan_on_push;
        Ok(())
    })?;
    Ok(json!({
        "registryId": ACCOUNT,
        "repositoryName": input.repository_name,
        "imageScanningConfiguration": {"scanOnPush": scan_on_push},
    }))
}

/// Its `registryIds` are deprecated: there is one token for all.
#[derive(Debug, Deserialize)]
pub struct GetAuthorizationToken {}

pub(super) fn authorization_token(cloud: &Cloud) -> Result<Value, ApiError> {
    let token = cloud.registry().issue_token()?;
    Ok(json!({"authorizationData": [{
        "authorizationToken": token.encoded,
        "expiresAt": token.expires_at,
        "proxyEndpoint": format!("http://{}", cloud.endpoint()),
    }]}))
}

/// Takes nothing: there is one registry an account.
#[derive(Debug, Deserialize)]
pub struct DescribeRegistry {}

/// Source: Amazon ECR API Reference, DescribeRegistry.
pub(super) fn describe_registry() -> Value {
    json!({"registryId": ACCOUNT, "replicationConfiguration": {"rules": []}})
}

fn render(cloud: &Cloud, repository: &Repository) -> Value {
    let name = &repository.name;
    let mut rendered = json!({
        "repositoryArn": cloud.arn("ecr", &format!("repository/{name}")),
        "registryId": ACCOUNT,
        "repositoryName": name,
        "repositoryUri": format!("{}/{name}", cloud.endpoint()),
        "createdAt": repository.created_at,
        "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
        "encryptionConfiguration": {"encryptionType": repository.encryption_type},
    });
    render_mutability(&mut rendered, &repository.mutability);
    if let Some(key) = &repository.kms_key {
        rendered["encryptionConfiguration"]["kmsKey"] = key.as_str().into();
    }
    rendered
}

fn render_mutability(into: &mut Value, mutability: &Mutability) {
    into["imageTagMutability"] = mutability.setting.as_str().into();
    if !mutability.exclusions.is_empty() {
        let filters =
            mutability.exclusions.iter().map(|filter| json!({"filterType": "WILDCARD", "filter": filter}));
        into["imageTagMutabilityExclusionFilters"] = filters.collect();
    }
}

/// Adds `nextToken` where there is one.
pub(super) fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let Some(token) = next {
        answer["nextToken"] = token.into();
    }
    answer
}

//! Calls as a client makes them, against a state directory of their own.

use serde_json::{Value, json};

use super::EcrRequest;
use crate::api::Request;
use crate::cloud::{Cloud, Options};
use crate::error::ApiError;
use crate::registry::images::Reference;

struct Account {
    cloud: Cloud,
    _dir: tempfile::TempDir,
}

impl Account {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options =
            Options { state_dir: dir.path().to_owned(), region: "eu-west-1".into(), instance: "test".into() };
        let cloud = Cloud::open(options, std::sync::Arc::new(|| 1000.5)).expect("an empty state directory");
        cloud.set_endpoint(([127, 0, 0, 1], 5555).into());
        Self { cloud, _dir: dir }
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        let request = EcrRequest::parse(operation, input).expect("the input is of the operation's shape");
        Request::Ecr(request).handle(&self.cloud).await
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.expect("the call succeeds")
    }

    async fn refused(&self, operation: &str, input: Value) -> String {
        self.call(operation, input).await.expect_err("the call is refused").to_string()
    }

    /// Pushes an image with one empty layer.
    fn push(&self, repository: &str, tag: &str) -> String {
        let registry = self.cloud.registry();
        let digest = crate::registry::digest::Digest::of(b"");
        let (_, file) = registry.store().temporary().expect("a temporary file");
        registry.store().commit_blob(repository, digest, 0, file).expect("the blob is stored");
        let manifest = self.manifest(tag);
        let parsed =
            crate::registry::manifest::Manifest::parse(manifest.as_bytes(), None).expect("a manifest");
        let reference = Reference::Tag(tag.to_owned());
        registry
            .put_manifest(repository, &reference, parsed, manifest.as_bytes())
            .expect("stored")
            .to_string()
    }

    fn manifest(&self, name: &str) -> String {
        let digest = crate::registry::digest::Digest::of(b"");
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 0},
            "layers": [],
            "annotations": {"name": name},
        })
        .to_string()
    }
}

fn named(name: &str) -> Value {
    json!({"repositoryName": name})
}

#[tokio::test]
async fn a_repository_is_described_as_it_was_created() {
    let account = Account::new();
    let created = account
        .ok(
            "CreateRepository",
            json!({
                "repositoryName": "team/app",
                "imageTagMutability": "IMMUTABLE",
                "imageScanningConfiguration": {"scanOnPush": true},
                "tags": [{"Key": "a", "Value": "b"}],
            }),
        )
        .await;
    insta::assert_snapshot!(
        created,
        @r#"{"repository":{"createdAt":1000.5,"encryptionConfiguration":{"encryptionType":"AES256"},"imageScanningConfiguration":{"scanOnPush":true},"imageTagMutability":"IMMUTABLE","registryId":"123456789012","repositoryArn":"arn:aws:ecr:eu-west-1:123456789012:repository/team/app","repositoryName":"team/app","repositoryUri":"127.0.0.1:5555/team/app"}}"#
    );
    let described = account.ok("DescribeRepositories", json!({"repositoryNames": ["team/app"]})).await;
    assert_eq!(described["repositories"][0], created["repository"]);
    let tags = account
        .ok("ListTagsForResource", json!({"resourceArn": created["repository"]["repositoryArn"]}))
        .await;
    assert_eq!(tags, json!({"tags": [{"Key": "a", "Value": "b"}]}));
}

#[tokio::test]
async fn what_is_refused_is_refused_in_ecrs_words() {
    let account = Account::new();
    account.ok("CreateRepository", named("app")).await;
    insta::assert_snapshot!(
        account.refused("CreateRepository", named("app")).await,
        @"RepositoryAlreadyExistsException: The repository with name 'app' already exists in the registry with id '123456789012'"
    );
    insta::assert_snapshot!(
        account.refused("CreateRepository", named("App")).await,
        @"InvalidParameterException: Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''"
    );
    insta::assert_snapshot!(
        account.refused("CreateRepository", named("a")).await,
        @"InvalidParameterException: Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must have length greater than or equal to 2'"
    );
    insta::assert_snapshot!(
        account.refused("DescribeImages", named("nope")).await,
        @"RepositoryNotFoundException: The repository with name 'nope' does not exist in the registry with id '123456789012'"
    );
    insta::assert_snapshot!(
        account.refused("DescribeImages", json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]})).await,
        @"ImageNotFoundException: The image with imageId {imageDigest:'null', imageTag:'v1'} does not exist within the repository with name 'app' in the registry with id '123456789012'"
    );
    account.push("app", "v1");
    insta::assert_snapshot!(
        account.refused("DeleteRepository", named("app")).await,
        @"RepositoryNotEmptyException: The repository with name 'app' in registry with id '123456789012' cannot be deleted because it still contains images"
    );
    account.ok("DeleteRepository", json!({"repositoryName": "app", "force": true})).await;
    insta::assert_snapshot!(
        account.refused("GetLifecyclePolicy", named("app")).await,
        @"RepositoryNotFoundException: The repository with name 'app' does not exist in the registry with id '123456789012'"
    );
}

#[tokio::test]
async fn images_are_listed_tagged_anew_and_removed() {
    let account = Account::new();
    account.ok("CreateRepository", named("app")).await;
    let digest = account.push("app", "v1");
    let detail = account.ok("DescribeImages", named("app")).await["imageDetails"][0].clone();
    assert_eq!(detail["imageDigest"], digest.as_str());
    assert_eq!(detail["imageTags"], json!(["v1"]));
    let put = json!({"repositoryName": "app", "imageManifest": account.manifest("v1"), "imageTag": "stable"});
    account.ok("PutImage", put.clone()).await;
    let again = account.refused("PutImage", put).await;
    assert!(again.starts_with("ImageAlreadyExistsException: Image with digest 'sha256:"), "{again}");
    let ids = account.ok("ListImages", named("app")).await["imageIds"].clone();
    assert_eq!(ids.as_array().map(Vec::len), Some(2));
    let got = account
        .ok(
            "BatchGetImage",
            json!({"repositoryName": "app", "imageIds": [{"imageTag": "stable"}, {"imageTag": "no"}]}),
        )
        .await;
    assert_eq!(got["images"][0]["imageManifest"], account.manifest("v1"));
    assert_eq!(got["failures"][0]["failureCode"], "ImageNotFound");
    let deleted = account
        .ok("BatchDeleteImage", json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}, {}]}))
        .await;
    assert_eq!(deleted["imageIds"].as_array().map(Vec::len), Some(2));
    assert_eq!(deleted["failures"][0]["failureCode"], "MissingDigestAndTag");
    assert_eq!(account.ok("ListImages", named("app")).await, json!({"imageIds": []}));
}

#[tokio::test]
async fn an_immutable_tag_stays() {
    let account = Account::new();
    account.ok("CreateRepository", json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"})).await;
    account.push("app", "v1");
    let put = json!({"repositoryName": "app", "imageManifest": account.manifest("other"), "imageTag": "v1"});
    insta::assert_snapshot!(
        account.refused("PutImage", put.clone()).await,
        @"ImageTagAlreadyExistsException: The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the repository is immutable."
    );
    account
        .ok("PutImageTagMutability", json!({"repositoryName": "app", "imageTagMutability": "MUTABLE"}))
        .await;
    account.ok("PutImage", put).await;
}

#[tokio::test]
async fn repositories_come_in_pages() {
    let account = Account::new();
    for name in ["cc", "aa", "bb"] {
        account.ok("CreateRepository", named(name)).await;
    }
    let first = account.ok("DescribeRepositories", json!({"maxResults": 2})).await;
    assert_eq!(first["repositories"][1]["repositoryName"], "bb");
    let second =
        account.ok("DescribeRepositories", json!({"maxResults": 2, "nextToken": first["nextToken"]})).await;
    assert_eq!(second["repositories"][0]["repositoryName"], "cc");
    assert!(second.get("nextToken").is_none());
}

#[tokio::test]
async fn policies_are_kept() {
    let account = Account::new();
    account.ok("CreateRepository", named("app")).await;
    insta::assert_snapshot!(
        account.refused("GetRepositoryPolicy", named("app")).await,
        @"RepositoryPolicyNotFoundException: Repository policy does not exist for the repository with name 'app' in the registry with id '123456789012'"
    );
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*"}]}"#;
    account.ok("SetRepositoryPolicy", json!({"repositoryName": "app", "policyText": policy})).await;
    assert_eq!(account.ok("GetRepositoryPolicy", named("app")).await["policyText"], policy);
    let with_resource = policy.replace("\"Action\"", "\"Resource\":\"*\",\"Action\"");
    insta::assert_snapshot!(
        account.refused("SetRepositoryPolicy", json!({"repositoryName": "app", "policyText": with_resource})).await,
        @"InvalidParameterException: Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"
    );
    let rules = r#"{"rules":[{"rulePriority":1}]}"#;
    account.ok("PutLifecyclePolicy", json!({"repositoryName": "app", "lifecyclePolicyText": rules})).await;
    assert_eq!(account.ok("DeleteLifecyclePolicy", named("app")).await["lifecyclePolicyText"], rules);
}

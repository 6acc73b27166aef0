//! Secrets and parameters: there, by name. No value is ever read.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Subject, unseen, within};
use crate::aws::call::{PARAMETERS, SECRETS};
use crate::aws::{Aws, fault, partition};
use crate::finding::Finding;

/// What a `valueFrom` means.
/// Source: Amazon ECS API Reference, Secret: the ARN of a secret (with JSON key, stage and version behind it), the ARN
/// of a parameter, or the name of one in the same region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reference {
    /// Of Secrets Manager; the ARN without what is behind it.
    Secret { arn: String, region: String },
    /// Of the Parameter Store.
    Parameter { arn: String, region: String, account: String, name: String },
}

impl Reference {
    pub(super) fn of(value_from: &str, region: &str, account: &str) -> Self {
        let parts: Vec<&str> = value_from.split(':').collect();
        match parts[..] {
            ["arn", _, "secretsmanager", region, ..] => {
                let arn = parts.get(..7).unwrap_or(&parts).join(":");
                Self::Secret { arn, region: region.to_owned() }
            }
            ["arn", _, "ssm", region, account, resource, ..] => {
                let path = resource.strip_prefix("parameter/").unwrap_or(resource);
                // A name with a slash in it begins with one, which the ARN leaves out.
                // Source: AWS Systems Manager User Guide, "Creating Parameter Store parameters".
                let name = if path.contains('/') && !path.starts_with('/') {
                    format!("/{path}")
                } else {
                    path.to_owned()
                };
                let arn = parts.get(..6).unwrap_or(&parts).join(":");
                Self::Parameter { arn, region: region.to_owned(), account: account.to_owned(), name }
            }
            _ => {
                let name = parts.first().copied().unwrap_or_default();
                let path = name.trim_start_matches('/');
                let arn = format!("arn:{}:ssm:{region}:{account}:parameter/{path}", partition(region));
                Self::Parameter {
                    arn,
                    region: region.to_owned(),
                    account: account.to_owned(),
                    name: name.to_owned(),
                }
            }
        }
    }
}

/// How many names DescribeParameters takes in a filter.
/// Source: AWS Systems Manager API Reference, ParameterStringFilter.
const NAMES_A_CALL: usize = 50;

/// Each once, however many containers have it.
pub(super) async fn check(aws: &Aws, account: &str, subjects: &[Subject<'_>]) -> Vec<Finding> {
    let used = subjects.iter().flat_map(|subject| &subject.refers.secrets);
    let all: BTreeSet<Reference> = used.map(|secret| Reference::of(secret, &aws.region, account)).collect();
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut secrets, mut shared) = (Vec::new(), Vec::new());
    for reference in all {
        match reference {
            Reference::Secret { arn, region } => secrets.push((arn, region)),
            Reference::Parameter { account: of, arn, .. } if of != account => shared.push(arn),
            Reference::Parameter { region, name, .. } => parameters.entry(region).or_default().push(name),
        }
    }
    let secrets = secrets.iter().map(|(arn, region)| async move {
        within(&format!("secret {}", short(arn)), async { vec![secret(aws, arn, region).await] }).await
    });
    let batches = parameters
        .iter()
        .flat_map(|(region, names)| names.chunks(NAMES_A_CALL).map(move |names| (region, names)));
    let parameters = batches
        .map(|(region, names)| async move { within("parameters", described(aws, region, names)).await });
    let (secrets, parameters) = tokio::join!(join_all(secrets), join_all(parameters));
    let shared = shared.into_iter().map(|arn| {
        Finding::unknown(format!("parameter {arn}"), "is of another account, where it is not looked at")
    });
    secrets.into_iter().chain(parameters).flatten().chain(shared).collect()
}

/// The name, without the six characters that Secrets Manager adds.
fn short(arn: &str) -> &str {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    match name.rsplit_once('-') {
        Some((short, suffix)) if suffix.len() == 6 => short,
        _ => name,
    }
}

async fn secret(aws: &Aws, arn: &str, region: &str) -> Finding {
    let subject = format!("secret {}", short(arn));
    match aws.others.call(SECRETS, region, "DescribeSecret", json!({ "SecretId": arn })).await {
        Ok(answer) if !answer["DeletedDate"].is_null() => {
            Finding::refuted(subject, "is to be deleted, and cannot be read")
                .fix(format!("`aws secretsmanager restore-secret --secret-id {arn}`"))
        }
        Ok(_) => Finding::verified(subject, "is there"),
        Err(error) if fault::is(&error, "ResourceNotFoundException") => {
            Finding::refuted(subject, format!("there is no secret `{arn}`"))
                .fix(format!("`aws secretsmanager list-secrets --region {region}` lists those of the region"))
        }
        Err(error) => unseen(subject, "secretsmanager:DescribeSecret", error),
    }
}

/// Names of parameters of one region.
async fn described(aws: &Aws, region: &str, names: &[String]) -> Vec<Finding> {
    let input = json!({
        "ParameterFilters": [{ "Key": "Name", "Option": "Equals", "Values": names }],
        "MaxResults": NAMES_A_CALL,
    });
    match aws.others.call(PARAMETERS, region, "DescribeParameters", input).await {
        Ok(answer) => names.iter().map(|name| parameter(name, region, &answer)).collect(),
        Err(error) => {
            let said = unseen("parameters", "ssm:DescribeParameters", error);
            names
                .iter()
                .map(|name| Finding { subject: format!("parameter {name}"), ..said.clone() })
                .collect()
        }
    }
}

fn parameter(name: &str, region: &str, answer: &Value) -> Finding {
    let subject = format!("parameter {name}");
    let mut found = answer["Parameters"].as_array().into_iter().flatten();
    if found.any(|one| one["Name"] == name) {
        return Finding::verified(subject, "is there");
    }
    if answer["NextToken"].is_string() {
        return Finding::unknown(subject, "`ssm:DescribeParameters` did not tell all");
    }
    Finding::refuted(subject, format!("there is no parameter `{name}` in {region}"))
        .fix(format!("`aws ssm put-parameter --region {region} --type SecureString --name {name} --value …`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    #[test]
    fn a_value_from_is_a_secret_or_a_parameter() {
        let of = |text: &str| Reference::of(text, "eu-west-1", "1");
        let secret = of("arn:aws:secretsmanager:us-east-1:2:secret:db-AbCdEf:password::");
        let arn = "arn:aws:secretsmanager:us-east-1:2:secret:db-AbCdEf".to_owned();
        assert_eq!(secret, Reference::Secret { arn, region: "us-east-1".to_owned() });
        let name = |text: &str| match of(text) {
            Reference::Parameter { name, arn, .. } => format!("{name} {arn}"),
            Reference::Secret { .. } => panic!("a parameter"),
        };
        assert_eq!(name("/app/key"), "/app/key arn:aws:ssm:eu-west-1:1:parameter/app/key");
        assert_eq!(name("key"), "key arn:aws:ssm:eu-west-1:1:parameter/key");
        assert_eq!(
            name("arn:aws:ssm:us-east-1:2:parameter/app/key"),
            "/app/key arn:aws:ssm:us-east-1:2:parameter/app/key"
        );
        assert_eq!(
            name("arn:aws:ssm:us-east-1:2:parameter/key"),
            "key arn:aws:ssm:us-east-1:2:parameter/key"
        );
    }

    #[test]
    fn a_parameter_that_is_not_listed_is_not_there() {
        let answer = json!({ "Parameters": [{ "Name": "/a" }] });
        assert_eq!(parameter("/a", "r", &answer).state, State::Verified);
        assert_eq!(parameter("/b", "r", &answer).state, State::Refuted);
        assert_eq!(
            parameter("/b", "r", &json!({ "Parameters": [], "NextToken": "t" })).state,
            State::Unknown
        );
        assert_eq!(short("arn:aws:secretsmanager:r:1:secret:db-AbCdEf"), "db");
    }
}

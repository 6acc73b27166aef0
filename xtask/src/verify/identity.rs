//! Who this is, and in which account.

use serde_json::{Value, json};

use crate::aws::Aws;
use crate::aws::call::{self, STS};
use crate::config::Config;
use crate::finding::Finding;

/// Whose credentials are used.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// 12 digits; empty if it is not known.
    pub(super) account: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, `arn:aws:iam::ACCOUNT:user/USER`; or why it is not known.
    pub(super) arn: Result<String, String>,
}

/// Asks AWS. No permission is needed for that.
/// Source: AWS Security Token Service API Reference, GetCallerIdentity.
pub(super) async fn read(aws: &Aws) -> Identity {
    match aws.others.call(STS, &aws.region, "GetCallerIdentity", json!({})).await {
        Ok(answer) => {
            let member = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
            Identity { account: member("Account"), arn: Ok(member("Arn")) }
        }
        Err(error) => {
            let why = reason(error);
            // The registry's token tells the account, too.
            let account = crate::world::registry(aws).await.map(|(account, _)| account).unwrap_or_default();
            Identity { account, arn: Err(why) }
        }
    }
}

fn reason(error: call::Failure) -> String {
    let error = crate::aws::fault("sts:GetCallerIdentity", "these credentials", error);
    error.detail.map_or(error.message.clone(), |detail| format!("{}: {detail}", error.message))
}

impl Identity {
    /// Whether it is the account that the file is for.
    pub(super) fn finding(&self, config: &Config, region: &str) -> Finding {
        const SUBJECT: &str = "account";
        let who = match (&self.arn, self.account.as_str()) {
            (Err(why), "") => return Finding::unknown(SUBJECT, why.clone()),
            (Err(_), account) => account.to_owned(),
            (Ok(arn), account) => format!("{account}, as {arn}"),
        };
        match &config.account {
            Some(wanted) if *wanted != self.account => Finding::refuted(
                SUBJECT,
                format!("deploy.toml is for account {wanted}, the credentials are for {who}"),
            )
            .fix("choose the right `--profile`, or change `account`"),
            Some(_) => {
                Finding::verified(SUBJECT, format!("{who}, in {region}: the one that deploy.toml is for"))
            }
            None => Finding::verified(SUBJECT, format!("{who}, in {region}")),
        }
    }

    /// The principal whose policies decide, for a simulation; or why there is none.
    pub(super) fn principal(&self) -> Principal<'_> {
        match &self.arn {
            Err(why) => Principal::Unknown(why),
            Ok(arn) => principal(arn),
        }
    }
}

/// Whose policies decide.
/// Source: IAM User Guide, "IAM identifiers"; a role's path is not part of the ARN of its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Principal<'a> {
    /// The account's root user may do everything.
    Root,
    /// A user, by ARN.
    User(&'a str),
    /// A role, by name: the session's ARN does not tell its path.
    Role(&'a str),
    /// Neither; why.
    Unknown(&'a str),
}

fn principal(arn: &str) -> Principal<'_> {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    match resource.split('/').collect::<Vec<_>>()[..] {
        ["root"] => Principal::Root,
        ["user", ..] => Principal::User(arn),
        ["assumed-role", role, ..] => Principal::Role(role),
        _ => Principal::Unknown("the identity is neither a user nor a role"),
    }
}

/// The name and the account of a role's ARN.
pub(super) fn role_of(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (account, resource) = (parts.nth(4)?, parts.next()?);
    let path = resource.strip_prefix("role/")?;
    Some((path.rsplit('/').next()?, account))
}

/// A value that is one or a list of them, as policies have it.
pub(super) fn one_or_more(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;
    use std::path::Path;

    #[test]
    fn the_principal_is_read_from_the_arn() {
        assert_eq!(principal("arn:aws:iam::1:root"), Principal::Root);
        assert_eq!(principal("arn:aws:iam::1:user/p/me"), Principal::User("arn:aws:iam::1:user/p/me"));
        assert_eq!(principal("arn:aws:sts::1:assumed-role/deploy/i-1"), Principal::Role("deploy"));
        assert!(matches!(principal("arn:aws:sts::1:federated-user/me"), Principal::Unknown(_)));
        assert_eq!(role_of("arn:aws:iam::12:role/path/to/r"), Some(("r", "12")));
        assert_eq!(role_of("arn:aws:iam::12:user/r"), None);
    }

    #[test]
    fn another_account_is_refuted_and_an_unknown_one_is_unknown() {
        let text = "account = \"123456789012\"\ncluster = \"c\"\nimage.web = { bin = \"web\" }\n[service.a]\ncpu = 256\nmemory = 512\n\
                    execution-role = \"r\"\ncontainer.a = { image = \"web\" }\n";
        let config = crate::config::parse(text, Path::new("/nowhere")).expect("the file is valid");
        let state = |account: &str, arn: Result<&str, &str>| {
            let arn = arn.map(str::to_owned).map_err(str::to_owned);
            Identity { account: account.to_owned(), arn }.finding(&config, "eu-west-1").state
        };
        assert_eq!(state("123456789012", Ok("arn")), State::Verified);
        assert_eq!(state("999999999999", Ok("arn")), State::Refuted);
        assert_eq!(state("999999999999", Err("no STS")), State::Refuted);
        assert_eq!(state("", Err("no STS")), State::Unknown);
    }
}

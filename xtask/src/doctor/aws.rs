//! The way into AWS: region, credentials (never a secret of them), and the clock that signatures depend on.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_smithy_types::date_time::DateTime;

use super::words::span;
use crate::aws::call;
use crate::aws::fault::{chain, no_credentials};
use crate::config::Config;
use crate::finding::Finding;
use crate::target::{Target, no_region};

/// How far the clock may be off: signatures are good for five minutes.
/// Source: IAM User Guide, "Elements of an AWS API request signature" (requests must reach AWS within five minutes of
/// the time stamp in the request).
const SKEW: Duration = Duration::from_secs(4 * 60);
/// How long credentials have to last for a rollout to be followed to its end.
const SOON: Duration = Duration::from_secs(10 * 60);
/// How long each look may take: metadata services and login helpers may be silent for long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Asked for the time where no region is set.
const ANY_REGION: &str = "us-east-1";

pub(super) async fn look(target: &Target, file: Option<&Config>) -> Vec<Finding> {
    let config = target.configuration().await;
    let (credentials, clock) = tokio::join!(credentials(&config), clock(&config));
    vec![region(&config, target, file), credentials, clock]
}

fn region(config: &SdkConfig, target: &Target, file: Option<&Config>) -> Finding {
    let Some(region) = config.region() else {
        return Finding::of_error("region", &no_region());
    };
    let of_file = file.and_then(|file| file.region.as_deref());
    let from = match (&target.region, of_file) {
        (Some(region), Some(of_file)) if region == of_file => "of deploy.toml".to_owned(),
        (Some(_), Some(of_file)) => format!("of `--region`, and not deploy.toml's {of_file}"),
        (Some(_), None) => "of `--region`".to_owned(),
        (None, _) => "of the AWS configuration".to_owned(),
    };
    Finding::ok("region", format!("{region}, {from}"))
}

async fn credentials(config: &SdkConfig) -> Finding {
    const SUBJECT: &str = "credentials";
    let Some(provider) = config.credentials_provider() else {
        return Finding::of_error(SUBJECT, &no_credentials("no credentials provider"));
    };
    match tokio::time::timeout(PATIENCE, provider.provide_credentials()).await {
        Ok(Ok(credentials)) => judge(SUBJECT, &credentials, SystemTime::now()),
        Ok(Err(error)) => Finding::of_error(SUBJECT, &no_credentials(&chain(&error))),
        Err(_) => Finding::unknown(SUBJECT, format!("none were handed out within {}", span(PATIENCE))),
    }
}

fn judge(subject: &str, credentials: &Credentials, now: SystemTime) -> Finding {
    let sources = credentials.get_property::<Vec<AwsCredentialFeature>>().map_or(&[][..], Vec::as_slice);
    let kind = kind(credentials);
    let from = source(sources).map(|source| format!(" from {source}")).unwrap_or_default();
    let said = format!("{kind}{from}");
    let Some(until) = credentials.expiry() else {
        return Finding::ok(subject, said);
    };
    match until.duration_since(now) {
        Err(_) => Finding::problem(subject, format!("{said}, which have expired")).fix(LOG_IN),
        Ok(left) if left < SOON => Finding::ok(
            subject,
            format!("{said}, which expire in {}: a longer run needs them renewed", span(left)),
        ),
        Ok(left) => Finding::ok(subject, format!("{said}, which expire in {}", span(left))),
    }
}

const LOG_IN: &str = "log in again (`aws sso login`)";

/// Source: IAM User Guide, "IAM identifiers", unique ID prefixes: AKIA is a key of a user, ASIA a temporary one.
fn kind(credentials: &Credentials) -> &'static str {
    match (credentials.session_token(), credentials.access_key_id().get(..4)) {
        (Some(_), _) | (_, Some("ASIA")) => "temporary ones",
        (_, Some("AKIA")) => "a long-lived access key",
        _ => "an access key",
    }
}

/// Where they come from, the last link of a chain of them.
fn source(sources: &[AwsCredentialFeature]) -> Option<&'static str> {
    use AwsCredentialFeature as F;
    let words = |feature: &F| match feature {
        F::CredentialsEnvVars => Some("AWS_ACCESS_KEY_ID"),
        F::CredentialsEnvVarsStsWebIdToken
        | F::CredentialsProfileStsWebIdToken
        | F::CredentialsStsAssumeRoleWebId => Some("a role, by OpenID Connect"),
        F::CredentialsStsAssumeRole | F::CredentialsStsAssumeRoleSaml => Some("a role that was assumed"),
        F::CredentialsProfileSso | F::CredentialsSso => Some("IAM Identity Center (`aws sso login`)"),
        F::CredentialsProfileProcess | F::CredentialsProcess => Some("a `credential_process`"),
        F::CredentialsProfile => Some("a profile"),
        F::CredentialsHttp => Some("the container's metadata service"),
        F::CredentialsImds => Some("the instance's role"),
        _ => None,
    };
    // The most specific says most: an assumed role has its source's features, too.
    sources.iter().rev().find_map(words)
}

async fn clock(config: &SdkConfig) -> Finding {
    let region = config.region().map_or(ANY_REGION, |region| region.as_ref());
    let before = SystemTime::now();
    let asked = std::time::Instant::now();
    match tokio::time::timeout(PATIENCE, call::date(config, region)).await {
        Ok(Ok(date)) => judge_clock(before + asked.elapsed() / 2, date),
        Ok(Err(error)) => Finding::unknown("clock", format!("AWS does not answer: {error}"))
            .fix("check the network, a proxy (HTTPS_PROXY), the region's name"),
        Err(_) => Finding::unknown("clock", format!("AWS does not answer within {}", span(PATIENCE)))
            .fix("check the network, a proxy (HTTPS_PROXY), the region's name"),
    }
}

/// The header has whole seconds.
fn judge_clock(here: SystemTime, there: DateTime) -> Finding {
    let Ok(there) = SystemTime::try_from(there) else {
        return Finding::unknown("clock", "AWS tells a time that is none");
    };
    let (off, way) = match here.duration_since(there) {
        Ok(ahead) => (ahead, "ahead"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if off < Duration::from_secs(2) {
        return Finding::ok("clock", "as AWS's");
    }
    let said = format!("{} {way} of AWS's", span(off)).replace("behind of", "behind");
    if off < SKEW {
        return Finding::ok("clock", said);
    }
    Finding::problem("clock", format!("{said}: signatures are not accepted"))
        .fix("set it: `sudo timedatectl set-ntp true`, or `sudo chronyc makestep`; a virtual machine's falls behind in sleep")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;
    use std::time::UNIX_EPOCH;

    fn credentials(key: &str, token: Option<&str>, left: Option<i64>) -> Credentials {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let until = left.map(|left| match u64::try_from(left) {
            Ok(left) => now + Duration::from_secs(left),
            Err(_) => now - Duration::from_secs(left.unsigned_abs()),
        });
        Credentials::new(key, "very-secret", token.map(str::to_owned), until, "test")
    }

    fn judged(key: &str, token: Option<&str>, left: Option<i64>) -> Finding {
        let mut credentials = credentials(key, token, left);
        credentials.get_property_mut_or_default::<Vec<AwsCredentialFeature>>().extend([
            AwsCredentialFeature::CredentialsProfile,
            AwsCredentialFeature::CredentialsStsAssumeRole,
        ]);
        judge("credentials", &credentials, UNIX_EPOCH + Duration::from_secs(1_000_000))
    }

    #[test]
    fn credentials_are_told_by_kind_and_expiry_and_no_secret_is() {
        let all = [
            judged("AKIAXXXXXXXX", None, None),
            judged("ASIAXXXXXXXX", Some("token"), Some(7 * 3600)),
            judged("ASIAXXXXXXXX", Some("token"), Some(60)),
            judged("ASIAXXXXXXXX", Some("token"), Some(-5)),
        ];
        let text: Vec<String> = all.iter().map(|one| format!("{:?}: {}", one.state, one.message)).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        Ok: a long-lived access key from a role that was assumed
        Ok: temporary ones from a role that was assumed, which expire in 7 h
        Ok: temporary ones from a role that was assumed, which expire in 60 s: a longer run needs them renewed
        Problem: temporary ones from a role that was assumed, which have expired
        ");
        assert!(!text.join("").contains("secret") && !text.join("").contains("XXXX"));
    }

    #[test]
    fn a_clock_is_judged_by_what_signatures_allow() {
        let there = DateTime::from_secs(1_000_000);
        let at = |seconds| judge_clock(UNIX_EPOCH + Duration::from_secs(seconds), there);
        assert_eq!(at(1_000_001), Finding::ok("clock", "as AWS's"));
        assert_eq!(at(999_900), Finding::ok("clock", "100 s behind AWS's"));
        assert_eq!(at(1_003_600).state, State::Problem);
        assert_eq!(at(1_003_600).message, "60 min ahead of AWS's: signatures are not accepted");
    }
}

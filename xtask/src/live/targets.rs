//! Target groups, and how their targets are. Optional: who may not read them is told so, and no more.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types as elb;
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;

use crate::aws::{Aws, fault};
use crate::error::Result;

/// How long what is only of interest may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A target group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TargetGroup {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// How its targets are checked; `None` if that could not be read.
    pub check: Option<Check>,
    /// Its targets; none if they could not be read.
    pub targets: Vec<Target>,
}

/// A health check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// `HTTP`, `TCP` …
    pub protocol: String,
    /// A port, or `traffic-port`.
    pub port: String,
    /// Of HTTP.
    pub path: Option<String>,
    /// The codes that are expected.
    pub matcher: Option<String>,
    /// Seconds.
    pub timeout: Option<i32>,
}

/// A target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Target {
    /// Of a task: its private address.
    pub address: Option<String>,
    /// Port.
    pub port: Option<i32>,
    /// ID of the task, where it is known.
    pub task: Option<String>,
    /// `healthy`, `unhealthy`, `initial`, `draining`, `unused`, `unavailable`.
    pub state: String,
    /// Code.
    pub reason: Option<String>,
    /// AWS's words for it.
    pub description: Option<String>,
}

impl TargetGroup {
    /// The group of this ARN, of which nothing else is known.
    #[must_use]
    pub fn of(arn: &str) -> Self {
        let name = arn.split(":targetgroup/").nth(1).and_then(|rest| rest.split('/').next());
        Self { arn: arn.to_owned(), name: name.unwrap_or(arn).to_owned(), ..Self::default() }
    }
}

/// The target groups of these ARNs, in their order, and why what is missing of them is.
pub async fn target_groups(aws: &Aws, arns: &[String]) -> (Vec<TargetGroup>, Vec<String>) {
    let read = join_all(arns.iter().map(|arn| read(aws, arn))).await;
    let (groups, problems): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    (groups, problems.into_iter().flatten().collect())
}

async fn read(aws: &Aws, arn: &str) -> (TargetGroup, Vec<String>) {
    let mut group = TargetGroup::of(arn);
    let late = || "no answer in time".to_owned();
    let both = async { tokio::join!(targets(aws, arn), check(aws, arn)) };
    let mut problems = Vec::new();
    match tokio::time::timeout(PATIENCE, both).await {
        Ok((targets, check)) => {
            let said = |problem: crate::error::Error| problem.message;
            group.targets = targets.unwrap_or_else(|problem| {
                problems.push(said(problem));
                Vec::new()
            });
            group.check = check.unwrap_or_else(|problem| {
                problems.push(said(problem));
                None
            });
        }
        Err(_) => problems.push(late()),
    }
    let name = &group.name;
    let problems = problems.iter().map(|why| format!("target group `{name}` could not be read: {why}"));
    (group.clone(), problems.collect())
}

async fn targets(aws: &Aws, arn: &str) -> Result<Vec<Target>> {
    let answer = aws.elb.describe_target_health().target_group_arn(arn).send().await;
    let answer = answer.map_err(|error| fault("elasticloadbalancing:DescribeTargetHealth", arn, error))?;
    Ok(answer.target_health_descriptions().iter().map(target).collect())
}

fn target(described: &elb::TargetHealthDescription) -> Target {
    let target = described.target();
    let health = described.target_health();
    Target {
        address: target.and_then(|target| target.id()).map(str::to_owned),
        port: target.and_then(|target| target.port()),
        task: None,
        state: health
            .and_then(|health| health.state())
            .map(|state| state.as_str())
            .unwrap_or_default()
            .to_owned(),
        reason: health.and_then(|health| health.reason()).map(|reason| reason.as_str().to_owned()),
        description: health.and_then(|health| health.description()).map(str::to_owned),
    }
}

async fn check(aws: &Aws, arn: &str) -> Result<Option<Check>> {
    let answer = aws.elb.describe_target_groups().target_group_arns(arn).send().await;
    let answer = answer.map_err(|error| fault("elasticloadbalancing:DescribeTargetGroups", arn, error))?;
    Ok(answer.target_groups().first().map(|group| Check {
        protocol: group.health_check_protocol().map(|one| one.as_str()).unwrap_or_default().to_owned(),
        port: group.health_check_port().unwrap_or("traffic-port").to_owned(),
        path: group.health_check_path().map(str::to_owned),
        matcher: group.matcher().and_then(|matcher| matcher.http_code()).map(str::to_owned),
        timeout: group.health_check_timeout_seconds(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_its_name_in_its_arn() {
        let group = TargetGroup::of("arn:aws:elasticloadbalancing:r:1:targetgroup/web/0123");
        assert_eq!(group.name, "web");
        assert_eq!(TargetGroup::of("odd").name, "odd");
    }

    const DENIED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not you</Message>\
                          </Error><RequestId>1</RequestId></ErrorResponse>";

    #[tokio::test]
    async fn who_may_not_read_them_still_knows_which_they_are() -> std::io::Result<()> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let local = Some(format!("http://{}", listener.local_addr()?));
        let denied = axum::routing::post(async || (axum::http::StatusCode::FORBIDDEN, DENIED));
        let server =
            tokio::spawn(axum::serve(listener, axum::Router::new().route("/", denied)).into_future());
        let target = crate::target::Target { local, ..crate::target::Target::default() };
        let aws = target.connect().await.map_err(std::io::Error::other)?;
        let (groups, problems) = target_groups(&aws, &["arn:x:targetgroup/web/0".to_owned()]).await;
        server.abort();
        assert_eq!(groups, [TargetGroup::of("arn:x:targetgroup/web/0")]);
        insta::assert_snapshot!(problems.join("\n"), @r"
        target group `web` could not be read: `elasticloadbalancing:DescribeTargetHealth` failed for `arn:x:targetgroup/web/0`: AccessDenied: not you
        target group `web` could not be read: `elasticloadbalancing:DescribeTargetGroups` failed for `arn:x:targetgroup/web/0`: AccessDenied: not you
        ");
        Ok(())
    }
}

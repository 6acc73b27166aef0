//! Calls as forms hold them, against a state directory of their own.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::ElbRequest;
use crate::api::Request;
use crate::cloud::{Cloud, Options};
use crate::error::ApiError;
use crate::state::elb::check::Answer;
use crate::wire::form;

struct Account {
    cloud: Cloud,
    _dir: tempfile::TempDir,
}

impl Account {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options =
            Options { state_dir: dir.path().into(), region: "eu-west-1".into(), instance: "t".into() };
        let cloud = Cloud::open(options, std::sync::Arc::new(|| 1000.0)).expect("an empty state directory");
        Self { cloud, _dir: dir }
    }

    async fn call(&self, operation: &str, form: &str) -> Result<Value, ApiError> {
        let vpc = self.cloud.ec2().read(|ec2| ec2.vpc.id.clone());
        let form = form.replace("VPC", &vpc);
        let input = form::tree(&form::decode(form.as_bytes()));
        let request = ElbRequest::parse(operation, input).expect("the input is of the operation's shape");
        Request::Elb(request).handle(&self.cloud).await
    }

    async fn ok(&self, operation: &str, form: &str) -> Value {
        self.call(operation, form).await.expect("the call succeeds")
    }

    async fn refused(&self, operation: &str, form: &str) -> String {
        self.call(operation, form).await.expect_err("the call is refused").to_string()
    }

    async fn group(&self) -> String {
        let made = self.ok("CreateTargetGroup", CREATE).await;
        made["TargetGroups"][0]["TargetGroupArn"].as_str().expect("an ARN").to_owned()
    }

    async fn states(&self, arn: &str) -> Value {
        let found = self.ok("DescribeTargetHealth", &format!("TargetGroupArn={arn}")).await;
        let all = found["TargetHealthDescriptions"].as_array().expect("a list").iter();
        all.map(|one| {
            json!([one["Target"]["Id"], one["TargetHealth"]["State"], one["TargetHealth"]["Description"]])
        })
        .collect()
    }
}

const CREATE: &str = "Name=web&Protocol=HTTP&Port=3000&VpcId=VPC&TargetType=ip&HealthCheckPath=/health\
                      &HealthCheckIntervalSeconds=10&Matcher.HttpCode=200-299";

#[tokio::test]
async fn a_group_is_made_found_changed_and_deleted() {
    let account = Account::new();
    let arn = account.group().await;
    assert!(arn.starts_with("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/"), "{arn}");
    assert_eq!(account.group().await, arn, "the same again is the same");
    let other = CREATE.replace("3000", "3001");
    assert_snapshot!(
        account.refused("CreateTargetGroup", &other).await,
        @"DuplicateTargetGroupName: A target group with the same name 'web' exists, but with different settings"
    );
    let change = format!("TargetGroupArn={arn}&HealthCheckPath=/up&UnhealthyThresholdCount=3");
    let changed = account.ok("ModifyTargetGroup", &change).await;
    assert_eq!(changed["TargetGroups"][0]["HealthCheckPath"], "/up");
    let found = account.ok("DescribeTargetGroups", "Names.member.1=web").await;
    assert_eq!(found["TargetGroups"], changed["TargetGroups"]);
    let mut shown = found["TargetGroups"][0].clone();
    shown["TargetGroupArn"] = Value::Null;
    shown["VpcId"] = Value::Null;
    assert_snapshot!(shown.to_string(), @r#"{"HealthCheckEnabled":true,"HealthCheckIntervalSeconds":10,"HealthCheckPath":"/up","HealthCheckPort":"traffic-port","HealthCheckProtocol":"HTTP","HealthCheckTimeoutSeconds":5,"HealthyThresholdCount":5,"IpAddressType":"ipv4","LoadBalancerArns":[],"Matcher":{"HttpCode":"200-299"},"Port":3000,"Protocol":"HTTP","ProtocolVersion":"HTTP1","TargetGroupArn":null,"TargetGroupName":"web","TargetType":"ip","UnhealthyThresholdCount":3,"VpcId":null}"#);
    account.ok("DeleteTargetGroup", &format!("TargetGroupArn={arn}")).await;
    assert_snapshot!(
        account.refused("DescribeTargetGroups", "Names.member.1=web").await,
        @"TargetGroupNotFound: One or more target groups not found"
    );
    assert_eq!(account.ok("DescribeTargetGroups", "").await["TargetGroups"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let account = Account::new();
    let all = [
        account.refused("CreateTargetGroup", &CREATE.replace("Protocol=HTTP&", "")).await,
        account.refused("CreateTargetGroup", &CREATE.replace("Port=3000&", "")).await,
        account.refused("CreateTargetGroup", &CREATE.replace("VpcId=VPC", "VpcId=vpc-1")).await,
        account.refused("CreateTargetGroup", &CREATE.replace("web", "web-")).await,
        account.refused("CreateTargetGroup", &CREATE.replace("/health", "health")).await,
        account.refused("CreateTargetGroup", &CREATE.replace("Seconds=10", "Seconds=4")).await,
        account.refused("CreateTargetGroup", &CREATE.replace("200-299", "2xx")).await,
        account.refused("CreateTargetGroup", &CREATE.replace("=ip", "=lambda")).await,
        account.refused("DescribeTargetHealth", "TargetGroupArn=web").await,
    ];
    assert_snapshot!(all.join("\n"), @r"
    ValidationError: A protocol must be specified
    ValidationError: A port must be specified
    ValidationError: The VPC ID 'vpc-1' is not found
    ValidationError: Target group name 'web-' cannot begin or end with '-'
    ValidationError: Health check path must begin with '/' and be at most 1024 characters long
    ValidationError: Health check interval must be between 5 and 300
    ValidationError: Health check matcher HTTP code must be codes or ranges of them
    ValidationError: The target type lambda is not supported by the local control plane.
    ValidationError: 'web' is not a valid target group ARN
    ");
}

#[tokio::test]
async fn targets_are_checked_from_their_registration_on() {
    let account = Account::new();
    let arn = account.group().await;
    let targets = format!("TargetGroupArn={arn}&Targets.member.1.Id=10.0.0.4&Targets.member.2.Id=10.0.0.5");
    account.ok("RegisterTargets", &targets).await;
    let waiting = "Initial health checks in progress";
    assert_eq!(
        account.states(&arn).await,
        json!([["10.0.0.4", "initial", waiting], ["10.0.0.5", "initial", waiting]])
    );
    for round in 0..2 {
        let mut ecs = account.cloud.ecs();
        let due = ecs.due_checks(f64::from(round) * 10.0);
        assert_eq!((due.len(), due[0].port), (2, 3000));
        ecs.checked(&due[0], Answer::Status(204), f64::from(round));
        ecs.checked(&due[1], Answer::Timeout, f64::from(round));
        assert_eq!(ecs.due_checks(f64::from(round)), [], "none is due twice");
    }
    assert_eq!(
        account.states(&arn).await,
        json!([["10.0.0.4", "healthy", null], ["10.0.0.5", "unhealthy", "Request timed out"]])
    );
    account.ok("DeregisterTargets", &format!("TargetGroupArn={arn}&Targets.member.1.Id=10.0.0.5")).await;
    let asked = format!("TargetGroupArn={arn}&Targets.member.1.Id=10.0.0.5");
    let found = account.ok("DescribeTargetHealth", &asked).await;
    assert_eq!(found["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"], "Target.NotRegistered");
    assert_snapshot!(
        account.refused("RegisterTargets", &format!("TargetGroupArn={arn}&Targets.member.1.Id=web")).await,
        @"ValidationError: The IP address 'web' is not a valid IPv4 address"
    );
}

#[tokio::test]
async fn tags_and_attributes_are_kept() {
    let account = Account::new();
    let arn = account.group().await;
    let delay = "Attributes.member.1.Key=deregistration_delay.timeout_seconds&Attributes.member.1.Value=5";
    account.ok("ModifyTargetGroupAttributes", &format!("TargetGroupArn={arn}&{delay}")).await;
    let found = account.ok("DescribeTargetGroupAttributes", &format!("TargetGroupArn={arn}")).await;
    assert_eq!(found["Attributes"][0]["Value"], "5");
    let tags = format!("ResourceArns.member.1={arn}&Tags.member.1.Key=a&Tags.member.1.Value=b");
    account.ok("AddTags", &tags).await;
    let found = account.ok("DescribeTags", &format!("ResourceArns.member.1={arn}")).await;
    assert_eq!(found["TagDescriptions"][0]["Tags"], json!([{"Key": "a", "Value": "b"}]));
    account.ok("RemoveTags", &format!("ResourceArns.member.1={arn}&TagKeys.member.1=a")).await;
    let found = account.ok("DescribeTags", &format!("ResourceArns.member.1={arn}")).await;
    assert_eq!(found["TagDescriptions"][0]["Tags"], json!([]));
}

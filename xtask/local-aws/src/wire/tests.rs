//! Each protocol, both ways.

use axum::http::{HeaderMap, HeaderValue};
use insta::assert_snapshot;
use serde::Deserialize;
use serde_json::json;

use super::{Call, Protocol, form, parse, render, tree};
use crate::api::Request;
use crate::error::ApiError;

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=x/20261123/eu-west-1/ecs/aws4_request, \
                      SignedHeaders=host, Signature=00";

fn headers(target: Option<&'static str>, signed: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(target) = target {
        headers.insert("x-amz-target", HeaderValue::from_static(target));
    }
    if signed {
        headers.insert("authorization", HeaderValue::from_static(SIGNED));
    }
    headers
}

/// What a refused call is answered.
fn refusal(target: Option<&'static str>, signed: bool, body: &str) -> String {
    let (call, request) = parse(&headers(target, signed), body.as_bytes());
    let error = request.expect_err("the call is refused");
    let rendered = render(&call, "ID", Err(&error));
    format!("{} {}", rendered.status, rendered.body)
}

#[test]
fn an_operation_that_nobody_knows() {
    assert_snapshot!(
        refusal(Some("AmazonEC2ContainerServiceV20141113.Fly"), true, "{}"),
        @r#"400 {"__type":"UnknownOperationException"}"#
    );
    assert_snapshot!(refusal(Some("Nothing.Fly"), true, "{}"), @r#"400 {"__type":"UnknownOperationException"}"#);
    assert_snapshot!(
        refusal(None, true, "Action=Fly&Version=2016-11-15"),
        @r#"
    400 <?xml version="1.0" encoding="UTF-8"?>
    <Response><Errors><Error><Code>InvalidAction</Code><Message>The action Fly is not valid for this web service.</Message></Error></Errors><RequestID>ID</RequestID></Response>
    "#
    );
    assert_snapshot!(
        refusal(None, true, "Action=Fly&Version=2011-06-15"),
        @r#"
    400 <?xml version="1.0" encoding="UTF-8"?>
    <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation Fly for version 2011-06-15</Message></Error><RequestId>ID</RequestId></ErrorResponse>
    "#
    );
}

#[test]
fn a_call_that_is_not_signed() {
    assert_snapshot!(
        refusal(Some("AmazonEC2ContainerServiceV20141113.ListClusters"), false, "{}"),
        @r#"400 {"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}"#
    );
    assert_snapshot!(
        refusal(None, false, "Action=GetCallerIdentity&Version=2011-06-15"),
        @r#"
    403 <?xml version="1.0" encoding="UTF-8"?>
    <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>MissingAuthenticationToken</Code><Message>Request is missing Authentication Token</Message></Error><RequestId>ID</RequestId></ErrorResponse>
    "#
    );
}

#[test]
fn a_dry_run_does_nothing() {
    assert_snapshot!(
        refusal(None, true, "Action=DescribeVpcs&Version=2016-11-15&DryRun=true"),
        @r#"
    412 <?xml version="1.0" encoding="UTF-8"?>
    <Response><Errors><Error><Code>DryRunOperation</Code><Message>Request would have succeeded, but DryRun flag is set.</Message></Error></Errors><RequestID>ID</RequestID></Response>
    "#
    );
}

#[test]
fn a_form_is_a_tree() {
    let pairs = [
        ("IpPermissions.1.FromPort", "80"),
        ("IpPermissions.1.IpRanges.2.CidrIp", "b"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "a"),
        ("Names.member.1", "x"),
    ];
    let pairs = pairs.map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(
        form::tree(&pairs),
        json!({
            "IpPermissions": [{"FromPort": "80", "IpRanges": [{"CidrIp": "a"}, {"CidrIp": "b"}]}],
            "Names": ["x"],
        })
    );
}

#[test]
fn text_is_read_as_the_type_asks() -> Result<(), serde_json::Error> {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        port: i32,
        dry_run: Option<bool>,
        #[serde(default)]
        names: Vec<String>,
        absent: Option<u16>,
    }
    let input: Input = tree::from_tree(json!({"Port": "-1", "DryRun": "true", "Names": ["1"]}))?;
    assert_eq!(input, Input { port: -1, dry_run: Some(true), names: vec!["1".into()], absent: None });
    assert!(tree::from_tree::<Input>(json!({"Port": "x"})).is_err());
    Ok(())
}

#[test]
fn an_ec2_answer() {
    let call = Call { protocol: Protocol::Ec2, operation: "DescribeVpcs".into() };
    let value =
        json!({"vpcSet": [{"vpcId": "vpc-1", "isDefault": true, "n": 3, "t": "<&>", "z": null}], "e": []});
    assert_snapshot!(render(&call, "ID", Ok(&value)).body, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId><e></e><vpcSet><item><isDefault>true</isDefault><n>3</n><t>&lt;&amp;&gt;</t><vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>
    "#);
}

#[test]
fn an_answer_and_an_error_of_elastic_load_balancing() {
    let body = "Action=DescribeTargetGroups&Version=2015-12-01";
    let (call, request) = parse(&headers(None, true), body.as_bytes());
    assert!(matches!(request, Ok(Request::Elb(_))), "{request:?}");
    let value = json!({"TargetGroups": [{"Port": 80, "Matcher": {"HttpCode": "200"}}]});
    assert_snapshot!(render(&call, "ID", Ok(&value)).body, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <DescribeTargetGroupsResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><DescribeTargetGroupsResult><TargetGroups><member><Matcher><HttpCode>200</HttpCode></Matcher><Port>80</Port></member></TargetGroups></DescribeTargetGroupsResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DescribeTargetGroupsResponse>
    "#);
    assert_snapshot!(refusal(None, true, "Action=CreateTargetGroup&Version=2015-12-01"), @r#"
    400 <?xml version="1.0" encoding="UTF-8"?>
    <ErrorResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>missing field `Name`</Message></Error><RequestId>ID</RequestId></ErrorResponse>
    "#);
}

#[test]
fn a_json_error_has_its_code_and_message() {
    let call = Call { protocol: Protocol::Json, operation: "CreateService".into() };
    let error = ApiError::new("PlatformUnknownException", "no");
    let rendered = render(&call, "ID", Err(&error));
    assert_eq!(rendered.error_type.as_deref(), Some("PlatformUnknownException"));
    assert_snapshot!(rendered.body, @r#"{"__type":"PlatformUnknownException","message":"no"}"#);
}

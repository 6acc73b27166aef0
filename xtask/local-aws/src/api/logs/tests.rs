//! The operations as a client calls them, at a fixed time.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Request, Service};
use crate::cloud::{Cloud, Options};
use crate::engine::LogLine;
use crate::error::ApiError;
use crate::state::log_sink::LogSink;

const NOW_MS: i64 = 1_800_000_000_000;

struct Bench {
    cloud: Cloud,
    _dir: tempfile::TempDir,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().expect("tempdir");
    let options = Options {
        state_dir: dir.path().to_owned(),
        region: "eu-west-1".to_owned(),
        instance: "test".to_owned(),
    };
    Bench {
        cloud: Cloud::open(options, Arc::new(|| NOW_MS as f64 / 1000.0)).expect("an empty directory"),
        _dir: dir,
    }
}

impl Bench {
    async fn call(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        let request = Request::parse(Service::Logs, operation, input).expect("the input has the right shape");
        request.handle(&self.cloud).await
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.expect("is answered")
    }

    async fn refused(&self, operation: &str, input: Value) -> String {
        self.call(operation, input).await.expect_err("is refused").to_string()
    }

    async fn with_stream(self) -> Self {
        self.ok("CreateLogGroup", json!({ "logGroupName": "/g" })).await;
        self.ok("CreateLogStream", json!({ "logGroupName": "/g", "logStreamName": "s" })).await;
        self
    }

    async fn put(&self, events: Value) -> Value {
        self.ok("PutLogEvents", json!({ "logGroupName": "/g", "logStreamName": "s", "logEvents": events }))
            .await
    }
}

fn messages(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().expect("has events");
    events.iter().filter_map(|event| event["message"].as_str()).collect()
}

#[tokio::test]
async fn groups_are_made_once_and_described() {
    let bench = bench();
    let input = json!({ "logGroupName": "/ecs/app", "tags": { "k": "v" } });
    bench.ok("CreateLogGroup", input.clone()).await;
    assert_eq!(
        bench.refused("CreateLogGroup", input).await,
        "ResourceAlreadyExistsException: The specified log group already exists"
    );
    bench.ok("PutRetentionPolicy", json!({ "logGroupName": "/ecs/app", "retentionInDays": 30 })).await;
    let described = bench.ok("DescribeLogGroups", json!({ "logGroupNamePrefix": "/ecs" })).await;
    let expected = json!({ "logGroups": [{
        "logGroupName": "/ecs/app",
        "creationTime": NOW_MS,
        "retentionInDays": 30,
        "metricFilterCount": 0,
        "arn": "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/app:*",
        "logGroupArn": "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/app",
        "logGroupClass": "STANDARD",
        "storedBytes": 0,
    }] });
    assert_eq!(described, expected);
    assert_eq!(
        bench.refused("CreateLogGroup", json!({ "logGroupName": "a b" })).await,
        r"InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
    );
}

#[tokio::test]
async fn only_awss_retentions_are_taken() {
    let bench = bench().with_stream().await;
    let refused =
        bench.refused("PutRetentionPolicy", json!({ "logGroupName": "/g", "retentionInDays": 42 })).await;
    assert_eq!(
        refused,
        "InvalidParameterException: Invalid retention value. Valid values are: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]"
    );
    let missing =
        bench.refused("PutRetentionPolicy", json!({ "logGroupName": "/x", "retentionInDays": 7 })).await;
    assert_eq!(missing, "ResourceNotFoundException: The specified log group does not exist.");
}

#[tokio::test]
async fn groups_come_in_pages() {
    let bench = bench();
    for name in ["a", "b", "c"] {
        bench.ok("CreateLogGroup", json!({ "logGroupName": name })).await;
    }
    let first = bench.ok("DescribeLogGroups", json!({ "limit": 2 })).await;
    assert_eq!(first["logGroups"].as_array().map(Vec::len), Some(2));
    let rest = bench.ok("DescribeLogGroups", json!({ "limit": 2, "nextToken": first["nextToken"] })).await;
    assert_eq!(rest["logGroups"][0]["logGroupName"], "c");
    assert_eq!(rest.get("nextToken"), None);
    let refused = bench.refused("DescribeLogGroups", json!({ "limit": 51 })).await;
    assert!(refused.ends_with("Member must have value less than or equal to 50"), "{refused}");
    let refused = bench.refused("DescribeLogGroups", json!({ "nextToken": "!" })).await;
    assert_eq!(refused, "InvalidParameterException: The specified nextToken is invalid.");
}

#[tokio::test]
async fn events_are_got_from_either_end() {
    let bench = bench().with_stream().await;
    let events: Vec<_> =
        (0..5).map(|n| json!({ "timestamp": NOW_MS + n, "message": format!("m{n}") })).collect();
    bench.put(json!(events)).await;
    let stream = |more: Value| {
        let mut input = json!({ "logGroupName": "/g", "logStreamName": "s", "limit": 2 });
        let members = more.as_object().expect("is an object").clone();
        input.as_object_mut().expect("is an object").extend(members);
        input
    };
    let last = bench.ok("GetLogEvents", stream(json!({}))).await;
    assert_eq!(messages(&last), ["m3", "m4"]);
    let before = bench.ok("GetLogEvents", stream(json!({ "nextToken": last["nextBackwardToken"] }))).await;
    assert_eq!(messages(&before), ["m1", "m2"]);
    let head = bench.ok("GetLogEvents", stream(json!({ "startFromHead": true }))).await;
    assert_eq!(messages(&head), ["m0", "m1"]);
    // At the end of the stream the token given is the token that comes back.
    let end = bench.ok("GetLogEvents", stream(json!({ "nextToken": last["nextForwardToken"] }))).await;
    assert_eq!((messages(&end).len(), &end["nextForwardToken"]), (0, &last["nextForwardToken"]));
    let some = stream(json!({ "startTime": NOW_MS + 1, "endTime": NOW_MS + 2 }));
    assert_eq!(messages(&bench.ok("GetLogEvents", some).await), ["m1"]);
    let refused = bench.refused("GetLogEvents", stream(json!({ "nextToken": "x" }))).await;
    assert_eq!(refused, "InvalidParameterException: The specified nextToken is invalid.");
}

#[tokio::test]
async fn a_batch_must_be_in_order_and_what_is_too_old_or_new_is_told() {
    let bench = bench().with_stream().await;
    let batch = |events: Value| json!({ "logGroupName": "/g", "logStreamName": "s", "logEvents": events });
    let event = |at: i64| json!({ "timestamp": at, "message": "x" });
    let refused = bench.refused("PutLogEvents", batch(json!([event(2), event(1)]))).await;
    assert_eq!(
        refused,
        "InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order."
    );
    let day = 24 * 60 * 60 * 1000;
    let refused = bench.refused("PutLogEvents", batch(json!([event(0), event(day + 1)]))).await;
    assert!(refused.contains("cannot span more than 24 hours"), "{refused}");
    let old = bench.put(json!([event(NOW_MS - 15 * day), event(NOW_MS - 14 * day)])).await;
    assert_eq!(old["rejectedLogEventsInfo"], json!({ "tooOldLogEventEndIndex": 1 }));
    let new = bench.put(json!([event(NOW_MS), event(NOW_MS + day / 2)])).await;
    assert_eq!(new["rejectedLogEventsInfo"], json!({ "tooNewLogEventStartIndex": 1 }));
    let input = json!({ "logGroupName": "/g", "logStreamName": "none", "logEvents": [event(NOW_MS)] });
    let refused = bench.refused("PutLogEvents", input).await;
    assert_eq!(refused, "ResourceNotFoundException: The specified log stream does not exist.");
}

#[tokio::test]
async fn containers_lines_are_found_by_filtering() {
    let bench = bench();
    assert!(LogSink::open(&bench.cloud, "/g", "s", false).is_err(), "the group is missing");
    for stream in ["app/one", "app/two"] {
        LogSink::open(&bench.cloud, "/g", stream, true).expect("makes both");
    }
    let line = |timestamp_ms, message: &str| LogLine { timestamp_ms, message: message.to_owned() };
    bench.cloud.append("/g", "app/one", &line(10, "started"));
    bench.cloud.append("/g", "app/two", &line(20, "ERROR no data"));
    bench.cloud.append("/g", "app/one", &line(5, "ERROR late"));
    bench.cloud.append("/g", "app/one", &line(30, ""));
    assert_eq!(bench.cloud.last_timestamp_ms("/g", "app/one"), Some(10));

    let all = bench.ok("FilterLogEvents", json!({ "logGroupName": "/g" })).await;
    assert_eq!(messages(&all), ["started", "ERROR late", "ERROR no data"]);
    assert_eq!(all.get("nextToken"), None);
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/g:*";
    let input = json!({ "logGroupIdentifier": arn, "filterPattern": "ERROR", "limit": 1 });
    let first = bench.ok("FilterLogEvents", input.clone()).await;
    assert_eq!(messages(&first), ["ERROR late"]);
    let mut next = input;
    next["nextToken"] = first["nextToken"].clone();
    assert_eq!(messages(&bench.ok("FilterLogEvents", next).await), ["ERROR no data"]);
    let input = json!({ "logGroupName": "/g", "logStreamNames": ["app/two"], "filterPattern": "?no ?yes" });
    assert_eq!(messages(&bench.ok("FilterLogEvents", input).await), ["ERROR no data"]);
    let input = json!({ "logGroupName": "/g", "logStreamNames": ["none"] });
    let refused = bench.refused("FilterLogEvents", input).await;
    assert_eq!(refused, "ResourceNotFoundException: The specified log stream does not exist.");
}

#[tokio::test]
async fn streams_are_ordered_by_name_or_by_last_event() {
    let bench = bench().with_stream().await;
    bench.ok("CreateLogStream", json!({ "logGroupName": "/g", "logStreamName": "a" })).await;
    bench.put(json!([{ "timestamp": NOW_MS + 7, "message": "x" }])).await;
    let names = |answer: &Value| {
        let streams = answer["logStreams"].as_array().expect("is a list").iter();
        streams
            .map(|stream| stream["logStreamName"].as_str().expect("has one").to_owned())
            .collect::<Vec<_>>()
    };
    let by_name = bench.ok("DescribeLogStreams", json!({ "logGroupName": "/g" })).await;
    assert_eq!(names(&by_name), ["a", "s"]);
    assert_eq!(by_name["logStreams"][1]["lastEventTimestamp"], NOW_MS + 7);
    assert_eq!(by_name["logStreams"][0].get("lastEventTimestamp"), None);
    let input = json!({ "logGroupName": "/g", "orderBy": "LastEventTime", "descending": true });
    assert_eq!(names(&bench.ok("DescribeLogStreams", input).await), ["s", "a"]);
    let input = json!({ "logGroupName": "/g", "logStreamName": "s" });
    assert_eq!(
        bench.refused("CreateLogStream", input).await,
        "ResourceAlreadyExistsException: The specified log stream already exists"
    );
}

#[tokio::test]
async fn tags_are_set_by_arn_and_by_name() {
    let bench = bench().with_stream().await;
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/g";
    bench.ok("TagResource", json!({ "resourceArn": arn, "tags": { "a": "1", "b": "2" } })).await;
    bench.ok("TagLogGroup", json!({ "logGroupName": "/g", "tags": { "c": "3" } })).await;
    bench.ok("UntagResource", json!({ "resourceArn": arn, "tagKeys": ["b"] })).await;
    let tags = json!({ "tags": { "a": "1", "c": "3" } });
    assert_eq!(bench.ok("ListTagsForResource", json!({ "resourceArn": arn })).await, tags);
    assert_eq!(bench.ok("ListTagsLogGroup", json!({ "logGroupName": "/g" })).await, tags);
}

//! awsQuery and ec2Query requests: a form whose dotted names are a tree.

use axum::http::HeaderMap;
use serde_json::{Map, Value};

use super::{Call, Protocol, is_signed, parse_operation};
use crate::api::{Request, Service};
use crate::error::{ApiError, Fault};

/// The API versions that tell the services apart (documented: each service's model).
const EC2_VERSION: &str = "2016-11-15";
const ELB_VERSION: &str = "2015-12-01";
const IAM_VERSION: &str = "2010-05-08";

const ELB_NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> (Call, Result<Request, ApiError>) {
    let pairs = decode(body);
    let get = |name: &str| pairs.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
    let (protocol, service) = match get("Version") {
        EC2_VERSION => (Protocol::Ec2, Service::Ec2),
        ELB_VERSION => (Protocol::Query(ELB_NAMESPACE), Service::Elb),
        IAM_VERSION => (Protocol::Query(IAM_NAMESPACE), Service::Iam),
        _ => (Protocol::Query(STS_NAMESPACE), Service::Sts),
    };
    let call = Call { protocol, operation: get("Action").to_owned() };
    let request = parse_request(headers, service, &call.operation, get("Version"), &pairs);
    (call, request)
}

fn parse_request(
    headers: &HeaderMap,
    service: Service,
    operation: &str,
    version: &str,
    pairs: &[(String, String)],
) -> Result<Request, ApiError> {
    if !is_signed(headers) {
        let error = ApiError::new("MissingAuthenticationToken", "Request is missing Authentication Token");
        return Err(error.with_fault(Fault::Denied));
    }
    let unknown = || {
        let message = match service {
            Service::Ec2 => format!("The action {operation} is not valid for this web service."),
            _ => format!("Could not find operation {operation} for version {version}"),
        };
        ApiError::new("InvalidAction", message)
    };
    let request = parse_operation(service, operation, tree(pairs), unknown, |why| {
        let code = match service {
            Service::Elb => "ValidationError",
            _ if why.starts_with("missing field") => "MissingParameter",
            _ => "InvalidParameterValue",
        };
        ApiError::new(code, why)
    })?;
    if service == Service::Ec2 && pairs.iter().any(|(name, value)| name == "DryRun" && value == "true") {
        return Err(dry_run());
    }
    Ok(request)
}

/// Documented: every EC2 action's `DryRun`. Permissions are not checked here, so it would have succeeded.
fn dry_run() -> ApiError {
    let message = "Request would have succeeded, but DryRun flag is set.";
    ApiError::new("DryRunOperation", message).with_fault(Fault::DryRun)
}

/// `application/x-www-form-urlencoded`.
pub(crate) fn decode(body: &[u8]) -> Vec<(String, String)> {
    body.split(|b| *b == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let split = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            (unescape(&pair[..split]), unescape(pair.get(split + 1..).unwrap_or_default()))
        })
        .collect()
}

fn unescape(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'+', _) => (b' ', tail),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', tail),
            },
            (byte, _) => (*byte, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// `Filter.1.Value.2=x` becomes `{"Filter": [{"Value": [.., "x"]}]}`. Gaps in
/// the numbering close up, as they do on AWS (observed: botocore's lists start
/// at 1, others' at 0). awsQuery's `.member.` between name and number is dropped.
pub(crate) fn tree(pairs: &[(String, String)]) -> Value {
    let mut root = Map::new();
    for (name, value) in pairs {
        let path: Vec<&str> = name.split('.').filter(|part| *part != "member").collect();
        insert(&mut root, &path, value);
    }
    let mut root = Value::Object(root);
    close_lists(&mut root);
    root
}

fn insert(node: &mut Map<String, Value>, path: &[&str], value: &str) {
    match path {
        [] => {}
        [last] => {
            node.entry(*last).or_insert_with(|| value.into());
        }
        [first, rest @ ..] => {
            let child = node.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(child) = child {
                insert(child, rest, value);
            }
        }
    }
}

fn close_lists(value: &mut Value) {
    let Value::Object(members) = value else { return };
    members.values_mut().for_each(close_lists);
    let numbered: Option<Vec<u32>> = members.keys().map(|k| k.parse().ok()).collect();
    if let Some(mut order) = numbered.filter(|n| !n.is_empty()) {
        order.sort_unstable();
        let items = order.iter().filter_map(|n| members.remove(&n.to_string())).collect();
        *value = Value::Array(items);
    }
}

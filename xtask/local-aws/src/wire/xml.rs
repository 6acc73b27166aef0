//! Answers of the query protocols: a JSON tree rendered as XML.
//!
//! A member is an element of its name; the elements of a list are `item` in
//! EC2 and `member` in the others.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Rendered, status};
use crate::error::ApiError;

const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

pub(super) fn ec2_answer(operation: &str, request_id: &str, value: &Value) -> Rendered {
    let inner = members(value, "item");
    rendered(
        200,
        format!(
            "{DECLARATION}<{operation}Response xmlns=\"{EC2_NAMESPACE}\"><requestId>{request_id}</requestId>\
             {inner}</{operation}Response>"
        ),
    )
}

pub(super) fn ec2_error(request_id: &str, error: &ApiError) -> Rendered {
    let (code, message) = (escape(&error.code), escape(&error.message));
    rendered(
        status(error.fault, 401),
        format!(
            "{DECLARATION}<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>\
             </Errors><RequestID>{request_id}</RequestID></Response>"
        ),
    )
}

pub(super) fn query_answer(namespace: &str, operation: &str, request_id: &str, value: &Value) -> Rendered {
    let inner = members(value, "member");
    rendered(
        200,
        format!(
            "{DECLARATION}<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{inner}\
             </{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
             </{operation}Response>"
        ),
    )
}

pub(super) fn query_error(namespace: &str, request_id: &str, error: &ApiError) -> Rendered {
    let (code, message) = (escape(&error.code), escape(&error.message));
    rendered(
        status(error.fault, 403),
        format!(
            "{DECLARATION}<ErrorResponse xmlns=\"{namespace}\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        ),
    )
}

fn rendered(status: u16, body: String) -> Rendered {
    Rendered { status, content_type: "text/xml;charset=UTF-8", error_type: None, body }
}

fn members(value: &Value, list_element: &str) -> String {
    let mut out = String::new();
    write_content(&mut out, value, list_element);
    out
}

fn write_content(out: &mut String, value: &Value, list_element: &str) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, child) in members.iter().filter(|(_, child)| !child.is_null()) {
                write_element(out, name, child, list_element);
            }
        }
        Value::Array(items) => {
            for item in items {
                write_element(out, list_element, item, list_element);
            }
        }
        Value::String(text) => out.push_str(&escape(text)),
        // Writing to a string cannot fail.
        Value::Bool(_) | Value::Number(_) => write!(out, "{value}").unwrap_or_default(),
    }
}

fn write_element(out: &mut String, name: &str, value: &Value, list_element: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    write_content(out, value, list_element);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Characters that XML 1.0 cannot hold at all are left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

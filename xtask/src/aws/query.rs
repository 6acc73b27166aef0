//! The awsQuery protocol: a tree as a form, and XML as a tree. Pure.
//! Source: Smithy, "AWS query protocol".

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

/// The form of a call: `Action=…&Version=…&Name.member.1=…`.
pub(super) fn form(operation: &str, version: &str, input: &Value) -> String {
    let mut pairs = vec![format!("Action={operation}"), format!("Version={version}")];
    add(&mut pairs, "", input);
    pairs.join("&")
}

fn add(pairs: &mut Vec<String>, name: &str, value: &Value) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| add(pairs, &below(key), value)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                add(pairs, &below(&format!("member.{}", index + 1)), item);
            }
        }
        Value::Null => {}
        Value::String(text) => pairs.push(format!("{name}={}", escaped(text))),
        other => pairs.push(format!("{name}={other}")),
    }
}

/// All but the unreserved characters of RFC 3986.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// `%7B` and the like; what is no escape stays as it is.
pub(crate) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Code and message, if it is an error, and the result. Booleans and numbers stay text, as they are in XML.
pub(super) fn answer(operation: &str, text: &str) -> (Option<String>, Option<String>, Value) {
    let Ok(document) = Document::parse(text) else { return (None, None, Value::Null) };
    let named = |name: &str| document.descendants().find(|node| node.has_tag_name_of(name));
    let error = named("Error").map(tree).unwrap_or_default();
    let member = |name: &str| error[name].as_str().map(str::to_owned);
    let result = named(&format!("{operation}Result")).map(tree).unwrap_or_default();
    (member("Code"), member("Message"), result)
}

trait Named {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl Named for Node<'_, '_> {
    /// Whatever the namespace.
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

/// Elements of the name `member` make a list.
fn tree(node: Node<'_, '_>) -> Value {
    let children: Vec<Node<'_, '_>> = node.children().filter(Node::is_element).collect();
    if children.is_empty() {
        return Value::String(node.text().unwrap_or_default().to_owned());
    }
    if children.iter().all(|child| child.has_tag_name_of("member")) {
        return Value::Array(children.into_iter().map(tree).collect());
    }
    let members = children.into_iter().map(|child| (child.tag_name().name().to_owned(), tree(child)));
    Value::Object(members.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tree_is_a_form() {
        let input = json!({"Names": ["a:b", "c d"], "Entries": [{"Key": "k", "Values": ["v"]}], "Max": 3, "No": null});
        insta::assert_snapshot!(form("Op", "1", &input), @"Action=Op&Version=1&Entries.member.1.Key=k&Entries.member.1.Values.member.1=v&Max=3&Names.member.1=a%3Ab&Names.member.2=c%20d");
        assert_eq!(unescaped("%7B%22a%22%3A1%7D 100% %zz"), "{\"a\":1} 100% %zz");
    }

    #[test]
    fn xml_is_a_tree() {
        let text = "<R xmlns=\"https://iam\"><OpResult><Is><member><N>a&amp;b</N><E/></member><member><N>c</N></member></Is>\
                    </OpResult><ResponseMetadata/></R>";
        let (code, _, value) = answer("Op", text);
        assert_eq!(code, None);
        assert_eq!(value, json!({"Is": [{"N": "a&b", "E": ""}, {"N": "c"}]}));
    }

    #[test]
    fn an_error_is_its_code_and_message() {
        let text = "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>m</Message>\
                    </Error><RequestId>1</RequestId></ErrorResponse>";
        let (code, message, value) = answer("Op", text);
        assert_eq!(
            (code.as_deref(), message.as_deref(), value),
            (Some("NoSuchEntity"), Some("m"), Value::Null)
        );
        assert_eq!(answer("Op", "<html>"), (None, None, Value::Null));
    }
}

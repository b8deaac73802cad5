//! One line of the agent's output: an object that is written as JSON or as readable text.

use std::fmt::{Display, Write as _};
use std::time::SystemTime;

use memberlist_proto::{Name, Node};
use serde_json::{Map, Value, json};

use crate::hex;

/// An event, or the reply to a command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    fields: Map<String, Value>,
    /// The text for people; `None` if it is made from the fields.
    line: Option<String>,
}

impl Report {
    /// A report with the current time.
    pub(super) fn new(event: &str) -> Self {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let mut map = Map::new();
        map.insert("event".to_owned(), event.into());
        map.insert("time".to_owned(), time.into());
        Self { fields: map, line: None }
    }

    /// The reply to a command that failed.
    pub(super) fn error(command: &str, message: impl Display) -> Self {
        Self::new("error").with("command", command).with("message", message.to_string())
    }

    /// The name of the event.
    pub(super) fn event(&self) -> &str {
        self.fields.get("event").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(key.to_owned(), value.into());
        self
    }

    /// Sets the text for people, which is one line.
    pub(super) fn reading(self, line: impl Display) -> Self {
        Self { line: Some(line.to_string()), ..self }
    }

    /// Adds the id of the command that this replies to, if it had one.
    pub(super) fn reply_to(self, id: Option<&str>) -> Self {
        match id {
            Some(id) => self.with("id", id),
            None => self,
        }
    }

    /// Adds the text for people, if there is one, as the field `summary`.
    pub(super) fn summarized(mut self) -> Self {
        match self.line.take() {
            Some(line) => self.with("summary", line),
            None => self,
        }
    }

    /// Returns one line of JSON, without a line feed.
    pub(super) fn to_json(&self) -> String {
        // A map with text as keys can always be written.
        serde_json::to_string(&self.fields).unwrap_or_default()
    }

    /// Returns the text for people: for an event, a line with its time and text; for a reply,
    /// `time event key=value …`, with further lines for a list.
    pub(super) fn to_text(&self) -> String {
        let field = |key| self.fields.get(key).and_then(Value::as_str).unwrap_or_default();
        let clock = field("time").split('T').nth(1).unwrap_or_default().trim_end_matches('Z');
        if let Some(line) = &self.line {
            return format!("{clock} {line}");
        }
        let mut line = format!("{clock} {}", field("event"));
        let mut below = String::new();
        for (key, value) in &self.fields {
            match value {
                _ if key == "event" || key == "time" => {}
                Value::Null => {}
                Value::Array(items) if items.iter().all(Value::is_object) => {
                    let _ = write!(line, " {key}={}", items.len());
                    below.extend(items.iter().map(|item| format!("\n    {}", plain(item))));
                }
                value => {
                    // Writing to a string cannot fail.
                    let _ = write!(line, " {key}={}", plain(value));
                }
            }
        }
        line + &below
    }
}

/// A node as an object.
pub(super) fn node(node: &Node) -> Value {
    let mut object = name(node.name());
    let address = node.address().map(|address| address.to_string());
    object.insert("addr".to_owned(), address.into());
    object.insert("state".to_owned(), node.state().to_string().into());
    object.insert("incarnation".to_owned(), node.incarnation().into());
    object.insert("meta".to_owned(), text(node.meta()));
    object.insert("meta_hex".to_owned(), hex::encode(node.meta()).into());
    if let Some(versions) = node.versions() {
        object.insert("versions".to_owned(), json!(versions.to_bytes()));
    }
    Value::Object(object)
}

/// A name, and its bytes if it is not UTF-8.
fn name(name: Name<'_>) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("name".to_owned(), name.to_string().into());
    if std::str::from_utf8(name.as_bytes()).is_err() {
        object.insert("name_hex".to_owned(), hex::encode(name.as_bytes()).into());
    }
    object
}

/// Bytes as text, `null` if they are not UTF-8.
pub(super) fn text(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).ok().into()
}

/// A value as readable text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.contains(char::is_whitespace) => {
            format!("{text:?}")
        }
        Value::String(text) => text.escape_debug().to_string(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        Value::Object(object) => plain_object(object),
        other => other.to_string(),
    }
}

/// An object as readable text: a node as `name(addr state)`, anything else as its keys and values.
fn plain_object(object: &Map<String, Value>) -> String {
    if let (Some(name), Some(addr), Some(state)) =
        (object.get("name"), object.get("addr"), object.get("state"))
    {
        let addr = addr.as_str().unwrap_or("no address");
        let meta = match (object.get("meta"), object.get("meta_hex")) {
            (Some(Value::String(text)), _) if text.is_empty() => String::new(),
            (Some(text @ Value::String(_)), _) => format!(" meta={}", plain(text)),
            (_, Some(hex)) => format!(" meta_hex={}", plain(hex)),
            _ => String::new(),
        };
        return format!("{}({addr} {}{meta})", plain(name), plain(state));
    }
    if let (Some(Value::String(command)), Some(Value::String(meaning))) =
        (object.get("command"), object.get("meaning"))
    {
        return format!("{command:39} {meaning}");
    }
    let pairs = object.iter().filter(|(_, value)| !value.is_null());
    let pairs: Vec<_> = pairs.map(|(key, value)| format!("{key}={}", plain(value))).collect();
    format!("{{{}}}", pairs.join(" "))
}

#[cfg(test)]
pub(super) mod tests;

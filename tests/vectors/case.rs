//! One line of a fixture, and how the fixtures encode bytes.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

/// One case of a fixture.
pub(crate) struct Case(Value);

/// Reads all cases of a file.
pub(crate) fn load(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors").join(file);
    let text = std::fs::read_to_string(&path).expect("the fixture is in the repository");
    text.lines().map(|line| Case(serde_json::from_str(line).expect("a line of JSON"))).collect()
}

impl Case {
    pub(crate) fn name(&self) -> &str {
        self.0["name"].as_str().expect("every case has a name")
    }

    pub(crate) fn kind(&self) -> &str {
        self.0["type"].as_str().expect("this file's cases have a type")
    }

    pub(crate) fn get(&self, field: &str) -> &Value {
        &self.0[field]
    }

    pub(crate) fn fields(&self) -> &Value {
        &self.0["fields"]
    }

    pub(crate) fn accepted(&self) -> bool {
        self.0["accepted"].as_bool().expect("this file's cases say whether Go accepts them")
    }

    /// The bytes on the wire.
    pub(crate) fn hex(&self) -> Vec<u8> {
        unhex(self.0["hex"].as_str().expect("every case has its bytes"))
    }
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "half a byte in {hex}");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits"))
        .collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes everything");
        hex
    })
}

/// A plain hex string, or nothing for null or a missing field.
pub(crate) fn plain(value: &Value) -> Vec<u8> {
    value.as_str().map(unhex).unwrap_or_default()
}

/// A bytes field: null or `{"hex": …}`.
pub(crate) fn bytes(value: &Value) -> Option<Vec<u8>> {
    (!value.is_null()).then(|| unhex(value["hex"].as_str().expect("bytes have hex")))
}

/// A string field: a string or `{"str_hex": …}`.
pub(crate) fn string(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        other => unhex(other["str_hex"].as_str().expect("a string or its hex")),
    }
}

pub(crate) fn number<T: TryFrom<i64>>(value: &Value) -> T {
    let number = value.as_i64().expect("a number");
    T::try_from(number).ok().expect("a number that fits its field")
}

pub(crate) fn boolean(value: &Value) -> bool {
    value.as_bool().expect("a boolean")
}

/// The reverse of [`bytes`].
pub(crate) fn bytes_json(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| json!({ "hex": hex(bytes) }))
}

/// The reverse of [`string`].
pub(crate) fn string_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "str_hex": hex(bytes) }),
    }
}

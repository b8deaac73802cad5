//! How the text of a value is parsed, on the command line and in a file.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::fields::{Kind, Value};
use memberlist_proto::{Key, PeerError};

use serde::{Deserialize, Serialize};

use super::shown;

/// Why a text is not a valid value. It never repeats a text that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is not of the kind that the field has.
    Kind,
    /// One of its items cannot be used, for this reason.
    Item(String),
}

/// Parses a text as a value of this kind.
pub(super) fn parse(kind: Kind, text: &str) -> Result<Value, Wrong> {
    let value = match kind {
        Kind::Switch => text.parse().map(Value::Switch).ok(),
        Kind::Number => text.parse().map(Value::Number).ok(),
        Kind::Duration => duration(text).map(Value::Duration),
        Kind::Text => Some(Value::Text(Bytes::copy_from_slice(text.as_bytes()))),
        Kind::Address => text.parse::<IpAddr>().map(Value::Address).ok(),
        // `any` allows every address; the empty list allows none.
        Kind::Networks if text == "any" => Some(Value::Networks(None)),
        Kind::Networks => list(text).map(Some).map(Value::Networks),
        // The empty label is a label too, unlike the empty item of any other list.
        Kind::Labels => {
            let label = |item: &str| if item == "\"\"" { "" } else { item }.to_owned().into();
            Some(Value::Labels(items(text).map(label).collect()))
        }
        Kind::Peers => {
            let wrong = |item, error| Wrong::Item(format!("`{}`: {error}", shown(item)));
            let peers =
                items(text).map(|item| item.parse().map_err(|error: PeerError| wrong(item, error)));
            return peers.collect::<Result<_, _>>().map(Value::Peers);
        }
        Kind::Keys => {
            let keys = items(text).map(|item| key(item).map_err(Wrong::Item));
            return keys.collect::<Result<_, _>>().map(Value::Keys);
        }
        Kind::Word(_) => kind.word(text),
    };
    value.ok_or(Wrong::Kind)
}

/// What a text must be, as in "it must be …".
pub(super) fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Duration => "a duration such as `200ms`, `5s`, `1h` or `0`".to_owned(),
        Kind::Networks => {
            "`any` or a list of networks such as `10.0.0.0/8,192.168.1.0/24`".to_owned()
        }
        Kind::Keys => "a list of keys in base64".to_owned(),
        Kind::Labels => "a list of labels such as `blue,\"\"`".to_owned(),
        Kind::Peers => "a list of peers such as `10.0.0.1:7946,db.example`".to_owned(),
        kind => kind.to_string(),
    }
}

/// A key in base64. The error does not repeat the key.
fn key(text: &str) -> Result<Key, String> {
    text.parse::<Key>().map_err(|error| error.to_string())
}

fn duration(text: &str) -> Option<Duration> {
    if text == "0" { Some(Duration::ZERO) } else { humantime::parse_duration(text).ok() }
}

fn list<T: std::str::FromStr>(text: &str) -> Option<Vec<T>> {
    items(text).map(|item| item.parse().ok()).collect()
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// An item of a list in a document, or a text that need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "text, a number, or bytes as a list of numbers")]
pub(super) enum Item {
    Text(String),
    Number(u64),
    Bytes(Vec<u8>),
}

impl From<&Bytes> for Item {
    fn from(bytes: &Bytes) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// Converts a list to a value of this kind. A label may contain commas; networks, keys and peers
/// are parsed as if separated by commas.
pub(super) fn from_items(kind: Kind, items: &[Item]) -> Result<Value, Wrong> {
    match kind {
        Kind::Text => {
            let byte = |item: &Item| match item {
                Item::Number(number) => u8::try_from(*number).map_err(|_| Wrong::Kind),
                _ => Err(Wrong::Kind),
            };
            items.iter().map(byte).collect::<Result<Vec<_>, _>>().map(|it| Value::Text(it.into()))
        }
        Kind::Labels => {
            let label = |item: &Item| match item {
                Item::Text(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
                Item::Bytes(bytes) => Ok(Bytes::copy_from_slice(bytes)),
                Item::Number(_) => Err(Wrong::Kind),
            };
            items.iter().map(label).collect::<Result<_, _>>().map(Value::Labels)
        }
        Kind::Networks | Kind::Keys | Kind::Peers => {
            let text = |item: &Item| match item {
                Item::Text(text) if text != "any" => Ok(text.clone()),
                _ => Err(Wrong::Kind),
            };
            let texts = items.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            parse(kind, &texts.join(","))
        }
        _ => Err(Wrong::Kind),
    }
}

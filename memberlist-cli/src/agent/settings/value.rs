//! How the text of a value is read, on the command line and in a file.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::fields::{Kind, Value};
use memberlist_proto::{AdvertiseForm, Key, PeerError};

use super::shown;

/// Why a text is not a value. It never repeats a text that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is not of the kind that the field has.
    Kind,
    /// One of its items cannot be used, for this reason.
    Item(String),
}

/// Reads a text as a value of this kind.
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
        Kind::AdvertiseForm => match text {
            "compact" => Some(Value::AdvertiseForm(AdvertiseForm::Compact)),
            "mapped" => Some(Value::AdvertiseForm(AdvertiseForm::Mapped)),
            _ => None,
        },
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
pub(crate) fn key(text: &str) -> Result<Key, String> {
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

//! How the text of each kind of field is read.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ipnet::IpNet;
use memberlist_proto::{AdvertiseForm, Key, NodeName, Peer};

/// A kind of value.
pub(super) trait Setting: Sized {
    /// What a text must be, as in "`field` is …".
    const WHAT: &'static str;

    /// Reads a text. An error with a reason of its own never repeats the text, which is a secret.
    fn parse(text: &str) -> Result<Self, Option<String>>;
}

macro_rules! from_str {
    ($($type:ty: $what:literal,)*) => { $(
        impl Setting for $type {
            const WHAT: &'static str = $what;

            fn parse(text: &str) -> Result<Self, Option<String>> {
                text.parse().map_err(|_| None)
            }
        }
    )* };
}

from_str! {
    bool: "`true` or `false`",
    u8: "a number from 0 to 255",
    u16: "a number from 0 to 65535",
    u32: "a number from 0 to 4294967295",
    usize: "a number from 0 up",
    IpAddr: "an IP address",
}

impl Setting for Duration {
    const WHAT: &'static str = "a duration such as `200ms`, `5s`, `1h` or `0`";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if text == "0" {
            return Ok(Self::ZERO);
        }
        humantime::parse_duration(text).map_err(|_| None)
    }
}

impl Setting for Bytes {
    const WHAT: &'static str = "a text";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        Ok(Self::copy_from_slice(text.as_bytes()))
    }
}

impl Setting for NodeName {
    const WHAT: &'static str = "a text";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        Ok(Self::from(text))
    }
}

impl Setting for AdvertiseForm {
    const WHAT: &'static str = "`compact` or `mapped`";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        match text {
            "compact" => Ok(Self::Compact),
            "mapped" => Ok(Self::Mapped),
            _ => Err(None),
        }
    }
}

/// `any` allows every address; the empty list allows none.
impl Setting for Option<Vec<IpNet>> {
    const WHAT: &'static str = "`any` or a list of networks such as `10.0.0.0/8,192.168.1.0/24`";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if text == "any" {
            return Ok(None);
        }
        items(text).map(|item| item.parse().map_err(|_| None)).collect::<Result<_, _>>().map(Some)
    }
}

impl Setting for Vec<Key> {
    const WHAT: &'static str = "a list of keys in base64";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        items(text).map(|item| key(item).map_err(Some)).collect()
    }
}

impl Setting for Vec<Peer> {
    const WHAT: &'static str = "a list of peers such as `10.0.0.1:7946,db.example`";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        items(text).map(|item| item.parse().map_err(|_| None)).collect()
    }
}

/// A key in base64. The error does not repeat the key.
pub(crate) fn key(text: &str) -> Result<Key, String> {
    let bytes = STANDARD.decode(text.trim()).map_err(|_| "it is not base64".to_owned())?;
    Key::new(&bytes).map_err(|error| error.to_string())
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

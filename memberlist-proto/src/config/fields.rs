//! The fields of a [`Config`] as data: for programs that let people set them by name, document
//! them, or draw them at random.
//!
//! ```
//! use std::time::Duration;
//!
//! use memberlist_proto::Config;
//! use memberlist_proto::fields::Value;
//!
//! let mut config = Config::lan("web-1");
//! let field = Config::field("limits.streams").expect("a field of this name");
//! assert_eq!(field.get(&config), Value::Number(1024));
//! field.set(&mut config, Value::Number(100))?;
//! assert_eq!(config.limits.streams, 100);
//!
//! let error = field.set(&mut config, Value::Number(0)).unwrap_err().to_string();
//! assert_eq!(error, "`limits.streams` is 0, but it must be 1 to 1048576");
//! # Ok::<(), memberlist_proto::ConfigError>(())
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;

use super::{Config, ConfigError, Differences, Limits, Rejoin};
use crate::node::NodeName;
use crate::peer::Peer;
use crate::security::Key;

/// One field of a [`Config`]: a row of the table from which everything else about it follows.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub(super) path: &'static str,
    pub(super) section: &'static str,
    pub(super) doc: &'static [Option<&'static str>],
    pub(super) kind: Kind,
    pub(super) bounds: Bounds,
    pub(super) go: Option<&'static str>,
    pub(super) live: bool,
    pub(super) by_adapter: bool,
    pub(super) get: fn(&Config) -> Value,
    /// Returns whether the value was of the right kind and fitted into the type.
    pub(super) set: fn(&mut Config, Value) -> bool,
}

impl Field {
    /// The name by which it is set, such as `probe_interval` or `limits.streams`.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The heading under which documents list it.
    pub const fn section(&self) -> &'static str {
        self.section
    }

    /// Its description, line by line, in Markdown.
    pub fn doc(&self) -> impl Iterator<Item = &'static str> {
        self.doc.iter().flatten().map(|line| line.strip_prefix(' ').unwrap_or(line))
    }

    /// The kind of its values.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The values that it may have.
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The name of the same setting in the Go library; `None` if that has none.
    pub const fn go_name(&self) -> Option<&'static str> {
        self.go
    }

    /// Whether it can change while the node runs: it is a field of [`Timing`](crate::Timing).
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// Whether an adapter sets it, from the sockets and the delegate that it is given.
    pub const fn is_set_by_adapter(&self) -> bool {
        self.by_adapter
    }

    /// Its value in a configuration.
    pub fn get(&self, config: &Config) -> Value {
        (self.get)(config)
    }

    /// Changes it in a configuration. Rules that concern several fields are checked only by
    /// [`Config::validate`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] if the value is of another kind or out of bounds; nothing has
    /// changed then.
    pub fn set(&self, config: &mut Config, value: Value) -> Result<(), ConfigError> {
        let shown = value.to_shown();
        if value.kind() != self.kind {
            return Err(self.invalid(shown, alloc::format!("it must be {}", self.kind)));
        }
        self.check(&value)?;
        // A bound can lie beyond what a machine of 32 bits can count to.
        if (self.set)(config, value) { Ok(()) } else { Err(self.invalid(shown, self.rule())) }
    }

    /// Whether a value is within the bounds.
    pub(super) fn check(&self, value: &Value) -> Result<(), ConfigError> {
        if value.measure().is_none_or(|measure| self.bounds.contains(measure)) {
            Ok(())
        } else {
            Err(self.invalid(value.to_shown(), self.rule()))
        }
    }

    fn rule(&self) -> String {
        let verb = if self.kind.is_list() { "have" } else { "be" };
        alloc::format!("it must {verb} {}", self.bounds)
    }

    fn invalid(&self, value: String, rule: String) -> ConfigError {
        ConfigError::Invalid { field: self.path, value, rule: rule.into() }
    }
}

impl Config {
    /// Every field of a configuration; those of `rejoin`, `limits` and `differences` come after the
    /// others.
    pub fn fields() -> impl Iterator<Item = &'static Field> + Clone {
        [Self::FIELDS, Rejoin::FIELDS, Limits::FIELDS, Differences::FIELDS].into_iter().flatten()
    }

    /// The field of this name, such as `probe_interval` or `limits.streams`; `None` if there is
    /// none.
    pub fn field(path: &str) -> Option<&'static Field> {
        Self::fields().find(|field| field.path == path)
    }
}

/// The kind of a field's values. `Display` names it, as in "it must be a number".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// On or off.
    Switch,
    /// A number of something.
    Number,
    /// A time span.
    Duration,
    /// A text, which need not be UTF-8.
    Text,
    /// An IP address.
    Address,
    /// Networks, or any network.
    Networks,
    /// Encryption keys.
    Keys,
    /// Labels of clusters.
    Labels,
    /// Peers by address or host name.
    Peers,
    /// One of these words.
    Word(&'static [&'static str]),
}

impl Kind {
    const fn is_list(self) -> bool {
        matches!(self, Self::Networks | Self::Keys | Self::Labels | Self::Peers)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Word(words) => return one_of(words, f),
            Self::Switch => "`true` or `false`",
            Self::Number => "a number",
            Self::Duration => "a duration",
            Self::Text => "text",
            Self::Address => "an IP address",
            Self::Networks => "a list of networks",
            Self::Keys => "a list of keys",
            Self::Labels => "a list of labels",
            Self::Peers => "a list of peers",
        })
    }
}

impl Kind {
    /// The value for this text, if it is one of the words of this kind.
    pub fn word(self, text: &str) -> Option<Value> {
        let Self::Word(words) = self else { return None };
        let word = words.iter().find(|word| **word == text)?;
        Some(Value::Word(words, word))
    }
}

fn one_of(words: &[&str], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (place, word) in words.iter().enumerate() {
        let before = match place {
            0 => "",
            last if last + 1 == words.len() => " or ",
            _ => ", ",
        };
        write!(f, "{before}`{word}`")?;
    }
    Ok(())
}

/// The value of a field. `Display` is one line and never shows a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// A number of something.
    Number(u64),
    /// A time span.
    Duration(Duration),
    /// A text, which need not be UTF-8.
    Text(Bytes),
    /// An IP address.
    Address(IpAddr),
    /// Networks; `None` for any.
    Networks(Option<Vec<IpNet>>),
    /// Encryption keys, the primary first.
    Keys(Vec<Key>),
    /// Labels of clusters; an empty one stands for none.
    Labels(Vec<Bytes>),
    /// Peers by address or host name.
    Peers(Vec<Peer>),
    /// All words of the kind, and the one that is chosen.
    Word(&'static [&'static str], &'static str),
}

impl Value {
    /// What kind of value it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Switch(_) => Kind::Switch,
            Self::Number(_) => Kind::Number,
            Self::Duration(_) => Kind::Duration,
            Self::Text(_) => Kind::Text,
            Self::Address(_) => Kind::Address,
            Self::Networks(_) => Kind::Networks,
            Self::Keys(_) => Kind::Keys,
            Self::Labels(_) => Kind::Labels,
            Self::Peers(_) => Kind::Peers,
            Self::Word(words, _) => Kind::Word(words),
        }
    }

    /// What the bounds of its field apply to: a number itself, a duration in nanoseconds, the
    /// length of a text in bytes or of a list in entries. `None` for a value that cannot be out of
    /// bounds.
    pub fn measure(&self) -> Option<u64> {
        let measure = match self {
            Self::Number(number) => *number,
            Self::Duration(span) => u64::try_from(span.as_nanos()).unwrap_or(u64::MAX),
            Self::Text(text) => text.len() as u64,
            Self::Networks(networks) => networks.as_ref()?.len() as u64,
            Self::Keys(keys) => keys.len() as u64,
            Self::Labels(labels) => labels.len() as u64,
            Self::Peers(peers) => peers.len() as u64,
            Self::Switch(_) | Self::Address(_) | Self::Word(..) => return None,
        };
        Some(measure)
    }

    fn to_shown(&self) -> String {
        alloc::string::ToString::to_string(self)
    }
}

/// Texts and lists are shown by their length alone: they can be long, and keys are secret.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(on) => write!(f, "{on}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Duration(span) => Span(*span).fmt(f),
            Self::Text(text) => write!(f, "{} bytes long", text.len()),
            Self::Address(address) => write!(f, "{address}"),
            Self::Networks(None) => f.write_str("any network"),
            Self::Networks(Some(_)) | Self::Keys(_) | Self::Labels(_) | Self::Peers(_) => {
                write!(f, "a list of {} entries", self.measure().unwrap_or_default())
            }
            Self::Word(_, word) => f.write_str(word),
        }
    }
}

/// A duration as people write it: `200ms`, `5s`, `24h`, and `0` for none.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [
            (3_600_000_000_000, "h"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
            (1, "ns"),
        ];
        match units.into_iter().find(|(unit, _)| nanos.is_multiple_of(*unit)) {
            Some((unit, name)) if nanos > 0 => write!(f, "{}{name}", nanos / unit),
            _ => f.write_str("0"),
        }
    }
}

/// The values that a field may have. `Display` writes them as in "0 or 1 ms to 24 h".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub(super) zero: bool,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) text: &'static str,
}

impl Bounds {
    /// Whether a value with this [`measure`](Value::measure) is allowed.
    pub const fn contains(&self, measure: u64) -> bool {
        (self.zero && measure == 0) || (self.min <= measure && measure <= self.max)
    }

    /// The least value allowed; zero may be allowed as well.
    pub const fn min(&self) -> u64 {
        self.min
    }

    /// The greatest value allowed.
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// Whether every value of the kind is allowed.
    pub const fn is_any(&self) -> bool {
        self.text.is_empty()
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The source separates thousands by `_`; people who type a value do not.
        self.text.split('_').try_for_each(|part| f.write_str(part))
    }
}

/// A type that a field can have, and its form as a [`Value`].
pub(super) trait FieldType: Sized {
    const KIND: Kind;

    fn to_value(&self) -> Value;

    /// `None` if the value is of another kind or does not fit.
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! field_type {
    ($($type:ty: $kind:ident, |$own:ident| $to:expr, |$inner:ident| $from:expr;)*) => { $(
        impl FieldType for $type {
            const KIND: Kind = Kind::$kind;

            fn to_value(&self) -> Value {
                let $own = self;
                Value::$kind($to)
            }

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$kind($inner) => $from,
                    _ => None,
                }
            }
        }
    )* };
}

field_type! {
    bool: Switch, |own| *own, |value| Some(value);
    u8: Number, |own| u64::from(*own), |value| value.try_into().ok();
    u16: Number, |own| u64::from(*own), |value| value.try_into().ok();
    u32: Number, |own| u64::from(*own), |value| value.try_into().ok();
    usize: Number, |own| *own as u64, |value| value.try_into().ok();
    Duration: Duration, |own| *own, |value| Some(value);
    NodeName: Text, |own| Bytes::copy_from_slice(own.as_bytes()), |value| Some((&*value).into());
    Bytes: Text, |own| own.clone(), |value| Some(value);
    IpAddr: Address, |own| *own, |value| Some(value);
    Option<Vec<IpNet>>: Networks, |own| own.clone(), |value| Some(value);
    Vec<Key>: Keys, |own| own.clone(), |value| Some(value);
    Vec<Bytes>: Labels, |own| own.clone(), |value| Some(value);
    Vec<Peer>: Peers, |own| own.clone(), |value| Some(value);
}

#[cfg(test)]
mod tests;

//! A node's configuration and addresses, set by the names of their fields: from a file of any
//! format that serde reads, or from texts of the form `field=value`. Needs the feature `serde`.
//!
//! ```
//! use memberlist_driver::settings::Settings;
//!
//! let settings: Settings = toml::from_str(
//!     r#"
//!     name = "web-1"
//!     bind_addr = "127.0.0.1"
//!     bind_port = 0
//!     probe_interval = "500ms"
//!     probe_timeout = "200ms"
//!     cidrs_allowed = ["127.0.0.0/8"]
//!     seeds = ["127.0.0.2:7946"]
//!     limits.streams = 100
//!     "#,
//! )?;
//! assert_eq!(settings.config.limits.streams, 100);
//! let (config, options) = settings.clone().into_parts(); // for `Memberlist::start`
//! assert_eq!(options.bind, ([127, 0, 0, 1], 0).into());
//! assert_eq!(toml::from_str::<Settings>(&toml::to_string(&settings)?)?, settings);
//!
//! let error = toml::from_str::<Settings>("name = \"n\"\nprobe_intervall = \"1s\"").unwrap_err();
//! assert!(error.to_string().contains("line 2"));
//! assert!(error.message().contains("did you mean `probe_interval`?"));
//! # let _ = config;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod serial;
mod value;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use memberlist_proto::fields::{Field, Kind, Value};
use memberlist_proto::{Config, ConfigError, DEFAULT_PORT};

use self::value::Wrong;
use crate::bind::Options;

/// The settings that are not fields of a [`Config`]: where to listen, and what to announce instead
/// of the bound address. Each has its name, an example value, and its meaning.
pub const SOCKETS: [(&str, &str, &str); 4] = [
    ("bind_addr", "\"0.0.0.0\"", "The IP address to listen on."),
    ("bind_port", "7946", "The port to listen on, for packets and streams; 0 picks a free one."),
    ("advertise_addr", "\"10.0.0.1\"", "The IP address to announce instead of the one bound."),
    ("advertise_port", "7946", "The port to announce instead of the one bound."),
];

/// The longest text, in bytes, that is compared with the names of fields.
const LONGEST_NAME: usize = 64;

/// How many characters of an invalid text an error repeats at most.
const SHOWN: usize = 100;

/// A configuration with the addresses to listen on and to announce: everything that
/// `docs/agent.toml` in the repository contains, in the same form. Durations are text such as
/// `500ms`, and keys are base64.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// The configuration. Its `advertise_addr`, `advertise_port` and `bind_port` are set from the
    /// addresses when the node starts.
    pub config: Config,
    /// The address to listen on.
    pub bind: SocketAddr,
    /// The IP address announced to peers; `None` announces the one bound.
    pub advertise_ip: Option<IpAddr>,
    /// The port announced to peers; `None` announces the one bound.
    pub advertise_port: Option<u16>,
}

/// Why a field cannot be set. The text of the error is one line, and never repeats a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// No field has this name.
    #[error("there is no field `{}`{}", shown(.name), hint(*.nearest))]
    Unknown {
        /// The name that was given.
        name: String,
        /// The field with the most similar name, if any is similar enough.
        nearest: Option<&'static str>,
    },
    /// The text is not a value of the field's kind.
    #[error("`{field}` must be {wanted}, not `{}`", shown(.text))]
    Value {
        /// The field.
        field: String,
        /// The kind of value that it must have, in words.
        wanted: String,
        /// The text.
        text: String,
    },
    /// An item of a list cannot be used.
    #[error("`{field}` must be {wanted}: {reason}")]
    Item {
        /// The field.
        field: String,
        /// The kind of value that it must have, in words.
        wanted: String,
        /// What is wrong with the item.
        reason: String,
    },
    /// The value is out of bounds.
    #[error(transparent)]
    Refused(ConfigError),
    /// A text is not of the form `field=value`.
    #[error("`{}` is not of the form `field=value`", shown(.0))]
    NoValue(String),
}

impl SettingError {
    fn wrong(field: &str, kind: Kind, text: &str, wrong: Wrong) -> Self {
        let (field, wanted) = (field.to_owned(), value::wanted(kind));
        match wrong {
            Wrong::Kind => Self::Value { field, wanted, text: text.to_owned() },
            Wrong::Item(reason) => Self::Item { field, wanted, reason },
        }
    }
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |field| format!("; did you mean `{field}`?"))
}

/// [`Config::lan`] without a name, listening as [`Options::default`] does.
impl Default for Settings {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Settings {
    /// Settings with this configuration, which listen on every IPv4 address and port 7946.
    pub fn new(config: Config) -> Self {
        let bind = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), DEFAULT_PORT);
        Self { config, bind, advertise_ip: None, advertise_port: None }
    }

    /// Converts the settings into what a node is started with. A delegate and the like can then be
    /// added to the options.
    pub fn into_parts(self) -> (Config, Options) {
        let mut options = Options::bind(self.bind);
        if self.advertise_ip.is_some() || self.advertise_port.is_some() {
            // Port 0 stands for the bound port, and an unspecified address for the bound address.
            let ip = self.advertise_ip.unwrap_or(self.bind.ip());
            options.advertise = Some(SocketAddr::new(ip, self.advertise_port.unwrap_or_default()));
        }
        (self.config, options)
    }

    /// Sets one field from text: for example `limits.streams` to `100`, or `seeds` to
    /// `a:7946,b:7946`.
    ///
    /// # Errors
    ///
    /// No field has this name, or the text is not a valid value for it; nothing has changed then.
    pub fn set(&mut self, field: &str, text: &str) -> Result<(), SettingError> {
        match field {
            "bind_addr" => self.bind.set_ip(ip(field, text)?),
            "bind_port" => self.bind.set_port(port(field, text)?),
            "advertise_addr" => self.advertise_ip = Some(ip(field, text)?),
            "advertise_port" => self.advertise_port = Some(port(field, text)?),
            _ => set(&mut self.config, field, text)?,
        }
        Ok(())
    }

    /// Sets one field from text of the form `field=value`.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set); also if the text has no `=`.
    pub fn assign(&mut self, assignment: &str) -> Result<(), SettingError> {
        let (field, text) = split(assignment)?;
        self.set(field, text)
    }
}

/// The kind of a field that can be set.
fn kind_of(path: &str) -> Option<Kind> {
    match path {
        "bind_addr" | "advertise_addr" => Some(Kind::Address),
        "bind_port" | "advertise_port" => Some(Kind::Number),
        _ => Config::field(path).filter(|field| !field.is_set_by_adapter()).map(Field::kind),
    }
}

/// Whether a name is that of a group of fields, such as `limits`.
fn is_group(name: &str) -> bool {
    names().any(|path| path.split_once('.').is_some_and(|(group, _)| group == name))
}

/// An invalid text, for use within a line: long text is cut.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => escaped(&text[..end]) + "…",
        None => escaped(text),
    }
}

/// A text, for use within a line: characters that cannot be printed are escaped.
fn escaped(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if matches!(c, '\'' | '"' | '\\') { line.push(c) } else { line.extend(c.escape_debug()) }
    }
    line
}

/// Splits `field=value` into its two sides, without the spaces around them.
///
/// # Errors
///
/// The text has no `=`.
pub fn split(assignment: &str) -> Result<(&str, &str), SettingError> {
    let (field, text) =
        assignment.split_once('=').ok_or_else(|| SettingError::NoValue(assignment.to_owned()))?;
    Ok((field.trim(), text.trim()))
}

/// Sets one field of a configuration, by its path.
///
/// # Errors
///
/// As for [`Settings::set`].
pub fn set(config: &mut Config, field: &str, text: &str) -> Result<(), SettingError> {
    let known = Config::field(field).filter(|known| !known.is_set_by_adapter());
    let known = known.ok_or_else(|| unknown(field))?;
    let value = parse(field, known.kind(), text)?;
    known.set(config, value).map_err(SettingError::Refused)
}

/// The names of all fields that can be set.
pub fn names() -> impl Iterator<Item = &'static str> {
    let config = Config::fields().filter(|field| !field.is_set_by_adapter());
    SOCKETS.iter().map(|(name, ..)| *name).chain(config.map(Field::path))
}

fn parse(field: &str, kind: Kind, text: &str) -> Result<Value, SettingError> {
    value::parse(kind, text).map_err(|wrong| SettingError::wrong(field, kind, text, wrong))
}

fn ip(field: &str, text: &str) -> Result<IpAddr, SettingError> {
    match parse(field, Kind::Address, text)? {
        Value::Address(ip) => Ok(ip),
        value => unreachable!("{value} is read as an address"),
    }
}

fn port(field: &str, text: &str) -> Result<u16, SettingError> {
    text.parse().map_err(|_| SettingError::Value {
        field: field.to_owned(),
        wanted: "a number from 0 to 65535".to_owned(),
        text: text.to_owned(),
    })
}

/// The error for a field that does not exist, with the most similar one that does.
fn unknown(field: &str) -> SettingError {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '-'], "");
    let last = |path: &str| plain(path.rsplit('.').next().unwrap_or_default());
    let (whole, wanted) = (plain(field), last(field));
    // A name without its group counts as similar; one letter in four may differ.
    let distance = |path: &str| {
        let inner = strsim::osa_distance(&last(path), &wanted);
        inner.min(strsim::osa_distance(&plain(path), &whole))
    };
    let near = || {
        let named = names().map(|path| (distance(path), path)).min()?;
        (named.0 * 4 <= wanted.len()).then_some(named.1)
    };
    // The time for a comparison grows with the length of the text.
    let hint = if field.len() <= LONGEST_NAME { near() } else { None };
    SettingError::Unknown { name: field.to_owned(), nearest: hint }
}

#[cfg(test)]
mod tests;

//! Fields of the configuration by name: from a TOML file, from `--set`, from the command `set`.

pub(crate) mod value;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use memberlist_driver::transport::Transport;
use memberlist_proto::fields::{Field, Kind, Value};
use memberlist_proto::{Config, ConfigError, DEFAULT_PORT};

use self::value::Wrong;

/// The settings that are not fields of a [`Config`], each with a value and its meaning: where to
/// listen, and what to announce instead of the address bound.
pub(crate) const SOCKETS: [(&str, &str, &str); 4] = [
    ("bind_addr", "\"0.0.0.0\"", "The IP address to listen on."),
    ("bind_port", "7946", "The port to listen on, for packets and streams; 0 picks a free one."),
    ("advertise_addr", "\"10.0.0.1\"", "The IP address to announce instead of the one bound."),
    ("advertise_port", "7946", "The port to announce instead of the one bound."),
];

/// The longest text that is compared with the names of fields.
const LONGEST_NAME: usize = 64;

/// The most characters of a wrong text that an error repeats.
const SHOWN: usize = 100;

/// A configuration, and where to bind and what to advertise, as far as that is given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) bind: SocketAddr,
    /// The address announced to peers; `None` for the one bound.
    pub(crate) advertise_ip: Option<IpAddr>,
    /// The port announced to peers; `None` for the one bound.
    pub(crate) advertise_port: Option<u16>,
    /// How packets and streams travel.
    pub(crate) transport: Transport,
}

/// Why a field cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingError {
    #[error("there is no field `{}`{}", shown(.0), .1)]
    Unknown(String, Hint),
    #[error("`{field}` must be {wanted}, not `{}`", shown(.text))]
    Value { field: String, wanted: String, text: String },
    #[error("`{field}` must be {wanted}: {reason}")]
    Item { field: String, wanted: String, reason: String },
    #[error(transparent)]
    Refused(ConfigError),
    #[error("`{}` is not of the form `field=value`", shown(.0))]
    NoValue(String),
}

/// The nearest name of a field, if any is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hint(Option<&'static str>);

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(field) => write!(f, "; did you mean `{field}`?"),
            None => Ok(()),
        }
    }
}

impl Settings {
    /// A preset, bound to every address and the usual port.
    pub(crate) fn new(config: Config) -> Self {
        let bind = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), DEFAULT_PORT);
        Self {
            config,
            bind,
            advertise_ip: None,
            advertise_port: None,
            transport: Transport::default(),
        }
    }

    /// Sets one field. What concerns sockets is kept apart: the core only gets the outcome.
    pub(crate) fn set(&mut self, field: &str, text: &str) -> Result<(), SettingError> {
        match field {
            "bind_addr" => self.bind.set_ip(ip(field, text)?),
            "bind_port" => self.bind.set_port(port(field, text)?),
            "advertise_addr" => self.advertise_ip = Some(ip(field, text)?),
            "advertise_port" => self.advertise_port = Some(port(field, text)?),
            _ => set(&mut self.config, field, text)?,
        }
        Ok(())
    }

    /// Sets `field=value`.
    pub(crate) fn assign(&mut self, assignment: &str) -> Result<(), SettingError> {
        let (field, text) = split(assignment)?;
        self.set(field, text)
    }

    /// Sets every field of a TOML file; an error names the file and the reason in one line.
    pub(crate) fn load(&mut self, path: &Path) -> Result<(), String> {
        let file = escaped(&path.to_string_lossy());
        let text = std::fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
        self.read(&text).map_err(|error| format!("{file}: {error}"))
    }

    /// Sets every field of a text in TOML; an error is one line.
    fn read(&mut self, text: &str) -> Result<(), String> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let end = error.span().map_or(0, |span| span.start);
            let line = text.get(..end).map_or(1, |before| before.split('\n').count());
            format!("line {line}: {}", error.message().replace('\n', " "))
        })?;
        table
            .iter()
            .try_for_each(|(field, value)| self.set_toml(field, value))
            .map_err(|error| error.to_string())
    }

    fn set_toml(&mut self, field: &str, value: &toml::Value) -> Result<(), SettingError> {
        match value {
            toml::Value::Table(table) => table
                .iter()
                .try_for_each(|(inner, value)| self.set_toml(&format!("{field}.{inner}"), value)),
            toml::Value::Array(items) => {
                let items: Vec<_> = items.iter().map(item).collect();
                self.set(field, &items.join(","))
            }
            value => self.set(field, &scalar(value)),
        }
    }
}

/// A wrong text within a line; what is long is cut.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => escaped(&text[..end]) + "…",
        None => escaped(text),
    }
}

/// A text within a line: what cannot be printed is escaped.
fn escaped(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if matches!(c, '\'' | '"' | '\\') { line.push(c) } else { line.extend(c.escape_debug()) }
    }
    line
}

/// The two sides of `field=value`.
pub(crate) fn split(assignment: &str) -> Result<(&str, &str), SettingError> {
    let (field, text) =
        assignment.split_once('=').ok_or_else(|| SettingError::NoValue(assignment.to_owned()))?;
    Ok((field.trim(), text.trim()))
}

/// A value as `--set` would be given it.
fn scalar(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An item of a list as `--set` would be given it, where an empty one is written `""`.
fn item(value: &toml::Value) -> String {
    let text = scalar(value);
    if text.is_empty() { "\"\"".to_owned() } else { text }
}

/// Sets one field of a configuration, by its path.
pub(crate) fn set(config: &mut Config, field: &str, text: &str) -> Result<(), SettingError> {
    let known = Config::field(field).filter(|known| !known.is_set_by_adapter());
    let known = known.ok_or_else(|| unknown(field))?;
    let value = parse(field, known.kind(), text)?;
    known.set(config, value).map_err(SettingError::Refused)
}

/// The name of every field that can be set.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let config = Config::fields().filter(|field| !field.is_set_by_adapter());
    SOCKETS.iter().map(|(name, ..)| *name).chain(config.map(Field::path))
}

fn parse(field: &str, kind: Kind, text: &str) -> Result<Value, SettingError> {
    value::parse(kind, text).map_err(|wrong| match wrong {
        Wrong::Kind => SettingError::Value {
            field: field.to_owned(),
            wanted: value::wanted(kind),
            text: text.to_owned(),
        },
        Wrong::Item(reason) => {
            SettingError::Item { field: field.to_owned(), wanted: value::wanted(kind), reason }
        }
    })
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

/// An error about a field that does not exist, with the nearest one that does.
fn unknown(field: &str) -> SettingError {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '-'], "");
    let last = |path: &str| plain(path.rsplit('.').next().unwrap_or_default());
    let (whole, wanted) = (plain(field), last(field));
    // A name without its group counts as near; one letter in four may be wrong.
    let distance = |path: &str| {
        let inner = strsim::osa_distance(&last(path), &wanted);
        inner.min(strsim::osa_distance(&plain(path), &whole))
    };
    let near = || {
        let named = names().map(|path| (distance(path), path)).min()?;
        (named.0 * 4 <= wanted.len()).then_some(named.1)
    };
    // The time for a comparison grows with the length of what was written.
    let hint = if field.len() <= LONGEST_NAME { near() } else { None };
    SettingError::Unknown(field.to_owned(), Hint(hint))
}

#[cfg(test)]
mod tests;

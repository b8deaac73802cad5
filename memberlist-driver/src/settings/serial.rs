//! Settings as a document: how they are read over existing settings, and how they are written.

use std::fmt;

use memberlist_proto::Config;
use memberlist_proto::fields::{Field, Kind, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::value::{Item, from_items, wanted};
use super::{SOCKETS, SettingError, Settings, is_group, kind_of, unknown};

impl Settings {
    /// Sets every field that a document contains. Fields that the document leaves out keep their
    /// values, so that it can be read over [`Config::wan`], or over another document.
    ///
    /// # Errors
    ///
    /// The document has a field that does not exist (the error suggests a similar one), or a value
    /// of the wrong kind or out of bounds; nothing has changed then. With a format such as TOML,
    /// the error also has the line number. The error does not repeat values that may be keys, but
    /// some formats show the line itself.
    pub fn update<'de, D: Deserializer<'de>>(&mut self, from: D) -> Result<(), D::Error> {
        let mut changed = self.clone();
        from.deserialize_map(Fields { settings: &mut changed, group: "" })?;
        *self = changed;
        Ok(())
    }
}

/// Reads a document over [`Config::lan`] without a name.
impl<'de> serde::Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut settings = Self::default();
        settings.update(from)?;
        Ok(settings)
    }
}

/// A table of fields: the document, or one of its groups.
struct Fields<'a> {
    settings: &'a mut Settings,
    /// Empty for the document itself.
    group: &'a str,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(path) = map.next_key_seed(Key { group: self.group })? {
            map.next_value_seed(Place { settings: &mut *self.settings, path: &path })?;
        }
        Ok(())
    }

    // A value in the place of a table may be a misplaced key, and is not repeated.
    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom(format_args!("`{}` is a table of fields", self.group)))
    }
}

/// The name of a field or group, checked where it stands, so that an error has its line.
struct Key<'a> {
    group: &'a str,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        let path = match self.group {
            "" => name.to_owned(),
            group => format!("{group}.{name}"),
        };
        if kind_of(&path).is_some() || is_group(&path) {
            Ok(path)
        } else {
            Err(E::custom(unknown(&path)))
        }
    }
}

/// Where the value of a field, or the fields of a group, go.
struct Place<'a> {
    settings: &'a mut Settings,
    path: &'a str,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        match kind_of(self.path) {
            Some(kind) => from.deserialize_any(Given { place: self, kind }),
            None => from.deserialize_any(Fields { settings: self.settings, group: self.path }),
        }
    }
}

/// The value of a field: of its own kind, or the text that `--set` would take.
struct Given<'a> {
    place: Place<'a>,
    kind: Kind,
}

impl Given<'_> {
    fn text<E: Error>(self, text: &str) -> Result<(), E> {
        self.place.settings.set(self.place.path, text).map_err(E::custom)
    }
}

impl<'de> Visitor<'de> for Given<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wanted(self.kind))
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<(), E> {
        self.text(if on { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.text(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.text(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.text(&number.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Item>()? {
            items.push(item);
        }
        let (settings, path) = (self.place.settings, self.place.path);
        let value = from_items(self.kind, &items)
            .map_err(|wrong| SettingError::wrong(path, self.kind, "a list", wrong))
            .map_err(Error::custom)?;
        match Config::field(path).filter(|field| !field.is_set_by_adapter()) {
            Some(field) => field.set(&mut settings.config, value).map_err(Error::custom),
            None => Err(Error::custom(unknown(path))),
        }
    }
}

/// Writes a document with every field, **including the keys**, which reads back as the same
/// settings.
impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        let [bind_addr, bind_port, advertise_addr, advertise_port] = SOCKETS.map(|(name, ..)| name);
        map.serialize_entry(bind_addr, &self.bind.ip())?;
        map.serialize_entry(bind_port, &self.bind.port())?;
        if let Some(ip) = self.advertise_ip {
            map.serialize_entry(advertise_addr, &ip)?;
        }
        if let Some(port) = self.advertise_port {
            map.serialize_entry(advertise_port, &port)?;
        }
        let fields = || Config::fields().filter(|field| !field.is_set_by_adapter());
        let mut groups: Vec<&str> = Vec::new();
        for field in fields() {
            match field.path().split_once('.') {
                None => map.serialize_entry(field.path(), &Written(field.get(&self.config)))?,
                Some((group, _)) if !groups.contains(&group) => groups.push(group),
                Some(_) => {}
            }
        }
        // Tables come last in TOML.
        for group in groups {
            map.serialize_entry(group, &Group { config: &self.config, group })?;
        }
        map.end()
    }
}

/// The fields of a group.
struct Group<'a> {
    config: &'a Config,
    group: &'a str,
}

impl Serialize for Group<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let name = |field: &'static Field| {
            let (group, name) = field.path().split_once('.')?;
            (group == self.group).then_some((name, field))
        };
        let fields = Config::fields().filter(|field| !field.is_set_by_adapter()).filter_map(name);
        to.collect_map(fields.map(|(name, field)| (name, Written(field.get(self.config)))))
    }
}

/// A value as it is read.
struct Written(Value);

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Value::Switch(on) => to.serialize_bool(*on),
            Value::Number(number) => to.serialize_u64(*number),
            Value::Text(text) => Item::from(text).serialize(to),
            Value::Networks(None) => to.serialize_str("any"),
            Value::Networks(Some(networks)) => {
                to.collect_seq(networks.iter().map(ToString::to_string))
            }
            Value::Keys(keys) => to.collect_seq(keys.iter().map(|key| key.to_base64().to_string())),
            Value::Labels(labels) => to.collect_seq(labels.iter().map(Item::from)),
            Value::Peers(peers) => to.collect_seq(peers.iter().map(ToString::to_string)),
            value @ (Value::Duration(_) | Value::Address(_) | Value::Word(..)) => {
                to.collect_str(value)
            }
        }
    }
}

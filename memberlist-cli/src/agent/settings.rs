//! Fields of the configuration by name: from a TOML file, from `--set`, from the command `set`.

pub(crate) mod value;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use memberlist_proto::{Config, DEFAULT_PORT};

use self::value::Setting;

/// A configuration, and where to bind and what to advertise, as far as that is given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) bind: SocketAddr,
    /// The address told to peers; `None` for the one bound.
    pub(crate) advertise_ip: Option<IpAddr>,
    /// The port told to peers; `None` for the one bound.
    pub(crate) advertise_port: Option<u16>,
}

/// Why a field cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingError {
    #[error("there is no field `{}`{}", shown(.0), .1)]
    Unknown(String, Hint),
    #[error("`{field}` is {what}, not `{}`", shown(.text))]
    Value { field: String, what: &'static str, text: String },
    #[error("`{field}` is a list of keys: {reason}")]
    Key { field: String, reason: String },
    #[error("`{}` is no `field=value`", shown(.0))]
    NoValue(String),
}

/// The nearest name of a field, if any is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hint(Option<&'static str>);

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(field) => write!(f, " (is it `{field}`?)"),
            None => Ok(()),
        }
    }
}

impl Settings {
    /// A preset, bound to every address and the usual port.
    pub(crate) fn new(config: Config) -> Self {
        let bind = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), DEFAULT_PORT);
        Self { config, bind, advertise_ip: None, advertise_port: None }
    }

    /// Sets one field. What concerns sockets is kept apart: the core only hears what came of it.
    pub(crate) fn set(&mut self, field: &str, text: &str) -> Result<(), SettingError> {
        match field {
            "bind_addr" => self.bind.set_ip(parse(field, text)?),
            "bind_port" => self.bind.set_port(parse(field, text)?),
            "advertise_addr" => self.advertise_ip = Some(parse(field, text)?),
            "advertise_port" => self.advertise_port = Some(parse(field, text)?),
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
        let file = path.display();
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
                let items: Vec<_> = items.iter().map(scalar).collect();
                self.set(field, &items.join(","))
            }
            value => self.set(field, &scalar(value)),
        }
    }
}

/// A text within a line.
fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
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

fn parse<T: Setting>(field: &str, text: &str) -> Result<T, SettingError> {
    T::parse(text).map_err(|reason| match reason {
        Some(reason) => SettingError::Key { field: field.to_owned(), reason },
        None => {
            SettingError::Value { field: field.to_owned(), what: T::WHAT, text: text.to_owned() }
        }
    })
}

fn unknown(field: &str) -> SettingError {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().replace('_', "");
    let wanted = last(&field.to_ascii_lowercase());
    let near = FIELDS.iter().copied().find(|path| last(path) == wanted).or_else(|| {
        // A short text is part of many names.
        let mut parts = FIELDS.iter().copied().filter(|path| last(path).contains(&wanted));
        parts.next().filter(|_| wanted.len() > 3)
    });
    SettingError::Unknown(field.to_owned(), Hint(near))
}

/// Declares the fields that can be set, and the function that sets one in a [`Config`].
macro_rules! fields {
    ($([$($path:literal => $($field:ident).+,)*])*) => {
        /// Every field of a [`Config`] by its path, but for those of the sockets.
        pub(crate) const FIELDS: &[&str] = &[$($($path,)*)*];

        /// Sets one field of a configuration, by its path.
        pub(crate) fn set(
            config: &mut Config,
            field: &str,
            text: &str,
        ) -> Result<(), SettingError> {
            match field {
                $($($path => config.$($field).+ = parse(field, text)?,)*)*
                _ => return Err(unknown(field)),
            }
            Ok(())
        }
    };
}

fields! {
    [
        "name" => name,
        "label" => label,
        "skip_inbound_label_check" => skip_inbound_label_check,
        "protocol_version" => protocol_version,
        "delegate_protocol_version" => delegate_protocol_version,
        "delegate_protocol_min" => delegate_protocol_min,
        "delegate_protocol_max" => delegate_protocol_max,
        "meta" => meta,
        "meta_max_size" => meta_max_size,
        "tcp_timeout" => tcp_timeout,
        "indirect_checks" => indirect_checks,
        "retransmit_mult" => retransmit_mult,
        "suspicion_mult" => suspicion_mult,
        "suspicion_max_timeout_mult" => suspicion_max_timeout_mult,
        "push_pull_interval" => push_pull_interval,
        "probe_interval" => probe_interval,
        "probe_timeout" => probe_timeout,
        "disable_tcp_pings" => disable_tcp_pings,
        "awareness_max_multiplier" => awareness_max_multiplier,
        "gossip_interval" => gossip_interval,
        "gossip_nodes" => gossip_nodes,
        "gossip_to_the_dead_time" => gossip_to_the_dead_time,
        "gossip_verify_incoming" => gossip_verify_incoming,
        "gossip_verify_outgoing" => gossip_verify_outgoing,
        "enable_compression" => enable_compression,
        "compress_min_size" => compress_min_size,
        "secret_keys" => secret_keys,
        "udp_buffer_size" => udp_buffer_size,
        "dead_node_reclaim_time" => dead_node_reclaim_time,
        "require_node_names" => require_node_names,
        "cidrs_allowed" => cidrs_allowed,
        "queue_check_interval" => queue_check_interval,
        "join_parallelism" => join_parallelism,
        "join_timeout" => join_timeout,
        "seeds" => seeds,
        "rejoin.interval" => rejoin.interval,
        "rejoin.give_up_after" => rejoin.give_up_after,
        "suspicion" => suspicion,
        "buddy_ping" => buddy_ping,
        "nacks" => nacks,
    ]
    [
        "limits.members" => limits.members,
        "limits.new_members_per_second" => limits.new_members_per_second,
        "limits.new_members_burst" => limits.new_members_burst,
        "limits.streams" => limits.streams,
        "limits.streams_per_source" => limits.streams_per_source,
        "limits.stream_memory" => limits.stream_memory,
        "limits.stream_memory_per_source" => limits.stream_memory_per_source,
        "limits.push_pulls" => limits.push_pulls,
        "limits.relays" => limits.relays,
        "limits.relays_per_second" => limits.relays_per_second,
        "limits.operations" => limits.operations,
        "limits.user_broadcasts" => limits.user_broadcasts,
        "limits.disseminations" => limits.disseminations,
        "limits.dissemination_bytes" => limits.dissemination_bytes,
        "limits.dissemination_streams" => limits.dissemination_streams,
        "limits.stream_bytes" => limits.stream_bytes,
        "limits.stream_decompressed_bytes" => limits.stream_decompressed_bytes,
        "limits.push_pull_nodes" => limits.push_pull_nodes,
        "limits.packet_depth" => limits.packet_depth,
        "limits.told_dead" => limits.told_dead,
        "limits.lost_members" => limits.lost_members,
        "limits.reports_per_second" => limits.reports_per_second,
        "limits.share_per_source" => limits.share_per_source,
    ]
    [
        "differences.keep_higher_incarnation" => differences.keep_higher_incarnation,
        "differences.tell_the_dead" => differences.tell_the_dead,
        "differences.lenient_version_check" => differences.lenient_version_check,
        "differences.require_versions" => differences.require_versions,
        "differences.require_usable_address" => differences.require_usable_address,
        "differences.ignore_zero_incarnation" => differences.ignore_zero_incarnation,
        "differences.received_name_max" => differences.received_name_max,
        "differences.received_meta_max" => differences.received_meta_max,
        "differences.refute_under_name" => differences.refute_under_name,
        "differences.free_wrap" => differences.free_wrap,
        "differences.nack_after_percent" => differences.nack_after_percent,
        "differences.random_sequence" => differences.random_sequence,
        "differences.relay_to_members_only" => differences.relay_to_members_only,
        "differences.random_phase" => differences.random_phase,
        "differences.exact_packet_budget" => differences.exact_packet_budget,
        "differences.compress_streams_if_smaller" => differences.compress_streams_if_smaller,
        "differences.packet_decompressed_max" => differences.packet_decompressed_max,
        "differences.enforce_broadcast_limit" => differences.enforce_broadcast_limit,
        "differences.piggyback_to_members_only" => differences.piggyback_to_members_only,
        "differences.reap_without_probes" => differences.reap_without_probes,
        "differences.rejoin" => differences.rejoin,
        "differences.user_share_percent" => differences.user_share_percent,
        "differences.advertise_form" => differences.advertise_form,
    ]
}

#[cfg(test)]
mod tests;

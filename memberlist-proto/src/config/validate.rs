//! The rules that a configuration must keep: the bounds of each field, and those that concern
//! several fields.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};

use thiserror::Error;

use super::fields::{Field, Value};
use super::{Config, Oversized};
use crate::event::display::escape::Line;
use crate::node::{ZoneRole, names_one_host};
use crate::wire::compress::Algorithm;
use crate::wire::label::MAX_LABEL;

/// Why a node cannot run with a configuration. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A field has a value that its rule forbids.
    #[error("`{field}` is {value}, but {rule}")]
    Invalid {
        /// The field of [`Config`], with dots for nested ones.
        field: &'static str,
        /// The value it has.
        value: String,
        /// Why that is not allowed, as a clause such as "it must be 1 to 5".
        rule: Cow<'static, str>,
    },
    /// The node's own announcement fits into no packet.
    #[error(transparent)]
    Oversized(#[from] Oversized),
    /// The node's own announcement is refused by its own delegate or `cidrs_allowed`.
    #[error("this node's own announcement is refused: {}", Line(reason))]
    SelfRefused {
        /// What refused it, and why.
        reason: String,
    },
}

impl Config {
    /// Checks the bounds of every field, and the rules that concern several fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with the field, its value and the rule, for the first broken rule;
    /// [`ConfigError::Oversized`] if fields that are valid one by one make an announcement that
    /// fits into no packet.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_bounds(|_| true)?;
        self.check_identity()?;
        self.check_packets()?;
        self.check_timing()?;
        let meta = self.announced(&self.meta);
        Ok(self.check_announcement(&meta, !self.secret_keys.is_empty())?)
    }

    /// Checks the fields that can change while the node runs.
    pub(crate) fn validate_timing(&self) -> Result<(), ConfigError> {
        self.check_bounds(Field::is_live)?;
        self.check_timing()
    }

    fn check_bounds(&self, of: impl Fn(&Field) -> bool) -> Result<(), ConfigError> {
        Self::fields().filter(|field| of(field)).try_for_each(|field| field.check(&field.get(self)))
    }

    fn check_identity(&self) -> Result<(), ConfigError> {
        let (min, max) = (self.delegate_protocol_min, self.delegate_protocol_max);
        rule(
            names_one_host(self.advertise_addr),
            "advertise_addr",
            &Value::Address(self.advertise_addr),
            "it must be the address of one host, which peers can send to",
        )?;
        rule(
            (min..=max).contains(&self.delegate_protocol_version),
            "delegate_protocol_version",
            &Value::Number(self.delegate_protocol_version.into()),
            format!(
                "it must lie between `delegate_protocol_min`, which is {min}, and \
                 `delegate_protocol_max`, which is {max}"
            ),
        )?;
        let longest = self.accept_labels.iter().map(bytes::Bytes::len).max().unwrap_or_default();
        rule(
            longest <= MAX_LABEL,
            "accept_labels",
            &format_args!("a list with one of {longest} bytes"),
            format!("each must have at most {MAX_LABEL} bytes"),
        )?;
        rule(
            self.accept_labels.is_empty() || !self.skip_inbound_label_check,
            "accept_labels",
            &Value::Labels(self.accept_labels.clone()),
            "it must be empty with `skip_inbound_label_check`, which leaves no label to compare",
        )?;
        rule(
            self.role == ZoneRole::Member || !self.zone.is_empty(),
            "role",
            &self.role,
            "a bridge connects its zone with others: it needs a `zone`",
        )?;
        // Peers with the same configuration refuse what this node would refuse from a peer.
        let (name, meta) = (self.name.as_bytes().len(), self.announced(&self.meta).len());
        for (field, len, limit, at_most) in [
            ("name", name, "differences.received_name_max", self.differences.received_name_max),
            ("meta", meta, "meta_max_size", self.meta_max_size),
            ("meta", meta, "differences.received_meta_max", self.differences.received_meta_max),
        ] {
            let wanted = format!("it must be at most {at_most} bytes (`{limit}`)");
            rule(len <= at_most, field, &format_args!("{len} bytes long"), wanted)?;
        }
        Ok(())
    }

    /// A node must not refuse the packets that it sends itself.
    fn check_packets(&self) -> Result<(), ConfigError> {
        let (most, sent) = (self.differences.packet_decompressed_max, self.udp_buffer_size);
        rule(
            most >= sent,
            "differences.packet_decompressed_max",
            &most,
            format!("it must be at least `udp_buffer_size`, which is {sent}"),
        )
    }

    fn check_compression(&self) -> Result<(), ConfigError> {
        rule(
            self.compression.algorithm().is_none_or(Algorithm::is_built_in),
            "compression",
            &self.compression,
            "that is not built into this program (feature `snappy`)",
        )
    }

    fn check_timing(&self) -> Result<(), ConfigError> {
        self.check_compression()?;
        rule(
            self.probe_interval.is_zero() || self.probe_timeout < self.probe_interval,
            "probe_timeout",
            &Value::Duration(self.probe_timeout),
            format!(
                "it must be shorter than `probe_interval`, which is {}",
                Value::Duration(self.probe_interval)
            ),
        )
    }
}

fn rule(
    kept: bool,
    field: &'static str,
    value: &dyn core::fmt::Display,
    rule: impl Into<Cow<'static, str>>,
) -> Result<(), ConfigError> {
    if kept {
        Ok(())
    } else {
        Err(ConfigError::Invalid { field, value: value.to_string(), rule: rule.into() })
    }
}

//! The rules that a configuration must keep, each told by field, value and rule.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Display;
use core::time::Duration;

use thiserror::Error;

use super::Config;

/// Why a node cannot run with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A field has a value that its rule forbids.
    #[error("`{field}` is {value}, but {rule}")]
    Invalid {
        /// The field of [`Config`], with dots for nested ones.
        field: &'static str,
        /// The value it has.
        value: String,
        /// What it must keep to.
        rule: Cow<'static, str>,
    },
    /// The node's own announcement is refused by its own delegate or `cidrs_allowed`.
    #[error("this node's own announcement is refused: {reason}")]
    SelfRefused {
        /// What refused it, and why.
        reason: String,
    },
}

impl Config {
    /// Checks every rule; the first broken one is told.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with the field, its value and the rule.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_identity()?;
        self.validate_timing()?;
        self.validate_sizes()
    }

    fn validate_identity(&self) -> Result<(), ConfigError> {
        let name = self.name.as_bytes().len();
        rule(
            "name",
            format!("{name} bytes long"),
            "it must be 1 to 255 bytes",
            (1..=255).contains(&name),
        )?;
        let label = self.label.len();
        rule("label", format!("{label} bytes long"), "it must be at most 255 bytes", label <= 255)?;
        rule(
            "advertise_addr",
            self.advertise_addr,
            "it must be an address that peers can send to",
            !self.advertise_addr.is_unspecified() && !self.advertise_addr.is_multicast(),
        )?;
        rule("advertise_port", self.advertise_port, "it must not be 0", self.advertise_port != 0)?;
        rule("bind_port", self.bind_port, "it must not be 0", self.bind_port != 0)?;
        rule(
            "protocol_version",
            self.protocol_version,
            "it must be 1 to 5",
            (1..=5).contains(&self.protocol_version),
        )?;
        let (min, max) = (self.delegate_protocol_min, self.delegate_protocol_max);
        rule(
            "delegate_protocol_version",
            self.delegate_protocol_version,
            "it must lie between `delegate_protocol_min` and `delegate_protocol_max`",
            (min..=max).contains(&self.delegate_protocol_version),
        )?;
        let meta = self.meta.len();
        rule(
            "meta",
            format!("{meta} bytes long"),
            format!("it must be at most {} bytes (`meta_max_size`)", self.meta_max_size),
            meta <= self.meta_max_size,
        )
    }

    pub(crate) fn validate_timing(&self) -> Result<(), ConfigError> {
        rule(
            "tcp_timeout",
            show(self.tcp_timeout),
            "it must not be 0",
            !self.tcp_timeout.is_zero(),
        )?;
        if !self.probe_interval.is_zero() {
            rule(
                "probe_timeout",
                show(self.probe_timeout),
                "it must be above 0 and below `probe_interval`",
                !self.probe_timeout.is_zero() && self.probe_timeout < self.probe_interval,
            )?;
        }
        let day = Duration::from_secs(86_400);
        for (field, value) in [
            ("tcp_timeout", self.tcp_timeout),
            ("probe_interval", self.probe_interval),
            ("probe_timeout", self.probe_timeout),
            ("gossip_interval", self.gossip_interval),
            ("push_pull_interval", self.push_pull_interval),
            ("rejoin.interval", self.rejoin.interval),
        ] {
            rule(field, show(value), "it must be at most a day", value <= day)?;
        }
        let floor = Duration::from_millis(1);
        for (field, value) in [
            ("probe_interval", self.probe_interval),
            ("gossip_interval", self.gossip_interval),
            ("push_pull_interval", self.push_pull_interval),
            ("rejoin.interval", self.rejoin.interval),
        ] {
            let kept = value.is_zero() || value >= floor;
            rule(field, show(value), "it must be 0 (off) or at least 1ms", kept)?;
        }
        for (field, value) in [
            ("retransmit_mult", self.retransmit_mult),
            ("suspicion_mult", self.suspicion_mult),
            ("suspicion_max_timeout_mult", self.suspicion_max_timeout_mult),
            ("awareness_max_multiplier", self.awareness_max_multiplier),
        ] {
            rule(field, value, "it must be 1 to 1000", (1..=1000).contains(&value))?;
        }
        for (field, value) in
            [("indirect_checks", self.indirect_checks), ("gossip_nodes", self.gossip_nodes)]
        {
            rule(field, value, "it must be at most 1000", value <= 1000)?;
        }
        rule(
            "join_parallelism",
            self.join_parallelism,
            "it must be 1 to 1000",
            (1..=1000).contains(&self.join_parallelism),
        )
    }

    fn validate_sizes(&self) -> Result<(), ConfigError> {
        rule(
            "udp_buffer_size",
            self.udp_buffer_size,
            "it must be 512 to 67108864 bytes",
            (512..=64 << 20).contains(&self.udp_buffer_size),
        )?;
        rule(
            "seeds",
            format!("a list of {}", self.seeds.len()),
            "at most 1024 seeds can be looked for",
            self.seeds.len() <= 1024,
        )?;
        rule(
            "meta_max_size",
            self.meta_max_size,
            "it must be at most 65535 bytes",
            u16::try_from(self.meta_max_size).is_ok(),
        )?;
        rule(
            "differences.nack_after_percent",
            self.differences.nack_after_percent,
            "it must be 1 to 100",
            (1..=100).contains(&self.differences.nack_after_percent),
        )?;
        rule(
            "differences.user_share_percent",
            self.differences.user_share_percent,
            "it must be 0 to 50",
            self.differences.user_share_percent <= 50,
        )?;
        let limits = &self.limits;
        for (field, value) in [
            ("limits.members", limits.members),
            ("limits.new_members_per_second", limits.new_members_per_second),
            ("limits.new_members_burst", limits.new_members_burst),
            ("limits.streams", limits.streams),
            ("limits.streams_per_source", limits.streams_per_source),
            ("limits.stream_memory", limits.stream_memory),
            ("limits.stream_memory_per_source", limits.stream_memory_per_source),
            ("limits.push_pulls", limits.push_pulls),
            ("limits.relays", limits.relays),
            ("limits.relays_per_second", limits.relays_per_second),
            ("limits.operations", limits.operations),
            ("limits.user_broadcasts", limits.user_broadcasts),
            ("limits.disseminations", limits.disseminations),
            ("limits.dissemination_bytes", limits.dissemination_bytes),
            ("limits.dissemination_streams", limits.dissemination_streams),
            ("limits.stream_bytes", limits.stream_bytes),
            ("limits.stream_decompressed_bytes", limits.stream_decompressed_bytes),
            ("limits.push_pull_nodes", limits.push_pull_nodes),
            ("limits.packet_depth", limits.packet_depth),
            ("limits.told_dead", limits.told_dead),
            ("limits.lost_members", limits.lost_members),
            ("limits.reports_per_second", limits.reports_per_second),
            ("limits.share_per_source", limits.share_per_source),
        ] {
            let kept = (1..=u32::MAX as usize).contains(&value);
            rule(field, value, "it must be 1 to 4294967295", kept)?;
        }
        Ok(())
    }
}

fn rule(
    field: &'static str,
    value: impl Display,
    rule: impl Into<Cow<'static, str>>,
    kept: bool,
) -> Result<(), ConfigError> {
    if kept {
        Ok(())
    } else {
        Err(ConfigError::Invalid { field, value: value.to_string(), rule: rule.into() })
    }
}

fn show(duration: Duration) -> String {
    format!("{duration:?}")
}

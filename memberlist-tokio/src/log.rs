//! Log lines through `tracing`.

use memberlist_proto::Config;
use memberlist_proto::driver::{LogSink, bind};

/// Announcing a public address in clear text is rarely meant.
pub(crate) fn warn_if_public(config: &Config) {
    if bind::announces_in_clear(config) {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            node = %config.name,
            "announcing the public address {} without encryption",
            config.advertise_addr
        );
    }
}

/// Where log lines go.
#[cfg(feature = "tracing")]
#[allow(clippy::unnecessary_wraps)] // Without the feature there is none.
pub(crate) fn log() -> Option<LogSink> {
    use memberlist_proto::driver::log::Severity;
    Some(|node, severity, line| match severity {
        Severity::Error => tracing::error!(%node, "{line}"),
        Severity::Warning => tracing::warn!(%node, "{line}"),
        Severity::Info => tracing::info!(%node, "{line}"),
        Severity::Debug => tracing::debug!(%node, "{line}"),
    })
}

/// Where log lines go.
#[cfg(not(feature = "tracing"))]
pub(crate) fn log() -> Option<LogSink> {
    None
}

//! Bytes on the wire: messages, packets and streams of hashicorp/memberlist, in both directions.
//!
//! This layer knows nothing of members, timers or configuration. A packet is opened with
//! [`packet::open`] and made with [`packet::seal`]; a stream is read with [`frame::FrameReader`]
//! and written with [`frame::seal_frame`]. The layers nest as follows:
//!
//! ```text
//! packet: message or compound → compress? → checksum? → encrypt? → label?
//! stream: label? (initiator only), then message → compress? → encrypt?
//! ```
//!
//! The module is public for tools and tests; before 1.0 it may change in any release.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub(crate) mod checksum;
pub mod compound;
pub mod compress;
pub mod frame;
pub mod label;
pub mod message;
mod msgpack;
pub mod packet;
pub mod push_pull;
mod scratch;

pub use checksum::ChecksumError;
pub use msgpack::{DecodeError, Expected};
pub use scratch::Scratch;

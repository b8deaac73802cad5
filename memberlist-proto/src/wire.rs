//! Bytes on the wire: messages, packets and streams of hashicorp/memberlist, in both directions.
//!
//! Nothing here knows what a cluster is. A packet is opened with [`packet::open`] and made with
//! [`packet::seal`]; a stream is read with [`frame::FrameReader`] and written with
//! [`frame::seal_frame`]. Layers nest like this:
//!
//! ```text
//! packet out: message or compound → compress? → checksum? → encrypt? → label?
//! stream out: label? (initiator only), then message → compress? → encrypt?
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

pub mod checksum;
pub mod compound;
pub mod compress;
pub mod frame;
pub mod label;
pub mod message;
pub mod msgpack;
pub mod packet;
pub mod push_pull;
mod scratch;

pub use msgpack::DecodeError;
pub use scratch::Scratch;

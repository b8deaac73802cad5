//! The memberlist gossip protocol as a deterministic state machine without IO.
#![cfg_attr(not(feature = "std"), no_std)]
extern crate alloc;

pub mod security;
pub mod wire;

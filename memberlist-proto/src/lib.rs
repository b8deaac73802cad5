//! The memberlist gossip protocol as a deterministic state machine without IO.
#![cfg_attr(not(feature = "std"), no_std)]
extern crate alloc;

pub mod awareness;
pub mod broadcast;
pub mod members;
pub mod node;
pub mod rng;
pub mod suspicion;
pub mod time;
pub mod timers;

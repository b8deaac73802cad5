//! Keys and authenticated encryption.
//!
//! Possession of a key means full trust: there is no identity of a single node, and no protection
//! against replays (`docs/security.md`).
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

pub mod aead;
mod keyring;

pub use aead::{DecryptError, Version};
pub use keyring::{InvalidKey, Key, KeyId, Keyring, KeyringError, ParseKeyError};

//! Keys and authenticated encryption.
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
pub use keyring::{InvalidKey, Key, Keyring, KeyringError};

//! Keys and authenticated encryption.

pub mod aead;
mod keyring;

pub use aead::{DecryptError, Version};
pub use keyring::{InvalidKey, Key, Keyring, KeyringError};

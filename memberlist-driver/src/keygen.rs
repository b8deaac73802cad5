//! Random keys from the operating system.

use memberlist_proto::Key;

use crate::bind::{StartError, seed};

/// Adds `Key::generate`, which the core cannot have because it has no source of randomness.
///
/// ```
/// use memberlist_driver::GenerateKey as _;
/// use memberlist_proto::Key;
///
/// let key = Key::generate()?;
/// let text = key.to_base64();
/// assert_eq!(text.parse(), Ok(key));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait GenerateKey: Sized {
    /// A new random key of 32 bytes, for AES-256.
    ///
    /// # Errors
    ///
    /// [`StartError::Randomness`] if the operating system provides no randomness.
    fn generate() -> Result<Self, StartError>;
}

impl GenerateKey for Key {
    /// # Panics
    ///
    /// Never: 32 bytes are a key.
    fn generate() -> Result<Self, StartError> {
        Ok(Self::new(&seed()?).expect("32 bytes are a key"))
    }
}

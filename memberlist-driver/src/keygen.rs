//! Keys from the operating system's randomness.

use memberlist_proto::Key;

use crate::bind::{StartError, seed};

/// `Key::generate`, for which the core, which has no source of randomness, needs a driver.
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
    /// [`StartError::Randomness`] if the operating system has no randomness.
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

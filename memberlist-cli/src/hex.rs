//! Hexadecimal text.

use std::fmt::Write as _;

/// Why a text is not hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HexError {
    #[error("`{}` at position {at} is not a hexadecimal digit", char::from(*.byte).escape_default())]
    Digit { byte: u8, at: usize },
    #[error("the number of hexadecimal digits is odd")]
    Odd,
}

/// Decodes digits of either case; white space is ignored.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, HexError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (at, &byte) in text.iter().enumerate() {
        if byte.is_ascii_whitespace() {
            continue;
        }
        let digit = char::from(byte).to_digit(16).ok_or(HexError::Digit { byte, at })? as u8;
        match high.take() {
            None => high = Some(digit << 4),
            Some(high) => bytes.push(high | digit),
        }
    }
    if high.is_some() { Err(HexError::Odd) } else { Ok(bytes) }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;

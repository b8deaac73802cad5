//! `MessagePack` as the Go library's codec (go-msgpack, legacy raw mode) writes and reads it.
//!
//! Writers append exactly the bytes that Go appends. The [`Reader`] borrows from its input and is
//! as lenient as Go's decoder, with one exception:
//!
//! Differs from Go: an array or a map of integers in place of a string or of bytes is refused. No
//! known sender produces one.

use alloc::vec::Vec;
use core::fmt;
use core::ops::ControlFlow;

use thiserror::Error;

mod in_order;
mod scanner;

pub(crate) use in_order::InOrder;
pub(crate) use scanner::Scanner;

/// How many arrays and maps may be nested inside one field value, as in go-msgpack. Only fields
/// that no receiver knows can contain any, and they are skipped: the limit bounds that work.
pub(crate) const MAX_NESTING: usize = 1022;

/// Why a message cannot be decoded. Positions count in bytes from the start of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum DecodeError {
    /// There is no type byte.
    #[error("missing message type byte")]
    Empty,
    /// The type does not exist, or does not belong in this place.
    #[error("message type {0} is not supported here")]
    UnexpectedType(u8),
    /// The input ends inside a value.
    #[error("message ends unexpectedly at byte {at}")]
    Truncated {
        /// Where the input ends.
        at: usize,
    },
    /// A value is of a different kind than its field.
    #[error("byte {at}: expected {expected}, found a value that starts with {found:#04x}")]
    Kind {
        /// Where the value starts.
        at: usize,
        /// The kind of the field.
        expected: Expected,
        /// The value's first byte.
        found: u8,
    },
    /// A number is out of its field's range.
    #[error("byte {at}: number does not fit its field")]
    Range {
        /// Where the number starts.
        at: usize,
    },
    /// A map key is empty or nil.
    #[error("byte {at}: empty field name")]
    EmptyKey {
        /// Where the key starts.
        at: usize,
    },
    /// `c1`, which `MessagePack` reserves.
    #[error("byte {at}: reserved byte c1")]
    Reserved {
        /// Where the byte is.
        at: usize,
    },
    /// More than 1,022 arrays and maps inside each other.
    #[error("byte {at}: nested too deeply")]
    TooDeep {
        /// Where the limit was exceeded.
        at: usize,
    },
}

/// The kinds of fields that messages have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Expected {
    /// A struct: a map by field names, or an array in the order of Go's declaration.
    Struct,
    /// A string or bytes, which the wire does not distinguish.
    Bytes,
    /// An integer.
    Integer,
    /// A boolean.
    Boolean,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Struct => "a map or an array",
            Self::Bytes => "a string or bytes",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
        })
    }
}

/// Appends the header of a struct with `fields` fields (at most 15).
pub(crate) fn write_map(out: &mut Vec<u8>, fields: u8) {
    out.push(0x80 | (fields & 0x0f));
}

/// Appends a string or non-nil bytes in the legacy raw form: never `str8`, never `bin`, which
/// go-msgpack writes only with an option (`WriteExt`) that the library does not set.
///
/// Bytes beyond 4 GiB are left out, since no header can announce them.
pub(crate) fn write_raw(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..u32::MAX as usize).unwrap_or(bytes);
    let len = bytes.len();
    if len < 32 {
        out.push(0xa0 | len as u8);
    } else if len < 65_536 {
        out.push(0xda);
        out.extend_from_slice(&(len as u16).to_be_bytes());
    } else {
        out.push(0xdb);
        out.extend_from_slice(&(len as u32).to_be_bytes());
    }
    out.extend_from_slice(bytes);
}

/// Appends bytes that may be nil. Nil and empty differ on the wire, and a message that is passed on
/// keeps the one that it had.
pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => write_raw(out, bytes),
        None => out.push(0xc0),
    }
}

/// Appends a boolean.
pub(crate) fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends the value of an unsigned field, in the shortest unsigned form.
pub(crate) fn write_uint(out: &mut Vec<u8>, value: u32) {
    if value <= 0x7f {
        out.push(value as u8);
    } else if let Ok(value) = u8::try_from(value) {
        out.extend_from_slice(&[0xcc, value]);
    } else if let Ok(value) = u16::try_from(value) {
        out.push(0xcd);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        out.push(0xce);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends the value of a signed field (a Go `int`) as go-msgpack does: in signed forms only, and
/// never in `d0` (`int8`) if it is positive. Releases before v0.5.1 wrote the unsigned forms; all of
/// them read both.
pub(crate) fn write_int(out: &mut Vec<u8>, value: i64) {
    if let Ok(small) = i8::try_from(value) {
        // −32 to 127 are a single byte; everything else of this width is negative.
        if small < -32 {
            out.push(0xd0);
        }
        out.push(small as u8);
    } else if let Ok(value) = i16::try_from(value) {
        out.push(0xd1);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(0xd2);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// A borrowing decoder over one buffer. A field that holds nil reads as the zero value.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `input`.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self::new_at(input, 0)
    }

    /// A reader that begins at byte `at` of `input`, and counts positions from byte 0 of it.
    pub(crate) fn new_at(input: &'a [u8], at: usize) -> Self {
        Self { input, at }
    }

    /// The bytes that have not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Reads a struct. `declared` lists its fields in the order of Go's declaration, which is the
    /// order of a struct sent as an array. `read` is called with the index of each field that is
    /// present, and has to read its value. A nil struct has no fields; unknown fields are skipped;
    /// if a field occurs twice, the second value is read after the first.
    ///
    /// # Errors
    /// The input is not a map, an array or nil, it ends early, or `read` failed.
    pub(crate) fn structure(
        &mut self,
        declared: &[&str],
        mut read: impl FnMut(&mut Self, usize) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let start = self.at;
        match self.byte()? {
            0xc0 => Ok(()),
            byte @ 0x80..=0x8f => self.map(u32::from(byte & 0x0f), declared, &mut read),
            byte @ 0x90..=0x9f => self.array(u32::from(byte & 0x0f), declared, &mut read),
            0xdc => {
                let count = self.number(2)? as u32;
                self.array(count, declared, &mut read)
            }
            0xdd => {
                let count = self.number(4)? as u32;
                self.array(count, declared, &mut read)
            }
            0xde => {
                let count = self.number(2)? as u32;
                self.map(count, declared, &mut read)
            }
            0xdf => {
                let count = self.number(4)? as u32;
                self.map(count, declared, &mut read)
            }
            found => Err(DecodeError::Kind { at: start, expected: Expected::Struct, found }),
        }
    }

    /// Reads a string field. Strings are bytes and need not be UTF-8.
    ///
    /// # Errors
    /// The value is of another kind, or the input ends.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        Ok(self.bytes()?.unwrap_or_default())
    }

    /// Reads a bytes field in any of the raw, `str8` and `bin` forms, or nil.
    ///
    /// # Errors
    /// The value is of another kind, or the input ends.
    pub(crate) fn bytes(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        let start = self.at;
        let len = match self.byte()? {
            0xc0 => return Ok(None),
            byte @ 0xa0..=0xbf => usize::from(byte & 0x1f),
            0xc4 | 0xd9 => self.number(1)? as usize,
            0xc5 | 0xda => self.number(2)? as usize,
            0xc6 | 0xdb => self.number(4)? as usize,
            found => {
                return Err(DecodeError::Kind { at: start, expected: Expected::Bytes, found });
            }
        };
        self.take(len).map(Some)
    }

    /// Reads an unsigned field whose type holds at most `max`.
    ///
    /// # Errors
    /// The value is of another kind, negative or too large, or the input ends.
    pub(crate) fn uint(&mut self, max: u64) -> Result<u64, DecodeError> {
        let start = self.at;
        let range = DecodeError::Range { at: start };
        let value = match self.integer()? {
            Integer::Unsigned(value) => value,
            Integer::Signed(value) => u64::try_from(value).map_err(|_| range)?,
        };
        if value > max { Err(range) } else { Ok(value) }
    }

    /// Reads a `uint32` field.
    ///
    /// # Errors
    /// As [`uint`](Self::uint).
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(self.uint(u32::MAX.into())? as u32)
    }

    /// Reads a `uint16` field.
    ///
    /// # Errors
    /// As [`uint`](Self::uint).
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(self.uint(u16::MAX.into())? as u16)
    }

    /// Reads a signed field. As in Go, an unsigned number above 2⁶³−1 wraps to a negative one, which
    /// every check of a length then refuses.
    ///
    /// # Errors
    /// The value is of another kind, or the input ends.
    pub(crate) fn int(&mut self) -> Result<i64, DecodeError> {
        Ok(match self.integer()? {
            Integer::Unsigned(value) => value.cast_signed(),
            Integer::Signed(value) => value,
        })
    }

    /// Reads a boolean field. As in Go, the one-byte integers 0 and 1 are booleans too.
    ///
    /// # Errors
    /// The value is of another kind, or the input ends.
    pub(crate) fn boolean(&mut self) -> Result<bool, DecodeError> {
        let start = self.at;
        match self.byte()? {
            0xc0 | 0xc2 | 0x00 => Ok(false),
            0xc3 | 0x01 => Ok(true),
            found => Err(DecodeError::Kind { at: start, expected: Expected::Boolean, found }),
        }
    }

    /// Skips one value of any kind.
    ///
    /// # Errors
    /// The value is invalid, nested deeper than [`MAX_NESTING`], or the input ends.
    pub(crate) fn skip(&mut self) -> Result<(), DecodeError> {
        // The scanner keeps its own stack, so that deeply nested input costs heap and not stack.
        let mut scanner = Scanner::new(MAX_NESTING).starting_at(self.at);
        match scanner.feed(self.rest())? {
            ControlFlow::Break(used) => self.take(used).map(drop),
            ControlFlow::Continue(()) => Err(DecodeError::Truncated { at: self.input.len() }),
        }
    }

    fn map(
        &mut self,
        count: u32,
        declared: &[&str],
        read: &mut impl FnMut(&mut Self, usize) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        // The count is only a claim of the sender: nothing is reserved by it, and the loop ends
        // with the input at the latest.
        for _ in 0..count {
            let start = self.at;
            let key = self.string()?;
            if key.is_empty() {
                return Err(DecodeError::EmptyKey { at: start });
            }
            // Usually the first byte already distinguishes the fields, which saves a comparison of
            // all bytes for every field before the right one.
            let is_key = |name: &&str| {
                let name = name.as_bytes();
                name.len() == key.len() && name.first() == key.first() && name == key
            };
            match declared.iter().position(is_key) {
                Some(field) => read(self, field)?,
                None => self.skip()?,
            }
        }
        Ok(())
    }

    fn array(
        &mut self,
        count: u32,
        declared: &[&str],
        read: &mut impl FnMut(&mut Self, usize) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        // Fewer elements than fields leave the rest at zero; more are skipped, so that a later
        // release may append fields.
        for field in 0..count as usize {
            if field < declared.len() {
                read(self, field)?;
            } else {
                self.skip()?;
            }
        }
        Ok(())
    }

    fn integer(&mut self) -> Result<Integer, DecodeError> {
        let start = self.at;
        Ok(match self.byte()? {
            0xc0 => Integer::Unsigned(0),
            byte @ 0x00..=0x7f => Integer::Unsigned(byte.into()),
            byte @ 0xe0..=0xff => Integer::Signed(byte.cast_signed().into()),
            0xcc => Integer::Unsigned(self.number(1)?),
            0xcd => Integer::Unsigned(self.number(2)?),
            0xce => Integer::Unsigned(self.number(4)?),
            0xcf => Integer::Unsigned(self.number(8)?),
            0xd0 => Integer::Signed((self.number(1)? as u8).cast_signed().into()),
            0xd1 => Integer::Signed((self.number(2)? as u16).cast_signed().into()),
            0xd2 => Integer::Signed((self.number(4)? as u32).cast_signed().into()),
            0xd3 => Integer::Signed(self.number(8)?.cast_signed()),
            found => {
                return Err(DecodeError::Kind { at: start, expected: Expected::Integer, found });
            }
        })
    }

    fn number(&mut self, width: usize) -> Result<u64, DecodeError> {
        let bytes = self.take(width)?;
        Ok(bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        match self.take(1)? {
            &[byte] => Ok(byte),
            _ => Err(DecodeError::Truncated { at: self.at }),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.saturating_add(len);
        let Some(bytes) = self.input.get(self.at..end) else {
            return Err(DecodeError::Truncated { at: self.input.len() });
        };
        self.at = end;
        Ok(bytes)
    }
}

enum Integer {
    Unsigned(u64),
    Signed(i64),
}

#[cfg(test)]
mod tests;

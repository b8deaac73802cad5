//! The part of protobuf that a message of strings, bytes and numbers needs.

use super::FrameError;

/// The highest field number.
const NUMBER_MAX: u64 = (1 << 29) - 1;
/// How deep groups may be nested; they are obsolete, and skipped.
const DEPTH: usize = 16;

const VARINT: u64 = 0;
const BYTES: u64 = 2;

/// A field with its number.
#[derive(Clone, Copy)]
pub(super) enum Field<'a> {
    Varint(u64, u64),
    Bytes(u64, &'a [u8]),
    /// Of a type that is skipped.
    Other,
}

pub(super) fn put_varint(out: &mut Vec<u8>, number: u64, value: u64) {
    put(out, number << 3 | VARINT);
    put(out, value);
}

/// Writes a string or bytes; if empty, the field is left out.
pub(super) fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        put(out, number << 3 | BYTES);
        put(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The fields of a message, in order. After an error, no more follow.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<Field<'a>, FrameError> {
        let (number, kind) = self.tag()?;
        match kind {
            VARINT => Ok(Field::Varint(number, self.varint()?)),
            BYTES => {
                let len = self.varint()?;
                Ok(Field::Bytes(number, self.take(len)?))
            }
            other => self.skip(number, other, 0).map(|()| Field::Other),
        }
    }

    fn skip(&mut self, number: u64, kind: u64, depth: usize) -> Result<(), FrameError> {
        match kind {
            VARINT => self.varint().map(drop),
            1 => self.take(8).map(drop),
            BYTES => {
                let len = self.varint()?;
                self.take(len).map(drop)
            }
            3 if depth < DEPTH => loop {
                match self.tag()? {
                    (inner, 4) if inner == number => return Ok(()),
                    (inner, kind) => self.skip(inner, kind, depth + 1)?,
                }
            },
            3 => Err(FrameError::Malformed("too many groups within one another")),
            5 => self.take(4).map(drop),
            _ => Err(FrameError::Malformed("a field of unknown type")),
        }
    }

    fn tag(&mut self) -> Result<(u64, u64), FrameError> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > NUMBER_MAX {
            return Err(FrameError::Malformed("a field's number is out of range"));
        }
        Ok((number, tag & 7))
    }

    fn varint(&mut self) -> Result<u64, FrameError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) =
                self.0.split_first().ok_or(FrameError::Malformed("cut within a number"))?;
            self.0 = rest;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(FrameError::Malformed("a number of more than 64 bits"))
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], FrameError> {
        let cut = FrameError::Malformed("a field is longer than the message");
        let len = usize::try_from(len).map_err(|_| cut.clone())?;
        let (field, rest) = self.0.split_at_checked(len).ok_or(cut)?;
        self.0 = rest;
        Ok(field)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests;

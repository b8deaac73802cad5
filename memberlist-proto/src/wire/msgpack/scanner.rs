//! Finding the end of a value without decoding it.

use core::ops::ControlFlow;

use smallvec::SmallVec;

use super::DecodeError;

/// Finds where one `MessagePack` value ends. Fed in chunks of any size, it looks at each byte once.
///
/// Plaintext streams of this protocol have no outer length, and neither side closes its half to end
/// a message: parsing is the only way to find a message's end.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Scanner {
    /// How many values each open array or map still lacks, outermost first.
    open: SmallVec<[u64; 8]>,
    state: State,
    max_nesting: usize,
    at: usize,
}

impl Scanner {
    /// A scanner that refuses more than `max_nesting` arrays and maps inside each other, the value
    /// itself included.
    pub(crate) fn new(max_nesting: usize) -> Self {
        Self { open: SmallVec::new(), state: State::Value, max_nesting, at: 0 }
    }

    /// Counts positions in errors from `at` instead of from zero.
    #[must_use]
    pub(crate) fn starting_at(mut self, at: usize) -> Self {
        self.at = at;
        self
    }

    /// Looks at the next bytes. Returns `Break(n)` if the value ends after the first `n` of them,
    /// and `Continue` if all of them belong to it and more must follow. Once the end has been found,
    /// it returns `Break(0)`.
    ///
    /// # Errors
    /// A reserved byte, or nesting beyond the limit. The scanner must not be used afterwards.
    pub(crate) fn feed(&mut self, data: &[u8]) -> Result<ControlFlow<usize>, DecodeError> {
        let mut rest = data;
        loop {
            match self.state {
                State::Complete => {
                    return Ok(ControlFlow::Break(data.len().saturating_sub(rest.len())));
                }
                State::Skip(missing) => {
                    // Strings and bytes of unknown fields are never collected, whatever length they
                    // announce: only a count remains of them.
                    let available = rest.len() as u64;
                    if available < missing {
                        self.at = self.at.saturating_add(rest.len());
                        self.state = State::Skip(missing.saturating_sub(available));
                        return Ok(ControlFlow::Continue(()));
                    }
                    rest = rest.get(missing as usize..).unwrap_or_default();
                    self.at = self.at.saturating_add(missing as usize);
                    self.close();
                }
                State::Value | State::Length { .. } => {
                    let Some((&byte, tail)) = rest.split_first() else {
                        return Ok(ControlFlow::Continue(()));
                    };
                    rest = tail;
                    if let State::Length { kind, missing, value } = self.state {
                        self.length(kind, missing, value << 8 | u64::from(byte))?;
                    } else {
                        self.begin(byte)?;
                    }
                    self.at = self.at.saturating_add(1);
                }
            }
        }
    }

    fn begin(&mut self, byte: u8) -> Result<(), DecodeError> {
        match byte {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => self.close(),
            // A map of n entries is 2n values to come.
            0x80..=0x8f => self.open(u64::from(byte & 0x0f) << 1)?,
            0x90..=0x9f => self.open((byte & 0x0f).into())?,
            0xa0..=0xbf => self.skip((byte & 0x1f).into()),
            0xc1 => return Err(DecodeError::Reserved { at: self.at }),
            0xc4 | 0xd9 => self.expect_length(Kind::Bytes, 1),
            0xc5 | 0xda => self.expect_length(Kind::Bytes, 2),
            0xc6 | 0xdb => self.expect_length(Kind::Bytes, 4),
            // No message has an extension, but an unknown field may (Go skips them too).
            0xc7 => self.expect_length(Kind::Extension, 1),
            0xc8 => self.expect_length(Kind::Extension, 2),
            0xc9 => self.expect_length(Kind::Extension, 4),
            0xcc | 0xd0 => self.skip(1),
            0xcd | 0xd1 | 0xd4 => self.skip(2),
            0xd5 => self.skip(3),
            0xca | 0xce | 0xd2 => self.skip(4),
            0xd6 => self.skip(5),
            0xcb | 0xcf | 0xd3 => self.skip(8),
            0xd7 => self.skip(9),
            0xd8 => self.skip(17),
            0xdc => self.expect_length(Kind::Array, 2),
            0xdd => self.expect_length(Kind::Array, 4),
            0xde => self.expect_length(Kind::Map, 2),
            0xdf => self.expect_length(Kind::Map, 4),
        }
        Ok(())
    }

    fn expect_length(&mut self, kind: Kind, width: u8) {
        self.state = State::Length { kind, missing: width, value: 0 };
    }

    fn length(&mut self, kind: Kind, missing: u8, value: u64) -> Result<(), DecodeError> {
        let missing = missing.saturating_sub(1);
        if missing > 0 {
            self.state = State::Length { kind, missing, value };
            return Ok(());
        }
        match kind {
            Kind::Bytes => self.skip(value),
            // The extension's type byte comes before its data and is not in the length.
            Kind::Extension => self.skip(value.saturating_add(1)),
            Kind::Array => self.open(value)?,
            Kind::Map => self.open(value << 1)?,
        }
        Ok(())
    }

    fn skip(&mut self, bytes: u64) {
        if bytes == 0 {
            self.close();
        } else {
            self.state = State::Skip(bytes);
        }
    }

    /// Enters an array or map of `values` values.
    fn open(&mut self, values: u64) -> Result<(), DecodeError> {
        // Checked before the push: the stack of open values is the scanner's only memory, so that
        // this bounds it.
        if self.open.len() >= self.max_nesting {
            return Err(DecodeError::TooDeep { at: self.at });
        }
        if values == 0 {
            self.close();
        } else {
            self.open.push(values);
            self.state = State::Value;
        }
        Ok(())
    }

    /// Ends a value, and with it every array and map of which it was the last.
    fn close(&mut self) {
        while let Some(missing) = self.open.last_mut() {
            *missing = missing.saturating_sub(1);
            if *missing > 0 {
                self.state = State::Value;
                return;
            }
            self.open.pop();
        }
        self.state = State::Complete;
    }
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum State {
    Value,
    Length { kind: Kind, missing: u8, value: u64 },
    Skip(u64),
    Complete,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Kind {
    Bytes,
    Extension,
    Array,
    Map,
}

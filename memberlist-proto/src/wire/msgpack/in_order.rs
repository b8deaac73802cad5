//! Structs in the form in which they are nearly always sent.

use super::Reader;

/// Reads a struct that has all its fields, in the order of their names and in the forms that this
/// library and Go write. Anything else is `None`, malformed or not: the [`Reader`] decides then.
/// What this reads, the [`Reader`] reads to the same values and the same end.
///
/// Knowing the order, a key is compared to one constant, which saves most of the work of decoding.
#[derive(Clone, Debug)]
pub(crate) struct InOrder<'a> {
    rest: &'a [u8],
}

impl<'a> InOrder<'a> {
    /// Begins to read at the start of `input`.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// Passes over exactly these bytes: the next key with its header, and before the first key the
    /// header of the map.
    pub(crate) fn key<const N: usize>(&mut self, key: &[u8; N]) -> Option<()> {
        let (found, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        (found == key).then_some(())
    }

    /// Reads a string.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let len = match self.byte()? {
            short @ 0xa0..=0xbf => usize::from(short & 0x1f),
            0xda => usize::from(u16::from_be_bytes(*self.chunk()?)),
            _ => return None,
        };
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Reads bytes, which may be nil.
    #[expect(clippy::option_option, reason = "nil is a value, and in order")]
    pub(crate) fn bytes(&mut self) -> Option<Option<&'a [u8]>> {
        if let Some((0xc0, rest)) = self.rest.split_first() {
            self.rest = rest;
            return Some(None);
        }
        self.string().map(Some)
    }

    /// Reads an unsigned number.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(match self.byte()? {
            small @ 0x00..=0x7f => small.into(),
            0xcc => self.byte()?.into(),
            0xcd => u16::from_be_bytes(*self.chunk()?).into(),
            0xce => u32::from_be_bytes(*self.chunk()?),
            _ => return None,
        })
    }

    /// Reads an unsigned number of 16 bits.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.u32()?).ok()
    }

    /// Reads a signed number from 0 to 127, which takes one byte; `None` for any other.
    pub(crate) fn small_int(&mut self) -> Option<i64> {
        self.byte().filter(|byte| *byte <= 0x7f).map(i64::from)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn chunk<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (chunk, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(chunk)
    }
}

impl<'a> Reader<'a> {
    /// Reads a struct with `read`, if it is in order; otherwise returns `None` and has read
    /// nothing.
    pub(crate) fn in_order<T>(
        &mut self,
        read: impl FnOnce(&mut InOrder<'a>) -> Option<T>,
    ) -> Option<T> {
        let mut in_order = InOrder::new(self.rest());
        let read = read(&mut in_order)?;
        self.at = self.input.len().saturating_sub(in_order.rest.len());
        Some(read)
    }
}

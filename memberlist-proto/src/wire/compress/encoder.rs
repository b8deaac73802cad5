//! LZW, as Go's `compress/lzw` writes it.
//!
//! An encoder of our own: that of the `weezl` crate clears a full dictionary elsewhere than Go's,
//! and takes several times as long for the full state of a large cluster.

use alloc::vec::Vec;

/// The code that empties the dictionary; those below are the bytes themselves.
const CLEAR: u32 = 256;
const END: u32 = 257;
/// The last code, at which the dictionary is full.
const LAST: u32 = 4095;
const FIRST_WIDTH: u32 = 9;
/// More than twice as many places as there are codes.
const MOST_PLACES: usize = 1 << 13;
const CODE_BITS: u32 = 12;

/// A dictionary that is kept from one message to the next.
///
/// An entry is what it stands for, the code before and one more byte, above its own code: never 0,
/// which is a free place. Each is at the place of its hash, or at the first that was free after it.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    places: Vec<u32>,
    /// The places taken, so that a short message does not pay for emptying all.
    taken: Vec<u16>,
}

/// What has been written, bits first in the lowest place.
struct Bits<'a> {
    out: &'a mut Vec<u8>,
    /// How long `out` may get.
    limit: usize,
    pending: u32,
    count: u32,
}

impl Encoder {
    /// Appends the LZW form of `input` to `out`, but stops soon after that is longer than `limit`;
    /// whether it is complete.
    pub(super) fn encode(&mut self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
        // At least twice as many places as codes can come, but a short message takes little memory.
        let places = input.len().saturating_mul(2).min(MOST_PLACES).next_power_of_two();
        if self.places.len() < places {
            self.places.resize(places, 0);
        }
        let limit = out.len().saturating_add(limit);
        let mut bits = Bits { out, limit, pending: 0, count: 0 };
        let complete = self.write(input, &mut bits);
        self.clear();
        complete
    }

    fn write(&mut self, input: &[u8], bits: &mut Bits<'_>) -> bool {
        let (mut width, mut newest) = (FIRST_WIDTH, END);
        bits.put(CLEAR, width);
        let Some((first, rest)) = input.split_first() else {
            bits.put(END, width);
            return bits.finish();
        };
        let mut code = u32::from(*first);
        for byte in rest {
            let entry = code << 8 | u32::from(*byte);
            let place = match self.find(entry) {
                Ok(longer) => {
                    code = longer;
                    continue;
                }
                Err(place) => place,
            };
            if !bits.put(code, width) {
                return false;
            }
            code = (*byte).into();
            if self.next(&mut newest, &mut width, bits) {
                self.insert(place, entry, newest);
            }
        }
        bits.put(code, width);
        self.next(&mut newest, &mut width, bits);
        bits.put(END, width);
        bits.finish()
    }

    /// Counts one more code; whether the dictionary had room for it, else it is emptied.
    fn next(&mut self, newest: &mut u32, width: &mut u32, bits: &mut Bits<'_>) -> bool {
        *newest = newest.wrapping_add(1);
        if newest.wrapping_shr(*width) != 0 {
            *width = width.wrapping_add(1);
        }
        if *newest < LAST {
            return true;
        }
        bits.put(CLEAR, *width);
        self.clear();
        (*newest, *width) = (END, FIRST_WIDTH);
        false
    }

    /// The code of what an entry stands for, or the free place for it.
    fn find(&self, entry: u32) -> Result<u32, usize> {
        let most = self.places.len().wrapping_sub(1);
        let mut place = hash(entry) & most;
        loop {
            // A place that is not there would be free: there are more than can be taken.
            let there = self.places.get(place).copied().unwrap_or_default();
            if there == 0 {
                return Err(place);
            }
            if there >> CODE_BITS == entry {
                return Ok(there & LAST);
            }
            place = place.wrapping_add(1) & most;
        }
    }

    fn insert(&mut self, place: usize, entry: u32, code: u32) {
        if let Some(there) = self.places.get_mut(place) {
            *there = entry << CODE_BITS | code;
            self.taken.push(place as u16);
        }
    }

    fn clear(&mut self) {
        for place in self.taken.drain(..) {
            if let Some(there) = self.places.get_mut(usize::from(place)) {
                *there = 0;
            }
        }
    }
}

impl Bits<'_> {
    /// Writes a code; whether the output is still short enough.
    fn put(&mut self, code: u32, width: u32) -> bool {
        self.pending |= code.wrapping_shl(self.count);
        self.count = self.count.wrapping_add(width);
        while self.count >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.count = self.count.wrapping_sub(8);
        }
        self.out.len() <= self.limit
    }

    fn finish(&mut self) -> bool {
        if self.count > 0 {
            self.out.push(self.pending as u8);
        }
        self.out.len() <= self.limit
    }
}

/// Where an entry of 20 bits belongs, of [`MOST_PLACES`].
fn hash(entry: u32) -> usize {
    (entry.wrapping_mul(0x9e37_79b1) >> 19) as usize
}

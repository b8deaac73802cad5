//! The working memory of LZW.

use weezl::BitOrder;
use weezl::decode::Decoder;
use weezl::encode::Encoder;

use super::LITERAL_WIDTH;

/// An encoder and a decoder, which take some 300 KiB once they have worked on long messages.
///
/// They keep nothing from one message to the next but their memory, so all nodes of a process share
/// them: thousands of simulated nodes would take gigabytes, and each would begin with tables that are
/// no longer in the processor's cache. Without the feature `std` each [`Lzw`](super::Lzw) has its own.
#[derive(Default)]
pub(super) struct Tables {
    encoder: Option<Encoder>,
    decoder: Option<Decoder>,
}

impl Tables {
    /// The encoder, as if it were new.
    pub(super) fn encoder(&mut self) -> &mut Encoder {
        let new = || Encoder::new(BitOrder::Lsb, LITERAL_WIDTH);
        let encoder = self.encoder.get_or_insert_with(new);
        encoder.reset();
        encoder
    }

    /// The decoder, as if it were new.
    pub(super) fn decoder(&mut self) -> &mut Decoder {
        let new = || Decoder::new(BitOrder::Lsb, LITERAL_WIDTH);
        let decoder = self.decoder.get_or_insert_with(new);
        decoder.reset();
        decoder
    }
}

/// Tables of which no thread makes use at the moment: as many as have ever worked at once.
#[cfg(feature = "std")]
static IDLE: std::sync::Mutex<alloc::vec::Vec<Tables>> =
    std::sync::Mutex::new(alloc::vec::Vec::new());

/// Lends tables: the ones that were given back last, since those are most likely in the cache.
#[cfg(feature = "std")]
pub(super) fn lend<R>(work: impl FnOnce(&mut Tables) -> R) -> R {
    let idle = || IDLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut tables = idle().pop().unwrap_or_default();
    let result = work(&mut tables);
    idle().push(tables);
    result
}

#[cfg(all(test, feature = "std"))]
mod tests;

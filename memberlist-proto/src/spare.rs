//! Working memory that is kept between two uses.

use alloc::boxed::Box;

/// Working memory that is kept from one use to the next and lent out for each. It is on the heap, so
/// that lending moves a pointer, and a node that never needs it has none.
#[derive(Clone, Debug)]
pub(crate) struct Spare<T>(Option<Box<T>>);

impl<T: Default> Spare<T> {
    /// The memory that was given back last, or new memory.
    #[expect(clippy::unnecessary_box_returns, reason = "a pointer is what is lent")]
    pub(crate) fn lend(&mut self) -> Box<T> {
        self.0.take().unwrap_or_default()
    }

    /// Takes memory back.
    pub(crate) fn give_back(&mut self, memory: Box<T>) {
        self.0 = Some(memory);
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(None)
    }
}

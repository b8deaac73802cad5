//! The recent events, and their readers.
//!
//! All readers share one ring of entries, and a reader is a position in it: however many there are,
//! and however slow, memory is bounded, and no reader delays another.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use serde::Serialize;

/// The maximum number of entries kept of each [`Class`].
pub(crate) const ENTRIES: usize = 512;
/// How many bytes a reader is given at once, roughly: the last entry may exceed it.
const BATCH: usize = 32 << 10;

/// How much an entry matters to an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// Something ended well.
    Good,
    /// Worth knowing.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Bad,
}

/// Entries of one class never displace those of the other: strangers can cause any number of
/// `Others`, and changes of members should remain visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Members,
    Others,
}

/// One line about what happened.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) kind: &'static str,
    pub(crate) level: Level,
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    #[serde(skip)]
    pub(crate) class: Class,
}

/// The ring, shared by its writer and its readers.
#[derive(Clone, Debug)]
pub(crate) struct Journal(Arc<Mutex<Ring>>);

#[derive(Debug)]
struct Ring {
    /// Makes the ids of entries differ after a restart of the page.
    life: u64,
    entries: VecDeque<Entry>,
    next: u64,
    beats: u64,
    closed: bool,
    /// The maximum number of readers at a time.
    places: usize,
    readers: BTreeMap<u64, Option<Waker>>,
    next_reader: u64,
}

impl Journal {
    pub(crate) fn new(life: u64, places: usize) -> Self {
        Self(Arc::new(Mutex::new(Ring {
            life,
            entries: VecDeque::new(),
            next: 1,
            beats: 0,
            closed: false,
            places,
            readers: BTreeMap::new(),
            next_reader: 0,
        })))
    }

    /// Adds an entry, whose id is set here, and wakes every reader.
    pub(crate) fn push(&self, mut entry: Entry) {
        let mut ring = self.lock();
        entry.id = ring.next;
        ring.next += 1;
        let class = entry.class;
        ring.entries.push_back(entry);
        if ring.entries.iter().filter(|entry| entry.class == class).count() > ENTRIES {
            let oldest = ring.entries.iter().position(|entry| entry.class == class);
            oldest.map(|index| ring.entries.remove(index));
        }
        wake(ring);
    }

    /// Makes every reader send a comment, so that a connection whose client is gone is noticed.
    pub(crate) fn beat(&self) {
        let mut ring = self.lock();
        ring.beats += 1;
        wake(ring);
    }

    /// Ends every reader as soon as it has read everything.
    pub(crate) fn close(&self) {
        let mut ring = self.lock();
        ring.closed = true;
        wake(ring);
    }

    /// How many entries have been added so far.
    pub(crate) fn len(&self) -> u64 {
        self.lock().next - 1
    }

    /// Adds a reader, which continues after the entry with the id `after`, in the form in which the
    /// id was sent; if that is not an id of this journal, it begins with the oldest entry. `None`
    /// if there are too many readers.
    pub(crate) fn read(&self, after: Option<&str>) -> Option<Reader> {
        let mut ring = self.lock();
        if ring.readers.len() >= ring.places {
            return None;
        }
        let number = ring.next_reader;
        ring.next_reader += 1;
        ring.readers.insert(number, None);
        let (life, beats, next) = (ring.life, ring.beats, ring.next);
        drop(ring);
        let after = after.and_then(|id| id.split_once('-')).and_then(|(of, id)| {
            (of.parse() == Ok(life)).then(|| id.parse::<u64>().ok()).flatten()
        });
        let known = if after.is_some() { 0 } else { next - 1 };
        Some(Reader { journal: self.clone(), number, last: after, known, beats, begun: false })
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes every reader after releasing the lock: waking may run any code.
fn wake(mut ring: MutexGuard<'_, Ring>) {
    let wakers: Vec<Waker> = ring.readers.values_mut().filter_map(Option::take).collect();
    drop(ring);
    wakers.into_iter().for_each(Waker::wake);
}

/// One client's position in the ring.
#[derive(Debug)]
pub(crate) struct Reader {
    journal: Journal,
    number: u64,
    /// The id of the last entry that was read, if any.
    last: Option<u64>,
    /// Entries up to this id that are missing were removed before the reader began, and are not
    /// reported as missed.
    known: u64,
    beats: u64,
    begun: bool,
}

impl Reader {
    /// The next piece of a `text/event-stream`; `None` at its end.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let journal = self.journal.clone();
        let mut ring = journal.lock();
        let mut text = String::new();
        if !self.begun {
            self.begun = true;
            text += "retry: 2000\n\n";
        }
        let from = ring.entries.partition_point(|entry| self.last.is_some_and(|it| entry.id <= it));
        for entry in ring.entries.range(from..) {
            if text.len() >= BATCH {
                break;
            }
            let last = self.last.filter(|last| *last >= self.known && entry.id > last + 1);
            if let Some(last) = last {
                let missed = entry.id - last - 1;
                let _ = write!(text, "event: missed\ndata: {{\"missed\":{missed}}}\n\n");
            }
            self.last = Some(entry.id);
            // A structure of numbers and texts can always be written as JSON, on one line.
            let data = serde_json::to_string(entry).unwrap_or_default();
            let (life, id) = (ring.life, entry.id);
            let _ = write!(text, "id: {life}-{id}\ndata: {data}\n\n");
        }
        if text.is_empty() && self.beats != ring.beats {
            text += ": alive\n\n";
        }
        if !text.is_empty() {
            self.beats = ring.beats;
            return Poll::Ready(Some(text.into()));
        }
        if ring.closed {
            return Poll::Ready(None);
        }
        let replaced = ring.readers.insert(self.number, Some(cx.waker().clone()));
        drop(ring);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let removed = self.journal.lock().readers.remove(&self.number);
        drop(removed);
    }
}

#[cfg(test)]
mod tests;

//! The flight recorder of a memberlist node: everything that entered its core, in segments on disk
//! that replay byte for byte.
//!
//! A node is deterministic: its configuration, its seed and its inputs, each with its time, decide
//! everything that it does. A [`Recorder`] writes these down, with a digest of the outputs of each
//! input. A [`Replay`] hands the inputs to a core again, and compares the outputs.
//!
//! ```text
//! Recorder ── buffers ──▶ writer thread ──▶ segments in a folder ──▶ Recording ──▶ Replay
//! ```
//!
//! Each segment begins with a checkpoint of the core, so that the oldest can be deleted and the
//! rest still replays. `docs/recording.md` in the repository describes the format, and says what a
//! recording holds that should stay secret. This crate uses no runtime and no clock.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod entry;
pub mod explain;
mod format;
mod reader;
mod reading;
mod recorder;
mod recording;
mod replay;
mod ring;
mod shorten;
mod stats;
mod writer;

pub use self::entry::{Entry, Record};
pub use self::format::{Born, Header};
pub use self::reader::{ReadError, SegmentReader};
pub use self::recorder::{RecordError, RecordOptions, Recorder};
pub use self::recording::{Recording, Session};
pub use self::replay::{Outputs, Replay, ReplayError, ReplayOptions, Step, Verdict};
pub use self::shorten::{Shortened, fewest};
pub use self::stats::{Notice, RecordStats};

//! Fuzz targets as plain functions: each takes any bytes and panics if something that must hold
//! does not. `cargo fuzz` drives them on nightly, the replay test on stable.

mod config;
mod hostile;
mod input;
mod inputs;
mod machine;
mod pair;
mod recording;
mod secrets;
mod transport;
mod wire;

pub use crate::config::config;
pub use crate::inputs::inputs;
pub use crate::machine::machine;
pub use crate::pair::pair;
pub use crate::recording::recording;
pub use crate::secrets::{keyring, label};
pub use crate::transport::{frames, pool};
pub use crate::wire::{lzw, packet, roundtrip, snappy, stream};

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// One target.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its corpus.
pub const TARGETS: [(&str, Target); 14] = [
    ("packet", packet),
    ("stream", stream),
    ("roundtrip", roundtrip),
    ("lzw", lzw),
    ("snappy", snappy),
    ("label", label),
    ("keyring", keyring),
    ("config", config),
    ("inputs", inputs),
    ("machine", machine),
    ("pair", pair),
    ("recording", recording),
    ("frames", frames),
    ("pool", pool),
];

/// The program of one target: libFuzzer's when it is built by `cargo fuzz`, else one that replays
/// the files that it is given.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$name(data));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::replay_arguments($crate::$name);
        }
    };
}

/// Runs `target` on each file named by the program's arguments.
pub fn replay_arguments(target: Target) {
    for path in std::env::args_os().skip(1) {
        let data = std::fs::read(&path).expect("a readable file");
        target(&data);
        println!("{}: passed", path.display());
    }
}

//! Bytes recorded from the Go library: we write what it writes, and read what it reads.
//!
//! A case for which that is not so is listed in [`EXCEPTIONS`] with the reason, and the tests
//! assert the difference.

mod case;
mod crypto;
mod frames;
mod lzw;
mod messages;
mod snappy;
mod streams;
mod transports;

use case::Case;

/// Cases in which we deliberately differ from Go, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("as-string-field/array", INTEGERS),
    ("as-string-field/array16", INTEGERS),
    ("as-string-field/array32", INTEGERS),
    ("as-bytes-field/array", INTEGERS),
    ("as-bytes-field/array16", INTEGERS),
    ("as-bytes-field/array32", INTEGERS),
    ("as-bytes-field/map-intkeys", INTEGERS),
    ("as-vsn-field/array", INTEGERS),
    ("as-vsn-field/array16", INTEGERS),
    ("as-vsn-field/array32", INTEGERS),
    ("as-vsn-field/map-intkeys", INTEGERS),
    ("as-key/array", INTEGERS),
    ("as-key/array16", INTEGERS),
    ("as-key/array32", INTEGERS),
    ("bytes-as-array/fixarray", INTEGERS),
    ("bytes-as-array/array16", INTEGERS),
    ("bytes-as-array/empty", INTEGERS),
    ("bytes-as-array/with-nil", INTEGERS),
    ("string-as-array", INTEGERS),
    ("bytes-as-map", INTEGERS),
    ("int-vsn-elem/int16-5", INTEGERS),
    ("int-vsn-elem/int32-5", INTEGERS),
    ("int-vsn-elem/int64-5", INTEGERS),
    ("int-vsn-elem/int8-5", INTEGERS),
    ("int-vsn-elem/uint16-5", INTEGERS),
    ("int-vsn-elem/uint32-5", INTEGERS),
    ("int-vsn-elem/uint64-5", INTEGERS),
    ("int-vsn-elem/uint8-200", INTEGERS),
    ("int-vsn-elem/uint8-5", INTEGERS),
    ("algo-1", SNAPPY),
    ("v0-pad-0", PADDING),
    ("v0-pad-17", PADDING),
    ("compound/part-65536-truncates-length", "Go writes a corrupt packet; we refuse to write it"),
];

const SNAPPY: &str = "Grafana's fork and we know algorithm 1; HashiCorp's library does not";
const INTEGERS: &str = "no known sender writes strings or bytes as arrays or maps of integers";
const PADDING: &str =
    "Go cuts off as many bytes as the last one says; we check that they can be padding";

/// Every exception names an existing case, so that none is left over when a case is renamed.
#[test]
fn exceptions_exist() {
    let names: Vec<String> =
        ["tolerance.jsonl", "crypto_tolerance.jsonl", "lzw_tolerance.jsonl", "frames.jsonl"]
            .into_iter()
            .flat_map(case::load)
            .map(|case| case.name().to_owned())
            .collect();
    for (exception, reason) in EXCEPTIONS {
        assert!(names.iter().any(|name| name == exception), "{exception}: {reason}");
    }
}

fn is_exception(case: &Case) -> bool {
    EXCEPTIONS.iter().any(|(name, _)| *name == case.name())
}

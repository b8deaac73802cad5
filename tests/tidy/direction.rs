//! The core's modules name only modules of their own layer or of a layer below.

use std::collections::BTreeMap;

use crate::source::{File, files, has_word, mask, read};

const CORE: &str = "memberlist-proto/src";

/// Layers from the bottom up; a module that is not listed is a noun.
const LAYERS: [&[&str]; 4] = [
    &["time", "node", "transmit", "rng", "peer", "serial"],
    &["wire", "security"],
    &[],
    &["memberlist"],
];
const NOUNS: usize = 2;

/// Wall clocks jump. Libraries get the time as an input, and drivers read the monotonic clock.
#[test]
fn only_the_program_reads_the_wall_clock() {
    let readers = |folder: &str| -> Vec<String> {
        let clocks = ["SystemTime", "UNIX_EPOCH", "OffsetDateTime", "chrono", "CLOCK_REALTIME"];
        let reads = |file: &File| clocks.iter().any(|clock| has_word(&mask(&file.text), clock));
        files(folder, &[".rs"]).into_iter().filter(reads).map(|file| file.path).collect()
    };
    for library in [
        CORE,
        "memberlist-record/src",
        "memberlist-tokio/src",
        "memberlist-async-std/src",
        "memberlist-smol/src",
        "memberlist-sim/src",
    ] {
        assert_eq!(readers(library), [""; 0]);
    }
    // What a page shows, people compare with their own clocks.
    assert_eq!(readers("memberlist-http/src"), ["memberlist-http/src/lib.rs"]);
    // It compares the times at which files were changed.
    let certificates = "memberlist-driver/src/transport/tls/certificates.rs";
    assert_eq!(readers("memberlist-driver/src"), [certificates]);
    let mut program = readers("memberlist-cli/src");
    program.sort();
    let of_program = ["agent/args.rs", "agent/report.rs", "cert.rs", "replay/clock.rs"];
    assert_eq!(program, of_program.map(|file| format!("memberlist-cli/src/{file}")));
}

#[test]
fn modules_depend_downwards() {
    let exports = exports();
    let mut wrong = Vec::new();
    for file in core_files() {
        let own = module(&file.path);
        for named in named_modules(&mask(&file.text), &exports) {
            if layer(&named) > layer(own) {
                wrong.push(format!("{}: `{own}` names `{named}`, a layer above", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "these dependencies point upwards:\n{}", wrong.join("\n"));
}

#[test]
fn wire_and_security_stand_alone() {
    for file in core_files() {
        if ["wire", "security"].contains(&module(&file.path)) {
            let masked = mask(&file.text);
            for word in ["Config", "Memberlist", "Members", "Hooks"] {
                assert!(!has_word(&masked, word), "{} names {word}", file.path);
            }
        }
    }
}

/// Adapters, simulator and program are ordinary callers of the core.
#[test]
fn the_core_names_no_caller() {
    let manifest = read("memberlist-proto/Cargo.toml");
    for caller in [
        "memberlist-tokio",
        "memberlist-smol",
        "memberlist-sim",
        "memberlist-cli",
        "memberlist-async-std",
        "memberlist-driver",
    ] {
        assert!(!manifest.contains(caller), "the core depends on {caller}");
    }
    for file in files(CORE, &[".rs"]) {
        let masked = mask(&file.text);
        for caller in ["tokio", "async_std", "smol", "memberlist_driver", "memberlist_sim"] {
            assert!(!has_word(&masked, caller), "{} names {caller}", file.path);
        }
    }
}

/// The files of the core, except for tests, which may name anything, and `lib.rs`.
fn core_files() -> impl Iterator<Item = File> {
    files(CORE, &[".rs"]).into_iter().filter(|file| {
        let below = &file.path[CORE.len() + 1..];
        below != "lib.rs" && !below.split(['/', '.']).any(|part| part == "tests")
    })
}

fn module(path: &str) -> &str {
    path[CORE.len() + 1..].split(['/', '.']).next().unwrap_or_default()
}

fn layer(module: &str) -> usize {
    LAYERS.iter().position(|names| names.contains(&module)).unwrap_or(NOUNS)
}

/// The module of each type that the crate root re-exports.
fn exports() -> BTreeMap<String, String> {
    let masked = mask(&read("memberlist-proto/src/lib.rs"));
    let mut exports = BTreeMap::new();
    for statement in masked.split(';').filter_map(|text| text.split_once("pub use ")) {
        let path = statement.1.trim().trim_start_matches("crate::");
        let from = path.split("::").next().unwrap_or_default();
        for name in path.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if name.starts_with(char::is_uppercase) {
                exports.insert(name.to_owned(), from.to_owned());
            }
        }
    }
    assert!(exports.len() > 20, "cannot parse the exports of the crate root: {exports:?}");
    exports
}

/// Every module named after `crate::`, also in braces or through a re-exported type.
fn named_modules(masked: &str, exports: &BTreeMap<String, String>) -> Vec<String> {
    let mut named = Vec::new();
    for (at, found) in masked.match_indices("crate::") {
        let path = &masked[at + found.len()..];
        for name in first_names(path) {
            let module = exports.get(&name).cloned().unwrap_or(name);
            if !named.contains(&module) {
                named.push(module);
            }
        }
    }
    named
}

/// The first name of a path, or of each path in braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut begins = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                names.push(name(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn paths_are_parsed() {
    assert_eq!(first_names("wire::packet;"), ["wire"]);
    assert_eq!(first_names("{node::{A, B}, time::C,\n Config};"), ["node", "time", "Config"]);
    let exports = BTreeMap::from([("Config".to_owned(), "config".to_owned())]);
    assert_eq!(named_modules("use crate::Config; crate::wire::x()", &exports), ["config", "wire"]);
    assert!(layer("memberlist") > layer("members") && layer("members") > layer("wire"));
}

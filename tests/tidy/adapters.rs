//! The adapters are one API and little code.

use crate::source::{File, files, mask, read};

const RUNTIMES: [&str; 3] = ["tokio", "async-std", "smol"];

/// Lines of code of an adapter, without tests, comments and empty lines.
const LINES: usize = 160;

#[test]
fn adapters_are_thin() {
    for runtime in RUNTIMES {
        let lines: usize = sources(runtime).iter().map(code_lines).sum();
        assert!((50..=LINES).contains(&lines), "memberlist-{runtime}: {lines} lines");
    }
}

#[test]
fn adapters_have_the_same_surface() {
    let [tokio, others @ ..] = RUNTIMES.map(surface);
    assert!(tokio.iter().any(|item| item.contains("async fn start")), "{tokio:#?}");
    for other in others {
        assert_eq!(tokio, other);
    }
}

/// An application finds what it needs under names that were chosen for it.
#[test]
fn adapters_export_nothing_wholesale() {
    for runtime in RUNTIMES {
        for file in sources(runtime) {
            let all = mask(&file.text).contains("::*");
            assert!(!all, "{} exports everything of a module", file.path);
        }
    }
}

/// The documentation of each begins with a service on its runtime; what follows is the same, but for the
/// lines of its examples that are not shown.
#[test]
fn adapters_have_the_same_front_page() {
    let [tokio, others @ ..] = RUNTIMES.map(|runtime| {
        let text = read(&format!("memberlist-{runtime}/src/lib.rs"));
        let page = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim_start);
        let mut in_code = false;
        let shown = page.filter(|line| {
            in_code ^= line.starts_with("```");
            !(in_code && line.starts_with("# "))
        });
        let shown: Vec<_> =
            shown.skip_while(|line| !line.starts_with("[`Memberlist`] is")).collect();
        shown.join("\n").replace(&runtime.replace('-', "_"), "RUNTIME").replace(runtime, "RUNTIME")
    });
    assert!(tokio.lines().count() > 150, "{tokio}");
    for other in others {
        for (one, other) in tokio.lines().zip(other.lines()) {
            assert_eq!(one, other);
        }
        assert_eq!(tokio.lines().count(), other.lines().count());
    }
}

/// A third party's runtime needs nothing of the core's or of another adapter's.
#[test]
fn a_runtime_needs_only_the_driver() {
    let thirds = read("tests/adapters/threads.rs");
    let uses = |name: &str| thirds.contains(&format!("use {name}"));
    assert!(uses("memberlist_driver::{") && !uses("memberlist_tokio"), "it is not a third party's");
    for runtime in RUNTIMES {
        let text = read(&format!("memberlist-{runtime}/src/runtime.rs"));
        assert!(
            !text.contains("memberlist_proto"),
            "memberlist-{runtime}: its runtime names the core"
        );
    }
}

/// What the guide shows of smol's adapter is what that adapter is.
#[test]
fn the_guide_quotes_the_code() {
    let guide = read("docs/writing-an-adapter.md");
    let sources: String = [
        "memberlist-smol/src/runtime.rs",
        "memberlist-smol/src/memberlist.rs",
        "memberlist-driver/src/async_io.rs",
    ]
    .map(read)
    .concat();
    let source: Vec<_> = sources.lines().filter(|line| !line.trim().starts_with("//")).collect();
    let source = source.join("\n");
    let blocks =
        guide.split("```rust,ignore\n").skip(1).filter_map(|rest| rest.split("```").next());
    let quotes: Vec<_> = blocks.filter(|block| !block.contains("MyAdapter")).collect();
    assert_eq!(quotes.len(), 3, "the guide was not understood");
    for quote in quotes {
        // The last brace may close less than it does in the source.
        let quote = quote.trim_end();
        assert!(source.contains(quote), "no code is (any more) as the guide says:\n{quote}");
    }
}

fn sources(runtime: &str) -> Vec<File> {
    files(&format!("memberlist-{runtime}/src"), &[".rs"])
}

fn code_lines(file: &File) -> usize {
    let masked = mask(&file.text);
    let code = masked.lines().zip(file.text.lines()).map(|(code, line)| (code.trim(), line.trim()));
    code.filter(|(code, line)| !code.is_empty() && !line.starts_with("//")).count()
}

/// Every public item and every implementation of a public type, one on each line, and the
/// features.
fn surface(runtime: &str) -> Vec<String> {
    let mut items = Vec::new();
    for file in sources(runtime) {
        if file.path.ends_with("lib.rs") {
            // Lists of exports go over several lines.
            let masked = mask(&file.text);
            let exports = masked.split(';').filter_map(|text| text.split_once("pub use "));
            items.extend(exports.map(|(_, text)| text.split_whitespace().collect::<String>()));
        }
        for line in file.text.lines().map(str::trim) {
            let public = line.starts_with("pub ") && !line.starts_with("pub use ");
            let named = ["impl Memberlist", "for Memberlist", "derive("];
            let own = file.path.ends_with("memberlist.rs");
            if public || (own && named.iter().any(|it| line.contains(it))) {
                items.push(line.to_owned());
            }
        }
    }
    let manifest = read(&format!("memberlist-{runtime}/Cargo.toml"));
    let features = manifest.split("[features]").nth(1).and_then(|rest| rest.split("\n[").next());
    items.extend(features.expect("features").lines().map(str::to_owned));
    items.sort();
    items
}

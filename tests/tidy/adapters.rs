//! The adapters have one API and little code.

use crate::source::{files, read};

const RUNTIMES: [&str; 2] = ["tokio", "async-std"];

/// The most lines of an adapter's own code, without tests.
const ADAPTER: usize = 1000;

#[test]
fn adapters_are_thin() {
    for runtime in RUNTIMES {
        let own = files(&format!("memberlist-{runtime}/src"), &[".rs"]);
        let lines: usize = own.iter().map(|file| file.text.lines().count()).sum();
        assert!((100..ADAPTER).contains(&lines), "memberlist-{runtime}: {lines} lines");
    }
}

#[test]
fn adapters_have_the_same_surface() {
    let [tokio, async_std] = RUNTIMES.map(surface);
    assert!(tokio.iter().any(|item| item.contains("async fn start")), "{tokio:#?}");
    assert!(tokio.iter().any(|item| item.contains("memberlist_proto::*")), "{tokio:#?}");
    assert_eq!(tokio, async_std);
}

/// Every public item, every implementation of a public type, and every feature, as lines.
fn surface(runtime: &str) -> Vec<String> {
    let mut items = Vec::new();
    for file in files(&format!("memberlist-{runtime}/src"), &[".rs"]) {
        for line in file.text.lines().map(str::trim) {
            let public = line.starts_with("pub ");
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

//! The pictures in `docs`.

use std::path::Path;

use memberlist_tests::Launch;

use crate::devtools::Browser;
use crate::{Served, row_is};

/// Kept small: they are part of the repository.
const LARGEST: usize = 200_000;

#[test]
#[ignore = "needs Debian's chromium"]
fn pictures_of_both_themes_are_taken() {
    let meta = |launch: Launch, meta: &str| launch.meta(meta.as_bytes());
    let db1 = Served::start("db-1", |launch| meta(launch, "role=db zone=a"));
    let join = db1.node.addr();
    let others = [
        ("db-2", "role=db zone=b"),
        ("web-1", "role=web zone=a"),
        ("web-2", "role=web zone=b"),
        ("queue-1", "role=queue zone=a"),
        ("queue-2", "role=queue zone=b"),
    ];
    let others =
        others.map(|(name, text)| meta(Launch::agent(name).flag("--join", join), text).start());
    db1.node.expect_node("joined", "queue-2");
    let update = std::env::var_os("UPDATE").is_some();
    let mut browser = Browser::start(1280, "light");
    browser.open(&db1.url());
    let samples = if update { 150 } else { 3 };
    for enough in (0..=samples).step_by(10) {
        browser.until(&format!("known.fine.length >= {enough}"));
    }
    others[3].kill();
    browser.until(&row_is("queue-1", "dead"));
    // The whole sequence of events, and a few figures after it.
    let seen = browser.eval("known.last");
    browser.until(&format!("known.last > {seen} + 5"));
    for (name, theme, width, height, scale) in [
        ("page-light", "light", 1280, 1000, 0.75),
        ("page-dark", "dark", 1280, 1000, 0.75),
        ("page-narrow", "dark", 360, 900, 1.0),
    ] {
        browser.eval(&format!("theme({theme:?})"));
        browser.resize(width);
        browser.until(&format!("innerWidth === {width}"));
        let picture = browser.screenshot(width, height, scale);
        let size = picture.len();
        assert!((10_000..LARGEST).contains(&size), "{name}: {size} bytes");
        if update {
            let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
            std::fs::write(docs.join(format!("{name}.png")), picture).expect("a writable folder");
        }
    }
}

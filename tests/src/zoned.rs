//! Our program on the Go library, with zones.
//!
//! The library of the distribution chooses the targets of gossip and of full state exchanges among
//! all members, and has no hook by which an application can limit them; Grafana's fork of it, on
//! which dskit is built, has one. Therefore this program is compiled with the distribution's
//! sources, in which exactly these choices are replaced by such a hook, and one file is added. The
//! rest of the library is unchanged, and the other tests run all of it unchanged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::json;

use crate::binary::{GO_PATH, INSTALL, go_build, peer_source, scratch};

/// The texts that are replaced in the library's `state.go`, each of which occurs exactly once.
const REPLACED: [(&str, &str); 3] = [
    ("kRandomNodes(m.config.GossipNodes, m.nodes,", "selectNodes(m.config.GossipNodes, m.nodes,"),
    ("nodes := kRandomNodes(1, m.nodes,", "nodes := selectNodes(PushPullNodes, m.nodes,"),
    ("\tnode := nodes[0]\n", "\tnode := nodes[0]\n\tdefer m.pushPullMore(nodes[1:])\n"),
];

/// The path of the program, which is built first if its source is newer.
pub(crate) fn zoned_peer_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let folder = peer_source();
        let sources =
            ["main.go", "config.go", "dskit.go", "zones.go"].map(|file| folder.join(file));
        let added = folder.join("library/selection.go");
        let this = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/zoned.rs");
        go_build("go-peer-zoned", &sources, &[added.clone(), this], |go| {
            go.arg("-overlay").arg(overlay(&added));
        })
    })
}

/// Writes the file for the compiler that says which file replaces which file of the library.
fn overlay(added: &Path) -> PathBuf {
    let library = Path::new(GO_PATH).join("src/github.com/hashicorp/memberlist");
    let original = library.join("state.go");
    let mut text = fs::read_to_string(&original)
        .unwrap_or_else(|error| panic!("{}: {error}\n{INSTALL}", original.display()));
    for (from, to) in REPLACED {
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {}", original.display());
        text = text.replace(from, to);
    }
    let folder = scratch("go-overlay");
    let changed = folder.join("state.go");
    fs::write(&changed, text).expect("the target folder is writable");
    let replace = json!({ "Replace": {
        original.to_str().expect("a path of text"): changed,
        library.join("selection.go").to_str().expect("a path of text"): added,
    }});
    let file = folder.join("overlay.json");
    fs::write(&file, replace.to_string()).expect("the target folder is writable");
    file
}

//! The limit of open files at the start.

use memberlist_tests::{Launch, Node};

const WORDS: &str = "files open";

/// The soft and the hard limit of the process.
fn allowed(node: &Node) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.process().pid()));
    let limits = limits.expect("the process runs");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let mut words = line.expect("a limit").split_whitespace().map(str::to_owned);
    (words.next().expect("the soft one"), words.next().expect("the hard one"))
}

/// A hard limit that is too low is reported with both figures.
#[test]
fn a_low_limit_of_open_files_is_warned_of() {
    let one = Launch::agent("one").open_files(256, 512).start();
    one.process().wait_text(WORDS);
    let stderr = one.process().stderr();
    let line = stderr.lines().find(|line| line.contains(WORDS)).expect("waited for");
    for word in ["WARN", "may have 512 ", "needs 2240 ", "2048 streams", "`limits.streams`"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert_eq!(allowed(&one), ("512".to_owned(), "512".to_owned()));
}

/// A hard limit that suffices is used, and fewer streams need fewer files.
#[test]
fn the_limit_of_open_files_is_raised_silently() {
    let enough = Launch::agent("enough").open_files(256, 2240).start();
    assert_eq!(allowed(&enough).0, "2240");
    let launch = |name: &str, accepted: u32| {
        let accepted = format!("limits.streams={accepted}");
        let launch = Launch::agent(name).open_files(256, 256).flag("--set", &accepted);
        launch.flag("--set", "limits.streams_opened=28").start()
    };
    let few = launch("few", 36);
    let one_more = launch("more", 37);
    one_more.process().wait_text(WORDS);
    for node in [enough, few] {
        assert!(node.quit().success());
        assert!(!node.process().stderr().contains(WORDS), "{}", node.transcript());
    }
}

//! The documents agree with the code.

use std::collections::BTreeSet;
use std::path::Path;

use memberlist_proto::Config;
use memberlist_proto::fields::Value;

use crate::source::{files, read, root};

/// Where the code differs from the Go library, and the words in `docs/differences.md` about it: one
/// entry for each marker in the file that does not name them itself, as
/// ``Differs from Go (`free_wrap`): …`` does.
const DIFFERENCES: [(&str, &[&str]); 21] = [
    ("memberlist-proto/src/broadcast.rs", &["the broadcast queue grows"]),
    ("memberlist-proto/src/memberlist/ticks.rs", &["`random_phase`"]),
    ("memberlist-proto/src/memberlist/myself.rs", &["an accusation at 2³²−1"]),
    (
        "memberlist-proto/src/memberlist/merge.rs",
        &[
            "`lenient_version_check`",
            "`name_merged_accuser`",
            "joining a cluster in which another node has this node's name",
        ],
    ),
    ("memberlist-proto/src/memberlist/rejoin.rs", &["`rejoin`"]),
    (
        "memberlist-proto/src/memberlist/relay.rs",
        &["`relay_to_members_only`", "`nack_after_percent`"],
    ),
    (
        "memberlist-proto/src/memberlist/send.rs",
        &["`piggyback_to_members_only`", "`user_share_percent`"],
    ),
    (
        "memberlist-proto/src/memberlist/accuse.rs",
        &[
            "`keep_higher_incarnation`",
            "`renew_suspicion`",
            "`learn_leaves`",
            "`doubt_verdicts`",
            "`doubt_flapping`",
        ],
    ),
    ("memberlist-proto/src/memberlist/probe.rs", &["`repeat_pings`"]),
    ("memberlist-proto/src/memberlist/reprieve.rs", &["`ask_suspects`"]),
    (
        "memberlist-proto/src/memberlist/leave.rs",
        &["`leave_directly`", "leaving a cluster that refused this node"],
    ),
    (
        "memberlist-proto/src/memberlist/notify.rs",
        &[
            "`tell_the_dead`",
            "`answer_old_accusations`",
            "`repeat_leaves`",
            "`accuse_directly`",
            "`refute_directly`",
        ],
    ),
    ("memberlist-proto/src/queues.rs", &["membership news that fits into no packet"]),
    ("memberlist-proto/src/members/probe.rs", &["`free_wrap`"]),
    ("memberlist-proto/src/security/aead.rs", &["invalid padding"]),
    ("memberlist-proto/src/security/keyring.rs", &["removing a key where there is none"]),
    ("memberlist-proto/src/wire/compound.rs", &["parts above 65,535 bytes"]),
    (
        "memberlist-proto/src/wire/frame.rs",
        &[
            "a compressed stream that is not encrypted",
            "a plain push/pull",
            "a ping, ack, error or header on a stream",
            "an encrypted stream with an empty plaintext",
        ],
    ),
    ("memberlist-proto/src/wire/frame/seal.rs", &["`compress_streams_if_smaller`"]),
    ("memberlist-proto/src/wire/msgpack.rs", &["integers in place of bytes"]),
    ("memberlist-proto/src/wire/packet.rs", &["`packet_decompressed_max`"]),
];

const MARKER: &str = "Differs from Go";

/// A marker that is new, moved or removed fails until it is entered here and in the document.
#[test]
fn differences_are_documented() {
    let document = words(&read("docs/differences.md"));
    let mut wrong = Vec::new();
    for file in files(".", &[".rs"]).iter().filter(|file| !file.path.starts_with("tests/tidy/")) {
        let mut marked = 0;
        for after in file.text.split(MARKER).skip(1) {
            let named = after.strip_prefix(" (").and_then(|after| after.split_once(')'));
            match named {
                None => marked += 1,
                Some((words, _)) if document.contains(words) => {}
                Some((words, _)) => wrong.push(format!("{}: {words} has no row", file.path)),
            }
        }
        let known =
            DIFFERENCES.iter().find(|(path, _)| *path == file.path).map_or(0, |d| d.1.len());
        if marked != known {
            wrong.push(format!("{}: {marked} markers, but {known} listed in this test", file.path));
        }
    }
    for (path, entries) in DIFFERENCES {
        if !root().join(path).exists() {
            wrong.push(format!("{path} does not exist"));
        }
        for words in entries {
            if !document.contains(words) {
                wrong.push(format!("{path}: docs/differences.md does not say {words:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "code and document disagree:\n{}", wrong.join("\n"));
}

/// Every switch has its row, and every row its switch.
#[test]
fn every_switch_has_a_row() {
    let document = read("docs/differences.md");
    let fields = fields("differences.");
    let (_, table) = document.split_once("| field |").expect("the table of switches");
    let (table, _) = table.split_once("\n\n").unwrap_or((table, ""));
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let documented: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    for field in &fields {
        assert!(documented.contains(field), "no row for {field}");
    }
    for name in documented {
        assert!(fields.contains(&name), "the row of {name} has no switch");
    }
}

/// Every limit has its row, with its default.
#[test]
fn every_limit_has_a_row() {
    let document = read("docs/limits.md");
    let defaults = Config::lan("n");
    for name in fields("limits.") {
        let mut rows = document.lines().filter(|line| line.starts_with("| `"));
        let row = rows.find_map(|row| {
            let (names, rest) = row.trim_start_matches("| ").split_once(" | ")?;
            names.contains(&format!("`{name}`")).then_some(rest)
        });
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        let field = Config::field(&format!("limits.{name}")).expect("a field");
        let Value::Number(default) = field.get(&defaults) else { panic!("{name} is a number") };
        let (number, size) = (thousands(default), format!("{} MiB", default >> 20));
        let cell = row.split(" | ").next().unwrap_or_default();
        let counted = cell.split(' ').any(|word| word.trim_end_matches(',') == number);
        assert!(counted || cell.starts_with(&size), "{name} is {number}, its row says {cell}");
    }
}

/// The last column of these tables names tests; each of them exists.
#[test]
fn tests_in_the_documents_exist() {
    let sources = files(".", &[".rs"]);
    for (path, least) in [("docs/limits.md", 30), ("docs/faults.md", 15), ("docs/healing.md", 2)] {
        let document = read(path);
        let rows = document.lines().filter(|line| line.starts_with('|'));
        let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
        let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        let names: Vec<&str> = names.collect();
        assert!(names.len() >= least, "cannot parse the tables of {path}: {names:?}");
        for name in names {
            let defined = format!("fn {name}()");
            let found = sources.iter().any(|file| file.text.contains(&defined));
            assert!(found, "{path}: no test {name}");
        }
    }
}

/// Numbers that the documents take from the repository are current.
#[test]
fn numbers_in_the_documents_are_current() {
    let bugs = read("tests/planted/bugs.txt").lines().filter(|it| it.starts_with("- ")).count();
    for document in ["README.md", "docs/mutants.md"] {
        let text = words(&read(document));
        assert!(text.contains(&format!("{bugs} subtle bugs")), "{document}: {bugs} planted bugs");
    }
    let folder = root().join("tests/fixtures/vectors");
    let entries = std::fs::read_dir(folder).expect("the fixtures").map(|it| it.expect("a file"));
    let files = entries.filter(|it| it.path().extension().is_some_and(|it| it == "jsonl"));
    let cases: usize =
        files.map(|it| std::fs::read_to_string(it.path()).expect("a text").lines().count()).sum();
    let cases = format!("{},{:03} cases", cases / 1000, cases % 1000);
    assert!(read("README.md").contains(&cases), "README.md: {cases}");
}

/// Every name of ours in the document exists in the source.
#[test]
fn names_in_from_go_exist() {
    let document = read("docs/from-go.md");
    let sources = files(".", &[".rs"]);
    let sources = sources.iter().filter(|file| file.path.contains("/src/"));
    let words = sources.flat_map(|file| {
        file.text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
    });
    let known: BTreeSet<&str> = words.collect();
    let rows = document.lines().filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    let ours = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let names: Vec<&str> = ours.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 90, "cannot parse the tables: {names:?}");
    let unknown: Vec<&&str> =
        names.iter().filter(|name| !name.rsplit("::").all(|part| known.contains(part))).collect();
    assert!(unknown.is_empty(), "docs/from-go.md has names that do not exist: {unknown:?}");
}

/// The table of the Go library's tests is complete, and every test of ours in it exists.
#[test]
fn every_test_of_the_go_library_has_its_row() {
    let document = read("docs/parity.md");
    let theirs = read("tests/fixtures/go-tests.txt");
    let names = theirs.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(names.len(), 148);
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), names.len());
    let sources = files(".", &[".rs"]);
    for name in names {
        let start = format!("| `{name}` | ");
        let row = rows.iter().find_map(|row| row.strip_prefix(&start));
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        let (tests, why) = row.split_once(": ").unwrap_or((row, ""));
        if tests == "—" {
            assert!(why.len() > 20, "{name} has neither a test nor a reason");
            continue;
        }
        for test in tests.split('`').skip(1).step_by(2) {
            // Tests of the conformance suite are generic.
            let defined = ["(", "<A: Adapter>("].map(|rest| format!("fn {test}{rest}"));
            let is_in = |text: &str| defined.iter().any(|it| text.contains(it));
            let found = sources.iter().any(|file| is_in(&file.text));
            assert!(found, "{name}: no test {test}");
        }
    }
}

/// Every command that a reader may copy is run by the continuous integration.
#[test]
fn commands_of_the_readme_are_run() {
    let script = read(".ci/run");
    let readme = read("README.md");
    let mut seen = 0;
    for block in fenced(&readme, "sh") {
        for line in block.lines().filter(|line| line.starts_with("cargo ")) {
            // An agent runs until it is stopped; the live tests start it with these flags.
            if !line.contains(" agent ") {
                seen += 1;
                assert!(script.contains(line), ".ci/run does not run {line:?}");
            }
        }
    }
    assert!(seen >= 2, "at least the demo and the tests");
}

/// The program in the README is an example that is compiled.
#[test]
fn example_of_the_readme_is_compiled() {
    let example = read("memberlist-tokio/examples/simple.rs");
    let readme = read("README.md");
    let shown = fenced(&readme, "rust,no_run").next().expect("the README shows a program");
    let code = example.lines().skip_while(|line| line.starts_with("//!") || line.is_empty());
    let code: Vec<&str> = code.collect();
    assert_eq!(shown.trim(), code.join("\n").trim(), "README.md and the example differ");
}

/// The files that ARCHITECTURE.md names exist, some of them by the end of their paths.
#[test]
fn files_in_the_architecture_exist() {
    let document = read("ARCHITECTURE.md");
    let sources = files(".", &[".rs"]);
    let named: Vec<&str> = document.split('`').skip(1).step_by(2).collect();
    let is_file = |name: &&str| Path::new(name).extension().is_some_and(|it| it == "rs");
    let named: Vec<&str> = named.into_iter().filter(is_file).collect();
    assert!(named.len() > 50, "cannot parse ARCHITECTURE.md: {named:?}");
    let exists = |name: &str| {
        let end = format!("/{name}");
        sources.iter().any(|file| file.path == name || file.path.ends_with(&end))
    };
    let missing: Vec<&str> = named.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names files that do not exist: {missing:?}");
}

#[test]
fn links_resolve() {
    let mut wrong = Vec::new();
    for file in files(".", &[".md"]) {
        let folder = root().join(&file.path);
        let folder = folder.parent().unwrap_or(Path::new("."));
        for (at, _) in file.text.match_indices("](") {
            let target = file.text[at + 2..].split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            let elsewhere = target.contains("://") || path.is_empty();
            if !elsewhere && !folder.join(path).exists() {
                wrong.push(format!("{}: {target}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "broken links:\n{}", wrong.join("\n"));
}

/// The fields of the configuration whose names begin with `prefix`, without it.
fn fields(prefix: &str) -> Vec<&'static str> {
    let fields: Vec<_> = Config::fields().filter_map(|it| it.path().strip_prefix(prefix)).collect();
    assert!(fields.len() > 10, "{prefix}: {fields:?}");
    fields
}

/// 1048576 as 1,048,576.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn fenced<'a>(text: &'a str, language: &str) -> impl Iterator<Item = &'a str> {
    let opening = format!("```{language}\n");
    let starts: Vec<usize> =
        text.match_indices(&opening).map(|(at, found)| at + found.len()).collect();
    starts.into_iter().map(move |start| {
        let rest = &text[start..];
        &rest[..rest.find("\n```").unwrap_or(rest.len())]
    })
}

/// The text with white space normalized, since a paragraph may wrap anywhere.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

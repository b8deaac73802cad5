//! The file of `--snapshot`: what it holds, what a start makes of it, and where it cannot be.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use memberlist_tests::{Launch, scratch};

use crate::assert_refused;

/// A folder with a place for a snapshot, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(scratch("snapshot"))
    }

    fn file(&self) -> PathBuf {
        self.0.join("members.txt")
    }

    fn keeping(&self, name: &str) -> Launch {
        Launch::agent(name)
            .flag("--snapshot", self.file().display())
            .flag("--set", "rejoin.interval=1s")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("our folder");
        entries.map(|it| it.expect("an entry").file_name().into_string().expect("text")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_snapshot_finds_the_cluster_again_without_any_seed() {
    let folder = Folder::new();
    let one = Launch::agent("one").start();
    let two = folder.keeping("two").start();
    assert_eq!(
        fs::read_to_string(folder.file()).expect("made at the start"),
        "memberlist snapshot 1\n"
    );
    two.join(one.addr());
    assert!(two.quit().success());
    let saved = fs::read_to_string(folder.file()).expect("written at the end");
    assert_eq!(saved, format!("memberlist snapshot 1\none/{}\n", one.addr()));
    assert_eq!(folder.names(), ["members.txt"], "nothing else is left");

    // Under another name: the cluster still knows `two` at its old address, and refuses it elsewhere.
    let three = folder.keeping("three").start();
    three.expect_node("joined", "one");
    three.expect("rejoined", |event| event["peer"] == one.addr().to_string());
}

/// A new file takes the place of the old one, which nothing is written to: whatever happens midway, one
/// of them is complete.
#[test]
fn a_save_writes_a_new_file_and_renames_it() {
    let folder = Folder::new();
    let (first, second) = ("memberlist snapshot 1\n", "memberlist snapshot 1\ngone/127.0.0.1:1\n");
    for before in [first, second] {
        fs::write(folder.file(), before).expect("written");
        let one = Launch::agent("one").start();
        let mut at_start = fs::File::open(folder.file()).expect("there");
        let two = folder.keeping("two").start();
        let mut in_use = fs::File::open(folder.file()).expect("rewritten at the start");
        two.join(one.addr());
        assert!(two.quit().success());
        let mut at_end = fs::File::open(folder.file()).expect("written at the end");
        let number = |file: &fs::File| file.metadata().expect("open").ino();
        // Open files keep their numbers, so that no two of these can be equal by chance.
        assert_ne!(number(&at_start), number(&in_use), "rewritten in place at the start");
        assert_ne!(number(&in_use), number(&at_end), "rewritten in place at the end");
        assert_eq!(contents(&mut at_start), before);
        assert_eq!(contents(&mut in_use), before);
        assert_eq!(contents(&mut at_end), format!("{first}one/{}\n", one.addr()));
        assert_eq!(folder.names(), ["members.txt"], "nothing else is left");
    }
}

fn contents(file: &mut fs::File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).expect("text");
    text
}

/// Whatever a member is called, it is found again by what the snapshot says.
#[test]
fn members_with_unusual_names_are_found_again() {
    let folder = Folder::new();
    let names = ["ns/pod-0", "a/b:c", "trail/", "line\nbreak", " 100% "];
    let others: Vec<_> = names.map(|name| Launch::agent(name).start()).into();
    let two = folder.keeping("two").start();
    for other in &others {
        two.join(other.addr());
    }
    for name in names {
        two.until_node(name, |node| node["state"] == "alive");
    }
    assert!(two.quit().success());
    let saved = fs::read_to_string(folder.file()).expect("written at the end");
    assert_eq!(saved.lines().count(), 1 + names.len(), "{saved}");

    let two = folder.keeping("two").start();
    for name in names {
        two.expect_node("joined", name);
    }
    assert!(!two.process().stderr().contains("--snapshot"), "{}", two.transcript());
}

/// A file from before there were versions is read, and a bad line of either kind costs that line.
#[test]
fn a_bad_line_costs_that_line() {
    let one = Launch::agent("a/b").start();
    let old = format!("no:peer:at all\na/b/{}\n", one.addr());
    let new = format!("memberlist snapshot 1\n%/127.0.0.1:1\na%2Fb/{}\n", one.addr());
    for (text, bad) in [(old, 1), (new, 2)] {
        let folder = Folder::new();
        fs::write(folder.file(), &text).expect("written");
        let two = folder.keeping("two").start();
        assert_eq!(fs::read_to_string(folder.file()).expect("still there"), text);
        two.expect_node("joined", "a/b");
        two.process().wait_text(&format!("{}:{bad}: ", folder.file().display()));
        let stderr = two.process().stderr();
        assert_eq!(stderr.matches("WARN").count(), 1, "{stderr}");
        assert!(two.quit().success());
    }
}

/// Many bad lines do not fill the log.
#[test]
fn bad_lines_are_logged_in_a_bounded_number() {
    let folder = Folder::new();
    fs::write(folder.file(), format!("memberlist snapshot 1\n{}", ":\n".repeat(1000)))
        .expect("written");
    let one = folder.keeping("one").start();
    one.process().wait_text("990 more lines are ignored");
    assert_eq!(one.process().stderr().lines().count(), 11, "{}", one.transcript());
}

fn refused(path: &Path, words: &[&str]) {
    let path = path.to_str().expect("the target folder's path is text");
    let all: Vec<_> = words.iter().copied().chain([path, "--snapshot"]).collect();
    assert_refused(&["agent", "--bind", "127.0.0.1:0", "--json", "--snapshot", path], 2, &all);
}

/// Where nothing can be written, the start says so, not the end.
#[test]
fn a_place_that_cannot_be_written_is_said_at_the_start() {
    let folder = Folder::new();
    refused(&folder.0.join("nowhere/members.txt"), &["cannot write", "No such file"]);
    fs::write(folder.file(), "memberlist snapshot 1\n").expect("written");
    refused(&folder.file().join("members.txt"), &["Not a directory"]);
    refused(&folder.0, &["not a regular file"]);
    refused(Path::new("/dev/null"), &["not a regular file"]);
    assert_eq!(folder.names(), ["members.txt"], "nothing else is left");
}

/// What is not a snapshot, or one of a later version, would be overwritten: it is left alone.
#[test]
fn a_file_that_is_not_a_snapshot_is_left_alone() {
    let folder = Folder::new();
    for (text, words) in [
        ("[section]\nfield = \"value\"\n", ["not a snapshot", "no line"]),
        ("memberlist snapshot 2\none/127.0.0.1:7946\n", ["version 2", "version 1"]),
    ] {
        fs::write(folder.file(), text).expect("written");
        refused(&folder.file(), &words);
        assert_eq!(fs::read_to_string(folder.file()).expect("still there"), text);
    }
}

/// What a start could write and the end cannot is said, and the node ends well.
#[test]
fn a_place_that_is_gone_is_said() {
    let folder = Folder::new();
    let one = Launch::agent("one").start();
    let two = folder.keeping("two").start();
    two.join(one.addr());
    fs::remove_dir_all(&folder.0).expect("ours");
    assert!(two.quit().success());
    let stderr = two.process().stderr();
    assert!(stderr.contains("members.txt: cannot write: No such file"), "{stderr}");
}

/// A link stays one, and a file keeps who may read it. What an earlier life left beside it, or
/// another user put there, is not followed.
#[test]
fn links_and_permissions_are_kept() {
    let folder = Folder::new();
    let place = folder.0.join("elsewhere.txt");
    fs::write(&place, "").expect("written");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).expect("ours");
    std::os::unix::fs::symlink(&place, folder.file()).expect("our folder");
    let other = folder.0.join("other.txt");
    fs::write(&other, "other").expect("written");
    std::os::unix::fs::symlink(&other, folder.0.join(".elsewhere.txt.new")).expect("our folder");
    let one = Launch::agent("one").start();
    let two = folder.keeping("two").start();
    two.join(one.addr());
    assert!(two.quit().success());
    assert_eq!(fs::read_to_string(&other).expect("there"), "other");
    assert!(fs::symlink_metadata(folder.file()).expect("there").is_symlink());
    let saved = fs::read_to_string(&place).expect("written at the end");
    assert!(saved.contains("one/"), "{saved}");
    let mode = fs::metadata(&place).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

//! A disk that is too small for what is recorded.

use std::fs;
use std::path::{Path, PathBuf};

use memberlist_record::Recording;
use memberlist_tests::{Launch, eventually, scratch};

use crate::live::{OLD, launch};
use crate::replay;

/// Copies what the node has written to its own disk, as far as it is a whole segment or the last.
fn copied(pid: u32, folder: &Path, to: &Path) {
    let inside = PathBuf::from(format!("/proc/{pid}/root"))
        .join(folder.strip_prefix("/").expect("absolute"));
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(inside).expect("a folder") {
        let path = entry.expect("one").path();
        fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
    }
}

/// The disk fills up again and again: the node answers all the time, its log says what failed, and the
/// recording how many inputs it has not.
#[test]
#[ignore = "needs root: cargo nextest run -p memberlist-tests --run-ignored only --test recording; \
            CI runs this"]
fn a_full_disk_never_stalls_an_agent() {
    let folder = scratch("full");
    let (disk, copy) = (folder.join("disk"), folder.join("copy"));
    fs::create_dir_all(&disk).expect("a folder");
    let one: Launch = launch("one", "tokio", &disk).flag("--record-max", "2MiB");
    let one = one.small_disk(&disk, 512).start();
    let two = Launch::agent("two").key(Some(OLD)).start();
    two.join(one.addr());
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 16) as u8 % 26)
    };
    // Each command is answered before the next.
    let mut send = |count: usize| {
        for _ in 0..count {
            let text: String = (0..1000).map(|_| letter()).collect();
            two.tell(&format!("send one {text}"));
            one.tell("health");
        }
    };
    send(1500);
    one.process().wait_text("recording failed: No space left on device");
    // Later it goes on, in a segment whose header has what is missing.
    eventually("a segment after the failure", || {
        send(5);
        copied(one.process().pid(), &disk, &copy);
        let recording = Recording::open(&copy).map_err(|error| error.to_string())?;
        let session = recording.sessions.first().ok_or("no run")?;
        let missing: u64 = session.segments().map(|(_, header)| header.dropped).sum();
        if missing > 0 { Ok(()) } else { Err("nothing is missing yet".into()) }
    });
    two.tell("ping one");
    let members = one.member_names();
    assert_eq!(members.len(), 2, "{members:?}");
    for node in [&one, &two] {
        assert_eq!(node.count("suspected", |_| true), 0, "{}", node.transcript());
    }
    assert!(one.quit().success());
    // Each segment replays, to its end or to where the disk was full.
    let mut whole = 0;
    for entry in fs::read_dir(&copy).expect("a folder") {
        let (summary, result) = replay(&entry.expect("one").path(), &[OLD], &[]);
        match result {
            Ok(()) => whole += 1,
            Err(error) => assert!(error.contains("in the middle of a block"), "{error}"),
        }
        if !summary.is_null() {
            assert_eq!(summary["differs"], 0, "{summary}");
        }
    }
    assert!(whole > 0);
    let _ = fs::remove_dir_all(folder);
}

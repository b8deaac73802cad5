//! Shell completions and manual pages.

use std::fs;
use std::process::{Command, Stdio};

use memberlist_tests::scratch;

use crate::{assert_refused, run};

fn printed(args: &[&str]) -> String {
    let output = run(args, "");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = printed(&["completions", shell]);
        for word in ["members", "--key-file", "suspect", "completions"] {
            let word = if shell == "fish" { word.trim_start_matches("--") } else { word };
            assert!(text.contains(word), "{shell}: no {word:?}");
        }
    }
    assert_refused(&["completions", "tcsh"], 2, &["tcsh", "bash"]);
}

/// Bash can read its completions, and completes a word with them.
#[test]
fn bash_completes_a_command() {
    let script = printed(&["completions", "bash"])
        + "\nCOMP_WORDS=(memberlist memb); COMP_CWORD=1; _memberlist memberlist memb memberlist\n\
           printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).stdin(Stdio::null());
    let output = bash.output().expect("bash is part of every Debian");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "members\n", "{stderr}");
}

#[test]
fn every_command_has_a_manual_page() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH memberlist 1"), "{page}");
    assert!(page.contains("memberlist\\-members(1)"), "{page}");
    let folder = scratch("man").join("made");
    printed(&["man", "--dir", folder.to_str().expect("text")]);
    for (name, words) in [
        ("memberlist-agent.1", &["key\\-file", "MEMBERLIST_KEY", "probe_interval"][..]),
        ("memberlist-members.1", &["status", "suspect", "MEMBERLIST_CONTROL"]),
        ("memberlist-keys-add.1", &["standard input"]),
        ("memberlist.1", &["memberlist"]),
    ] {
        let text = fs::read_to_string(folder.join(name)).expect(name);
        for word in words {
            assert!(text.contains(word), "{name}: no {word:?}");
        }
    }
    fs::write(folder.join("file"), "").expect("written");
    let file = folder.join("file/sub").display().to_string();
    assert_refused(&["man", "--dir", &file], 1, &["file/sub"]);
    let _ = fs::remove_dir_all(folder);
}

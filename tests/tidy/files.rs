//! What our files must and must not contain.

use crate::source::{File, files, has_word, mask, read};

const TEXT: &[&str] = &[".rs", ".md", ".toml", ".go", ".yml", ".sh", "run", ".txt"];

/// The phrases are assembled here, so that this file does not contain what it looks for.
fn unwanted() -> Vec<String> {
    let host = |parts: &[&str]| parts.join(".");
    let folder = |name: &str| format!("/{name}/");
    vec![
        host(&["index", "crates", "io"]),
        host(&["static", "crates", "io"]),
        host(&["registry", "npmjs"]),
        host(&["proxy", "golang"]),
        host(&["pypi", "org"]),
        host(&["deb", "debian"]),
        folder("work"),
        folder("root"),
        folder("home"),
        folder("briefs"),
        ["protocol", "md"].join("."),
        ["design", "md"].join("."),
    ]
}

/// `cargo run -- demo` works from the root only if there is one program.
#[test]
fn there_is_one_program() {
    let programs: Vec<_> = files(".", &[".rs"])
        .into_iter()
        .filter(|file| {
            let apart = ["bench/", "fuzz/", "tests/nostd/"];
            !apart.iter().any(|workspace| file.path.starts_with(workspace))
        })
        .filter(|file| file.path.ends_with("src/main.rs") || file.path.contains("/src/bin/"))
        .map(|file| file.path)
        .collect();
    assert_eq!(programs, ["memberlist-cli/src/main.rs"]);
}

#[test]
fn no_machine_or_registry_is_named() {
    let unwanted = unwanted();
    let mut wrong = Vec::new();
    for file in files(".", TEXT) {
        for (line, text) in numbered(&file) {
            if let Some(found) = unwanted.iter().find(|word| text.contains(word.as_str())) {
                wrong.push(format!("{}:{line}: {found}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "these names mean nothing on other machines:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_unfinished() {
    let calls = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!"));
    let notes = [["FIX", "ME"].concat(), ["XX", "X"].concat(), ["TO", "DO"].concat()];
    let mut wrong = Vec::new();
    for file in files(".", &[".rs"]) {
        for (line, code) in mask(&file.text).lines().enumerate() {
            if let Some(call) = calls.iter().find(|call| code.contains(call.as_str())) {
                wrong.push(format!("{}:{}: {call}", file.path, line + 1));
            }
        }
    }
    for file in files(".", &[".rs", ".go", "run", "check"]) {
        for (line, text) in numbered(&file) {
            if let Some(note) = notes.iter().find(|note| has_word(text, note)) {
                wrong.push(format!("{}:{line}: {note}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "unfinished:\n{}", wrong.join("\n"));
}

/// The tests of `foo.rs` are in `foo/tests.rs`.
#[test]
fn tests_have_files_of_their_own() {
    let mut wrong = Vec::new();
    for file in files(".", &[".rs"]) {
        let masked = mask(&file.text);
        let lines: Vec<&str> = masked.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            if pair[0].starts_with("#[cfg(test)]")
                && pair[1].starts_with("mod ")
                && pair[1].ends_with('{')
            {
                wrong.push(format!("{}: {}", file.path, pair[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "move these to files of their own:\n{}", wrong.join("\n"));
}

/// Each crate inherits version, lints and so on from the root.
#[test]
fn manifests_inherit() {
    let root = read("Cargo.toml");
    for file in files(".", &["Cargo.toml"]) {
        let own_workspace = file.text.lines().any(|line| line.trim() == "[workspace]");
        if own_workspace {
            continue;
        }
        let folder = file.path.trim_end_matches("/Cargo.toml");
        assert!(root.contains(&format!("\"{folder}\"")), "{folder} is not in the workspace");
        for line in ["version.workspace", "edition.workspace", "rust-version.workspace"] {
            assert!(file.text.contains(&format!("{line} = true")), "{}: {line}", file.path);
        }
        assert!(file.text.contains("[lints]\nworkspace = true"), "{}: lints", file.path);
    }
}

/// The whole workspace is safe code and stays so.
#[test]
fn unsafe_code_stays_forbidden() {
    assert!(read("Cargo.toml").contains("unsafe_code = \"forbid\""));
    let word = ["un", "safe"].concat();
    for file in files(".", &[".rs"]) {
        assert!(!has_word(&mask(&file.text), &word), "{} has {word} code", file.path);
    }
}

fn numbered(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(line, text)| (line + 1, text))
}

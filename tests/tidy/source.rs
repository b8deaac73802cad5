//! The files of the repository, and Rust source with comments and literals masked.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that contain no source of ours.
const SKIPPED: [&str; 4] = ["target", ".git", "fixtures", "corpus"];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("this package lies below the root").to_owned()
}

/// A file as text, with its path below the root.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every file below `folder` whose name ends in one of `ends`.
pub(crate) fn files(folder: &str, ends: &[&str]) -> Vec<File> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if ends.iter().any(|end| name.ends_with(end)) {
                let text = fs::read_to_string(&path).expect("a text file");
                let path = path.strip_prefix(&root).expect("below the root");
                found.push(File { path: path.to_string_lossy().into_owned(), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no {ends:?} in {folder}: wrong folder");
    found
}

/// The text of one file.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The source with comments and the contents of literals replaced by spaces, line by line.
pub(crate) fn mask(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (hidden, kept) = match literal(rest, masked.chars().last()) {
            Some(length) => (true, length),
            None => (false, first.len_utf8()),
        };
        let (taken, after) = rest.split_at(kept);
        rest = after;
        if hidden {
            masked.extend(taken.chars().map(|c| if c == '\n' { c } else { ' ' }));
        } else {
            masked.push_str(taken);
        }
    }
    masked
}

/// The length of the comment or literal at the start of `rest`, if any.
fn literal(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        // A lifetime has no closing quote right after its first character.
        let mut inside = inside.chars();
        let is_char = inside.next() == Some('\\') || inside.next() == Some('\'');
        return is_char.then(|| quoted(rest, '\''));
    }
    let in_a_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let hashes = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    if in_a_name || !hashes[count..].starts_with('"') {
        return None;
    }
    let opening = rest.len() - hashes.len() + count + 1;
    let closing = format!("\"{}", "#".repeat(count));
    let end =
        rest[opening..].find(&closing).map_or(rest.len(), |end| opening + end + closing.len());
    Some(end)
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Whether `word` occurs in `text` as a whole word.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(is_part)
            && !text[at + word.len()..].chars().next().is_some_and(is_part)
    })
}

#[test]
fn masking_keeps_only_code() {
    let source = "a(\"{ \\\" }\"); // {\nlet r = r#\"\"{\"#; '{'; '\\''; f::<'a>(b\"{\") /* { */ }";
    let masked = mask(source);
    assert_eq!(masked.matches('{').count(), 0, "{masked}");
    assert_eq!(masked.matches('}').count(), 1, "{masked}");
    assert!(masked.contains("f::<'a>("), "{masked}");
    assert_eq!(masked.lines().count(), source.lines().count());
    assert!(has_word("a Config;", "Config") && !has_word("a ConfigError", "Config"));
}

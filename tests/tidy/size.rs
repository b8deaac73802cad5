//! Files and functions stay short.

use crate::source::{files, mask};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// Files and functions that may be longer, with the reason: `path` or `path::function`.
const EXCEPTIONS: [(&str, &str); 0] = [];

#[test]
fn files_have_one_subject() {
    let mut wrong = Vec::new();
    for file in files(".", &[".rs"]) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES && !excepted(&file.path) {
            wrong.push(format!("{}: {lines} lines, {FILE_LINES} allowed", file.path));
        }
    }
    assert!(wrong.is_empty(), "split these by subject:\n{}", wrong.join("\n"));
}

#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    for file in files(".", &[".rs"]) {
        for function in functions(&mask(&file.text)) {
            let name = format!("{}::{}", file.path, function.name);
            if function.lines > FUNCTION_LINES && !excepted(&name) {
                let (line, lines) = (function.line, function.lines);
                wrong
                    .push(format!("{name} (line {line}): {lines} lines, {FUNCTION_LINES} allowed"));
            }
        }
    }
    assert!(wrong.is_empty(), "split these:\n{}", wrong.join("\n"));
}

#[test]
fn exceptions_are_still_needed() {
    let all = files(".", &[".rs"]);
    for (name, reason) in EXCEPTIONS {
        let needed = all.iter().any(|file| {
            let is_long = |f: &Function| {
                f.lines > FUNCTION_LINES && name == format!("{}::{}", file.path, f.name)
            };
            (file.path == name && file.text.lines().count() > FILE_LINES)
                || functions(&mask(&file.text)).iter().any(is_long)
        });
        assert!(needed, "{name} is short enough now and needs no exception ({reason})");
    }
}

fn excepted(name: &str) -> bool {
    EXCEPTIONS.iter().any(|(excepted, _)| *excepted == name)
}

#[derive(Debug)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// The functions with a body in masked source, each from `fn` to its closing brace.
fn functions(masked: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in masked.match_indices("fn ") {
        let starts_word = !masked[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let name: String =
            masked[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let Some(length) = body_end(&masked[at..]) else { continue };
        if starts_word && !name.is_empty() {
            found.push(Function {
                name,
                line: masked[..at].matches('\n').count() + 1,
                lines: masked[at..at + length].lines().count(),
            });
        }
    }
    found
}

/// The length of the function that begins here; `None` if it has no body.
fn body_end(from_fn: &str) -> Option<usize> {
    let mut depth = 0_usize;
    // The `;` of `[u8; 4]` in a signature does not end it.
    let mut brackets = 0_usize;
    for (at, c) in from_fn.char_indices() {
        match c {
            '[' | '(' => brackets += 1,
            ']' | ')' => brackets = brackets.saturating_sub(1),
            ';' if depth == 0 && brackets == 0 => return None,
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at + 1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[test]
fn functions_are_measured() {
    let source = "trait T { fn a(x: [u8; 4]); }\nfn b<'a>() -> [u8; 2] {\n  if x {\n }\n}\n";
    let found = functions(&mask(source));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].name.as_str(), found[0].line, found[0].lines), ("b", 2, 4));
}

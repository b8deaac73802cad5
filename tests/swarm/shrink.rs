//! Makes a script that fails as short as possible.

use super::draw::{CALM, CHAOS};

/// The most scripts that are tried.
const TRIALS: usize = 300;

/// Returns the shortest script that was found for which `fails` holds, as it does for `script`.
/// First lines of the chaos are left out, then nodes. The lines that build the cluster, and those
/// that state what must hold at the end, stay: without them, any script would fail.
pub(crate) fn shrink(script: &str, mut fails: impl FnMut(&str) -> bool) -> String {
    let mut lines: Vec<String> = script.lines().map(str::to_owned).collect();
    let mut trials = 0;
    let mut try_out = |lines: &[String]| {
        trials += 1;
        trials <= TRIALS && fails(&text(lines))
    };
    let position = |lines: &[String], mark: &str| lines.iter().position(|line| line == mark);
    let begin = position(&lines, CHAOS).map_or(0, |at| at + 1);
    let end = |lines: &[String]| position(lines, CALM).unwrap_or(lines.len());
    let mut size = end(&lines).saturating_sub(begin);
    while size > 0 {
        let mut at = begin;
        while at < end(&lines) {
            let mut shorter = lines.clone();
            shorter.drain(at..end(&lines).min(at + size));
            if try_out(&shorter) {
                lines = shorter;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    // Every node joins the first one: without that, no node would find another.
    let names: Vec<String> = lines.iter().filter_map(|line| started(line)).skip(1).collect();
    for name in names {
        let fewer = without(&lines, &name);
        if try_out(&fewer) {
            lines = fewer;
        }
    }
    text(&lines)
}

/// The lines without a node: those about it alone, or that join it, are removed, and so is its name
/// in lists.
fn without(lines: &[String], name: &str) -> Vec<String> {
    let kept = lines.iter().filter_map(|line| {
        if !line.split_whitespace().any(|word| word == name) {
            return Some(line.clone());
        }
        let list = line.starts_with("cut ") || line.starts_with("split ");
        let words = line.split_whitespace().filter(|word| *word != name);
        list.then(|| words.collect::<Vec<_>>().join(" "))
    });
    kept.collect()
}

fn started(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    (words.next() == Some("start")).then(|| words.next().map(str::to_owned)).flatten()
}

fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

#[test]
fn only_what_it_takes_is_left() {
    let lines: Vec<String> = (0..40).map(|n| format!("line {n}")).collect();
    let script = text(&lines);
    let fails = |text: &str| text.contains("line 7\n") && text.contains("line 31\n");
    assert_eq!(shrink(&script, fails), "line 7\nline 31\n");
    let nodes = "start a\nstart b\njoin b to a\n# chaos\nrun 1s\ncut a from b\ncrash a\n\
                 # calm\nuntil agree within 1s\n";
    let left = shrink(nodes, |text| text.contains("crash a"));
    assert_eq!(left, "start a\n# chaos\ncrash a\n# calm\nuntil agree within 1s\n");
}

//! Compares what was counted, and says what has become dearer.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// So many percent more instructions than at the base are let pass: less than a reader would look
/// into, and more than the compiler's choices in code that has not changed.
const RISE: f64 = 5.0;
/// A path that runs all the time may allocate so many times more in each call. Buffers that grow now
/// and then do it in another of many calls than before.
const FRACTION: f64 = 0.01;

pub(crate) struct Comparison {
    pub(crate) text: String,
    pub(crate) passed: bool,
}

/// A line that is not as it has to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not understood: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// One workload, for each call.
#[derive(Clone, Copy)]
struct Count {
    steady: bool,
    instructions: f64,
    allocations: f64,
}

/// What may rise by how much: instructions in percent, allocations by so many in each call.
#[derive(Default)]
struct Allowed {
    instructions: BTreeMap<String, f64>,
    allocations: BTreeMap<String, f64>,
}

pub(crate) fn compare(before: &str, after: &str, base: &str) -> Result<Comparison, Malformed> {
    let (before, after, allowed) = (counts(before)?, counts(after)?, allowed(base)?);
    let mut text =
        String::from("workload: instructions and allocations of a call, before and after\n");
    let (mut dearer, mut accept) = (String::new(), String::new());
    for (name, now) in &after {
        let Some(then) = before.get(name) else {
            let _ = writeln!(text, "{name:20} {:>12.1} instructions: new", now.instructions);
            continue;
        };
        let rise = (now.instructions / then.instructions - 1.0) * 100.0;
        let _ = writeln!(
            text,
            "{name:20} {:>12.1} -> {:>12.1} ({rise:+.1} %)  {:>8.2} -> {:>8.2}",
            then.instructions, now.instructions, then.allocations, now.allocations
        );
        let most = allowed.instructions.get(name).copied().unwrap_or(RISE);
        if rise > most {
            let _ = writeln!(
                dearer,
                "{name}: {:.1} instructions in each call instead of {:.1}: {rise:.1} % more, and {most} % is \
                 allowed",
                now.instructions, then.instructions
            );
            let _ = writeln!(accept, "    {name} instructions {:.0}%", rise.ceil());
        }
        let more = now.allocations - then.allocations;
        let most = allowed.allocations.get(name).copied();
        if more > most.unwrap_or_default() + tolerated(*then) {
            let _ = writeln!(
                dearer,
                "{name}: {:.2} allocations in each call instead of {:.2}{}",
                now.allocations,
                then.allocations,
                if now.steady { ", on a path that runs all the time" } else { "" }
            );
            let _ = writeln!(accept, "    {name} allocations {more:.2}");
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        let _ = writeln!(dearer, "{name}: counted at the base, but no longer");
    }
    let known = |name: &&String| !after.contains_key(*name);
    for name in allowed.instructions.keys().chain(allowed.allocations.keys()).filter(known) {
        let _ = writeln!(dearer, "{name}: named in bench/guard/base, but not a workload");
    }
    let passed = dearer.is_empty();
    if !passed {
        let _ = write!(text, "\nDearer than allowed:\n{dearer}");
    }
    if !accept.is_empty() {
        let _ = write!(
            text,
            "\nIf the change is worth it, accept it: in the same commit, add to bench/guard/base, with a \
             comment that says why,\n{accept}\
             To see where it comes from: valgrind --tool=callgrind --toggle-collect='memberlist_guard::counted*' \
             target/guard/after run NAME, then callgrind_annotate.\n"
        );
    }
    Ok(Comparison { text, passed })
}

/// What is not a rise yet.
fn tolerated(then: Count) -> f64 {
    if then.steady { FRACTION } else { then.allocations * RISE / 100.0 }
}

/// Lines of a name, `steady` or `other`, calls, allocations and instructions.
fn counts(text: &str) -> Result<BTreeMap<String, Count>, Malformed> {
    let count = |line: &str| {
        let [name, kind, calls, allocations, instructions] =
            line.split_whitespace().collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let calls: f64 = calls.parse().ok().filter(|it| *it > 0.0)?;
        // If nothing was counted, the function is not called as it was.
        let instructions: f64 = instructions.parse().ok().filter(|it| *it > 0.0)?;
        let count = Count {
            steady: kind == "steady",
            instructions: instructions / calls,
            allocations: allocations.parse::<f64>().ok()? / calls,
        };
        Some((name.to_owned(), count))
    };
    text.lines().map(|line| count(line).ok_or_else(|| Malformed(line.to_owned()))).collect()
}

/// The file `base`: after the commit, what may be dearer than there.
fn allowed(text: &str) -> Result<Allowed, Malformed> {
    let mut allowed = Allowed::default();
    for line in text.lines() {
        let words: Vec<&str> =
            line.split('#').next().unwrap_or_default().split_whitespace().collect();
        let malformed = || Malformed(format!("bench/guard/base: {line}"));
        let number = |text: &str| text.parse::<f64>().map_err(|_| malformed());
        match words[..] {
            [] | ["commit", _] => {}
            [name, "instructions", percent] => {
                let percent = number(percent.strip_suffix('%').ok_or_else(malformed)?)?;
                allowed.instructions.insert(name.to_owned(), percent);
            }
            [name, "allocations", count] => {
                allowed.allocations.insert(name.to_owned(), number(count)?);
            }
            _ => return Err(malformed()),
        }
    }
    Ok(allowed)
}

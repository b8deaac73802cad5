//! A running cluster gets another label, in the steps of docs/labels.md.

use std::collections::BTreeMap;

use super::{Health, Plot};

/// How many steps there are.
const STEPS: usize = 3;

impl Plot {
    /// Restarts some nodes with the labels of their next step. As an operator should see to, no
    /// node takes a step before all have taken the one before it.
    pub(super) fn roll(&mut self, to: &str) {
        let from = self.kind.label();
        for _ in 0..=self.draw.below(self.nodes.len()) {
            let step = *self.steps.iter().min().expect("a node");
            if step == STEPS {
                return;
            }
            let first = self.draw.below(self.nodes.len());
            let mut next = (first..self.nodes.len()).chain(0..first);
            let node = next.find(|node| self.steps[*node] == step).expect("the least");
            let options = match step {
                0 => format!("label={from} accept={to}"),
                1 => format!("label={to} accept={from}"),
                _ => format!("label={to} accept="),
            };
            let (other, pause) = (self.draw.below(self.nodes.len()), 3000 + self.draw.below(5000));
            let target = self.target(other);
            // Another node may have its address. What was sent before has time to arrive.
            self.line(&format!(
                "try restart n{node} with {options}\ntry move n{node}\nhost host{node} n{node}\n\
                 try join n{node} {target}\nrun {pause}ms"
            ));
            self.steps[node] += 1;
            self.nodes[node] = Health::Well;
        }
    }
}

/// Whether no node of a script takes a step before all have taken the one before it: a script that
/// was made shorter may lack a step.
pub(crate) fn in_order(script: &str) -> bool {
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    let mut labels: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for line in script.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["start", name, ..] => {
                steps.insert(name, 0);
            }
            ["try", "restart", name, "with", label, accept] => {
                let Some(step) = steps.get_mut(name) else { return false };
                let before = labels.insert(name, (label, accept));
                let follows = match *step {
                    0 => before.is_none() && accept != "accept=",
                    1 => before.is_some_and(|(old, _)| old != label) && accept != "accept=",
                    _ => accept == "accept=",
                };
                *step += 1;
                let least = steps.values().min().copied().unwrap_or_default();
                if !follows || steps[name] > least + 1 {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

#[test]
fn every_drawn_roll_out_is_in_order() {
    let scripts: Vec<String> = (0..60).map(super::script).collect();
    assert!(scripts.iter().all(|script| in_order(script)));
    let rolls = |line: &&str| line.contains(" with label=") && line.starts_with("try restart");
    let rolling = scripts.iter().find(|script| script.lines().filter(rolls).count() > 4);
    let rolling = rolling.expect("a roll-out of some length");
    let (last, _) = rolling.lines().enumerate().filter(|(_, line)| rolls(line)).nth(3).expect("4");
    let first = rolling.lines().position(|line| rolls(&line)).expect("a first");
    // Without the first of these, its node takes the second step first, or stays behind.
    let shorter: Vec<&str> =
        rolling.lines().enumerate().filter(|(at, _)| *at != first).map(|(_, line)| line).collect();
    assert!(last > first && !in_order(&shorter.join("\n")));
}

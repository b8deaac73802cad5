//! Prints what bad networks do to clusters: one line for each experiment, our defaults beside the Go
//! library's behaviour, on the same seeds and on all processors.
//!
//! `harm [NAME…] [--seeds N] [--first N] [--without DIFFERENCE]…`; a name that ends with `-` stands
//! for all that begin so. `--without` gives a field of `differences` Go's value on our side.

use std::process::ExitCode;
use std::time::Instant;

use memberlist_proto::Config;
use memberlist_tests::harm::{Experiment, as_go};

struct Arguments {
    names: Vec<String>,
    first: u64,
    seeds: u64,
    without: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let Arguments { names, first, seeds, without } = arguments;
    let wanted = |it: &Experiment| {
        let means =
            |name: &String| it.name() == name || name.ends_with('-') && it.name().starts_with(name);
        names.is_empty() || names.iter().any(means)
    };
    let chosen: Vec<Experiment> = Experiment::all().into_iter().filter(wanted).collect();
    if chosen.is_empty() {
        let names: Vec<String> = Experiment::all().iter().map(|it| it.name().to_owned()).collect();
        eprintln!("no such experiment; there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    for experiment in chosen {
        let begun = Instant::now();
        let change = |config: &mut Config| switch_off(config, &without);
        let [ours, go] = experiment.compare(first..first + seeds, &change);
        let took = begun.elapsed().as_secs();
        println!(
            "{:<18} {seeds} seeds, {took} s\n    ours {ours}\n    Go   {go}",
            experiment.name()
        );
    }
    ExitCode::SUCCESS
}

fn switch_off(config: &mut Config, without: &[String]) {
    let mut go = config.clone();
    as_go(&mut go);
    for name in without {
        let field = Config::field(&format!("differences.{name}"));
        let field = field.unwrap_or_else(|| panic!("there is no difference {name}"));
        field.set(config, field.get(&go)).expect("Go's value is allowed");
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { names: Vec::new(), first: 0, seeds: 200, without: Vec::new() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: String| text.parse().map_err(|error| format!("{text}: {error}"));
        match word.as_str() {
            "--seeds" => arguments.seeds = number(value()?)?,
            "--first" => arguments.first = number(value()?)?,
            "--without" => arguments.without.push(value()?),
            _ => arguments.names.push(word),
        }
    }
    Ok(arguments)
}

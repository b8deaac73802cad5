//! `memberlist simulate NAME`: the published experiments, run with the shipped protocol code.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use memberlist_driver::settings::{set, split};
use memberlist_experiments::{Experiment, Goal, Harm, Options, Part, Progress, Report, Selection};
use memberlist_proto::Config;

use super::put;
use crate::failure::Failure;

/// An experiment.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Command {
    /// SWIM (2002): load and detection by group size, and a group under packet loss
    Swim(Flags),
    /// Lifeguard (2017): members whose messages are held back, and which members are blamed for it
    Lifeguard(Lifeguard),
    /// Lifeguard (2017): members with too little processor time
    Stress(Flags),
    /// Serf's page on convergence: its formula, beside a measurement
    Serf(Flags),
    /// Rapid (2018): members that lose what they receive, while what they send arrives
    Rapid(Flags),
    /// Thousands of nodes that join within a minute and restart at once
    Large(Large),
    /// Recovery with our defaults and as in Go, and convergence beside theory
    Healing(Healing),
    /// How a cluster of your own behaves with given settings
    WhatIf(WhatIf),
}

/// The flags of `lifeguard`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Lifeguard {
    /// Only this part: threshold, sweep (of α and β) or interval (repeatable)
    #[arg(long = "part", value_name = "PART", value_parser = part)]
    parts: Vec<(String, Part)>,

    /// In the interval grid, only these numbers of held members, separated by commas
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=32))]
    members: Vec<u16>,

    /// In the interval grid, only these times of being held, such as 16384ms, separated by commas
    #[arg(long, value_name = "TIME", value_delimiter = ',', value_parser = time)]
    held: Vec<(String, Duration)>,

    /// In the interval grid, only these pauses, separated by commas
    #[arg(long, value_name = "TIME", value_delimiter = ',', value_parser = time)]
    pause: Vec<(String, Duration)>,

    /// Number of nodes [default: 128, or 40 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(40..=10_000))]
    nodes: Option<u16>,

    #[command(flatten)]
    flags: Flags,
}

impl Lifeguard {
    fn selection(&self) -> Selection {
        Selection {
            parts: self.parts.iter().map(|(_, part)| *part).collect(),
            members: self.members.iter().copied().map(usize::from).collect(),
            held: self.held.iter().map(|(_, time)| *time).collect(),
            pauses: self.pause.iter().map(|(_, time)| *time).collect(),
        }
    }

    /// The flags that make the same selection again.
    fn extra(&self) -> Vec<String> {
        let mut extra: Vec<String> =
            self.parts.iter().map(|(text, _)| format!("--part {text}")).collect();
        let texts = |list: &[(String, Duration)]| -> Vec<String> {
            list.iter().map(|(text, _)| text.clone()).collect()
        };
        let lists = [
            ("members", self.members.iter().map(u16::to_string).collect()),
            ("held", texts(&self.held)),
            ("pause", texts(&self.pause)),
        ];
        extra.extend(self.nodes.map(|it| format!("--nodes {it}")));
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            extra.push(format!("--{name} {}", list.join(",")));
        }
        extra
    }
}

/// The flags of `large`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Large {
    /// Number of nodes, instead of several sizes
    #[arg(long, value_name = "N", value_parser = nodes)]
    nodes: Option<usize>,

    /// Only broadcasts while nodes leave and return, not the joins
    #[arg(long, conflicts_with = "nodes")]
    churn: bool,

    #[command(flatten)]
    flags: Flags,
}

/// The flags of `healing`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Healing {
    /// Set a field of the configuration that is compared with Go's, such as
    /// `differences.ask_suspects=false` (repeatable)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,

    /// Only this disturbance, such as `100-flapping`, without the part on convergence (repeatable)
    #[arg(long, value_name = "NAME", value_parser = harm)]
    only: Vec<String>,

    #[command(flatten)]
    flags: Flags,
}

/// The flags of `what-if`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct WhatIf {
    /// Number of nodes of the cluster
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = nodes)]
    nodes: usize,

    /// Share of the packets that are lost, such as 2%
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = percent)]
    loss: f64,

    /// Set a field of the configuration, which is otherwise the LAN preset (repeatable)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,

    /// Search for the settings that stay within these limits with the least traffic, such as
    /// `detect<5s,false<1/day`; figures: detect, detect-p99, all, all-p99, join, broadcast, leave,
    /// false, traffic
    #[arg(long, value_name = "LIMITS", conflicts_with = "each")]
    goal: Option<Goal>,

    /// Show what changes if each of ten settings is lower or higher
    #[arg(long)]
    each: bool,

    #[command(flatten)]
    flags: Flags,
}

/// How much of an experiment to run, and where the results go.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Flags {
    /// Run a reduced form that takes some seconds
    #[arg(long)]
    quick: bool,

    /// Run each cell with this many seeds; `lifeguard` takes ten times as many for latencies
    /// [default: by experiment]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seeds: Option<u64>,

    /// Begin with this seed
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=u64::MAX / 2))]
    seed: u64,

    /// Run this many simulations at a time [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,

    /// Write tables (CSV), plots (SVG) and a page (HTML) into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Exit with 1 if a result does not have the expected shape
    #[arg(long)]
    check: bool,
}

impl Command {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let (experiment, flags) = match self {
            Self::Swim(flags) => (Experiment::Swim, flags),
            Self::Lifeguard(lifeguard) => (Experiment::Lifeguard, &lifeguard.flags),
            Self::Stress(flags) => (Experiment::Stress, flags),
            Self::Serf(flags) => (Experiment::Serf, flags),
            Self::Rapid(flags) => (Experiment::Rapid, flags),
            Self::Large(large) => (Experiment::Large, &large.flags),
            Self::Healing(healing) => (Experiment::Healing, &healing.flags),
            Self::WhatIf(question) => return question.run(),
        };
        let mut options = flags.options();
        let mut extra = Vec::new();
        match self {
            Self::Lifeguard(lifeguard) => {
                options.lifeguard = lifeguard.selection();
                options.nodes = lifeguard.nodes.map(usize::from);
                extra = lifeguard.extra();
            }
            Self::Large(large) => {
                options.nodes = large.nodes;
                options.churn = large.churn;
                extra.extend(large.churn.then(|| "--churn".to_owned()));
                extra.extend(large.nodes.map(|it| format!("--nodes {it}")));
            }
            Self::Healing(healing) => {
                options.config = Some(config(&healing.set)?);
                options.only.clone_from(&healing.only);
                extra.extend(healing.only.iter().map(|it| format!("--only {it}")));
                extra.extend(healing.set.iter().map(|it| format!("--set {it}")));
            }
            _ => {}
        }
        flags.finish(experiment.name(), &extra, |bar| experiment.run(&options, bar))
    }
}

impl WhatIf {
    fn run(&self) -> Result<(), Failure> {
        let question = memberlist_experiments::WhatIf {
            nodes: self.nodes,
            loss: self.loss,
            config: config(&self.set)?,
            settings: self.set.clone(),
            goal: self.goal.clone(),
            each: self.each,
        };
        let mut extra = vec![format!("--nodes {}", self.nodes)];
        if self.loss > 0.0 {
            extra.push(format!("--loss {}%", self.loss * 100.0));
        }
        extra.extend(self.set.iter().map(|it| format!("--set {it}")));
        extra.extend(self.goal.iter().map(|it| format!("--goal \"{it}\"")));
        extra.extend(self.each.then(|| "--each".to_owned()));
        self.flags.finish("what-if", &extra, |bar| question.run(&self.flags.options(), bar))
    }
}

/// The LAN preset with these settings.
fn config(settings: &[String]) -> Result<Config, Failure> {
    let mut config = Config::lan("n");
    for assignment in settings {
        let (field, value) = split(assignment).map_err(Failure::usage)?;
        set(&mut config, field, value).map_err(Failure::usage)?;
    }
    config.validate().map_err(Failure::usage)?;
    Ok(config)
}

/// Parses a number of nodes that an experiment can have.
fn nodes(text: &str) -> Result<usize, String> {
    let nodes: usize = text.parse().map_err(|error| format!("{error}"))?;
    if (4..=100_000).contains(&nodes) { Ok(nodes) } else { Err("it must be 4 to 100000".into()) }
}

/// Parses the name of a part of `lifeguard`.
fn part(text: &str) -> Result<(String, Part), String> {
    let part = match text {
        "threshold" => Part::Threshold,
        "sweep" => Part::Sweep,
        "interval" => Part::Interval,
        _ => return Err("it must be threshold, sweep or interval".into()),
    };
    Ok((text.into(), part))
}

/// Parses the length of an anomaly or a pause.
fn time(text: &str) -> Result<(String, Duration), String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_millis(1)..=Duration::from_secs(120)).contains(&time) {
        Ok((text.into(), time))
    } else {
        Err("it must be 1ms to 120s".into())
    }
}

/// Parses the name of a disturbance.
fn harm(text: &str) -> Result<String, String> {
    if Harm::named(text).is_some() {
        return Ok(text.into());
    }
    let names: Vec<String> = Harm::all().iter().map(|it| it.name().to_owned()).collect();
    Err(format!("it must be one of {}", names.join(", ")))
}

/// Parses a percentage, as a fraction of one.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    match number {
        Ok(number) if (0.0..=95.0).contains(&number) => Ok(number / 100.0),
        _ => Err("it must be 0% to 95%".into()),
    }
}

impl Flags {
    fn options(&self) -> Options {
        let default = Options::default();
        Options {
            quick: self.quick,
            seeds: self.seeds,
            seed: self.seed,
            jobs: self.jobs.map_or(default.jobs, usize::from),
            ..default
        }
    }

    /// The command that makes the same report again; neither the number of jobs nor the directory
    /// changes it.
    fn command(&self, name: &str, extra: &[String]) -> String {
        let mut command = format!("cargo run --release -- simulate {name}");
        for flag in extra {
            command = command + " " + flag;
        }
        // Writing to a string cannot fail.
        if self.quick {
            command += " --quick";
        }
        if let Some(seeds) = self.seeds {
            let _ = write!(command, " --seeds {seeds}");
        }
        if self.seed != 1 {
            let _ = write!(command, " --seed {}", self.seed);
        }
        command
    }

    /// Runs an experiment with a progress bar, prints the report and writes its files.
    fn finish(
        &self,
        name: &str,
        extra: &[String],
        run: impl FnOnce(&Bar) -> Report,
    ) -> Result<(), Failure> {
        if let Some(folder) = &self.out {
            // A long run must not fail at its end because of the folder.
            std::fs::create_dir_all(folder)
                .map_err(|error| Failure::failed(format_args!("{}: {error}", folder.display())))?;
        }
        let bar = Bar::new();
        let mut report = run(&bar);
        bar.0.finish_and_clear();
        report.command = self.command(name, extra);
        put(report.markdown(false))?;
        if let Some(folder) = &self.out {
            let page = report.write(folder).map_err(Failure::failed)?;
            put(format!("\nThe page is {}\n", page.display()))?;
        }
        match report.failed().next() {
            Some(failed) if self.check => Err(Failure::failed(format_args!(
                "{} does not show that {}",
                report.name, failed.text
            ))),
            _ => Ok(()),
        }
    }
}

/// A progress bar on standard error, if that is a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let style = "{bar:40} {pos} of {len} runs, {elapsed}, {eta} to go";
        let style = ProgressStyle::with_template(style).expect("a valid template");
        let bar = ProgressBar::new(0).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }
}

impl Progress for Bar {
    fn expect(&self, runs: u64) {
        self.0.inc_length(runs);
    }

    fn step(&self) {
        self.0.inc(1);
    }
}

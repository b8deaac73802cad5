//! Opens the recordings that the command line names.

use std::path::Path;

use memberlist_proto::Key;
use memberlist_record::explain::{Alignment, Chronicle};
use memberlist_record::{Recording, Replay, ReplayOptions, Session};

use super::clock::moment;
use super::{Args, ended};
use crate::failure::Failure;
use crate::stderr;

/// One recording, with the selected run and the options of its replay.
#[derive(Debug)]
pub(super) struct Opened {
    recording: Recording,
    run: usize,
    options: ReplayOptions,
}

impl Opened {
    pub(super) fn new(path: &Path, args: &Args) -> Result<Self, Failure> {
        let shown = path.display();
        let recording = Recording::open(path)
            .map_err(|error| Failure::failed(format_args!("{shown}: {error}")))?;
        for (file, error) in &recording.unreadable {
            stderr::say(format_args!("{}: {error}", file.display()));
        }
        let runs = recording.sessions.len();
        let wanted = args.run.unwrap_or(runs);
        let run = wanted.checked_sub(1).filter(|it| *it < runs).ok_or_else(|| {
            Failure::usage(format_args!("--run: there are {runs} runs, and no run {wanted}"))
        })?;
        let mut opened = Self { recording, run, options: ReplayOptions::default() };
        opened.options = ReplayOptions {
            keys: keys(&args.key)?,
            any_core: args.any_core,
            from: opened.moment("from", args.from.as_deref())?,
            until: opened.moment("until", args.until.as_deref())?,
        };
        Ok(opened)
    }

    pub(super) fn session(&self) -> &Session {
        &self.recording.sessions[self.run]
    }

    pub(super) fn options(&self) -> &ReplayOptions {
        &self.options
    }

    /// Parses the value of a flag as a time of the core.
    pub(super) fn moment(
        &self,
        flag: &str,
        text: Option<&str>,
    ) -> Result<Option<memberlist_proto::Instant>, Failure> {
        let failed = |error| Failure::usage(format_args!("--{flag}: {error}"));
        text.map(|text| moment(text, self.session().header()).map_err(failed)).transpose()
    }

    /// Removes and returns the value of `--until`, so that the whole run is replayed.
    pub(super) fn forget_until(&mut self) -> Option<memberlist_proto::Instant> {
        self.options.until.take()
    }

    pub(super) fn replay(&self) -> Result<Replay, Failure> {
        Replay::new(self.session(), &self.options).map_err(Failure::failed)
    }
}

fn keys(texts: &[String]) -> Result<Vec<Key>, Failure> {
    let keys = texts.iter().map(|text| text.parse::<Key>()).collect::<Result<_, _>>();
    keys.map_err(|error| Failure::usage(format_args!("--key: {error}")))
}

/// The chronicles of some recordings on one axis of time.
pub(super) struct Chronicles {
    pub(super) all: Vec<Chronicle>,
    pub(super) alignment: Alignment,
    /// The failure of the first replay that did not reach its end.
    end: Result<(), Failure>,
}

impl Chronicles {
    pub(super) fn read(opened: &[Opened]) -> Result<Self, Failure> {
        let (mut all, mut end) = (Vec::new(), Ok(()));
        for one in opened {
            let mut replay = one.replay()?;
            let (chronicle, result) = Chronicle::read(&mut replay);
            if let (Err(failure), true) = (ended(result), end.is_ok()) {
                end = Err(failure);
            }
            let missing = replay.missing_keys();
            if !missing.is_empty() {
                let ids: Vec<_> = missing.iter().map(ToString::to_string).collect();
                let (node, ids) = (&chronicle.node, ids.join(", "));
                stderr::say(format_args!(
                    "{node}: what is encrypted is not read, keys are missing: {ids}"
                ));
            }
            all.push(chronicle);
        }
        let alignment = Alignment::of(&all);
        Ok(Self { all, alignment, end })
    }

    /// Fails unless everything could be replayed with the same outputs as in the live run.
    pub(super) fn verified(self) -> Result<(), Failure> {
        self.end?;
        match self.all.iter().find(|it| it.differs > 0) {
            None => Ok(()),
            Some(it) => Err(Failure::failed(format_args!(
                "{}: {} inputs led to other outputs than in the live run",
                it.node, it.differs
            ))),
        }
    }
}

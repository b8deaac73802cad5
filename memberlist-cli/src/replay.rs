//! `memberlist replay`: what an agent has recorded, stepped through again.

mod summary;

use std::path::PathBuf;
use std::time::Duration;

use memberlist_proto::{Instant, Key};
use memberlist_record::{Header, Recording, Replay, ReplayOptions, Session};

use self::summary::Summary;
use crate::failure::Failure;

/// The flags of `memberlist replay`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory given to `memberlist agent --record`, or one of its files
    path: PathBuf,

    /// Key of the node in base64, in any order; without all of them, what is encrypted is not read
    #[arg(long, value_name = "BASE64")]
    key: Vec<String>,

    /// Which run of the node, from 1 for the first that is left [default: the last]
    #[arg(long, value_name = "N")]
    run: Option<usize>,

    /// Begin at the last checkpoint before this moment: a time since the start of the node, such as
    /// `90s`, or a time of the day in UTC, such as `2026-01-31T12:03:04Z`
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// End at this moment
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Replay what another version has recorded, as far as possible
    #[arg(long)]
    any_core: bool,

    /// Write the summary as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let shown = args.path.display();
    let recording = Recording::open(&args.path)
        .map_err(|error| Failure::failed(format_args!("{shown}: {error}")))?;
    let session = args.session(&recording)?;
    let moment = |flag: &str, text: &Option<String>| {
        let failed = |error| Failure::usage(format_args!("--{flag}: {error}"));
        text.as_deref().map(|text| moment(text, session.header()).map_err(failed)).transpose()
    };
    let options = ReplayOptions {
        keys: args.keys()?,
        any_core: args.any_core,
        from: moment("from", &args.from)?,
        until: moment("until", &args.until)?,
    };
    let mut replay = Replay::new(session, &options).map_err(Failure::failed)?;
    let mut summary = Summary::new(session, &replay);
    let end = summary.run(&mut replay);
    for (file, error) in &recording.unreadable {
        eprintln!("memberlist: {}: {error}", file.display());
    }
    if args.json {
        println!("{}", summary.to_json(&replay));
    } else {
        print!("{}", summary.to_text(&replay));
    }
    end.map_err(Failure::failed)?;
    if summary.is_verified() { Ok(()) } else { Err(Failure::failed(summary.difference())) }
}

impl Args {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        let keys = self
            .key
            .iter()
            .map(|text| text.parse::<memberlist_proto::Key>())
            .collect::<Result<_, _>>();
        keys.map_err(|error| Failure::usage(format_args!("--key: {error}")))
    }

    fn session<'a>(&self, recording: &'a Recording) -> Result<&'a Session, Failure> {
        let runs = recording.sessions.len();
        let wanted = self.run.unwrap_or(runs);
        wanted.checked_sub(1).and_then(|index| recording.sessions.get(index)).ok_or_else(|| {
            Failure::usage(format_args!("--run: there are {runs} runs, and no run {wanted}"))
        })
    }
}

/// A time of the core, by a time since the start or by a time of the day.
fn moment(text: &str, header: &Header) -> Result<Instant, String> {
    let born = header.born.at;
    if let Ok(since) = humantime::parse_duration(text) {
        return Ok(Instant::from_nanos(born) + since);
    }
    let day = humantime::parse_rfc3339_weak(text)
        .map_err(|_| "expected a duration or a time of the day".to_owned())?;
    let millis = header.born.wall_clock_ms.ok_or("the recording has no time of the day")?;
    let begun = std::time::UNIX_EPOCH + Duration::from_millis(millis);
    // What was before the start is the start.
    let since = day.duration_since(begun).unwrap_or_default();
    Ok(Instant::from_nanos(born) + since)
}

//! The known members, saved to a file for the next start.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use memberlist_driver::Handle;
use memberlist_proto::Peer;

use crate::failure::Failure;

/// How often the file is updated.
const INTERVAL: Duration = Duration::from_secs(5);

/// A file with one peer per line. A file that does not exist yet has no peers.
#[derive(Debug)]
pub(super) struct Snapshot {
    path: PathBuf,
    saved: String,
}

impl Snapshot {
    /// Reads the file and starts the search for its peers.
    pub(super) fn recall(path: &Path, node: &Handle) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::usage(format_args!("--snapshot: {}: {error}", path.display()))
        };
        let saved = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(&error)),
        };
        let lines = saved.lines().map(str::trim).filter(|line| !line.is_empty());
        let peers: Vec<Peer> = lines
            .map(|line| line.parse().map_err(|error| failed(&format!("`{line}`: {error}"))))
            .collect::<Result<_, _>>()?;
        node.recall(&peers).map_err(Failure::failed)?;
        Ok(Self { path: path.to_owned(), saved })
    }

    /// Updates the file forever.
    pub(super) async fn keep(&mut self, node: &Handle) -> Infallible {
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.save(node);
        }
    }

    /// Writes the file if the members have changed. A node that has lost every member keeps the last
    /// list.
    pub(super) fn save(&mut self, node: &Handle) {
        let mut lines: Vec<_> = node.snapshot().iter().map(|peer| format!("{peer}\n")).collect();
        lines.sort();
        let text = lines.concat();
        if text.is_empty() || text == self.saved {
            return;
        }
        // A reader sees either the old file or the new one, never a part.
        let beside = self.path.with_extension("new");
        let written =
            std::fs::write(&beside, &text).and_then(|()| std::fs::rename(&beside, &self.path));
        match written {
            Ok(()) => self.saved = text,
            Err(error) => eprintln!("memberlist: --snapshot: {}: {error}", self.path.display()),
        }
    }
}

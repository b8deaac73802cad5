//! The known members, saved to a file for the next start.
//!
//! The file is written under a temporary name in the same directory, flushed to the disk (`fsync`)
//! and renamed. Readers, and the next start after a crash or a loss of power, see a complete file:
//! the new one or the previous one. The directory is not flushed: a loss of power may cost the newest
//! snapshot, never both.

mod format;

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use memberlist_driver::Handle;
use memberlist_proto::Peer;
use tokio::task::JoinHandle;

use self::format::Contents;
use crate::failure::Failure;

/// How often the file is updated.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many bad lines are logged one by one.
const LOGGED: usize = 10;

/// The snapshot file, with one peer per line.
#[derive(Debug)]
pub(super) struct Snapshot {
    path: PathBuf,
    /// The peers of the file, until the search for them starts.
    peers: Vec<Peer>,
    saved: Vec<u8>,
    /// The write in progress. A save that is cancelled leaves it here.
    writing: Option<JoinHandle<(Vec<u8>, io::Result<()>)>>,
    /// Why the last save failed; the same reason is not logged again.
    failing: Option<String>,
}

impl Snapshot {
    /// Reads the file, and rewrites it once to check that this works; a file that does not exist
    /// yet is created. Bad lines are logged and ignored, and so is a full disk or quota.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::usage(format_args!("--snapshot: {}: {error}", path.display()))
        };
        // The rename must replace the target of a link, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let bytes = match existing(&path) {
            Ok(Some(_)) => fs::read(&path).map_err(|error| failed(&error))?,
            Ok(None) => format::write(&[]).into_bytes(),
            Err(error) => return Err(failed(&error)),
        };
        let Contents { peers, bad } = format::read(&bytes).map_err(|error| failed(&error))?;
        let mut failing = None;
        match replace(&path, &bytes) {
            Ok(()) => {}
            // There may be room again later, and every change of the members tries again.
            Err(error) if is_full(&error) => {
                let shown = path.display();
                tracing::warn!("--snapshot: {shown}: cannot write: {error}; it is tried again");
                failing = Some(error.to_string());
            }
            Err(error) => return Err(failed(&format_args!("cannot write: {error}"))),
        }
        for line in bad.iter().take(LOGGED) {
            tracing::warn!("--snapshot: {}:{line}; the line is ignored", path.display());
        }
        if let Some(more @ 1..) = bad.len().checked_sub(LOGGED) {
            tracing::warn!("--snapshot: {}: {more} more lines are ignored", path.display());
        }
        Ok(Self { path, peers, saved: bytes, writing: None, failing })
    }

    /// Makes the node search for the peers of the file.
    pub(super) fn recall(&mut self, node: &Handle) -> Result<(), Failure> {
        node.recall(&std::mem::take(&mut self.peers)).map_err(Failure::failed)
    }

    /// Updates the file forever.
    pub(super) async fn keep(&mut self, node: &Handle) -> Infallible {
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.save(node).await;
        }
    }

    /// Writes the file if the members have changed. A node that has lost every member keeps the last
    /// list. It may be cancelled: the next call waits for the write that this one has started.
    pub(super) async fn save(&mut self, node: &Handle) {
        self.written().await;
        let peers = node.snapshot();
        let text = format::write(&peers).into_bytes();
        if peers.is_empty() || text == self.saved {
            return;
        }
        let path = self.path.clone();
        // Disks can be slow; signals and commands must not wait for them.
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let result = replace(&path, &text);
            (text, result)
        }));
        self.written().await;
    }

    /// Waits for the write in progress, if there is one.
    async fn written(&mut self) {
        let Some(writing) = &mut self.writing else { return };
        let outcome = writing.await;
        self.writing = None;
        match outcome {
            Ok((text, Ok(()))) => {
                self.saved = text;
                self.failing = None;
            }
            Ok((_, Err(error))) => self.failed(error.to_string()),
            Err(error) => self.failed(error.to_string()),
        }
    }

    fn failed(&mut self, reason: String) {
        if self.failing.as_ref() != Some(&reason) {
            tracing::error!("--snapshot: {}: cannot write: {reason}", self.path.display());
            self.failing = Some(reason);
        }
    }
}

/// Whether there is no room now, on the disk or in the user's quota.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The metadata of the file at the path; `None` if there is none. Anything but a regular file, such
/// as a device, is an error, because the rename would replace it.
fn existing(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(io::Error::other("this is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file at `path`, completely or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let beside = path.with_file_name(name);
    // A crash may have left this file; a link that another user put at its path must not be
    // followed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_new(&beside, bytes, existing(path)?.as_ref())
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8], like: Option<&Metadata>) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    if let Some(like) = like {
        file.set_permissions(like.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

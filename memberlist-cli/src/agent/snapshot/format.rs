//! The text of a snapshot: a line that names the format and its version, then one peer per line.

use memberlist_proto::{NodeName, Peer, PeerError};

/// The start of the first line, before the version. No line of an unversioned file starts with it.
const FORMAT: &str = "memberlist snapshot ";
/// The version of the format that is written and read.
const VERSION: u32 = 1;
/// How much of a line an error shows, in characters.
const SHOWN: usize = 60;

/// The contents of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) peers: Vec<Peer>,
    /// The lines that could not be read, in order.
    pub(super) bad: Vec<BadLine>,
}

/// A line that is not a peer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{number}: `{shown}`: {error}")]
pub(super) struct BadLine {
    /// The number of the line, from one.
    number: usize,
    shown: String,
    error: LineError,
}

/// Why a line is not a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    #[error("the line is not UTF-8")]
    Encoding,
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormatError {
    #[error("the snapshot is of version {0}, and this program reads version {VERSION}")]
    Version(u32),
    #[error("the first line of the snapshot does not name a version")]
    NoVersion,
    /// The file is not a snapshot, and the next snapshot would overwrite it.
    #[error("this is not a snapshot: no line of it is a peer")]
    Foreign,
}

/// The text for these peers.
pub(super) fn write(peers: &[Peer]) -> String {
    let mut lines: Vec<_> = peers.iter().map(|peer| format!("{peer}\n")).collect();
    lines.sort();
    format!("{FORMAT}{VERSION}\n{}", lines.concat())
}

/// Reads the text that [`write()`] returns, and that of earlier builds, which had no version.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, FormatError> {
    let mut lines = bytes.split(|byte| *byte == b'\n').zip(1..).peekable();
    let first = lines.peek().and_then(|(line, _)| std::str::from_utf8(line).ok());
    let version = first.and_then(|line| line.strip_prefix(FORMAT));
    let parse: fn(&str) -> Result<Peer, PeerError> = match version {
        Some(version) => {
            match version.trim_end().parse().map_err(|_| FormatError::NoVersion)? {
                VERSION => {}
                other => return Err(FormatError::Version(other)),
            }
            lines.next();
            str::parse
        }
        None => unversioned,
    };
    let versioned = version.is_some();
    let mut contents = Contents::default();
    for (line, number) in lines {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let text = std::str::from_utf8(line).map_err(|_| LineError::Encoding);
        match text.and_then(|text| parse(text).map_err(LineError::from)) {
            Ok(peer) => contents.peers.push(peer),
            Err(error) => contents.bad.push(BadLine { number, shown: shown(line), error }),
        }
    }
    if !versioned && contents.peers.is_empty() && !contents.bad.is_empty() {
        return Err(FormatError::Foreign);
    }
    Ok(contents)
}

/// Parses a line of an unversioned file: the address follows the last `/`, and the name before it
/// is literal, without escapes.
fn unversioned(line: &str) -> Result<Peer, PeerError> {
    match line.rsplit_once('/') {
        None => line.parse(),
        Some((name, place)) => {
            // Bytes that were not UTF-8 have been lost: then the name is unknown.
            let whole = !name.is_empty() && !name.contains(char::REPLACEMENT_CHARACTER);
            Ok(Peer { name: whole.then(|| NodeName::from(name)), ..place.parse()? })
        }
    }
}

/// The start of a line, safe to show within another.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;

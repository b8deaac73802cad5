//! The paths of the agents' control sockets, and how an agent claims one.

mod claim;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::geteuid;

pub(crate) use self::claim::{Claim, ClaimError};

/// The environment variable that names a control socket, for agents and for clients.
pub(crate) const VARIABLE: &str = "MEMBERLIST_CONTROL";

/// The directory for the control sockets of agents that root has started.
const SYSTEM: &str = "/run/memberlist";

/// The end of each file name.
const SUFFIX: &str = ".sock";

/// The longest file name without its end, in bytes; a longer one is cut. With the directory, the
/// path has to fit in a socket's address, about 100 bytes.
const NAME_MAX: usize = 40;

/// Whether an agent answers at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// A process listens at the socket.
    Live,
    /// There is a socket, but no process listens at it any more.
    Dead,
    /// There is nothing at the path.
    Nothing,
}

/// The directory for control sockets: in `XDG_RUNTIME_DIR`, if that is set; for root, that of the
/// system; else a private one in the directory for temporary files.
pub(crate) fn directory() -> PathBuf {
    let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    if let Some(session) = session.filter(|path| path.is_absolute()) {
        return session.join("memberlist");
    }
    if geteuid().is_root() {
        return PathBuf::from(SYSTEM);
    }
    std::env::temp_dir().join(format!("memberlist-{}", geteuid().as_raw()))
}

/// The path of the socket of the agent whose node has this name.
pub(crate) fn path(name: &[u8]) -> PathBuf {
    directory().join(file_name(name))
}

/// The directories in which a client searches: root may also ask the system's agents from its
/// session.
fn searched() -> Vec<PathBuf> {
    let mut directories = vec![directory()];
    if geteuid().is_root() && directories[0].starts_with("/run/user") {
        directories.push(SYSTEM.into());
    }
    directories
}

/// Finds the socket of the agent whose node has this name; if there is none, its default path. A
/// directory in which another user could have put the socket is refused: commands can carry keys.
pub(crate) fn find(name: &[u8]) -> io::Result<PathBuf> {
    for directory in searched() {
        let path = directory.join(file_name(name));
        if path.exists() {
            trusted(&directory)?;
            return Ok(path);
        }
    }
    Ok(path(name))
}

/// The sockets in the default directories at which an agent answers, sorted.
pub(crate) fn running() -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for directory in searched() {
        found.extend(running_in(&directory)?);
    }
    Ok(found)
}

fn running_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match trusted(directory).and_then(|()| fs::read_dir(directory)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let named = path.extension() == Some(OsStr::new(&SUFFIX[1..]));
        if named && presence(&path).is_ok_and(|presence| presence == Presence::Live) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Creates the default directory, if it does not exist.
fn prepare() -> io::Result<()> {
    let directory = directory();
    match fs::DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    trusted(&directory)
}

/// Refuses a directory in which another user could put a socket, or replace ours.
fn trusted(directory: &Path) -> io::Result<()> {
    let about = fs::symlink_metadata(directory)?;
    let own = about.uid() == geteuid().as_raw();
    // Only root can create this directory, and may give it to the user of a service.
    let by_root = geteuid().is_root() && directory == Path::new(SYSTEM);
    let shut = about.is_dir() && about.mode() & 0o022 == 0;
    if by_root || (own && shut) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "the directory belongs to another user, or others may write to it",
    ))
}

/// The file name for a node: its name, in which bytes other than ASCII letters, digits, `-`, `_`
/// and `.` become `%` and two hexadecimal digits. A long name is cut, and a checksum added.
fn file_name(name: &[u8]) -> String {
    let mut text = String::new();
    for (at, &byte) in name.iter().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        // A leading dot would hide the file.
        if plain && !(at == 0 && byte == b'.') {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02x}");
        }
    }
    if text.len() > NAME_MAX {
        text.truncate(NAME_MAX - 9);
        let _ = write!(text, "-{:08x}", crc32fast::hash(name));
    }
    text + SUFFIX
}

/// Finds out whether a process listens at a path, without waiting.
pub(crate) fn presence(path: &Path) -> io::Result<Presence> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.file_type().is_socket() => {}
        Ok(_) => return Err(io::Error::other("this is not a socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Presence::Nothing),
        Err(error) => return Err(error),
    }
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        // The queue of a busy listener may be full.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS) => Ok(Presence::Live),
        Err(Errno::CONNREFUSED) => Ok(Presence::Dead),
        Err(Errno::NOENT) => Ok(Presence::Nothing),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;

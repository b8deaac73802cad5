//! Binds a control socket for the life of an agent.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use rustix::process::umask;

use super::{Presence, prepare, presence};

/// How many times a lock is tried that was removed in the meantime.
const TRIES: u32 = 100;

/// A bound control socket, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    listener: UnixListener,
    path: PathBuf,
    lock: Lock,
}

/// Why a socket cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// A running agent has the socket.
    #[error("another agent answers at {}", .0.display())]
    Taken(PathBuf),
    /// The operating system refuses.
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, io::Error),
}

impl Claim {
    /// Listens at the default path of the node with this name.
    pub(crate) fn default(name: &[u8]) -> Result<Self, ClaimError> {
        prepare().map_err(|error| ClaimError::Io(super::directory(), error))?;
        Self::at(&super::path(name))
    }

    /// Listens at `path`, in place of the socket of an agent that has died.
    ///
    /// Must be called before the process has a thread that creates files: to let no other user
    /// connect at any moment, it changes the mask of file modes, which belongs to the whole
    /// process.
    pub(crate) fn at(path: &Path) -> Result<Self, ClaimError> {
        let failed = |error| ClaimError::Io(path.to_owned(), error);
        let lock = Lock::take(path).map_err(failed)?;
        let lock = lock.ok_or_else(|| ClaimError::Taken(path.to_owned()))?;
        match presence(path).map_err(failed)? {
            // The socket is not an agent's, or its lock was removed by hand.
            Presence::Live => return Err(ClaimError::Taken(path.to_owned())),
            Presence::Dead => fs::remove_file(path).map_err(failed)?,
            Presence::Nothing => {}
        }
        let before = umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        umask(before);
        Ok(Self { listener: bound.map_err(failed)?, path: path.to_owned(), lock })
    }

    /// The socket's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the socket and its lock; clients that are connected stay connected.
    pub(crate) fn remove(&self) {
        // The lock is held: no other agent can have put its own socket here.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.lock.path);
    }

    /// The listening socket, to accept clients from.
    pub(crate) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A file beside the socket, locked as long as its agent lives: of two agents that find a dead
/// socket, only one replaces it.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    /// Unlocked when it is closed, even if the process is killed.
    _file: File,
}

impl Lock {
    /// Takes the lock of the socket at `socket`; `None` if another process has it.
    fn take(socket: &Path) -> io::Result<Option<Self>> {
        let mut name = socket.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        for _ in 0..TRIES {
            let file: OwnedFd = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            let file = File::from(file);
            // An agent that ended between the two calls has removed the file that is now locked.
            let locked = file.metadata()?;
            if fs::metadata(&path).is_ok_and(|about| about.ino() == locked.ino()) {
                return Ok(Some(Self { path, _file: file }));
            }
        }
        Err(io::Error::other("its lock is taken and removed all the time"))
    }
}

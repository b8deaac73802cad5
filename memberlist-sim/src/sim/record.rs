//! Recordings of the nodes, as a driver makes them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use memberlist_record::{RecordOptions, Recorder};

use super::{NodeId, Sim};

/// How long dropping a simulation waits for each recording to reach the disk.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where recordings go, and those that are under way.
pub(super) struct Recording {
    folder: PathBuf,
    lives: Vec<Recorder>,
}

impl Sim {
    /// Records every node that is started from now on, each of its lives in a directory of its own
    /// below `folder`: `NODE` for the first, `NODE.2` for the second. In `NODE`, characters other
    /// than letters, digits, `-` and `_` become `_`. `memberlist replay` reads them as it reads
    /// recordings of live nodes. They are complete once the simulation has been dropped, even if a
    /// law was broken.
    ///
    /// # Errors
    ///
    /// The folder cannot be created.
    pub fn record(&mut self, folder: impl Into<PathBuf>) -> io::Result<()> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder)?;
        self.recording = Some(Recording { folder, lives: Vec::new() });
        Ok(())
    }

    /// Begins to record a node that was just started.
    pub(super) fn record_life(&mut self, id: NodeId, seed: [u8; 32]) {
        let now = self.clock(id);
        let starts = self.seats[id].lives().count();
        let Some(recording) = &mut self.recording else { return };
        let name = safe(self.seats[id].name().as_bytes());
        let life = if starts > 1 { format!(".{starts}") } else { String::new() };
        let folder = recording.folder.join(name + &life);
        // Virtual time must wait for the disk.
        let options = RecordOptions::default().with(|options| {
            options.max_bytes = u64::MAX;
            options.segment_bytes = 16 << 20;
            options.patient = true;
        });
        let node = self.seats[id].node_mut().expect("it has just been started");
        let started = Recorder::start(node, now, seed, &folder, &options, |_| {});
        recording.lives.push(started.expect("a folder to record to"));
    }
}

/// The name of a node as a file name: characters that a file system may refuse are replaced.
fn safe(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let allowed = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    text.chars().map(|letter| if allowed(letter) { letter } else { '_' }).take(100).collect()
}

impl Drop for Recording {
    fn drop(&mut self) {
        for life in &self.lives {
            life.wait(PATIENCE);
        }
    }
}

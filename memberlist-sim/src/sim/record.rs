//! Recordings of the nodes, as a driver makes them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use memberlist_record::{RecordOptions, Recorder};

use super::{NodeId, Sim};

/// How long the end of a simulation waits for the disk.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where recordings go, and those that are under way.
pub(super) struct Recording {
    folder: PathBuf,
    lives: Vec<Recorder>,
}

impl Sim {
    /// Records every node that is started from now on, each life in a directory of its own below
    /// `folder`: `NODE` for the first, `NODE.2` for the second. `memberlist replay` steps through one of
    /// them, as through a recording of a live node. They are complete when the simulation is dropped,
    /// also if a law is broken.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
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

/// A name of a file: what a name may hold and a file system does not take is replaced.
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

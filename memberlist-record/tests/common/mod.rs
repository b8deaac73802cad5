//! Two nodes with a perfect network between them, in virtual time, the first of which is recorded.
#![allow(dead_code)] // Each test uses a part.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{
    BroadcastKind, Command, Config, Hooks, Input, Instant, Key, Memberlist, Priority, Transmit,
};
use memberlist_record::{Notice, RecordOptions, RecordStats, Recorder};

/// A folder of its own, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let unique = format!("memberlist-record-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn key(byte: u8) -> Key {
    Key::new(&[byte; 16]).expect("16 bytes")
}

pub(crate) struct Pair {
    one: Memberlist,
    two: Memberlist,
    pub(crate) recorder: Recorder,
    now: Instant,
}

/// Answers that no default gives.
struct Answers;

impl Hooks for Answers {
    fn ack_payload(&self) -> Option<Bytes> {
        Some(Bytes::from_static(b"load"))
    }
}

impl Pair {
    pub(crate) fn new(keys: &[Key], folder: &Folder, options: &RecordOptions) -> Self {
        Self::seeded(keys, folder, options, 7)
    }

    pub(crate) fn seeded(keys: &[Key], folder: &Folder, options: &RecordOptions, seed: u8) -> Self {
        Self::notified(keys, folder, options, seed, |_| {})
    }

    /// The same, with something that is called on the thread that writes.
    pub(crate) fn notified(
        keys: &[Key],
        folder: &Folder,
        options: &RecordOptions,
        seed: u8,
        notify: impl Fn(Notice) + Send + 'static,
    ) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let node = |name: &str, port, seed| {
            let mut config = Config::local(name);
            config.advertise_port = port;
            config.secret_keys = keys.to_vec();
            let hooks: Arc<dyn Hooks> = Arc::new(Answers);
            Memberlist::new(now, config, Some(hooks), [seed; 32]).expect("valid")
        };
        let (mut one, mut two) = (node("one", 1, seed), node("two", 2, seed + 100));
        let started = Recorder::start(&mut one, now, [seed; 32], folder.path(), options, notify);
        let recorder = started.expect("a folder");
        two.restore(now, [one.local()]);
        let local = two.local();
        let mut pair = Self { one, two, recorder, now };
        pair.command(Command::Restore(vec![local]));
        pair
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn command(&mut self, command: Command) {
        if let Command::AddKey(key) = &command {
            self.two.add_key(self.now, key.clone()).expect("room");
        }
        self.handle(command.into());
    }

    /// Hands an input to the first node.
    fn handle(&mut self, input: Input<'_>) {
        let _ = self.one.handle(self.now, input);
        self.carry();
    }

    /// Delivers packets until none is left.
    fn carry(&mut self) {
        loop {
            let to_two: Vec<Transmit> = std::iter::from_fn(|| self.one.poll_transmit()).collect();
            for packet in to_two {
                let _ =
                    self.two.handle_packet(self.now, ([127, 0, 0, 1], 1).into(), &packet.payload);
            }
            let to_one: Vec<Transmit> = std::iter::from_fn(|| self.two.poll_transmit()).collect();
            while self.one.poll_event().is_some() || self.one.poll_stream().is_some() {}
            while self.two.poll_event().is_some() || self.two.poll_stream().is_some() {}
            if to_one.is_empty() {
                return;
            }
            for packet in to_one {
                let from = ([127, 0, 0, 1], 2).into();
                let input = Input::Packet { from, packet: packet.payload.as_ref().into() };
                let _ = self.one.handle(self.now, input);
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let due =
                [self.one.poll_timeout(), self.two.poll_timeout()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= until) else { break };
            self.now = self.now.max(due);
            self.two.handle_timeout(self.now);
            self.handle(Input::Timeout);
        }
        self.now = until;
    }

    /// Lets time pass, with messages in between that make the recording grow.
    pub(crate) fn chat(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            let message = Bytes::from(vec![self.now.as_nanos() as u8; 900]);
            let (kind, priority) = (BroadcastKind::Unique, Priority::Normal);
            self.command(Command::Broadcast { message, kind, priority });
            self.run(Duration::from_millis(200));
            // The disk of a busy machine may not keep up with virtual time.
            self.wait(|_| true);
        }
    }

    /// Waits until the thread has come so far.
    pub(crate) fn wait(&self, far: impl Fn(RecordStats) -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !(far(self.recorder.stats()) && self.recorder.backlog() < 4) {
            assert!(std::time::Instant::now() < deadline, "{:?}", self.recorder.stats());
            std::thread::yield_now();
        }
    }

    /// Waits until the thread has done everything.
    pub(crate) fn settle(&self) {
        self.wait(|_| self.recorder.backlog() == 0);
    }

    /// Ends the recording; whether it is on disk.
    pub(crate) fn finish(self) -> bool {
        drop(self.one);
        self.recorder.wait(Duration::from_secs(20))
    }
}

/// Changes the hash of the core in a segment: the header's, which is text, and the checkpoint's.
pub(crate) fn claim_other_core(file: &Path) {
    let bytes = fs::read(file).expect("a segment");
    let mut out = bytes[..10].to_vec();
    let mut rest = &bytes[10..];
    while let Some((head, after)) = rest.split_first_chunk::<13>() {
        let len = u32::from_le_bytes(head[1..5].try_into().expect("4 bytes")) as usize;
        let mut payload = after[..len].to_vec();
        rest = &after[len..];
        match head[0] {
            1 => {
                let mut header: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
                header["core_hash"] = "0123456789abcdef".into();
                payload = serde_json::to_vec(&header).expect("JSON");
            }
            2 => payload[6] ^= 0xff,
            _ => {}
        }
        let sum = xxhash_rust::xxh3::xxh3_64_with_seed(
            &payload,
            u64::from(head[0]) << 32 | payload.len() as u64,
        );
        out.push(head[0]);
        out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&payload);
    }
    fs::write(file, out).expect("written");
}

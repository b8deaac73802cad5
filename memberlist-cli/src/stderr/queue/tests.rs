use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps its writer waiting until what it wrote is read. Fails on demand.
struct Pipe {
    lines: SyncSender<String>,
    full: Arc<AtomicBool>,
}

impl Write for Pipe {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Without a reader, the test has ended.
        let _ = self.lines.send(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A queue with its thread, what the thread has written, and whether the disk below is full.
fn queue() -> (Arc<Queue>, Receiver<String>, Arc<AtomicBool>) {
    let (queue, (lines, read)) = (Arc::new(Queue::default()), sync_channel(0));
    let full = Arc::new(AtomicBool::new(false));
    let (writer, to) = (Arc::clone(&queue), Pipe { lines, full: Arc::clone(&full) });
    std::thread::spawn(move || writer.write_all(to));
    (queue, read, full)
}

fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(PATIENCE).expect("a line")
}

/// The thread has taken this line, and waits for its reader.
fn stall(queue: &Queue) {
    queue.offer(b"first\n".to_vec());
    let until = Instant::now() + PATIENCE;
    while !queue.lock().entries.is_empty() {
        assert!(Instant::now() < until, "the thread does not run");
        std::thread::yield_now();
    }
}

#[test]
fn a_stalled_reader_costs_lines_that_are_counted_where_they_are_missing() {
    let (queue, lines, _) = queue();
    stall(&queue);
    for number in 0..LINES + 7 {
        queue.offer(format!("{number}\n").into_bytes());
    }
    assert_eq!(next(&lines), "first\n");
    for number in 0..LINES {
        assert_eq!(next(&lines), format!("{number}\n"));
    }
    assert_eq!(next(&lines), "memberlist: lines missing here, which were not read in time: 7\n");
    queue.offer(b"last\n".to_vec());
    assert_eq!(next(&lines), "last\n");
}

#[test]
fn lines_that_wait_are_bounded_by_their_bytes() {
    let (queue, lines, _) = queue();
    stall(&queue);
    let long = vec![b'x'; BYTES / 4];
    for _ in 0..40 {
        queue.offer(long.clone());
    }
    {
        let state = queue.lock();
        assert!(state.bytes <= BYTES, "{}", state.bytes);
        assert_eq!(state.entries.len(), 5, "four lines, and how many are missing");
    }
    assert_eq!(next(&lines), "first\n");
}

#[test]
fn what_cannot_be_written_is_counted_once_it_can() {
    let (queue, lines, full) = queue();
    full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        queue.offer(b"lost\n".to_vec());
    }
    queue.finish(PATIENCE);
    full.store(false, Ordering::SeqCst);
    queue.offer(b"written\n".to_vec());
    assert_eq!(next(&lines), "memberlist: lines missing here, which could not be written: 3\n");
    assert_eq!(next(&lines), "written\n");
}

#[test]
fn the_end_waits_for_a_reader_but_not_for_long() {
    let (queue, lines, _) = queue();
    stall(&queue);
    queue.offer(b"second\n".to_vec());
    queue.finish(Duration::from_millis(1));
    assert_eq!(queue.lock().entries.len(), 1, "still waiting");
    let reader = std::thread::spawn(move || [next(&lines), next(&lines)]);
    queue.finish(PATIENCE);
    assert!(queue.lock().entries.is_empty());
    assert_eq!(reader.join().expect("both lines"), ["first\n", "second\n"]);
}

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::*;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unsaid(line: &str) {
    panic!("{line}");
}

#[tokio::test]
async fn every_report_is_one_line_in_order() {
    let shared = Shared::default();
    let (output, written) = Output::start_with(Style::Json, shared.clone(), unsaid);
    for score in 0..3000 {
        output.write(Report::new("health").with("score", score)).await;
    }
    drop(output);
    written.wait(Duration::from_secs(10)).await;
    let bytes = shared.0.lock().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let scores = text.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["score"].as_u64().unwrap()
    });
    assert!(scores.eq(0..3000));
}

#[tokio::test]
async fn a_closed_output_is_noticed_and_does_not_block() {
    let (output, written) = Output::start_with(Style::Text, Closed, unsaid);
    output.write(Report::new("health")).await;
    output.closed().await;
    output.write(Report::new("health")).await;
    written.wait(Duration::from_secs(10)).await;
}

/// Full for two lines, then no more.
struct Disk(u32, Shared);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += 1;
        if matches!(self.0, 2 | 3) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_is_said_once() {
    let (shared, said) = (Shared::default(), Arc::new(Mutex::new(Vec::new())));
    let (disk, lines) = (Disk(0, shared.clone()), Arc::clone(&said));
    let say = move |line: &str| lines.lock().unwrap().push(line.to_owned());
    let (output, written) = Output::start_with(Style::Json, disk, say);
    for score in 0..5 {
        output.write(Report::new("health").with("score", score)).await;
    }
    drop(output);
    written.wait(Duration::from_secs(10)).await;
    let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
    let scores = text.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["score"].as_u64().unwrap()
    });
    assert_eq!(scores.collect::<Vec<_>>(), [0, 3, 4]);
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("lost until it works"), "{said:?}");
    assert_eq!(said[1], "standard output: works again; lines lost: 2");
}

/// A report of about so many bytes.
fn long(bytes: usize) -> Report {
    Report::new("message").with("text", "x".repeat(bytes))
}

#[tokio::test]
async fn lines_that_wait_are_bounded_by_their_bytes() {
    let bounds = Bounds { lines: 16, bytes: 10_000 };
    let (output, mut queue) = Output::queue(Style::Json, bounds);
    for _ in 0..2 {
        output.write(long(4_000)).await;
    }
    let mut third = Box::pin(output.write(long(4_000)));
    assert!(polled(third.as_mut()).is_pending(), "beyond the budget, although not the number");
    let first = queue.recv().await.expect("a line");
    assert!(polled(third.as_mut()).is_pending(), "the line is not written yet");
    drop(first);
    assert!(polled(third.as_mut()).is_ready());
}

#[tokio::test]
async fn a_line_beyond_the_budget_passes_alone() {
    let bounds = Bounds { lines: 16, bytes: 10_000 };
    let (output, mut queue) = Output::queue(Style::Json, bounds);
    output.write(long(50_000)).await;
    let mut next = Box::pin(output.write(long(1)));
    assert!(polled(next.as_mut()).is_pending());
    assert!(queue.recv().await.expect("a line").bytes().len() > 50_000);
    assert!(polled(next.as_mut()).is_ready());
}

fn polled(future: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

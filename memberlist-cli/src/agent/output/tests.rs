use std::sync::{Arc, Mutex};

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

#[tokio::test]
async fn every_report_is_one_line_in_order() {
    let shared = Shared::default();
    let (output, written) = Output::start_with(Style::Json, shared.clone());
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
    let (output, written) = Output::start_with(Style::Text, Closed);
    output.write(Report::new("health")).await;
    output.closed().await;
    output.write(Report::new("health")).await;
    written.wait(Duration::from_secs(10)).await;
}

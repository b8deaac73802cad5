//! Metrics for Prometheus, under `/metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::failure::Failure;

/// The longest request that is read, in bytes.
const REQUEST: usize = 8 << 10;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the recorder's histograms are compacted.
const UPKEEP: Duration = Duration::from_secs(5);

/// Collects the metrics of every node started later, and serves them.
pub(super) struct Exporter {
    listener: TcpListener,
    metrics: PrometheusHandle,
}

impl Exporter {
    /// Listens, and installs the recorder for every node that starts later.
    pub(super) async fn start(address: SocketAddr) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::failed(format_args!("--metrics: cannot listen on TCP {address}: {error}"))
        };
        let listener = TcpListener::bind(address).await.map_err(|error| failed(&error))?;
        let metrics =
            PrometheusBuilder::new().install_recorder().map_err(|error| failed(&error))?;
        Ok(Self { listener, metrics })
    }

    /// Answers requests forever.
    pub(super) async fn serve(self) -> Infallible {
        let mut upkeep = tokio::time::interval(UPKEEP);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let metrics = self.metrics.clone();
                        tokio::spawn(async move {
                            // A client that does not read its answer in time has to ask again.
                            let _ = tokio::time::timeout(PATIENCE, answer(stream, &metrics)).await;
                        });
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                _ = upkeep.tick() => self.metrics.run_upkeep(),
            }
        }
    }
}

/// Reads one request and answers it.
async fn answer(mut stream: TcpStream, metrics: &PrometheusHandle) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let known = [&b"GET /metrics "[..], b"GET / "].iter().any(|it| request.starts_with(it));
    let (status, body) =
        if known { ("200 OK", metrics.render()) } else { ("404 Not Found", String::new()) };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

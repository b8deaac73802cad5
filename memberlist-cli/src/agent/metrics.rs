//! Figures for Prometheus, by `GET /metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::failure::Failure;

/// The longest request that is read.
const REQUEST: usize = 8 << 10;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two rounds of summing up what the histograms have been given.
const UPKEEP: Duration = Duration::from_secs(5);

/// Where the figures are kept and told.
pub(super) struct Exporter {
    listener: TcpListener,
    figures: PrometheusHandle,
}

impl Exporter {
    /// Listens; every node that starts from now on is told of.
    pub(super) async fn start(address: SocketAddr) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::failed(format_args!("--metrics: cannot listen on {address}: {error}"))
        };
        let listener = TcpListener::bind(address).await.map_err(|error| failed(&error))?;
        let figures =
            PrometheusBuilder::new().install_recorder().map_err(|error| failed(&error))?;
        Ok(Self { listener, figures })
    }

    /// Answers for ever.
    pub(super) async fn serve(self) -> Infallible {
        let mut upkeep = tokio::time::interval(UPKEEP);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let figures = self.figures.clone();
                        tokio::spawn(async move {
                            // Whoever does not take the answer asks again.
                            let _ = tokio::time::timeout(PATIENCE, answer(stream, &figures)).await;
                        });
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                _ = upkeep.tick() => self.figures.run_upkeep(),
            }
        }
    }
}

/// Reads one request and answers it.
async fn answer(mut stream: TcpStream, figures: &PrometheusHandle) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let known = [&b"GET /metrics "[..], b"GET / "].iter().any(|it| request.starts_with(it));
    let (status, body) =
        if known { ("200 OK", figures.render()) } else { ("404 Not Found", String::new()) };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

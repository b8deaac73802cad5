//! Metrics for Prometheus, under `/metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::failure::Failure;

/// The longest head of a request that is read, in bytes.
const REQUEST: usize = 8 << 10;
/// How long one connection may take; it serves one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many connections are served at a time; the others wait to be accepted.
const CONNECTIONS: usize = 32;
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
        let metrics = self.metrics.clone();
        let upkeep = async move {
            let mut rounds = tokio::time::interval(UPKEEP);
            loop {
                rounds.tick().await;
                metrics.run_upkeep();
            }
        };
        tokio::select! {
            never = self.accept() => never,
            never = upkeep => never,
        }
    }

    async fn accept(&self) -> Infallible {
        let free = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // An error would mean that the semaphore was closed, which never happens.
            let place = Arc::clone(&free).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let metrics = self.metrics.clone();
                    tokio::spawn(async move {
                        // A client that does not read its answer in time has to ask again.
                        let _ = tokio::time::timeout(PATIENCE, connection(stream, &metrics)).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// Reads one request and answers it.
async fn connection(stream: TcpStream, metrics: &PrometheusHandle) -> hyper::Result<()> {
    let service =
        service_fn(|request| async move { Ok::<_, Infallible>(answer(&request, metrics)) });
    http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(REQUEST)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// The body of an answer to HEAD is left out by the server.
fn answer(request: &Request<Incoming>, metrics: &PrometheusHandle) -> Response<Full<Bytes>> {
    let known = ["/metrics", "/"].contains(&request.uri().path());
    let read = [Method::GET, Method::HEAD].contains(request.method());
    let (status, body) = match (known, read) {
        (true, true) => (StatusCode::OK, metrics.render()),
        (true, false) => (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned()),
        (false, _) => (StatusCode::NOT_FOUND, "only /metrics is here\n".to_owned()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    headers.insert(CONTENT_TYPE, text);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

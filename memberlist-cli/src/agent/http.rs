//! The HTTP servers: of the page (`--http`), and of the metrics alone (`--metrics`).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use memberlist_driver::Handle;
use memberlist_http::{Body, Options, Page};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::args::Args;
use crate::failure::Failure;

/// The longest head of a request that is read, in bytes.
const REQUEST: usize = 8 << 10;
/// How long a client may take to send the head of its request.
const HEAD: Duration = Duration::from_secs(5);
/// How long one connection may take; it serves one request.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one connection may read events. A client that still reads reconnects, and continues
/// where it was; one that has stopped reading no longer takes up a place.
const STREAM: Duration = Duration::from_secs(600);
/// How many connections each address serves at a time, besides those that read events; the others
/// wait to be accepted.
const CONNECTIONS: usize = 32;
/// How often the recorder's histograms are compacted.
const UPKEEP: Duration = Duration::from_secs(5);

/// The servers, before there is a node: they listen first, so that an unusable address is reported
/// before anything starts.
pub(super) struct Servers {
    metrics: Option<TcpListener>,
    page: Option<(TcpListener, Options)>,
    recorder: Option<PrometheusHandle>,
}

impl Servers {
    /// Listens, and installs the recorder for every node that starts later.
    pub(super) async fn start(args: &Args) -> Result<Self, Failure> {
        let metrics = match args.metrics {
            Some(address) => Some(listen("--metrics", address).await?),
            None => None,
        };
        let page = match args.http {
            Some(address) => Some((listen("--http", address).await?, args.page_options()?)),
            None => None,
        };
        let wanted = metrics.is_some() || page.is_some();
        let recorder = wanted
            .then(|| PrometheusBuilder::new().install_recorder())
            .transpose()
            .map_err(|error| Failure::failed(format_args!("cannot collect metrics: {error}")))?;
        Ok(Self { metrics, page, recorder })
    }

    /// Starts to serve; returns the address of the page, if there is one.
    pub(super) fn serve(self, node: &Handle) -> Result<Option<SocketAddr>, Failure> {
        let Some(recorder) = self.recorder else { return Ok(None) };
        tokio::spawn(upkeep(recorder.clone()));
        if let Some(listener) = self.metrics {
            let recorder = recorder.clone();
            let answer = move |request: &Request<Incoming>| {
                memberlist_http::metrics(request, || recorder.render())
            };
            tokio::spawn(accept(listener, answer));
        }
        let Some((listener, options)) = self.page else { return Ok(None) };
        let address = listener.local_addr().map_err(Failure::failed)?;
        let options = options.metrics(move || recorder.render());
        let page = Page::start(node, options).map_err(Failure::failed)?;
        tokio::spawn(accept(listener, move |request| page.respond(request)));
        Ok(Some(address))
    }
}

async fn listen(flag: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| {
        Failure::failed(format_args!("{flag}: cannot listen on TCP {address}: {error}"))
    })
}

async fn upkeep(recorder: PrometheusHandle) -> Infallible {
    let mut rounds = tokio::time::interval(UPKEEP);
    loop {
        rounds.tick().await;
        recorder.run_upkeep();
    }
}

/// Answers requests forever.
async fn accept<F>(listener: TcpListener, answer: F) -> Infallible
where
    F: Fn(&Request<Incoming>) -> Response<Body> + Clone + Send + Sync + 'static,
{
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&free).acquire_owned().await else {
            unreachable!("the semaphore is never closed");
        };
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, place, answer.clone()))),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Reads one request and answers it.
async fn connection(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    answer: impl Fn(&Request<Incoming>) -> Response<Body>,
) {
    let place = Mutex::new(Some(place));
    let service = service_fn(|request| {
        let response = answer(&request);
        if response.body().is_stream() {
            // The page itself bounds the readers of events: they must not take up the places of
            // other requests.
            drop(place.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        async move { Ok::<_, Infallible>(response) }
    });
    let mut served = pin!(
        http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(REQUEST)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service)
    );
    // A client that does not read its answer in time has to ask again.
    if tokio::time::timeout(PATIENCE, served.as_mut()).await.is_err() {
        let streaming = place.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        if streaming {
            let _ = tokio::time::timeout(STREAM, served).await;
        }
    }
}

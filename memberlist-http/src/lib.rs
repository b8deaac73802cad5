//! A page about a memberlist node, which shows an operator the state of the cluster at a glance.
//! The same data is served as JSON, as a stream of events and as metrics. It is a service for hyper
//! and axum, on any asynchronous runtime.
//!
//! | path | what |
//! |---|---|
//! | `/` | the page: one document, which loads nothing from other servers |
//! | `/status` | JSON: this node, its health, warnings, seeds, recent refusals, figures; with `?since=N`, also the history of its figures after sample N |
//! | `/members` | JSON: every node that is known, with its state, since when and why |
//! | `/events` | events of the node, as server-sent events, beginning with recent ones |
//! | `/metrics` | for Prometheus, the output of the function given to [`Options::metrics`]; 404 without one |
//! | `/healthz` | 200 while the node runs, else 503 |
//! | `/readyz` | 200 once the node has settled, unless it is alone although it has seeds, or has left; else 503 |
//!
//! `docs/page.md` in the repository lists the fields. No request changes the node or the cluster.
//!
//! # Serving it
//!
//! [`Page`] is a `tower` service: with axum, use `Router::new().nest_service("/cluster", page)`.
//! With hyper, call [`Page::respond`] in a `service_fn`:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use memberlist_http::{Body, Options, Page};
//! # fn example(node: memberlist_driver::Handle) -> Result<(), memberlist_driver::Error> {
//!
//! let page = Page::start(&node, Options::default())?;
//! let serve = |request: http::Request<()>| {
//!     let page = page.clone();
//!     async move { Ok::<http::Response<Body>, Infallible>(page.respond(&request)) }
//! };
//! # let _ = serve;
//! # Ok(())
//! # }
//! ```
//!
//! Any host that can connect can read everything: bind to a loopback or management address, or put
//! authentication in front. To protect browsers on such hosts, requests with an unknown host name
//! or from another origin are refused: see [`Options::allow_host`] and [`Options::allow_origin`].
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod entries;
mod guard;
mod journal;
mod leaf;
mod options;
mod recorder;
mod respond;
mod series;
mod view;
mod warnings;
mod watch;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use memberlist_driver::{Error, Handle};
use memberlist_proto::Event;

pub use self::body::Body;
pub use self::guard::InvalidOption;
use self::journal::Journal;
use self::leaf::{Asked, Leaf};
pub use self::options::Options;
use self::recorder::Recorder;
pub use self::respond::metrics;
use self::respond::{Cached, Known};

/// The page about one node. Cheap to clone; every clone is the same page.
///
/// A thread of its own reads the events and samples the figures once a second, so that there is a
/// history whenever the page is opened. The thread ends with the node, or with the last clone. A
/// page holds a [`Handle`], and so keeps its node running until it is dropped or the node is shut
/// down.
#[derive(Clone)]
pub struct Page(Arc<Inner>);

struct Inner {
    asked: Asked,
    options: Options,
    started: u64,
    journal: Journal,
    recorder: Leaf<Recorder>,
    stage: Leaf<Stage>,
    members: Leaf<Cached<bytes::Bytes>>,
    known: Leaf<Cached<Arc<Known>>>,
}

/// The stage of the node's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Members still come and go, or a join is under way.
    Settling,
    /// The members have been stable once, which is final.
    Settled,
    /// The node has ended.
    Ended,
}

impl Page {
    /// Starts the page about this node, which records its history from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`]: called from within a delegate's method that the node is waiting for.
    pub fn start(node: &Handle, options: Options) -> Result<Self, Error> {
        let events = node.subscribe(watch::BOUNDS)?;
        let started = now();
        let page = Self(Arc::new(Inner {
            asked: Asked::new(node.clone()),
            journal: Journal::new(started, options.streams),
            options,
            started,
            recorder: Leaf::default(),
            stage: Leaf::new(Stage::Settling),
            members: Leaf::default(),
            known: Leaf::default(),
        }));
        watch::start(&page.0, events);
        Ok(page)
    }

    /// Answers a request, without waiting. Its path must be relative to the page: a service that
    /// nests the page must strip the prefix, as axum's `nest_service` does. The answer to `HEAD`
    /// may have the body of the answer to `GET`, which the server must leave out.
    pub fn respond<B>(&self, request: &Request<B>) -> Response<Body> {
        respond::answer(&self.0, request)
    }
}

impl<B> tower_service::Service<Request<B>> for Page {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.respond(&request)))
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("node", self.0.node()).finish_non_exhaustive()
    }
}

/// No event comes any more: nothing keeps a reader waiting.
impl Drop for Inner {
    fn drop(&mut self) {
        self.journal.close();
    }
}

impl Inner {
    fn node(&self) -> &Handle {
        self.asked.node()
    }

    fn stage(&self) -> Stage {
        self.stage.with(|stage| *stage)
    }

    /// Records an event; `live` is the number of live members after it.
    fn observe(&self, event: &Event, live: usize) {
        let entry = self.recorder.with(|recorder| recorder.observe(now(), event, live));
        // This wakes readers, which may run any code, so no lock is held.
        if let Some(entry) = entry {
            self.journal.push(entry);
        }
    }

    fn enter(&self, stage: Stage) {
        self.stage.with(|now| *now = stage);
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

//! A page about a memberlist node, for the operator who has to know at once how the cluster stands,
//! and the same as JSON, as a stream of events and as metrics: a service for hyper and axum, on any
//! asynchronous runtime.
//!
//! | path | what |
//! |---|---|
//! | `/` | the page: one document without any request to elsewhere |
//! | `/status` | JSON: this node, its health, warnings, seeds, recent refusals, figures; with `?since=N` the history of its figures, too |
//! | `/members` | JSON: every node that is known, with its state, since when and why |
//! | `/events` | what happens, as server-sent events; first what has happened lately |
//! | `/metrics` | what [`Options::metrics`] returns, for Prometheus |
//! | `/healthz` | 200 while the node runs, else 503 |
//! | `/readyz` | 200 once the node has settled, unless it is alone although it has seeds; else 503 |
//!
//! `docs/page.md` in the repository has the fields. Nothing here changes the node or the cluster.
//!
//! # Serving it
//!
//! [`Page`] is a `tower` service: axum nests it by
//! `Router::new().nest_service("/cluster", page)`. With hyper, [`Page::respond`] is what a
//! `service_fn` calls:
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
//! authentication in front. What is answered at all is decided by [`Options::allow_host`] and
//! [`Options::allow_origin`].
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
/// A thread of its own reads the events and takes the figures once a second, so that there is a
/// history whenever the page is opened. It ends with the node, or with the last clone. A page holds a [`Handle`], and with it
/// keeps its node running.
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

/// How far the node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Members still come and go, or a join is under way.
    Settling,
    /// It has been quiet once, which is final.
    Settled,
    /// The node has ended.
    Ended,
}

impl Page {
    /// The page of this node, from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`]: from within a delegate's method that the node is waiting for.
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

    /// Answers a request. The path is that below the page: a service that nests the page strips the
    /// prefix, as axum's `nest_service` does. The body of an answer to `HEAD` is that of `GET`, which
    /// the server leaves out.
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

    /// Takes an event in; `live` is how many members there are after it.
    fn observe(&self, event: &Event, live: usize) {
        let entry = self.recorder.with(|recorder| recorder.observe(now(), event, live));
        // This wakes readers, which may run any code.
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

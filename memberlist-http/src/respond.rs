//! The answers to requests.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use memberlist_proto::{Config, Status};
use serde::Serialize;

use crate::body::Body;
use crate::guard::{HEADERS, reads};
use crate::leaf::Leaf;
use crate::view::{Facts, MembersView, StatusView};
use crate::{Inner, Stage, now};

const PAGE: &str = include_str!("page.html");
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PATHS: &str = "/ /status /members /events /metrics /healthz /readyz\n";

/// How old an answer about all nodes may be if nothing has happened since.
const FRESH: Duration = Duration::from_millis(200);
/// How old it may be while a new one is being made for another client.
const OLD: Duration = Duration::from_secs(1);
/// It is reused for this many times the time that it took to make, during which the node was
/// locked.
const SHARE: u32 = 10;

pub(crate) fn answer<B>(inner: &Inner, request: &Request<B>) -> Response<Body> {
    let origin = match inner.options.guard.check(request) {
        Ok(origin) => origin,
        Err(refused) => return text(StatusCode::FORBIDDEN, refused.text()),
    };
    let path = request.uri().path().trim_start_matches('/');
    let shared = ["status", "members"].contains(&path);
    let mut response = match request.method() {
        // A page of an allowed origin may only read what it compares.
        _ if origin.is_some() && !shared => {
            text(StatusCode::FORBIDDEN, "Pages of other origins may read /status and /members.\n")
        }
        method if !reads(method) => not_allowed(),
        method => of_path(inner, path, request, method == Method::HEAD),
    };
    if shared && inner.options.guard.origins().next().is_some() {
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
    response
}

fn of_path<B>(inner: &Inner, path: &str, request: &Request<B>, head: bool) -> Response<Body> {
    match path {
        "" => page(inner),
        "status" => status(inner, request.uri().query().and_then(since)),
        "members" => members(inner),
        "events" => events(inner, request, head),
        "metrics" => match &inner.options.metrics {
            Some(render) => with_body(StatusCode::OK, METRICS, render()),
            None => text(StatusCode::NOT_FOUND, "This page was started without metrics.\n"),
        },
        "healthz" => match inner.stage() {
            Stage::Ended => text(StatusCode::SERVICE_UNAVAILABLE, "the node has ended\n"),
            _ => text(StatusCode::OK, "ok\n"),
        },
        "readyz" => match unready(inner) {
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            None => text(StatusCode::OK, "ready\n"),
        },
        _ => text(StatusCode::NOT_FOUND, format!("Only these paths are here: {PATHS}")),
    }
}

/// Answers a request to a server that serves only metrics, under `/metrics` and `/`, to any client.
/// `render` returns them in the text format of Prometheus.
pub fn metrics<B>(request: &Request<B>, render: impl FnOnce() -> String) -> Response<Body> {
    if !["/metrics", "/"].contains(&request.uri().path()) {
        return with_body(StatusCode::NOT_FOUND, METRICS, "only /metrics is here\n");
    }
    if !reads(request.method()) {
        return not_allowed();
    }
    with_body(StatusCode::OK, METRICS, render())
}

/// The page. Its policy allows only the script and style that are marked with a nonce, which is new
/// in every answer.
fn page(inner: &Inner) -> Response<Body> {
    let mut random = [0; 16];
    if getrandom::fill(&mut random).is_err() {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "The system has no randomness.\n");
    }
    let nonce = random.iter().fold(String::new(), |mut nonce, byte| {
        let _ = write!(nonce, "{byte:02x}");
        nonce
    });
    let mut response = with_body(StatusCode::OK, HTML, PAGE.replace("{nonce}", &nonce));
    let policy = HeaderValue::from_str(&inner.options.guard.policy(&nonce));
    // Origins and the nonce consist of characters that a header may contain.
    if let Ok(policy) = policy {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The number of the last sample that the client has.
fn since(query: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.strip_prefix("since=")?.parse().ok())
}

/// Why the node is not ready, if it is not.
fn unready(inner: &Inner) -> Option<&'static str> {
    match inner.stage() {
        Stage::Settling => return Some("members still come and go, or a join is under way"),
        Stage::Ended => return Some("the node has ended"),
        Stage::Settled => {}
    }
    if inner.node().has_left() {
        return Some("the node has left");
    }
    if inner.node().num_members() > 1 {
        return None;
    }
    // A node whose only seed is itself is the first of its cluster.
    let alone = known(inner)?.status.seeds.iter().any(|seed| !seed.live);
    alone.then_some("the node has seeds and is alone")
}

fn status(inner: &Inner, since: Option<u64>) -> Response<Body> {
    let Some(known) = known(inner) else { return busy() };
    let (unready, stage) = (unready(inner), inner.stage());
    let (stats, transport) = (inner.node().stats(), inner.node().transport_stats());
    inner.recorder.with(|recorder| {
        json(&StatusView::new(Facts {
            now: known.time,
            started: inner.started,
            running: stage != Stage::Ended,
            unready,
            status: &known.status,
            config: &known.config,
            stats: &stats,
            transport,
            recorder,
            peers: inner.options.guard.origins().collect(),
            since,
        }))
    })
}

/// The node's status at a moment.
#[derive(Debug)]
pub(crate) struct Known {
    /// In milliseconds since 1970.
    time: u64,
    status: Status,
    config: Config,
}

/// The node's status, shared by many clients, since the node copies everything that it knows for
/// it. `None` from within a delegate's method that the node is waiting for.
fn known(inner: &Inner) -> Option<Arc<Known>> {
    cached(&inner.known, inner.journal.len(), || {
        let (status, config) = (inner.node().status().ok()?, inner.node().config().ok()?);
        Some(Arc::new(Known { time: now(), status, config }))
    })
}

/// The last value of something that is expensive to make.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    last: Option<Made<T>>,
    /// Whether a thread is making a new value, for all clients: meanwhile others are answered with
    /// the last one, unless it is too old.
    making: bool,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self { last: None, making: false }
    }
}

#[derive(Debug)]
struct Made<T> {
    at: Instant,
    /// How many entries had been added to the journal.
    seen: u64,
    took: Duration,
    value: T,
}

impl<T> Made<T> {
    fn is_fresh(&self, seen: u64, making: bool) -> bool {
        let age = self.at.elapsed();
        age < self.took * SHARE || (age < FRESH && self.seen == seen) || (making && age < OLD)
    }
}

/// Ends the making of a value when dropped, so that others can make it again.
struct Making<'a, T>(&'a Leaf<Cached<T>>);

impl<T> Drop for Making<'_, T> {
    fn drop(&mut self) {
        self.0.with(|cached| cached.making = false);
    }
}

/// Returns the last value for a while, or until something happens, so that many clients cost as
/// much as one. `seen` is the number of entries in the journal so far. `None` if the value cannot
/// be made.
fn cached<T: Clone>(
    cache: &Leaf<Cached<T>>,
    seen: u64,
    produce: impl FnOnce() -> Option<T>,
) -> Option<T> {
    let known = cache.with(|cached| {
        let making = cached.making;
        let known = cached.last.as_ref().filter(|made| made.is_fresh(seen, making));
        let known = known.map(|made| made.value.clone());
        cached.making |= known.is_none();
        known
    });
    if known.is_some() {
        return known;
    }
    let making = Making(cache);
    let begun = Instant::now();
    let value = produce()?;
    let (at, took) = (Instant::now(), begun.elapsed());
    let made = Made { at, seen, took, value: value.clone() };
    cache.with(|cached| cached.last = Some(made));
    drop(making);
    Some(value)
}

fn members(inner: &Inner) -> Response<Body> {
    let body = cached(&inner.members, inner.journal.len(), || {
        let status = inner.node().status().ok()?;
        let nodes = inner.node().nodes();
        let view = inner.recorder.with(|it| MembersView::new(now(), nodes, &status, it));
        // A structure of numbers and texts can always be written as JSON.
        Some(Bytes::from(serde_json::to_vec(&view).unwrap_or_default()))
    });
    body.map_or_else(busy, |body| with_body(StatusCode::OK, JSON, body))
}

fn events<B>(inner: &Inner, request: &Request<B>, head: bool) -> Response<Body> {
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    match inner.journal.read(last) {
        Some(_) if head => with_body(StatusCode::OK, EVENTS, ""),
        Some(reader) => respond(StatusCode::OK, EVENTS, Body::events(reader)),
        None => {
            let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "Too many read events.\n");
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
            response
        }
    }
}

/// The answer to a request from within a method of a delegate.
fn busy() -> Response<Body> {
    text(StatusCode::SERVICE_UNAVAILABLE, "The node waits for its application.\n")
}

fn not_allowed() -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn json(value: &impl Serialize) -> Response<Body> {
    // A structure of numbers and texts can always be written as JSON.
    with_body(StatusCode::OK, JSON, serde_json::to_vec(value).unwrap_or_default())
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    with_body(status, TEXT, text)
}

fn with_body(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    respond(status, kind, Body::whole(body))
}

fn respond(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests;

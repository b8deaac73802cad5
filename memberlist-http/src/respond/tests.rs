use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::{Method, Request};
use http_body::Body as _;
use memberlist_driver::bind;
use memberlist_smol::{Config, Memberlist};

use super::*;
use crate::{Options, Page};

fn start(seeds: &[&str]) -> Memberlist {
    start_as("one", seeds)
}

fn start_as(name: &str, seeds: &[&str]) -> Memberlist {
    let mut config = Config::local(name);
    config.seeds = seeds.iter().map(|seed| seed.parse().expect("a seed")).collect();
    let options = bind::Options::bind(([127, 0, 0, 1], 0));
    let started = Memberlist::start(config, options);
    smol::block_on(started).expect("it starts").0
}

fn ask(page: &Page, method: Method, path: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path);
    page.respond(&request.body(()).expect("valid"))
}

fn body(response: Response<Body>) -> String {
    let mut body = pin!(response.into_body());
    let mut text = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut cx) {
        text.extend(frame.into_data().expect("data"));
    }
    String::from_utf8(text).expect("text")
}

fn get(page: &Page, path: &str) -> (StatusCode, String) {
    let response = ask(page, Method::GET, path);
    (response.status(), body(response))
}

/// Waits until a path is answered so.
fn until(page: &Page, path: &str, status: StatusCode) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match get(page, path) {
            (found, text) if found == status => return text,
            (found, text) => assert!(Instant::now() < end, "{path}: {found} {text}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn every_path_is_answered_with_headers_that_protect_it() {
    let page = Page::start(&start(&[]), Options::default().metrics(|| "figure 1\n".to_owned()))
        .expect("started");
    for (path, kind) in [
        ("/", HTML),
        ("/status", JSON),
        ("/status?since=0", JSON),
        ("/members", JSON),
        ("/events", EVENTS),
        ("/metrics", METRICS),
        ("/healthz", TEXT),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let response = ask(&page, method, path);
            assert_eq!(response.status(), 200, "{path}");
            let header = |name: &str| response.headers()[name].to_str().expect("text");
            assert_eq!(header("content-type"), kind, "{path}");
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("cross-origin-resource-policy"), "same-origin");
            assert_eq!(header("cache-control"), "no-store");
            assert!(!response.headers().contains_key("access-control-allow-origin"));
        }
        let response = ask(&page, Method::POST, path);
        assert_eq!(
            (response.status(), &response.headers()["allow"]),
            (StatusCode::METHOD_NOT_ALLOWED, &HeaderValue::from_static("GET, HEAD"))
        );
    }
    assert_eq!(get(&page, "/other").0, 404);
    assert_eq!(get(&page, "/metrics").1, "figure 1\n");
    let bare = Page::start(&start(&[]), Options::default()).expect("started");
    assert_eq!(get(&bare, "/metrics").0, 404);
}

#[test]
fn each_page_has_its_own_number() {
    let page = Page::start(&start(&[]), Options::default()).expect("started");
    let fetch = || {
        let response = ask(&page, Method::GET, "/");
        let policy = response.headers()["content-security-policy"].to_str().expect("text");
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
        (nonce.expect("a number").to_owned(), body(response))
    };
    let ((one, document), (two, _)) = (fetch(), fetch());
    assert_ne!(one, two);
    assert!(document.contains(&format!("<script nonce=\"{one}\">")), "{document:.300}");
    assert!(!document.contains("{nonce}"));
}

#[test]
fn the_node_is_ready_once_it_is_quiet_and_healthy_until_it_ends() {
    let node = start(&[]);
    let page = Page::start(&node, Options::default()).expect("started");
    assert_eq!(until(&page, "/readyz", StatusCode::OK), "ready\n");
    assert_eq!(get(&page, "/healthz").0, 200);
    smol::block_on(node.shutdown());
    until(&page, "/healthz", StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&page, "/readyz").0, 503);
    assert!(get(&page, "/status").1.contains("\"running\":false"));
}

#[test]
fn a_stream_of_events_ends_with_its_page() {
    let node = start(&[]);
    let page = Page::start(&node, Options::default()).expect("started");
    let mut events = pin!(ask(&page, Method::GET, "/events").into_body());
    drop(page);
    let mut cx = Context::from_waker(Waker::noop());
    let end = Instant::now() + Duration::from_secs(20);
    // The page's thread may have hold of it for a moment.
    while !matches!(events.as_mut().poll_frame(&mut cx), Poll::Ready(None)) {
        assert!(Instant::now() < end, "the node runs, but nothing will be read any more");
        std::thread::yield_now();
    }
    assert_eq!(node.num_members(), 1);
}

#[test]
fn a_node_with_seeds_is_not_ready_while_it_is_alone() {
    // Port 9 is discarded or refused; nothing answers as a member.
    let node = start(&["127.0.0.1:9"]);
    let page = Page::start(&node, Options::default()).expect("started");
    until_text(&page, "the node has seeds and is alone");
    let other = start_as("two", &[]);
    let peer = memberlist_smol::Peer::from(node.bound_address());
    assert_eq!(smol::block_on(other.join(&[peer])).expect("joined").failed.len(), 0);
    until(&page, "/readyz", StatusCode::OK);
}

fn until_text(page: &Page, words: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, text) = get(page, "/readyz");
        if text.trim() == words {
            return;
        }
        assert!(Instant::now() < end, "{text}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Many clients of `/status` cost the node as much as one: a copy of what it knows is given to all,
/// until something happens.
#[test]
fn what_a_node_knows_is_copied_for_many_clients_at_once() {
    let node = start(&[]);
    let page = Page::start(&node, Options::default()).expect("started");
    until(&page, "/readyz", StatusCode::OK);
    let begun = Instant::now();
    let (mut times, mut requests) = (std::collections::BTreeSet::new(), 0);
    while begun.elapsed() < Duration::from_millis(500) || requests < 100 {
        let status: serde_json::Value =
            serde_json::from_str(&get(&page, "/status").1).expect("JSON");
        times.insert(status["time"].as_u64().expect("a number"));
        requests += 1;
    }
    let most = begun.elapsed().as_millis() / FRESH.as_millis() + 2;
    assert!(times.len() as u128 <= most, "{} copies in {:?}", times.len(), begun.elapsed());
    let event = memberlist_proto::Event::Joined { node: node.local() };
    let before = known(&page.0).expect("it runs");
    // A copy counts for ten times as long as it took, whatever happens.
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        page.0.observe(&event, 1);
        if !Arc::ptr_eq(&before, &known(&page.0).expect("it runs")) {
            break;
        }
        assert!(Instant::now() < end, "nothing new is seen");
    }
}

/// Asking a node that is alone whether it is ready copies nothing that another client was just given.
#[test]
fn a_node_that_is_not_ready_is_asked_as_seldom() {
    let page = Page::start(&start(&["127.0.0.1:9"]), Options::default()).expect("started");
    until_text(&page, "the node has seeds and is alone");
    let mut other = known(&page.0).expect("it runs").status.clone();
    other.seeds.clear();
    let config = known(&page.0).expect("it runs").config.clone();
    let value = Arc::new(Known { time: now(), status: other, config });
    let made = Made { at: Instant::now(), seen: 0, took: Duration::from_secs(60), value };
    page.0.known.with(|cached| cached.last = Some(made));
    assert_eq!(get(&page, "/readyz").1, "ready\n", "it was not asked again");
}

#[test]
fn an_event_is_seen_at_once_by_all_that_read() {
    let node = start(&[]);
    let page = Page::start(&node, Options::default().streams(1)).expect("started");
    let event = memberlist_proto::Event::Joined { node: node.local() };
    page.0.observe(&event, 1);
    let stream = ask(&page, Method::GET, "/events");
    assert!(stream.body().is_stream());
    assert_eq!(get(&page, "/events").0, 503, "one reader at a time");
    let text = body(stream);
    assert!(text.contains("\"kind\":\"joined\"") && text.contains("\"node\":\"one\""), "{text}");
    assert_eq!(get(&page, "/events").0, 200);
    let (_, members) = get(&page, "/members");
    assert!(members.contains("\"why\":\"this node\"") && members.contains("\"me\":true"));
}

#[test]
fn another_page_reads_only_what_it_compares() {
    let origin = "http://10.0.0.2:8080";
    let options = Options::default().allow_origin(origin).expect("an origin");
    let page = Page::start(&start(&[]), options).expect("started");
    let from = |origin: &str, path: &str| {
        let request = Request::get(path).header("host", "10.0.0.1").header("origin", origin);
        page.respond(&request.body(()).expect("valid"))
    };
    for path in ["/members", "/status"] {
        let response = from(origin, path);
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
        assert_eq!(response.headers()["vary"], "origin");
        assert_eq!(from("http://evil.example", path).status(), 403);
    }
    for path in ["/", "/events", "/metrics", "/readyz"] {
        assert_eq!(from(origin, path).status(), 403, "{path}");
    }
}

/// A delegate that asks the page holds the node's lock, which every answer to others needs.
#[test]
fn a_delegate_that_asks_the_page_blocks_nothing() {
    const PATHS: [&str; 5] = ["/members", "/status?since=0", "/readyz", "/events", "/"];
    #[derive(Default)]
    struct Asks(OnceLock<Page>, AtomicUsize);
    impl memberlist_driver::Delegate for Asks {
        fn admit(&self, _: &memberlist_proto::Candidate<'_>) -> Result<(), String> {
            for path in self.0.get().map_or(&PATHS[..0], |_| &PATHS) {
                let page = self.0.get().expect("there is one");
                assert!([200, 503].contains(&get(page, path).0.as_u16()), "{path}");
                self.1.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    }
    let asks = Arc::new(Asks::default());
    let options = bind::Options::bind(([127, 0, 0, 1], 0)).delegate(Arc::clone(&asks));
    let node = smol::block_on(Memberlist::start(Config::local("one"), options)).expect("started").0;
    let page = Page::start(&node, Options::default()).expect("started");
    assert!(asks.0.set(page.clone()).is_ok());
    let (done, ended) = std::sync::mpsc::channel();
    let over = Arc::new(AtomicBool::new(false));
    for path in &PATHS[..2] {
        let (page, done, over) = (page.clone(), done.clone(), Arc::clone(&over));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                get(&page, path);
            }
            let _ = done.send(());
        });
    }
    std::thread::spawn(move || {
        for round in 0..500_u32 {
            // The announcement of other metadata is put to the delegate.
            drop(node.set_meta(round.to_string(), Duration::from_secs(1)));
        }
        over.store(true, Ordering::Relaxed);
        let _ = done.send(());
    });
    for _ in 0..=2 {
        ended.recv_timeout(Duration::from_secs(60)).expect("no thread waits for another forever");
    }
    assert!(asks.1.load(Ordering::Relaxed) >= 500 * PATHS.len(), "every change asked every path");
}

#[test]
fn it_is_a_service_of_tower() {
    use tower_service::Service as _;
    let mut page = Page::start(&start(&[]), Options::default()).expect("started");
    let request = Request::get("/healthz").body(()).expect("valid");
    let response = smol::block_on(page.call(request)).unwrap_or_else(|never| match never {});
    assert_eq!(response.status(), 200);
}

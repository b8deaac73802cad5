//! The agent's page, and the page of an experiment, in a real browser, Debian's `chromium`:
//!
//! ```sh
//! cargo nextest run -p memberlist-tests --run-ignored only --test browser
//! ```
//!
//! `UPDATE=1` takes the pictures in `docs` again.

mod access;
mod devtools;
mod pictures;
mod report;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use memberlist_tests::{Launch, Loopback, Node};
use serde_json::Value;

use crate::devtools::Browser;

/// How much later than the agent the page may show something: it receives the event, and then
/// requests the members, which takes a moment on a busy machine.
const BEHIND: Duration = Duration::from_secs(3);

/// An agent with a page.
struct Served {
    node: Node,
    page: SocketAddr,
    _place: Loopback,
}

impl Served {
    fn start(name: &str, launch: impl FnOnce(Launch) -> Launch) -> Self {
        let place = Loopback::reserve();
        let page = place.port(8080);
        let node = launch(Launch::agent(name).flag("--http", page)).start();
        Self { node, page, _place: place }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.page)
    }
}

/// Agents that know each other, the first one with a page.
fn cluster(names: &[&str]) -> (Served, Vec<Node>) {
    let first = Served::start(names[0], |launch| launch);
    let join = |name: &&str| Launch::agent(name).flag("--join", first.node.addr()).start();
    let others: Vec<Node> = names[1..].iter().map(join).collect();
    for name in &names[1..] {
        first.node.expect_node("joined", name);
    }
    (first, others)
}

/// The expression that is true if a member's row shows this state.
fn row_is(name: &str, state: &str) -> String {
    format!("document.querySelector('tr[data-name={name:?}]')?.dataset.state === {state:?}")
}

/// Asserts that nothing is wrong, and that nothing was requested from any server other than these.
#[track_caller]
fn assert_quiet(browser: &Browser, servers: &[&Served]) {
    assert_eq!(browser.problems(), [""; 0]);
    let requests = browser.requests();
    assert!(requests.len() > 3, "{requests:?}");
    for request in requests {
        let own = servers.iter().any(|served| request.starts_with(&served.url()));
        assert!(own || request.starts_with("data:image/svg+xml,"), "{request}");
    }
}

#[test]
#[ignore = "needs Debian's chromium"]
fn a_kill_is_shown_as_soon_as_it_is_detected() {
    let (one, others) = cluster(&["one", "two", "three", "four"]);
    let mut browser = Browser::start(1280, "light");
    browser.open(&one.url());
    browser.until("document.querySelector('#sentence').textContent === 'All 4 members are alive'");
    browser.until("document.querySelector('#link').dataset.live === 'yes'");
    browser
        .until("[...document.querySelectorAll('.plot svg .a')].some(it => it.getAttribute('d'))");

    others[2].kill();
    one.node.expect_node("suspected", "four");
    browser.until_within(
        BEHIND,
        "document.querySelector('#events').innerText.includes('four is suspected by')",
    );
    one.node.expect_node("departed", "four");
    let detected = Instant::now();
    browser.until_within(BEHIND, &row_is("four", "dead"));
    println!("shown {:?} after it was detected", detected.elapsed());
    let why = browser.text("tr[data-name=four] .why");
    assert!(
        why.starts_with("failed: accused by ") || why.starts_with("declared dead by "),
        "{why}"
    );
    assert_eq!(browser.text("#sentence"), "1 of 4 members has failed");
    assert_eq!(browser.eval("document.querySelector('#verdict').dataset.level"), "bad");
    browser.until(
        "document.querySelector('#events').innerText.includes('four failed') \
        || document.querySelector('#events').innerText.includes('four was declared dead')",
    );
    browser.until(&row_is("three", "alive"));
    assert_quiet(&browser, &[&one]);
}

/// The transport in use, and how connections fare, with the reasons of those that went wrong.
#[test]
#[ignore = "needs Debian's chromium"]
fn the_transport_and_its_figures_are_shown() {
    let dskit = |launch: Launch| launch.flag("--framing", "dskit");
    let one = Served::start("one", dskit);
    let _two = dskit(Launch::agent("two").flag("--join", one.node.addr())).start();
    one.node.expect_node("joined", "two");
    let mut stranger = std::net::TcpStream::connect(one.node.addr()).expect("it listens");
    std::io::Write::write_all(&mut stranger, b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    let mut browser = Browser::start(1280, "light");
    browser.open(&one.url());
    browser.until("document.querySelector('#facts').innerText.includes('transport dskit')");
    browser.until("document.querySelector('#transport-panel').hidden === false");
    for row in ["accepted [1-9]", "opened [1-9]", "bad connections 1", "bad connections: kind 1"] {
        browser.until(&format!(
            "[...document.querySelectorAll('#transport li')].some(it => /^{row}/.test(it.textContent))"
        ));
    }
    assert_quiet(&browser, &[&one]);
    // With UDP there are no connections to show.
    let plain = Served::start("plain", |launch| launch);
    browser.open(&plain.url());
    browser.until("document.querySelector('#facts').innerText.includes('transport udp+tcp')");
    assert_eq!(browser.eval("document.querySelector('#transport-panel').hidden"), true);
}

#[test]
#[ignore = "needs Debian's chromium"]
fn what_others_choose_is_only_text() {
    let evil = "<img src=x onerror=alert(1)>\u{202e}";
    let one = Served::start("one", |launch| launch);
    let join = one.node.addr();
    let meta = "</script><script>document.title='owned'</script>\"'&amp;";
    let _two = Launch::agent(evil).flag("--join", join).meta(meta.as_bytes()).start();
    let mut browser = Browser::start(1280, "light");
    browser.open(&one.url());
    browser.until("document.querySelectorAll('#rows tr').length === 2");
    let names =
        browser.eval("[...document.querySelectorAll('#rows .name-cell')].map(it => it.innerText)");
    let shown = "<img src=x onerror=alert(1)>\\u{202e}";
    assert!(names.as_array().is_some_and(|names| names.iter().any(|it| it == shown)), "{names}");
    assert!(browser.text("#rows").contains(meta));
    browser.until("document.querySelector('#events').innerText.includes('onerror')");
    assert_eq!(
        browser.eval("document.querySelectorAll('img, #rows script, #events script').length"),
        0
    );
    assert!(browser.eval("document.title").as_str().is_some_and(|title| title.starts_with("one")));
    assert_quiet(&browser, &[&one]);
}

#[test]
#[ignore = "needs Debian's chromium"]
fn agents_are_compared_where_each_allows_it() {
    let places = [Loopback::reserve(), Loopback::reserve(), Loopback::reserve()];
    let origins: Vec<String> =
        places.iter().map(|place| format!("http://{}", place.port(8080))).collect();
    let mut served = Vec::new();
    for (place, name) in places.into_iter().zip(["one", "two", "three"]) {
        let page = place.port(8080);
        let allow = |launch: Launch, origin: &String| launch.flag("--http-allow-origin", origin);
        let launch = origins.iter().fold(Launch::agent(name).flag("--http", page), allow);
        served.push(Served { node: launch.start(), page, _place: place });
    }
    // The third knows only itself.
    served[1].node.join(served[0].node.addr());
    let mut browser = Browser::start(1280, "dark");
    browser.open(&format!("{}?peers={}", served[0].url(), origins[1]));
    browser.until(
        "document.querySelector('#agreement').textContent === '2 agents agree about 2 members.'",
    );
    assert_eq!(browser.eval("document.querySelectorAll('#matrix .differs').length"), 0);
    browser.open(&format!("{}?peers=all", served[0].url()));
    browser.until("document.querySelector('#agreement').textContent.startsWith('They disagree about 3 members')");
    let heads =
        browser.eval("[...document.querySelectorAll('#agents th')].map(it => it.innerText)");
    assert_eq!(heads, serde_json::json!(["Member", "seen by one", "seen by two", "seen by three"]));
    // The third misses two, and is itself known to no other.
    browser.until("document.querySelectorAll('#matrix .differs').length === 3");
    assert_quiet(&browser, &served.iter().collect::<Vec<_>>());
    // A server that is not allowed is not even asked.
    browser.open(&format!("{}?peers=http://127.0.0.1:1", served[0].url()));
    browser.until(
        "document.querySelector('#agreement').textContent.includes('not allowed by this agent')",
    );
    assert_quiet(&browser, &served.iter().collect::<Vec<_>>());
}

#[test]
#[ignore = "needs Debian's chromium"]
fn members_are_sorted_and_filtered() {
    let (one, _others) = cluster(&["one", "two", "three"]);
    let mut browser = Browser::start(1280, "light");
    browser.open(&one.url());
    browser.until("document.querySelectorAll('#rows tr').length === 3");
    let names = |browser: &mut Browser| -> Vec<Value> {
        let names =
            browser.eval("[...document.querySelectorAll('#rows tr')].map(it => it.dataset.name)");
        names.as_array().cloned().unwrap_or_default()
    };
    browser.eval("document.querySelector('#by-name button').click()");
    assert_eq!(names(&mut browser), ["one", "three", "two"]);
    assert_eq!(browser.eval("document.querySelector('#by-name').ariaSort"), "ascending");
    browser.eval("document.querySelector('#by-name button').click()");
    assert_eq!(names(&mut browser), ["two", "three", "one"]);
    assert_eq!(browser.eval("document.querySelector('#by-name').ariaSort"), "descending");
    let filter = |text: &str| {
        format!(
            "const box = document.querySelector('#filter'); box.value = {text:?}; box.dispatchEvent(new Event('input')); 0"
        )
    };
    browser.eval(&format!("{{ {} }}", filter("this node")));
    assert_eq!(names(&mut browser), ["one"]);
    browser.eval(&format!("{{ {} }}", filter("no such member")));
    assert_eq!(browser.eval("document.querySelector('#none').hidden"), false);
    browser.eval(&format!("{{ {} }}", filter("")));
    browser.eval("document.querySelector('#chip-dead').click()");
    assert_eq!(names(&mut browser).len(), 0);
    browser.eval("document.querySelector('#chip-dead').click()");
    assert_eq!(names(&mut browser).len(), 3);
    assert_quiet(&browser, &[&one]);
}

#[test]
#[ignore = "needs Debian's chromium"]
fn a_page_whose_agent_is_gone_says_so() {
    let (one, _others) = cluster(&["one", "two"]);
    let mut browser = Browser::start(1280, "light");
    browser.open(&one.url());
    browser.until("document.querySelector('#link').dataset.live === 'yes'");
    one.node.kill();
    browser.until("document.querySelector('#link').dataset.live === 'no'");
    assert!(browser.text("#link-text").starts_with("no answer for "));
}

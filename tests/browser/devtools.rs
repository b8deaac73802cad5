//! A headless Chromium, driven by its `DevTools` protocol over a pipe: JSON messages that end with a
//! zero byte.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use memberlist_tests::scratch;
use serde_json::{Value, json};

/// How long the browser may take for any one thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// File descriptors 3 and 4 are the pipe.
const COMMAND: &str = "exec chromium --headless --no-sandbox --disable-gpu --hide-scrollbars \
    --no-first-run --disable-extensions --disable-background-networking --disable-dev-shm-usage \
    --user-data-dir=\"$1\" --remote-debugging-pipe about:blank 3<&0 4>&1 >/dev/null";

/// A browser with one tab.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    next: u64,
    session: Option<String>,
    events: Vec<Value>,
    profile: PathBuf,
}

impl Browser {
    /// Starts a browser, with a tab of this width in pixels that prefers this color scheme.
    pub(crate) fn start(width: u32, scheme: &str) -> Self {
        let profile = scratch("browser");
        let log = File::create(profile.join("log")).expect("a writable folder");
        let mut child = Command::new("sh")
            .args(["-c", COMMAND, "sh"])
            .arg(&profile)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("a shell");
        let to = child.stdin.take().expect("piped");
        let mut messages = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, from) = mpsc::channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while messages.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let value = serde_json::from_slice(&message).expect("the protocol is JSON");
                if sender.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser =
            Self { child, to, from, next: 0, session: None, events: Vec::new(), profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Network", "Log", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.resize(width);
        let scheme = json!({ "name": "prefers-color-scheme", "value": scheme });
        browser.call("Emulation.setEmulatedMedia", &json!({ "features": [scheme] }));
        browser
    }

    /// Gives the tab another width.
    pub(crate) fn resize(&mut self, width: u32) {
        let mobile = width < 500;
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Opens a page, and waits until it has been loaded and its script has run.
    pub(crate) fn open(&mut self, url: &str) {
        let before = self.events.len();
        let opened = self.call("Page.navigate", &json!({ "url": url }));
        assert!(opened.get("errorText").is_none(), "{url}: {opened}");
        let end = Instant::now() + PATIENCE;
        while !self.events[before..].iter().any(|it| it["method"] == "Page.loadEventFired") {
            let event = self.receive(end).unwrap_or_else(|| panic!("{url}: never read"));
            self.events.push(event);
        }
    }

    /// Evaluates an expression, and returns its value.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let mut result = self.call(
            "Runtime.evaluate",
            &json!({ "expression": expression, "returnByValue": true, "awaitPromise": true }),
        );
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].take()
    }

    /// The text of the first element that a selector finds.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let found = self.eval(&format!("document.querySelector({selector:?})?.textContent"));
        found.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        self.until_within(PATIENCE, expression);
    }

    /// Waits until an expression is true, but at most for this time.
    #[track_caller]
    pub(crate) fn until_within(&mut self, patience: Duration, expression: &str) {
        let end = Instant::now() + patience;
        while self.eval(expression) != true {
            if Instant::now() > end {
                let page = self.eval("document.body?.innerText");
                panic!("never true: {expression}\n{}", page.as_str().unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses and releases a key.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                "text": if kind == "keyDown" { text } else { "" },
            });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// The roles and names of everything that is presented to assistive technology.
    pub(crate) fn accessible(&mut self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().expect("a tree").iter();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        let shown = nodes.filter(|node| node["ignored"] != true);
        shown.map(|node| (text(&node["role"]), text(&node["name"]))).collect()
    }

    /// The top of the page as a PNG, scaled.
    pub(crate) fn screenshot(&mut self, width: u32, height: u32, scale: f64) -> Vec<u8> {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": scale });
        let taken = self.call(
            "Page.captureScreenshot",
            &json!({ "captureBeyondViewport": true, "clip": clip }),
        );
        BASE64.decode(taken["data"].as_str().expect("a picture")).expect("base64")
    }

    /// The errors on the console, and exceptions.
    pub(crate) fn problems(&self) -> Vec<String> {
        let wrong = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["level"] != "info",
            Some("Runtime.consoleAPICalled") => event["params"]["type"] != "log",
            _ => false,
        };
        self.events.iter().filter(wrong).map(Value::to_string).collect()
    }

    /// Every address that was requested.
    pub(crate) fn requests(&self) -> Vec<String> {
        let sent = self.events.iter().filter(|it| it["method"] == "Network.requestWillBeSent");
        let urls = sent.map(|event| event["params"]["request"]["url"].as_str());
        urls.map(|url| url.expect("an address").to_owned()).collect()
    }

    /// Calls a method, and keeps the events that come before its result.
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let sent = self.to.write_all(&bytes).and_then(|()| self.to.flush());
        sent.unwrap_or_else(|error| panic!("{error} sending to the browser\n{}", self.log()));
        let end = Instant::now() + PATIENCE;
        loop {
            let Some(mut message) = self.receive(end) else {
                panic!("the browser does not answer {method}\n{}", self.log());
            };
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    /// The next message, unless none comes in time.
    fn receive(&self, end: Instant) -> Option<Value> {
        self.from.recv_timeout(end.saturating_duration_since(Instant::now())).ok()
    }

    fn log(&self) -> String {
        let install = "the browser tests need Debian's chromium: apt-get install -y \
            --no-install-recommends chromium fonts-dejavu-core";
        let log = std::fs::read_to_string(self.profile.join("log")).unwrap_or_default();
        format!("{log}\n{install}")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its other processes end with it. It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

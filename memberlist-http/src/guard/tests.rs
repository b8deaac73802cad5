use super::*;

fn guard() -> Guard {
    let mut guard = Guard::default();
    guard.allow_host("Node7.example").expect("a name");
    guard.allow_origin("http://10.0.0.2:8080").expect("an origin");
    guard
}

fn request(headers: &[(&str, &str)]) -> Request<()> {
    let request = Request::get("/status");
    headers
        .iter()
        .fold(request, |it, (name, value)| it.header(*name, *value))
        .body(())
        .expect("valid")
}

#[test]
fn only_addresses_and_allowed_names_are_answered() {
    let guard = guard();
    for host in [
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]:8080",
        "10.1.2.3:1",
        "localhost",
        "localhost:8080",
        "a.localhost",
        "LOCALHOST",
        "node7.example:8080",
        "NODE7.EXAMPLE",
        "node7.example.",
    ] {
        assert_eq!(guard.check(&request(&[("host", host)])), Ok(None), "{host}");
    }
    for host in [
        "evil.example",
        "node7.example.evil",
        "127.0.0.1.evil.example",
        "1.2.3",
        "localhost.evil",
        "",
        " ",
        "[::1",
        "127.0.0.1, evil",
        "xnode7.example",
        "notlocalhost",
    ] {
        assert_eq!(guard.check(&request(&[("host", host)])), Err(Refused::Host), "{host}");
    }
    // No browser leaves the header out; HTTP/1.0 has none.
    assert_eq!(guard.check(&request(&[])), Ok(None));
    let both = request(&[("host", "127.0.0.1"), ("host", "evil.example")]);
    assert_eq!(guard.check(&both), Err(Refused::Host));
    let whole = Request::get("http://evil.example/").header("host", "127.0.0.1");
    assert_eq!(guard.check(&whole.body(()).expect("valid")), Err(Refused::Host));
    let mut any = guard;
    any.allow_any_host();
    assert_eq!(any.check(&request(&[("host", "evil.example")])), Ok(None));
}

#[test]
fn pages_of_other_origins_need_permission() {
    let guard = guard();
    let from =
        |origin: &str| guard.check(&request(&[("host", "10.0.0.1:8080"), ("origin", origin)]));
    assert_eq!(from("http://10.0.0.1:8080"), Ok(None));
    assert_eq!(from("https://10.0.0.1:8080"), Ok(None), "behind a proxy");
    let allowed = HeaderValue::from_static("http://10.0.0.2:8080");
    assert_eq!(from("http://10.0.0.2:8080"), Ok(Some(allowed)));
    for origin in [
        "http://10.0.0.2",
        "https://10.0.0.2:8080",
        "http://10.0.0.2:8081",
        "null",
        "",
        "http://evil.example",
        "http://10.0.0.1",
        "file://",
        "http://10.0.0.2:8080/x",
    ] {
        assert_eq!(from(origin), Err(Refused::Origin), "{origin}");
    }
}

#[test]
fn what_other_pages_embed_is_not_answered() {
    let guard = guard();
    let check = |site: &'static str, mode: &'static str| {
        guard.check(&request(&[("sec-fetch-site", site), ("sec-fetch-mode", mode)]))
    };
    assert_eq!(check("cross-site", "no-cors"), Err(Refused::Origin));
    assert_eq!(check("same-site", "no-cors"), Err(Refused::Origin));
    assert_eq!(check("cross-site", "navigate"), Ok(None), "a link");
    assert_eq!(check("same-origin", "cors"), Ok(None));
    assert_eq!(check("none", "navigate"), Ok(None));
}

#[test]
fn origins_and_hosts_are_checked_when_they_are_set() {
    for wrong in [
        "*",
        "null",
        "10.0.0.1:8080",
        "http://",
        "ftp://a",
        "http://a/b",
        "http://a?b",
        "http://a;x",
        "http://u@a",
        "http://a b",
        "",
        "http://a'",
        "http://a:80/ http://b",
    ] {
        assert!(Origin::parse(wrong).is_err(), "{wrong:?}");
    }
    for (text, origin) in [
        ("http://A.example", "http://a.example"),
        ("http://a:80", "http://a"),
        ("https://a:443/", "https://a"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ] {
        assert_eq!(Origin::parse(text).as_ref().map(Origin::as_str), Ok(origin));
    }
    let mut guard = Guard::default();
    for wrong in ["", "a:80", "a/b", "a b", "http://a", "*"] {
        assert!(guard.allow_host(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn the_policy_names_what_is_allowed_and_nothing_else() {
    let policy = guard().policy("abc");
    assert!(policy.starts_with("default-src 'none'; script-src 'nonce-abc';"), "{policy}");
    assert!(policy.contains("connect-src 'self' http://10.0.0.2:8080;"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
}

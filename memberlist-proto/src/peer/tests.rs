use super::*;

#[test]
fn accepts_every_form_of_the_go_library() {
    let at = |text: &str| text.parse::<Peer>().unwrap();
    assert_eq!(at("10.0.0.1").address(7946), Some("10.0.0.1:7946".parse().unwrap()));
    assert_eq!(at("10.0.0.1:80").address(7946), Some("10.0.0.1:80".parse().unwrap()));
    assert_eq!(at("::1").address(7946), Some("[::1]:7946".parse().unwrap()));
    assert_eq!(at("[::1]").address(7946), Some("[::1]:7946".parse().unwrap()));
    assert_eq!(at("[::1]:80").address(7946), Some("[::1]:80".parse().unwrap()));
    let named = at("n1/host.example:80");
    assert_eq!(named.name, Some(NodeName::from("n1")));
    assert_eq!(named.host, Host::Name("host.example".into()));
    assert_eq!(named.port, Some(80));
    assert_eq!(named.address(7946), None);
}

#[test]
fn refuses_what_names_no_peer() {
    for (text, error) in [
        ("", PeerError::NoHost),
        (":80", PeerError::NoHost),
        ("/host", PeerError::EmptyName),
        ("host:0", PeerError::Port),
        ("host:70000", PeerError::Port),
        ("host:a:b", PeerError::Port),
        ("[::1", PeerError::Brackets),
        ("[host]:80", PeerError::Brackets),
        ("[::1]80", PeerError::Brackets),
    ] {
        assert_eq!(text.parse::<Peer>(), Err(error), "{text}");
    }
}

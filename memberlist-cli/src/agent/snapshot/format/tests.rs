use proptest::prelude::*;

use super::*;

fn peer(name: &[u8]) -> Peer {
    let address: std::net::SocketAddr = "127.0.0.1:7946".parse().unwrap();
    Peer { name: Some(NodeName::from(name)), ..Peer::from(address) }
}

#[test]
fn the_first_line_names_format_and_version() {
    let text = write(&[peer(b"two"), peer(b"one")]);
    assert_eq!(text, "memberlist snapshot 1\none/127.0.0.1:7946\ntwo/127.0.0.1:7946\n");
    assert_eq!(write(&[]), "memberlist snapshot 1\n");
    assert_eq!(read(write(&[]).as_bytes()), Ok(Contents::default()));
}

#[test]
fn a_bad_line_costs_that_line() {
    for header in ["memberlist snapshot 1\n", ""] {
        let mut file = header.as_bytes().to_vec();
        file.extend_from_slice(b"one/127.0.0.1:7946\nno:peer:at\tall\n\n\xff\ntwo/127.0.0.1:7946");
        let contents = read(&file).unwrap();
        assert_eq!(contents.peers, [peer(b"one"), peer(b"two")], "{header}");
        let bad: Vec<_> = contents.bad.iter().map(ToString::to_string).collect();
        let from = header.lines().count() + 2;
        let port = "the port is not a number from 1 to 65535";
        assert_eq!(bad[0], format!("{from}: `no:peer:at\\tall`: {port}"));
        assert_eq!(bad[1], format!("{}: `\u{fffd}`: the line is not UTF-8", from + 2));
        assert_eq!(bad.len(), 2);
    }
}

#[test]
fn a_long_line_is_shown_in_part() {
    let file = format!("memberlist snapshot 1\n{}\n", "ü:".repeat(1000));
    let bad = &read(file.as_bytes()).unwrap().bad[0];
    assert_eq!(bad.shown, format!("{}…", "ü:".repeat(30)));
}

/// Before there were versions a name stood as it was, `/` and all.
#[test]
fn an_unversioned_file_is_read_as_it_was_written() {
    let lines = "\
        n1/127.0.0.1:7946\n\
        ns/pod-0/127.0.0.1:7946\n\
        a/b:c/127.0.0.1:7946\n\
        /lead/127.0.0.1:7946\n\
        trail//127.0.0.1:7946\n\
        with space/127.0.0.1:7946\n\
        100%41/127.0.0.1:7946\r\n";
    let contents = read(lines.as_bytes()).unwrap();
    assert_eq!(contents.bad, []);
    let names = ["n1", "ns/pod-0", "a/b:c", "/lead", "trail/", "with space", "100%41"];
    assert_eq!(contents.peers, names.map(|name| peer(name.as_bytes())));

    let nameless = "10.0.0.1:7946\nnot-utf8-\u{fffd}/[::1]:7946\ndb.example\n";
    let contents = read(nameless.as_bytes()).unwrap();
    let expected = ["10.0.0.1:7946", "[::1]:7946", "db.example"].map(|it| it.parse().unwrap());
    assert_eq!(contents.peers, expected);
}

#[test]
fn what_is_no_snapshot_is_refused() {
    for (file, error) in [
        ("memberlist snapshot 2\none/127.0.0.1:7946\n", FormatError::Version(2)),
        ("memberlist snapshot \none/127.0.0.1:7946\n", FormatError::NoVersion),
        ("memberlist snapshot one\n", FormatError::NoVersion),
        ("[section]\nfield = \"value\"\n", FormatError::Foreign),
    ] {
        assert_eq!(read(file.as_bytes()), Err(error), "{file}");
    }
    for empty in ["", "\n", "memberlist snapshot 1\r\n"] {
        assert_eq!(read(empty.as_bytes()), Ok(Contents::default()), "{empty:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(names in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 1..40), 0..8))
    {
        let mut peers: Vec<_> = names.iter().map(|name| peer(name)).collect();
        let contents = read(write(&peers).as_bytes()).unwrap();
        prop_assert_eq!(contents.bad, []);
        peers.sort_by_key(ToString::to_string);
        prop_assert_eq!(contents.peers, peers);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let mut after = b"memberlist snapshot 1\n".to_vec();
        after.extend_from_slice(&bytes);
        prop_assert!(read(&after).is_ok());
    }
}

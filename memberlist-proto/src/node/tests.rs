use alloc::format;
use alloc::string::ToString;
use alloc::vec;

use super::*;

fn parts() -> IdentityParts<'static> {
    IdentityParts {
        name: b"n1",
        addr: Some(&[127, 0, 0, 1]),
        port: 7946,
        meta: Some(b"meta"),
        versions: Some(Versions::from_bytes([1, 5, 2, 0, 7, 3])),
    }
}

fn identity(parts: IdentityParts<'_>) -> Identity {
    Identity::new(parts).expect("short enough")
}

#[test]
fn states_have_the_numbers_and_words_of_the_protocol() {
    let all = [State::Alive, State::Suspect, State::Dead, State::Left];
    assert_eq!(all.map(|state| state as u8), [0, 1, 2, 3]);
    assert_eq!(all.map(|state| state.to_string()), ["alive", "suspect", "dead", "left"]);
    assert_eq!(all.map(State::is_live), [true, true, false, false]);
    for state in all {
        assert_eq!(State::from_u8(state as u8), Some(state));
    }
    assert_eq!(State::from_u8(4), None);
}

#[test]
fn versions_keep_their_order() {
    let versions = Versions { pmin: 1, pmax: 2, pcur: 3, dmin: 4, dmax: 5, dcur: 6 };
    assert_eq!(versions.to_bytes(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(Versions::from([1, 2, 3, 4, 5, 6]), versions);
    assert_eq!(Versions::from_vsn(&[1, 2, 3, 4, 5, 6, 7]), Some(versions));
    assert_eq!(Versions::from_vsn(&[1, 2, 3, 4, 5]), None);
    assert!(versions.is_known() && !Versions::default().is_known());
}

#[test]
fn names_compare_by_bytes_in_every_form() {
    let owned = NodeName::from("n1");
    let borrowed = Name::new(b"n1");
    assert_eq!(owned, borrowed);
    assert_eq!(borrowed, owned);
    assert_eq!(owned, *"n1");
    assert_eq!(borrowed, b"n1"[..]);
    assert_eq!(borrowed.to_owned_name(), owned);
    assert_eq!((owned.len(), borrowed.len()), (2, 2));
    assert_ne!(owned, "N1");
    assert!(owned < "n2" && Name::new(&[0xff]) > owned);
    assert_eq!(core::borrow::Borrow::<[u8]>::borrow(&owned), b"n1");
}

#[test]
fn names_are_displayed_lossily_and_debugged_losslessly() {
    let odd = NodeName::from(&b"a\xff\xfe\xc3\xa9\n"[..]);
    assert_eq!(odd.to_string(), "a\u{fffd}\u{fffd}\u{e9}\n");
    assert_eq!(format!("{odd:?}"), r#""a\xff\xfeé\n""#);
    assert_eq!(odd.as_name().to_string(), odd.to_string());
}

#[test]
fn an_identity_returns_the_parts_it_was_made_of() {
    for addr in [None, Some(&[][..]), Some(&[1, 2, 3][..]), Some(&[9; 255][..])] {
        for meta in [None, Some(&[][..]), Some(&[7; 512][..])] {
            for versions in [None, Some(Versions::default()), parts().versions] {
                for name in [&b""[..], b"n1", &[0xff; 300]] {
                    let put = IdentityParts { name, addr, port: 0xabcd, meta, versions };
                    let identity = identity(put);
                    assert_eq!(identity.parts(), put);
                    assert_eq!(identity.vsn_bytes(), versions.map(Versions::to_bytes));
                }
            }
        }
    }
}

#[test]
fn identities_are_equal_by_content_and_distinguish_nil_from_empty() {
    let one = identity(parts());
    let same = identity(parts());
    assert_eq!(one, same);
    assert!(!one.ptr_eq(&same) && one.ptr_eq(&one.clone()));
    let nil = identity(IdentityParts { meta: None, ..parts() });
    let empty = identity(IdentityParts { meta: Some(b""), ..parts() });
    assert_ne!(nil, empty);
    assert_eq!((nil.meta(), empty.meta()), (None, Some(&b""[..])));
    // The same bytes, cut elsewhere.
    let moved = IdentityParts { name: b"n1\x7f", addr: Some(&[0, 0, 1]), ..parts() };
    assert_ne!(one, identity(moved));
}

#[test]
fn addresses_of_4_or_16_bytes_are_ip_addresses() {
    let ip = |addr| identity(IdentityParts { addr, ..parts() }).ip().map(|ip| ip.to_string());
    assert_eq!(ip(Some(&[10, 0, 0, 2])).as_deref(), Some("10.0.0.2"));
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2];
    assert_eq!(ip(Some(&mapped)).as_deref(), Some("10.0.0.2"));
    let v6 = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(ip(Some(&v6)).as_deref(), Some("2001:db8::1"));
    for addr in [None, Some(&[][..]), Some(&[1, 2, 3][..]), Some(&[0; 17][..])] {
        assert_eq!(ip(addr), None);
    }
}

#[test]
fn parts_too_long_to_pack_are_refused() {
    let name = vec![b'x'; 65_536];
    let long_name = IdentityParts { name: &name, ..parts() };
    assert_eq!(Identity::new(long_name), Err(IdentityError::NameTooLong(65_536)));
    let longest = IdentityParts { name: &name[1..], ..parts() };
    assert_eq!(identity(longest).name().len(), 65_535);
    let long_addr = IdentityParts { addr: Some(&[0; 256]), ..parts() };
    let error = Identity::new(long_addr).unwrap_err();
    assert_eq!(error.to_string(), "a node address of 256 bytes is longer than 255");
}

#[test]
fn a_node_shows_name_and_address() {
    let node = Node::new(identity(parts()), 3, State::Suspect, Instant::from_nanos(5));
    assert_eq!(node.to_string(), "n1 (127.0.0.1:7946)");
    assert_eq!((node.incarnation(), node.state()), (3, State::Suspect));
    assert_eq!((node.since(), node.port()), (Instant::from_nanos(5), 7946));
    assert_eq!((node.meta(), node.meta_or_nil()), (&b"meta"[..], Some(&b"meta"[..])));
    let bare = identity(IdentityParts { addr: None, meta: None, ..parts() });
    let bare = Node::new(bare, 0, State::Dead, Instant::ORIGIN);
    assert_eq!(bare.to_string(), "n1 (no address)");
    assert_eq!((bare.meta(), bare.meta_or_nil()), (&b""[..], None));
}

#[test]
fn equal_nodes_have_equal_hashes() {
    use core::hash::{Hash as _, Hasher as _};

    let node = |incarnation| {
        Node::new(identity(parts()), incarnation, State::Alive, Instant::from_nanos(5))
    };
    let hash = |node: Node| {
        let mut hasher = siphasher::sip::SipHasher::new();
        node.hash(&mut hasher);
        hasher.finish()
    };
    assert_eq!(hash(node(1)), hash(node(1)));
    assert_ne!(hash(node(1)), hash(node(2)));
    assert_eq!("n1".parse::<NodeName>(), Ok(NodeName::from(alloc::string::String::from("n1"))));
    assert_eq!(NodeName::from(vec![b'n', b'1']), NodeName::from(&NodeName::from("n1")));
}

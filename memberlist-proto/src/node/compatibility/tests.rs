use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn vsn(bytes: &[u8]) -> Vsn {
    Vsn::received(Some(bytes))
}

/// Checks nodes as a push/pull does: all of them, then the first one that does not fit.
fn verdict(lenient: bool, nodes: &[(bool, Vsn)]) -> Result<(), (usize, Incompatible)> {
    let mut check = VersionCheck::new(lenient);
    for (alive, vsn) in nodes {
        check.add(*alive, *vsn);
    }
    let first = nodes.iter().enumerate().find_map(|(at, (alive, vsn))| {
        check.check(*alive, *vsn).err().map(|incompatible| (at, incompatible))
    });
    assert_eq!(check.holds(), first.is_none(), "{nodes:?}");
    first.map_or(Ok(()), Err)
}

#[test]
fn a_field_holds_versions_from_six_bytes_on() {
    let all = [1, 5, 2, 0, 0, 0, 9];
    assert_eq!(Vsn::received(None), vsn(b""));
    for len in 0..6 {
        assert_eq!(vsn(&all[..len]).versions(), None);
        assert!(!vsn(&all[..len]).is_known());
    }
    let versions = Versions::from_bytes([1, 5, 2, 0, 0, 0]);
    assert_eq!(vsn(&all[..6]).versions(), Some(versions));
    assert_eq!(vsn(&all).versions(), Some(versions));
    assert_eq!(Vsn::stored(Some(versions)), vsn(&all));
    assert_eq!(Vsn::stored(None), vsn(&[0; 6]));
    assert!(vsn(&all).is_known() && !vsn(&[0; 6]).is_known());
}

#[test]
fn three_bytes_announce_a_range() {
    for impossible in [&[0, 5, 2][..], &[1, 0, 2], &[3, 2, 2, 0, 0, 0]] {
        assert!(vsn(impossible).is_impossible(), "{impossible:?}");
    }
    for possible in [&b""[..], &[0, 0], &[1, 5, 0], &[2, 2, 9, 7, 1, 4]] {
        assert!(!vsn(possible).is_impossible(), "{possible:?}");
    }
}

#[test]
fn both_ends_of_the_range_are_understood() {
    for (current, fits) in [(1, false), (2, true), (4, true), (5, false)] {
        let nodes = [(true, vsn(&[1, 4, 2, 0, 0, 0])), (true, vsn(&[2, 5, current, 0, 0, 0]))];
        let expected = Incompatible { kind: VersionKind::Protocol, current, min: 2, max: 4 };
        assert_eq!(verdict(true, &nodes), if fits { Ok(()) } else { Err((1, expected)) });
    }
}

#[test]
fn the_application_has_versions_of_its_own() {
    let nodes = [(true, vsn(&[1, 5, 2, 1, 3, 2])), (true, vsn(&[1, 5, 2, 3, 4, 4]))];
    let expected = Incompatible { kind: VersionKind::Delegate, current: 2, min: 3, max: 3 };
    assert_eq!(verdict(true, &nodes), Err((0, expected)));
    assert_eq!([VersionKind::Protocol, VersionKind::Delegate], KINDS);
}

#[test]
fn unknown_versions_and_dead_nodes_block_only_gos_check() {
    let good = (true, vsn(&[1, 5, 2, 0, 0, 0]));
    let empty_range = |at, current| {
        Err((at, Incompatible { kind: VersionKind::Protocol, current, min: 1, max: 0 }))
    };
    let unknown = [good, (true, Vsn::stored(None))];
    assert_eq!(verdict(true, &unknown), Ok(()));
    assert_eq!(verdict(false, &unknown), empty_range(0, 2));
    let outdated = [good, (false, vsn(&[1, 1, 0, 0, 0, 0]))];
    assert_eq!(verdict(true, &outdated), Ok(()));
    let expected = Incompatible { kind: VersionKind::Protocol, current: 0, min: 1, max: 5 };
    assert_eq!(verdict(false, &outdated), Err((1, expected)));
    // Fewer than five bytes do not narrow the range, fewer than six speak version 0.
    assert_eq!(verdict(false, &[good, (true, vsn(&[2, 2, 2, 0]))]), Err((1, expected)));
    let narrowed = Incompatible { min: 2, max: 2, ..expected };
    assert_eq!(verdict(false, &[good, (true, vsn(&[2, 2, 2, 0, 0]))]), Err((1, narrowed)));
}

/// The rule as the protocol's description has it, for one kind of versions at a time.
fn model(nodes: &[(bool, Vec<u8>)], [min, max, current]: [usize; 3]) -> Option<usize> {
    let live = || nodes.iter().filter(|(alive, vsn)| *alive && vsn.len() >= 5);
    let low = live().map(|(_, vsn)| vsn[min]).max().unwrap_or(0);
    let high = live().map(|(_, vsn)| vsn[max]).min().unwrap_or(u8::MAX);
    let spoken = |vsn: &[u8]| if vsn.len() >= 6 { vsn[current] } else { 0 };
    nodes.iter().position(|(_, vsn)| spoken(vsn) < low || spoken(vsn) > high)
}

proptest! {
    #[test]
    fn the_strict_check_is_gos(nodes in vec((any::<bool>(), vec(0..4_u8, 0..8)), 0..6)) {
        let fields: Vec<_> = nodes.iter().map(|(alive, bytes)| (*alive, vsn(bytes))).collect();
        let expected = [model(&nodes, [0, 1, 2]), model(&nodes, [3, 4, 5])];
        let first = expected.into_iter().flatten().min();
        prop_assert_eq!(verdict(false, &fields).err().map(|(at, _)| at), first);
    }
}

//! A node that is restored from its checkpoint goes on byte for byte, whatever its life was; and no
//! bytes that claim to be a checkpoint can do harm.

use std::time::Duration;

use memberlist_proto::{
    CORE_HASH, CheckpointError, Command, Config, Input, Instant, Key, Memberlist, Restoring,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::life::{address_of, life, node, outputs, start};

fn keys() -> [Key; 2] {
    [[1; 16], [2; 16]].map(|bytes| Key::new(&bytes).expect("16 bytes"))
}

/// A node that encrypts, in a cluster that does not everywhere: clear text is read as well.
fn encrypting() -> Memberlist {
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 200].into();
    config.secret_keys = keys()[..1].to_vec();
    config.gossip_verify_incoming = false;
    Memberlist::new(start(), config, None, [4; 32]).expect("a valid configuration")
}

fn checkpoint(node: &Memberlist) -> Vec<u8> {
    let mut bytes = Vec::new();
    node.checkpoint(&mut bytes);
    bytes
}

fn restoring() -> Restoring {
    Restoring { keys: keys().to_vec(), ..Restoring::default() }
}

fn restore(bytes: &[u8]) -> Memberlist {
    Memberlist::restore_checkpoint(bytes, &restoring()).expect("a checkpoint of this core")
}

/// Lives that node through every input, and at each step another that was restored just before.
fn live_twice(
    mut one: Memberlist,
    life: Vec<(Duration, Input<'static>)>,
) -> Result<(), TestCaseError> {
    one.note_outputs();
    let mut now = start();
    outputs(&mut one);
    one.take_digest();
    for (wait, input) in life {
        now += wait;
        let before = checkpoint(&one);
        let mut other = restore(&before);
        prop_assert_eq!(&checkpoint(&other), &before);
        other.note_outputs();
        let results = (one.handle(now, input.clone()), other.handle(now, input));
        prop_assert_eq!(results.0, results.1);
        prop_assert_eq!(outputs(&mut one), outputs(&mut other));
        prop_assert_eq!(one.take_digest(), other.take_digest());
        prop_assert_eq!(checkpoint(&one), checkpoint(&other));
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_restored_node_goes_on_byte_for_byte(life in life()) {
        live_twice(node(), life)?;
    }

    #[test]
    fn so_does_one_that_encrypts_and_changes_its_keys(life in life(), at in 0_usize..40) {
        let [first, second] = keys();
        let mut life = life;
        let change = [
            Command::AddKey(second.clone()),
            Command::UseKey(second),
            Command::RemoveKey(first),
        ];
        for command in change {
            life.insert(at.min(life.len()), (Duration::from_millis(1), command.into()));
        }
        live_twice(encrypting(), life)?;
    }

    #[test]
    fn damaged_checkpoints_are_refused_or_harmless(
        life in life(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        rest in super::life::life(),
    ) {
        let (mut one, mut now) = (node(), start());
        for (wait, input) in life {
            now += wait;
            let _ = one.handle(now, input);
        }
        let mut bytes = checkpoint(&one);
        for (place, byte) in damage {
            let place = 14 + place.index(bytes.len() - 14);
            bytes[place] = byte;
        }
        survives(&bytes, &rest);
        bytes.truncate(cut.index(bytes.len()));
        survives(&bytes, &rest);
    }
}

/// Restores what may not be a checkpoint, and lives on with what comes of it.
fn survives(bytes: &[u8], life: &[(Duration, Input<'static>)]) {
    let Ok(mut node) = Memberlist::restore_checkpoint(bytes, &restoring()) else { return };
    let mut now = Instant::ORIGIN;
    for (wait, input) in life {
        now += *wait;
        let _ = node.handle(now, input.clone());
        outputs(&mut node);
    }
}

#[test]
fn a_checkpoint_holds_no_key_and_asks_for_it() {
    let bytes = checkpoint(&encrypting());
    let [first, second] = keys();
    assert!(!bytes.windows(16).any(|window| window == first.as_bytes()));
    let without = Restoring { keys: vec![second], ..Restoring::default() };
    let missing = CheckpointError::MissingKeys(vec![first.id()]);
    let restored = Memberlist::restore_checkpoint(&bytes, &without);
    assert_eq!(restored.err(), Some(missing.clone()));
    assert!(missing.to_string().ends_with(&first.id().to_string()));

    let stand_ins = Restoring { stand_ins: true, ..without };
    let restored = Memberlist::restore_checkpoint(&bytes, &stand_ins).expect("with another key");
    assert_eq!(restored.keys().len(), 1);
    assert_ne!(restored.keys(), [first]);
}

#[test]
fn what_is_not_a_checkpoint_of_this_core_is_named() {
    let bytes = checkpoint(&node());
    let error = |bytes: &[u8]| {
        let restored = Memberlist::restore_checkpoint(bytes, &Restoring::default());
        restored.expect_err("no checkpoint")
    };
    assert_eq!(error(b""), CheckpointError::Foreign);
    assert_eq!(error(b"something else entirely"), CheckpointError::Foreign);
    let with = |place: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[place] = byte;
        bytes
    };
    assert_eq!(error(&with(4, 77)), CheckpointError::Version(77));
    let other = with(6, !bytes[6]);
    assert_eq!(error(&other), CheckpointError::OtherCore(CORE_HASH ^ 0xff));
    let any = Restoring { any_core: true, ..Restoring::default() };
    assert!(Memberlist::restore_checkpoint(&other, &any).is_ok());
    assert_eq!(error(&bytes[..bytes.len() - 1]), CheckpointError::Malformed);
    assert_eq!(error(&[&bytes[..], b"x"].concat()), CheckpointError::Malformed);
}

/// The delegate is not part of a checkpoint, but whether there was one is.
#[test]
fn a_delegate_is_brought_along() {
    struct Picky;
    impl memberlist_proto::Hooks for Picky {
        fn ack_payload(&self) -> Option<bytes::Bytes> {
            Some(bytes::Bytes::from_static(b"picky"))
        }
    }
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 200].into();
    let hooks: std::sync::Arc<dyn memberlist_proto::Hooks> = std::sync::Arc::new(Picky);
    let one = Memberlist::new(start(), config, Some(hooks.clone()), [3; 32]).expect("valid");
    let bytes = checkpoint(&one);
    let ping = super::alive_and_ping(0)[1].clone();
    let ack = |delegate| {
        let with = Restoring { delegate, ..Restoring::default() };
        let mut node = Memberlist::restore_checkpoint(&bytes, &with).expect("restored");
        node.handle_packet(start(), address_of(0), &ping).expect("a ping");
        node.poll_transmit().expect("an ack").payload
    };
    let contains = |packet: &[u8]| packet.windows(5).any(|window| window == b"picky");
    assert!(contains(&ack(Some(hooks))));
    assert!(!contains(&ack(None)));
}

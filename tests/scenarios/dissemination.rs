//! Messages too long for gossip.

use memberlist_proto::BroadcastEnd;
use memberlist_sim::{Channel, Event, Fault};

use super::{cluster, count, plain, secs};

#[test]
fn a_long_message_reaches_every_node_that_can_be_reached() {
    let (mut sim, nodes) = cluster(61, 50, plain);
    // No node has noticed yet.
    sim.crash(nodes[49]);
    sim.set_fault(nodes[48], Some(Fault::Frozen));
    let message = vec![7; 50_000];
    let id = sim.with(nodes[0], |node, now| node.disseminate(now, &message)).expect("taken");
    sim.run_for(secs(20));
    let end = |event: &Event| match event {
        Event::BroadcastFinished { id: of, end } if *of == id => Some(*end),
        _ => None,
    };
    let ends: Vec<_> = sim.events(nodes[0]).iter().filter_map(|(_, event)| end(event)).collect();
    let [BroadcastEnd::Streamed { sent, failed }] = ends[..] else { panic!("{ends:?}") };
    assert_eq!(sent + failed, 49);
    assert!((1..=2).contains(&failed), "{failed}: one is dead, one does not answer");
    let heard = |event: &Event| matches!(event, Event::Message { channel: Channel::Stream, payload, .. } if payload[..] == message);
    for node in &nodes[1..48] {
        assert_eq!(count(&sim, *node, heard), 1, "{node:?}");
    }
    sim.set_fault(nodes[48], None);
    sim.run_for(secs(60));
    assert_eq!(sim.agreement(), Ok(()));
}

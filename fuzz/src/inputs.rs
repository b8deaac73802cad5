//! Inputs as they are written down: one JSON array of milliseconds and input on each line.

use std::time::Duration;

use memberlist_proto::{Config, Input, Instant, Memberlist};

/// The most lines of one run.
const LINES: usize = 64;

/// Any text as the recorded inputs of a node. Two nodes of one seed do the same with them, and an
/// input that was read is written as it was.
pub fn inputs(data: &[u8]) {
    let mut nodes = [node(), node()];
    let mut now = Instant::from_nanos(1);
    for line in data.split(|byte| *byte == b'\n').take(LINES) {
        let Ok((wait, input)) = serde_json::from_slice::<(u16, Input<'static>)>(line) else {
            continue;
        };
        let text = serde_json::to_vec(&input).expect("what was read holds no key");
        assert_eq!(serde_json::from_slice::<Input<'static>>(&text).ok().as_ref(), Some(&input));
        now += Duration::from_millis(wait.into());
        let [one, other] = nodes.each_mut().map(|node| {
            let reply = format!("{:?}", node.handle(now, input.clone()));
            if let Err(broken) = node.check_invariants() {
                panic!("{broken} after {input:?}");
            }
            (reply, drain(node), node.state_hash())
        });
        assert_eq!(one, other);
    }
}

fn node() -> Memberlist {
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 1].into();
    config.ask_local_state = true;
    config.ask_admit_merge = true;
    config.hand_out_jobs = true;
    (config.limits.bytes_at_once, config.limits.records_at_once) = (16, 1);
    Memberlist::new(Instant::from_nanos(1), config, None, [5; 32]).expect("a valid configuration")
}

/// Everything that comes out, as text.
fn drain(node: &mut Memberlist) -> Vec<String> {
    let mut out: Vec<String> =
        std::iter::from_fn(|| node.poll_transmit()).map(|it| format!("{it:?}")).collect();
    out.extend(std::iter::from_fn(|| node.poll_stream()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_lookup()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_request()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_event()).map(|it| it.to_string()));
    out.push(format!("{:?}", node.poll_timeout()));
    out
}

//! Configurations as text.

use memberlist_proto::{Config, Instant, Memberlist};

/// Turns of a node's timers: enough for each to come up.
const TURNS: usize = 20;

/// Any text as a configuration in TOML. One that can be read comes back as it was written, one
/// that is valid runs, and one that is not is refused with a field that exists.
pub fn config(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let Ok(config) = toml::from_str::<Config>(text) else { return };
    assert!(config.secret_keys.is_empty(), "a key is read from a serialized configuration");
    // TOML has no numbers beyond 63 bits, which `received_name_max` may be.
    if let Ok(written) = toml::to_string(&config) {
        let read: Config = toml::from_str(&written).expect("what was written can be read");
        assert_eq!(read, config, "another one than was written");
    }
    let valid = config.validate();
    let now = Instant::from_nanos(1_000_000_000);
    let node = Memberlist::new(now, config.clone(), None, [3; 32]);
    match (valid, node) {
        (Ok(()), Ok(node)) => run(node),
        // The node's own address may lie outside `cidrs_allowed`.
        (Ok(()), Err(error)) => assert!(config.cidrs_allowed.is_some(), "{error}"),
        (Err(error), Err(refused)) => assert_eq!(error.to_string(), refused.to_string()),
        (Err(error), Ok(_)) => panic!("runs although {error}"),
    }
}

fn run(mut node: Memberlist) {
    for _ in 0..TURNS {
        let Some(due) = node.poll_timeout() else { break };
        node.handle_timeout(due);
        while node.poll_transmit().is_some() || node.poll_event().is_some() {}
        node.check_invariants().expect("invariants");
        assert!(node.poll_timeout().is_none_or(|next| next > due), "due again at once");
    }
}

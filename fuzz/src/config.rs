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
    let valid = config.validate();
    match toml::to_string(&config) {
        Ok(written) => {
            let read: Config = toml::from_str(&written).expect("what was written can be read");
            assert_eq!(read, config, "another one than was written");
        }
        // TOML has no numbers beyond 63 bits, and no valid configuration has.
        Err(error) => assert!(valid.is_err(), "{error}"),
    }
    each_field(&config);
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

/// What a field holds, it takes; and it refuses nothing that is valid.
fn each_field(config: &Config) {
    let mut copy = Config::default();
    for field in Config::fields() {
        let taken = field.set(&mut copy, field.get(config));
        match taken {
            Ok(()) => assert_eq!(field.get(&copy), field.get(config), "{}", field.path()),
            Err(error) => assert!(config.validate().is_err(), "{error}"),
        }
    }
}

fn run(mut node: Memberlist) {
    let (now, from) = (Instant::from_nanos(1_000_000_000), ([192, 0, 2, 1], 7946).into());
    // Three compounds within one another, around what is not a message.
    let nested = [7, 1, 0, 9, 7, 1, 0, 5, 7, 1, 0, 1, 255];
    let _ = node.handle_packet(now, from, &nested);
    for _ in 0..TURNS {
        let Some(due) = node.poll_timeout() else { break };
        node.handle_timeout(due);
        while node.poll_transmit().is_some() || node.poll_event().is_some() {}
        node.check_invariants().expect("invariants");
        assert!(node.poll_timeout().is_none_or(|next| next > due), "due again at once");
    }
}

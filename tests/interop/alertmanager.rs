//! Our agent and Alertmanager, where one combination is enough; the rest is in the matrix.

use memberlist_tests::{Alertmanager, Launch, to_hex};

use crate::live;

live! {
    /// What one Alertmanager knows reaches another through our node alone: it passes on the
    /// state it was given.
    fn a_silence_is_learnt_from_our_state() {
        let alertmanager = Alertmanager::start(None);
        let id = alertmanager.create_silence("handed on");
        let other = Launch::agent("other").delegate_version([0, 0, 0]).start();
        other.join(alertmanager.addr());
        let hex = to_hex(id.as_bytes());
        let state = other.expect("remote_state", |event| {
            event["hex"].as_str().is_some_and(|state| state.contains(&hex))
        });
        drop(alertmanager);

        let state = state["hex"].as_str().expect("bytes");
        other.tell(&format!("state-hex {state}"));
        let fresh = Alertmanager::start(Some(other.addr()));
        fresh.until_silence(&id);
    }
}

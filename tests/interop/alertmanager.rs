//! Our agent and Alertmanager, where one combination is enough. The matrix has the rest.

use memberlist_tests::{Alertmanager, Launch, to_hex};

use crate::live;

live! {
    /// What one Alertmanager knows reaches another through our node alone, which passes on the state
    /// it received.
    fn alertmanager_learns_a_silence_from_our_state() {
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

    /// Incompatible delegate versions and a label are clear errors here and harmless there.
    fn wrong_versions_and_label() {
        let alertmanager = Alertmanager::start(None);
        let join = format!("join {}", alertmanager.addr());
        let reply = Launch::agent("rust").delegate_version([1, 2, 2]).start().ask(&join);
        assert_eq!(reply["joined"], 0, "{reply}");
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("version"), "{reply}");

        let reply = Launch::agent("rust").flag("--label", "blue").start().ask(&join);
        assert_eq!(reply["joined"], 0, "{reply}");
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("label"), "{reply}");
        let name = alertmanager.name();
        let status = alertmanager.status().expect("alertmanager answers");
        let peers = status["cluster"]["peers"].as_array().expect("peers");
        assert!(peers.iter().all(|peer| peer["name"] == name.as_str()), "{status}");
    }
}

//! Our agent and Serf, where one combination is enough. The matrix has the rest.

use memberlist_tests::{Launch, Serf};

use crate::{KEY, live};

live! {
    /// Without delegate versions both sides refuse, and ours reports why.
    fn delegate_versions_do_not_match() {
        let serf = Serf::start("s1", None, &[]);
        let rust = Launch::agent("rust").start();
        let reply = rust.ask(&format!("join {}", serf.addr()));
        assert_eq!(reply["joined"], 0, "{reply}");
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("version"), "{reply}");
        assert_eq!(rust.member_names(), ["rust"]);
        let members = serf.members().expect("serf answers");
        assert_eq!(members.len(), 1, "{members:?}");
    }

    /// A wrong key and a label are clear errors on our side and harmless on theirs.
    fn wrong_key_and_label() {
        let serf = Serf::start("s1", Some(KEY), &[]);
        let agent = || Launch::agent("rust").delegate_version([2, 5, 5]);
        let stranger = agent().key(Some(b"another 16b. key")).start();
        let reply = stranger.ask(&format!("join {}", serf.addr()));
        assert_eq!(reply["joined"], 0, "{reply}");
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("key") || error.contains("decrypt"), "{reply}");
        assert_eq!(serf.members().expect("serf answers").len(), 1);

        let serf = Serf::start("s2", None, &[]);
        let stranger = agent().flag("--label", "blue").start();
        let reply = stranger.ask(&format!("join {}", serf.addr()));
        assert_eq!(reply["joined"], 0, "{reply}");
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("label"), "{reply}");
        assert_eq!(serf.members().expect("serf answers").len(), 1);
    }

    /// Serf reports the conflict, and keeps the node it knew first.
    fn name_conflict() {
        let serf = Serf::start("s1", None, &[]);
        let agent = || Launch::agent("rust").delegate_version([2, 5, 5]).start();
        let (owner, thief) = (agent(), agent());
        owner.join(serf.addr());
        let addr = owner.addr().to_string();
        serf.until_member("rust", "alive", |member| member["addr"] == addr.as_str());
        let expected = format!("Name conflict for 'rust' both {} and {}", owner.addr(), thief.addr());
        thief.ask(&format!("join {}", serf.addr()));
        serf.process().wait_text(&expected);
        serf.until_member("rust", "alive", |member| member["addr"] == addr.as_str());
    }
}

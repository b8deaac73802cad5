//! Our agent and Alertmanager under mutual TLS.

mod clusters;

use std::collections::BTreeSet;

use memberlist_tests::certificates::Authority;
use memberlist_tests::matrix::{Cell, Joins, Peer, Record, folder};
use memberlist_tests::{Alertmanager, Launch, Node, eventually};

use crate::live;
use crate::matrix::alertmanager::{Setting, announced, renamed, walk};

/// Packets in a burst, and in all.
const BURST: usize = 50;
const PACKETS: usize = 1000;

live! {
    /// The whole walk of the matrix, whichever joins.
    fn our_node_joins_alertmanager() {
        walk_over_tls(Joins::Rust);
    }

    fn alertmanager_joins_our_node() {
        walk_over_tls(Joins::Peer);
    }

    /// Three of theirs and two of ours, each with a certificate for its own address; what one knows
    /// all know, one of each kind is killed, and one of each kind leaves.
    fn five_nodes_with_certificates_of_their_own() {
        let authority = Authority::new();
        let own = |ip: std::net::IpAddr| {
            let name = ip.to_string();
            authority.settings(&name, &[&name], None)
        };
        let rust = ["rust1", "rust2"].map(|name| {
            let loopback = memberlist_tests::Loopback::reserve();
            let file = own(loopback.ip());
            let bind = loopback.port(7946);
            let launch = Launch::agent(name).bind(bind).keeping(Some(loopback));
            launch.delegate_version([0, 0, 0]).flag("--tls-config", file.display()).start()
        });
        rust[1].join(rust[0].addr());
        let theirs = [&rust[0], &rust[1], &rust[0]]
            .map(|seed| Alertmanager::over_tls(Some(seed.addr()), own));
        for peer in &theirs {
            for name in ["rust1", "rust2"].map(str::to_owned).into_iter().chain(names(&theirs)) {
                peer.until_peer(&name, true);
            }
        }
        for node in &rust {
            eventually("all five are members", || match node.member_names().len() {
                5 => Ok(()),
                count => Err(format!("{count}\n{}", node.transcript())),
            });
        }
        let silence = announced(&theirs[0], &rust[0], "for all", "packet");
        for peer in &theirs {
            peer.until_silence(&silence.id);
        }
        let (id, hex) = renamed(&silence.hex, &silence.id, 7);
        rust[1].tell(&format!("broadcast-hex {hex}"));
        for peer in &theirs {
            peer.until_silence(&id);
        }

        let [one, two, three] = theirs;
        let gone = [one.name(), three.name()];
        one.process().kill();
        rust[1].kill();
        for (name, node) in [(gone[0].as_str(), &rust[0]), ("rust2", &rust[0])] {
            let departed = node.expect_node("departed", name);
            assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
        }
        two.until_peer("rust2", false);
        three.process().signal("TERM");
        let departed = rust[0].expect_node("departed", &gone[1]);
        assert_eq!(departed["reason"]["kind"], "left", "{departed}");
        rust[0].tell("leave");
        two.until_peer("rust1", false);
    }

    /// A certificate of another authority, or for another name, lets no node in, in either direction,
    /// and both sides say why.
    fn a_wrong_certificate_is_kept_out() {
        let (authority, other) = (Authority::new(), Authority::new());
        let good = authority.settings("good", &["cluster"], Some("cluster"));
        let strange = other.settings("strange", &["cluster"], Some("cluster"));
        let misnamed = authority.settings("misnamed", &["elsewhere"], Some("cluster"));

        let peer = Alertmanager::over_tls(None, |_| good.clone());
        let join = format!("join {}", peer.addr());
        let rust = launch("strange", &strange);
        let reply = rust.ask(&join);
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("unknown issuer"), "{reply}\n{}", rust.transcript());
        let rust = launch("good", &good);
        rust.join(peer.addr());
        assert_eq!(rust.member_names().len(), 2);

        // They do not know our node's authority.
        let stranger = Alertmanager::over_tls(Some(rust.addr()), |_| strange.clone());
        rust.process().wait_text("refuses this node's certificate");
        stranger.process().wait_text("unknown authority");
        // The right authority, and the wrong name.
        let nameless = Alertmanager::over_tls(None, |_| misnamed.clone());
        let reply = rust.ask(&format!("join {}", nameless.addr()));
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("for another name"), "{reply}");
        nameless.process().wait_text("bad certificate");
        assert_eq!(rust.member_names().len(), 2);
        for outsider in [&stranger, &nameless] {
            assert_eq!(names_known(outsider), BTreeSet::from([outsider.name()]));
        }

        // Without TLS, neither understands the other, and says so.
        let plain = Launch::agent("plain").delegate_version([0, 0, 0]).start();
        assert_eq!(plain.ask(&join)["joined"], 0);
        let reply = rust.ask(&format!("join {}", plain.addr()));
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("TLS"), "{reply}");
    }

    /// Alertmanager loses what shares a TLS record with the end of a frame. Of packets that come as
    /// fast as they can be written, none is lost.
    fn a_thousand_packets_in_bursts_arrive() {
        let authority = Authority::new();
        let file = authority.settings("node", &["cluster"], Some("cluster"));
        let peer = Alertmanager::over_tls(None, |_| file.clone());
        let rust = launch("rust", &file);
        rust.join(peer.addr());
        peer.until_peer("rust", true);
        let silence = announced(&peer, &rust, "many", "packet");
        let mut expected = BTreeSet::from([silence.id.clone()]);
        for burst in 0..PACKETS / BURST {
            let mut lines = Vec::new();
            for number in burst * BURST..(burst + 1) * BURST {
                let id = format!("{number:08}-0000-4000-8000-000000000001");
                let [old, new] = [&silence.id, &id].map(|id| memberlist_tests::to_hex(id.as_bytes()));
                lines.push(format!("send-hex {} {}", peer.name(), silence.hex.replace(&old, &new)));
                expected.insert(id);
            }
            rust.process().write_line(lines.join("\n").as_bytes());
        }
        eventually("every packet has arrived", || {
            let known: BTreeSet<_> = peer.silences().into_iter().collect();
            let missing = expected.difference(&known).count();
            if missing == 0 { Ok(()) } else { Err(format!("{missing} are missing")) }
        });
    }

    /// Certificates are replaced while the cluster runs: members stay, and a new one comes in by the
    /// new certificates.
    fn certificates_change_while_the_cluster_runs() {
        let authority = Authority::new();
        let file = authority.settings("node", &["cluster"], Some("cluster"));
        let peer = Alertmanager::over_tls(None, |_| file.clone());
        let rust = launch("rust", &file);
        rust.join(peer.addr());
        peer.until_peer("rust", true);
        let (mark, silence) = (rust.mark(), announced(&peer, &rust, "before", "packet"));
        for round in 1..=5 {
            authority.issue("node", &["cluster"]);
            let fresh = launch(&format!("fresh{round}"), &file);
            fresh.join(peer.addr());
            peer.until_peer(&format!("fresh{round}"), true);
            let (id, hex) = renamed(&silence.hex, &silence.id, round);
            rust.tell(&format!("send-hex {} {hex}", peer.name()));
            peer.until_silence(&id);
            fresh.tell("leave");
            peer.until_peer(&format!("fresh{round}"), false);
        }
        let lost = |event: &serde_json::Value| event["event"] == "suspected";
        assert_eq!(rust.events_after(mark).iter().filter(|it| lost(it)).count(), 0);
    }
}

fn walk_over_tls(joins: Joins) {
    let authority = Authority::new();
    let file = authority.settings("node", &["cluster"], Some("cluster"));
    let cell = Cell::new(Peer::Alertmanager).joins(joins);
    let mut record = Record::begin(&folder().with_file_name("matrix-tls"), &cell);
    walk(Setting { cell, tls: Some(&file) }, &mut record);
    record.finish();
}

fn launch(name: &str, file: &std::path::Path) -> Node {
    let launch = Launch::agent(name).delegate_version([0, 0, 0]);
    launch.flag("--tls-config", file.display()).start()
}

fn names(peers: &[Alertmanager]) -> Vec<String> {
    peers.iter().map(Alertmanager::name).collect()
}

/// The members that an Alertmanager lists.
fn names_known(peer: &Alertmanager) -> BTreeSet<String> {
    let status = peer.status().expect("alertmanager answers");
    let peers = status["cluster"]["peers"].as_array().expect("peers");
    peers.iter().filter_map(|peer| peer["name"].as_str()).map(str::to_owned).collect()
}

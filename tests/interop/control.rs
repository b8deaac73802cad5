//! The peers among themselves: if these tests fail, suspect the harness or the machine, not our node.

use memberlist_tests::{Alertmanager, Launch, Serf, to_hex as hex};

use crate::msgpack::{leave_intent, tags, user_event};
use crate::{KEY, live};

live! {
    /// Our Go program reports every event that the other live tests wait for.
    fn go_and_go() {
        let one = Launch::go("one").key(Some(KEY)).meta(b"first").start();
        let two = Launch::go("two").key(Some(KEY)).start();
        one.tell("state of one");
        two.join(one.addr());
        assert_eq!(two.expect_node("joined", "one")["node"]["meta"], "first");
        one.expect_node("joined", "two");
        two.expect("remote_state", |event| event["text"] == "of one" && event["join"] == true);
        assert_eq!(two.member_names(), ["one", "two"]);

        one.tell("ack-payload pong");
        two.expect("pinged", |event| event["payload_hex"] == "706f6e67");
        assert_eq!(two.tell("ping one")["node"]["name"], "one");
        two.tell("meta second");
        one.expect("updated", |event| event["node"]["meta"] == "second");
        one.tell("broadcast hello all");
        two.expect_message(b"hello all");
        one.tell("send two ");
        two.expect_message(b"");
        two.tell("send-reliable-hex one 00ff");
        one.expect_message(&[0, 0xff]);
        assert_eq!(one.ask("send three x")["event"], "error");

        two.tell("leave");
        assert_eq!(one.expect_node("departed", "two")["reason"]["kind"], "left");
        one.until_node("two", |node| node["state"] == "left");
        assert!(two.quit().success());
    }

    fn go_notices_a_killed_go() {
        let one = Launch::go("one").start();
        let two = Launch::go("two").start();
        two.join(one.addr());
        one.expect_node("joined", "two");
        two.kill();
        assert_eq!(one.expect_node("departed", "two")["reason"]["kind"], "failed");
    }

    fn go_and_serf() {
        let serf = Serf::start("s1", Some(KEY), &[]);
        let go = Launch::go("go")
            .key(Some(KEY))
            .delegate_version([2, 5, 5])
            .meta(&tags(&[("role", "test")]))
            .start();
        go.join(serf.addr());
        serf.until_member("go", "alive", |member| member["tags"]["role"] == "test");
        serf.run("event", &["hello", "x"]).expect("serf event");
        go.expect("message", |event| {
            event["hex"].as_str().is_some_and(|hex| hex.starts_with("03") && hex.contains("68656c6c6f"))
        });
        let event = user_event(10, "from-go", b"payload");
        go.tell(&format!("broadcast-hex {}", hex(&event)));
        serf.process().wait_text("user-event: from-go");

        go.tell(&format!("broadcast-hex {}", hex(&leave_intent(20, "go"))));
        serf.until_member("go", "leaving", |_| true);
        go.tell("leave");
        serf.until_member("go", "left", |_| true);
    }

    fn serf_notices_a_killed_go() {
        let serf = Serf::start("s1", None, &[]);
        let go = Launch::go("go").delegate_version([2, 5, 4]).start();
        serf.join(go.addr());
        serf.until_member("go", "alive", |_| true);
        go.kill();
        serf.until_member("go", "failed", |_| true);
    }

    fn go_and_alertmanager() {
        let alertmanager = Alertmanager::start(None);
        let go = Launch::go("go").start();
        go.join(alertmanager.addr());
        alertmanager.until_peer("go", true);
        let id = alertmanager.create_silence("quiet");
        go.expect("message", |event| {
            event["hex"].as_str().is_some_and(|found| found.contains(&hex(id.as_bytes())))
        });
        go.tell("leave");
        alertmanager.until_peer("go", false);
    }
}

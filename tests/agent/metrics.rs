//! The metrics served to Prometheus.

use memberlist_tests::{Launch, Loopback, eventually, request};

#[test]
fn prometheus_metrics_use_the_go_names() {
    let place = Loopback::reserve();
    let metrics = place.port(9100);
    let one = Launch::agent("one").flag("--metrics", metrics).start();
    let two = Launch::agent("two").start();
    two.join(one.addr());
    one.expect("pinged", |_| true);
    let figures = eventually("metrics of a probe", || {
        let reply = request(metrics, "GET", "/metrics", "")?;
        assert_eq!(reply.status, 200);
        let value = |text: &str| {
            let line = reply.body.lines().find_map(|line| line.strip_prefix(text));
            let figure = line.and_then(|rest| rest.trim().parse::<f64>().ok());
            figure.ok_or_else(|| format!("no {text} in\n{}", reply.body))
        };
        assert!(value("memberlist_node_instances{node_state=\"alive\"}")? > 1.5, "{}", reply.body);
        if value("memberlist_probeNode_count")? < 1.0 {
            return Err("no probe has ended yet".to_owned());
        }
        assert!(value("memberlist_probeNode_sum")? < 60.0, "{}", reply.body);
        assert!(value("memberlist_msg_alive")? > 0.0 && value("memberlist_udp_sent")? > 0.0);
        // One that the Go library does not have.
        assert!(value("memberlist_packets_received")? > 0.0);
        assert!(value("memberlist_decisions{row=\"alive_new\"}")? > 0.0, "{}", reply.body);
        Ok(reply.body)
    });
    assert!(!figures.contains("memberlist_probe_nanos"), "published as a histogram instead");
    assert_eq!(request(metrics, "GET", "/other", "").expect("an answer").status, 404);
}

#[test]
fn a_metrics_port_in_use_is_reported() {
    let place = Loopback::reserve();
    let taken = std::net::TcpListener::bind(place.port(9100)).expect("a free port");
    let address = taken.local_addr().expect("its address");
    let node = Launch::agent("one").flag("--metrics", address).spawn();
    assert_eq!(node.process().wait_exit().code(), Some(1));
    node.process()
        .wait_text(&format!("--metrics: cannot listen on TCP {address}: Address already"));
}

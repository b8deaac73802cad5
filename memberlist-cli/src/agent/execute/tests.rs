use super::*;

#[test]
fn only_what_can_change_at_run_time_can_be_set() {
    let config = Config::lan("n");
    let after = changed(&config, "probe_interval", "2s").unwrap();
    assert_eq!(after.probe_interval, Duration::from_secs(2));
    assert!(!changed(&config, "gossip_verify_incoming", "false").unwrap().gossip_verify_incoming);
    for field in ["udp_buffer_size", "limits.streams", "protocol_version", "bind_addr", "name"] {
        let error = changed(&config, field, "4").unwrap_err();
        assert!(error.contains(field) && error.contains("while the node runs"), "{error}");
    }
    assert!(changed(&config, "nonsense", "4").unwrap_err().contains("nonsense"));
    let error = changed(&config, "gossip_nodes", "1001").unwrap_err();
    assert_eq!(error, "`gossip_nodes` is 1001, but it must be 0 to 1000");
}

use std::string::ToString as _;

use super::*;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Addresses as `ip/prefix interface`. A `-` before one: its interface has no carrier. A `>` before
/// one: it is the source address of packets to the Internet.
fn machine(addresses: &[&str]) -> Machine {
    let mut machine = Machine::default();
    for text in [&["127.0.0.1/8 lo", "::1/128 lo", "fe80::1/64 e0"], addresses].concat() {
        let source = text.starts_with('>');
        let running = !text.starts_with('-');
        let (network, interface) = text.trim_start_matches(['>', '-']).split_once(' ').unwrap();
        let (ip, prefix) = network.split_once('/').unwrap();
        let (ip, prefix) = (ip.parse().unwrap(), prefix.parse().unwrap());
        machine.addresses.push(Candidate { ip, interface: interface.into(), prefix, running });
        machine.outward.extend(source.then_some(ip));
    }
    machine
}

#[track_caller]
fn chosen(bound: IpAddr, addresses: &[&str]) -> Choice {
    machine(addresses).choose(bound).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn any_private_address_is_accepted_and_the_default_route_comes_first() {
    for (addresses, ip, why) in [
        (
            &["10.7.7.7/24 e0"][..],
            "10.7.7.7",
            "the only private address, of e0; there is no default route",
        ),
        (
            &["10.7.7.7/24 e0", ">203.0.113.5/24 e1"],
            "10.7.7.7",
            "the only private address, of e0; the default route leads through e1, by 203.0.113.5",
        ),
        (
            &["10.7.7.7/8 e0", ">192.168.1.5/24 e1"],
            "192.168.1.5",
            "the first of 2 private addresses, of e1; the default route leads through the same \
             interface; the others: 10.7.7.7 of e0",
        ),
        // A public source address, with a private one beside it.
        (
            &["10.7.7.7/8 e0", "192.168.1.5/24 e1", ">203.0.113.5/24 e1"],
            "192.168.1.5",
            "the first of 2 private addresses, of e1; the default route leads through the same \
             interface; the others: 10.7.7.7 of e0",
        ),
        // Beside a virtual address in a larger network.
        (
            &["10.0.0.99/8 e0", ">10.1.0.5/16 e0"],
            "10.1.0.5",
            "the first of 2 private addresses, of e0; the default route leads through the same \
             interface; the others: 10.0.0.99 of e0",
        ),
    ] {
        for bound in [V4, V6] {
            let choice = chosen(bound, addresses);
            assert_eq!(choice.to_string(), why);
            assert_eq!(choice.ip.to_string(), ip);
            assert!(!choice.is_a_guess(), "{choice}");
        }
    }
}

/// Without a default route, in this order: with a carrier, IPv4, the larger network.
#[test]
fn without_a_default_route_the_order_is_that_of_go() {
    let all = [
        "-172.17.0.1/16 docker0",
        "fd00:7::7/8 e0",
        "192.168.1.5/24 e1",
        "10.7.7.7/16 e2",
        "10.8.8.8/16 e3",
        "100.64.1.1/10 vpn",
        "198.18.0.1/24 e4",
    ];
    let choice = chosen(V6, &all);
    assert!(choice.is_a_guess());
    let others = choice.others.iter().map(|it| it.ip.to_string());
    let order: Vec<_> = [choice.ip.to_string()].into_iter().chain(others).collect();
    let expected = [
        "100.64.1.1",
        "10.7.7.7",
        "10.8.8.8",
        "192.168.1.5",
        "198.18.0.1",
        "fd00:7::7",
        "172.17.0.1",
    ];
    assert_eq!(order, expected);
    assert!(choice.to_string().ends_with(", fd00:7::7 of e0, …"), "{choice}");
    assert!(chosen(V4, &all).others.iter().all(|it| it.ip.is_ipv4()));
    let both = ["fd00:7::7/8 e0", "10.7.7.7/16 e0"];
    assert!(!chosen(V6, &both).is_a_guess(), "one of either family");
    assert!(chosen(V4, &["10.7.7.7/16 e0", "10.7.7.8/16 e0"]).is_a_guess());
    let public = chosen(V4, &["10.7.7.7/24 e0", "10.8.8.8/24 e1", ">203.0.113.5/24 e2"]);
    assert!(public.is_a_guess());
}

#[test]
fn a_machine_with_ipv6_only_gets_its_own_errors() {
    let local = ["fd00:7::7/64 e0", "2001:db8::7/64 e0"];
    assert_eq!(chosen(V6, &local).ip.to_string(), "fd00:7::7");
    let error = |bound, addresses| machine(addresses).choose(bound).unwrap_err().to_string();
    assert_eq!(
        error(V4, &local),
        "bound to 0.0.0.0, and this machine has IPv6 addresses only: it has fd00:7::7 of e0, \
         2001:db8::7 of e0; bind to [::], or set an address to advertise"
    );
    assert_eq!(
        error(V4, &["fd00:7::7/64 e0", "203.0.113.5/24 e1"]),
        "bound to 0.0.0.0, and this machine has no private IPv4 address: it has fd00:7::7 of e0, \
         203.0.113.5 of e1; bind to [::], or set an address to advertise"
    );
    let global = ["2001:db8::7/64 e0"];
    let none = "this machine has IPv6 addresses only, none of them unique local (fc00::/7): it has \
                2001:db8::7 of e0";
    assert_eq!(
        error(V4, &global),
        std::format!("bound to 0.0.0.0, and {none}; bind to [::] and set an address to advertise")
    );
    assert_eq!(
        error(V6, &global),
        std::format!("bound to ::, and {none}; set an address to advertise")
    );
}

#[test]
fn public_addresses_are_listed_but_not_chosen() {
    let refused = |bound, addresses| machine(addresses).choose(bound).unwrap_err();
    let error = refused(V4, &["203.0.113.5/24 e1"]);
    assert_eq!(error.found, [("203.0.113.5".parse().unwrap(), "e1".into())]);
    assert_eq!(
        error.to_string(),
        "bound to 0.0.0.0, and no address of this machine is private: it has 203.0.113.5 of e1; \
         set an address to advertise"
    );
    // Link-local addresses are useless to peers.
    for bound in [V4, V6] {
        assert_eq!(
            refused(bound, &["169.254.1.1/16 e1", ">fe80::2/64 e1"]).to_string(),
            std::format!(
                "bound to {bound}, and no interface of this machine that is up has an address that \
                 others can reach; set an address to advertise"
            )
        );
    }
    let many: Vec<_> = (1..9).map(|host| std::format!("203.0.113.{host}/24 e1")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let error = refused(V4, &many).to_string();
    assert!(error.contains("203.0.113.5 of e1, …; "), "{error}");
}

/// The interfaces of the machine that runs the test.
#[test]
fn this_machine_has_a_loopback_address() {
    let machine = Machine::look().expect("interfaces");
    let loopback = machine.addresses.iter().find(|it| it.ip == IpAddr::from([127, 0, 0, 1]));
    assert_eq!(loopback.map(|it| it.prefix), Some(8), "{machine:?}");
    for ip in &machine.outward {
        assert!(machine.addresses.iter().any(|it| it.ip == *ip), "{ip}: {machine:?}");
    }
}

#[test]
fn addresses_that_only_a_network_of_ones_own_has_are_private() {
    for (ip, private) in [
        ("10.0.0.1", true),
        ("127.0.0.1", true),
        ("169.254.1.1", true),
        ("100.64.0.1", true),
        ("100.127.255.255", true),
        ("100.128.0.1", false),
        ("101.64.0.1", false),
        ("198.18.0.1", true),
        ("198.19.0.1", true),
        ("198.20.0.1", false),
        ("199.18.0.1", false),
        ("203.0.113.5", false),
        ("::1", true),
        ("fd00::1", true),
        ("fe80::1", true),
        ("2001:db8::1", false),
        ("::ffff:10.0.0.1", true),
        ("::ffff:8.8.8.8", false),
    ] {
        assert_eq!(is_private(ip.parse().unwrap()), private, "{ip}");
    }
}

/// As many others as are named are named, and one more is hinted at.
#[test]
fn a_long_list_of_addresses_is_cut() {
    let all: Vec<String> = (1..=7).map(|n| format!("10.0.0.{n}/24 e{n}")).collect();
    let said = |count: usize| {
        let addresses: Vec<&str> = all[..count].iter().map(String::as_str).collect();
        chosen(V4, &addresses).to_string()
    };
    let exact = said(1 + NAMED);
    assert!(exact.contains("10.0.0.6") && !exact.contains('…'), "{exact}");
    let cut = said(2 + NAMED);
    assert!(cut.ends_with(", …") && !cut.contains("10.0.0.7"), "{cut}");
}

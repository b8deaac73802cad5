use super::*;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

fn lost(name: &str, port: u16, since: u64) -> Lost {
    Lost {
        name: Some(name.into()),
        address: at(port),
        since: Instant::from_nanos(since),
        answered: true,
    }
}

fn ports(wanted: &Wanted) -> Vec<u16> {
    wanted.all().iter().map(|it| it.address.port()).collect()
}

#[test]
fn what_died_first_makes_room_for_what_died_last() {
    let mut wanted = Wanted::default();
    for (index, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        wanted.lose(lost(name, 1 + index as u16, index as u64), 3);
    }
    assert_eq!(ports(&wanted), [2, 3, 4]);
    wanted.lose(lost("b", 9, 9), 3);
    assert_eq!(ports(&wanted), [3, 4, 9], "a name is remembered once, where it was last");
}

#[test]
fn whoever_is_found_or_gone_too_long_is_wanted_no_more() {
    let mut wanted = Wanted::default();
    for (index, name) in ["a", "b", "c"].into_iter().enumerate() {
        wanted.lose(lost(name, 1 + index as u16, 10 * index as u64), 3);
    }
    wanted.found(b"b");
    wanted.found(b"unknown");
    assert_eq!(ports(&wanted), [1, 3]);
    wanted.give_up(Instant::from_nanos(29), Duration::from_nanos(10));
    assert_eq!(ports(&wanted), [3]);
    wanted.give_up(Instant::from_nanos(30), Duration::from_nanos(10));
    assert!(wanted.is_empty());
}

#[test]
fn every_address_is_wanted_once() {
    let seeds = ["10.0.0.1:1", "n2/10.0.0.1", "name:3"].map(|text| text.parse().unwrap());
    let mut wanted = Wanted::new(&seeds, 2);
    wanted.seeds[2].addresses.extend([at(1), at(3), at(4)]);
    wanted.lose(lost("x", 4, 1), 3);
    assert_eq!(ports(&wanted), [1, 2, 3, 4], "each address once");
    assert_eq!(wanted.all()[1].name, Some("n2".into()));
    let now = Instant::from_nanos(5);
    wanted.tried(now, at(1), &Err(JoinError::TimedOut));
    let reported: Vec<_> = wanted.seeds.iter().map(|it| it.last.is_some()).collect();
    assert_eq!(reported, [true, false, true]);
}

/// As members die, come back, move and are given up, the counts stay equal to those counted anew;
/// and the member that is dropped is one of the host with the most.
#[test]
fn hosts_are_counted_along() {
    let mut wanted = Wanted::default();
    let mut state = 1_u32;
    let mut below = |end: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % end
    };
    for round in 0..4000 {
        let (name, host) = (alloc::format!("n{}", below(60)), below(6) as u8);
        let address = SocketAddr::from(([10, 0, 0, host], 1 + below(3) as u16));
        match below(8) {
            0 => wanted.found(name.as_bytes()),
            1 => wanted.taken(address, name.as_bytes()),
            2 => wanted.give_up(Instant::from_nanos(round), Duration::from_nanos(200)),
            _ => {
                let answered = below(10) > 0;
                let before: Vec<_> = wanted.lost().cloned().collect();
                let lost = Lost { address, answered, ..lost(&name, 1, round) };
                wanted.lose(lost.clone(), 20);
                gave_way(before, lost, &wanted);
            }
        }
        let mut anew = Hosts::default();
        wanted.lost().for_each(|lost| anew.add(lost));
        assert_eq!(wanted.hosts, anew, "round {round}");
    }
}

fn gave_way(mut before: Vec<Lost>, lost: Lost, after: &Wanted) {
    before.retain(|it| it.name != lost.name);
    before.push(lost);
    let there = |it: &Lost| after.lost().any(|left| left.name == it.name);
    let gone: Vec<&Lost> = before.iter().filter(|it| !there(it)).collect();
    let [gone] = gone[..] else { return assert!(gone.is_empty() && before.len() <= 20) };
    assert_eq!(before.len(), 21);
    let invented = before.iter().any(|it| !it.answered);
    let gives_way = |it: &&Lost| !it.answered || !invented;
    assert!(gives_way(&gone));
    let of = |host| before.iter().filter(gives_way).filter(|it| it.address.ip() == host).count();
    let most = before.iter().map(|it| of(it.address.ip())).max();
    assert_eq!(Some(of(gone.address.ip())), most);
    let first = |it: &&Lost| gives_way(it) && it.address.ip() == gone.address.ip();
    assert_eq!(before.iter().find(first).map(|it| &it.name), Some(&gone.name));
}

/// `cargo test --release -p memberlist-proto --lib -- --ignored --nocapture full_list`.
#[test]
#[ignore = "prints a figure"]
fn what_a_death_costs_with_a_full_list() {
    let mut wanted = Wanted::default();
    let host = |number: u32| SocketAddr::from((number.to_be_bytes(), 7946));
    let mut lose = |number: u32| {
        let name = alloc::format!("node-{number}");
        wanted.lose(Lost { address: host(number), ..lost(&name, 1, number.into()) }, 1024);
    };
    (0..1024).for_each(&mut lose);
    #[allow(clippy::disallowed_methods)]
    let begun = std::time::Instant::now();
    (1024..21_024).for_each(&mut lose);
    std::println!("{:?} each", begun.elapsed() / 20_000);
}

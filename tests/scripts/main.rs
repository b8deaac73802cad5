//! Scenarios as text, one file each: what stands below `----` must be what happens. `UPDATE=1 cargo
//! test -p memberlist-tests --test scripts` rewrites that part; conditions must still hold. The
//! language is described at `memberlist_sim::script`.

use std::collections::BTreeSet;
use std::path::Path;

use memberlist_sim::script;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts"))
}

fn check(name: &str) {
    let update = std::env::var_os("UPDATE").is_some();
    let file = folder().join(format!("{name}.txt"));
    if let Err(error) = script::check(&file, update) {
        panic!("{}: {error}", file.display());
    }
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_file_is_run() {
            let known: BTreeSet<_> = [$(concat!(stringify!($name), ".txt").to_owned()),*].into();
            let entries = std::fs::read_dir(folder()).expect("a folder of scripts");
            let names = entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned());
            let found: BTreeSet<_> = names.filter(|it| it.ends_with(".txt")).collect();
            assert_eq!(found, known);
        }
    };
}

scripts! {
    address_reuse
    broadcasts_under_churn
    deaf_and_mute
    determinism
    fallback_ping
    flapping_halves
    indirect_probe
    join
    join_by_name
    kill
    label_and_key_mistakes
    label_roll_out
    leave
    leave_after_mass_kill
    leave_under_loss
    lifeguard
    mass_restart
    messages
    missed_leave
    metadata
    name_conflict
    narrow_links
    news_of_the_forgotten
    news_without_company
    partition_and_heal
    refute
    restart_elsewhere
    restart_in_place
    reused_address
    slow_process
    unplugged
}

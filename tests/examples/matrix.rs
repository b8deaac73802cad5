//! Prints the table of the live matrix from the records of its tests, and fails unless every cell is
//! present and passed. `--clear` deletes the records of earlier runs instead.

use std::fs;
use std::io::ErrorKind;
use std::process::{Command, ExitCode};

use memberlist_tests::matrix::{Table, folder};

const PACKAGES: [&str; 3] =
    ["golang-github-hashicorp-memberlist-dev", "serf", "prometheus-alertmanager"];

fn main() -> ExitCode {
    let folder = folder();
    if std::env::args().nth(1).as_deref() == Some("--clear") {
        return match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                eprintln!("{}: {error}", folder.display());
                ExitCode::FAILURE
            }
            _ => ExitCode::SUCCESS,
        };
    }
    let table = Table::read(&folder);
    println!("{}\n\n{table}", versions());
    let faults = table.faults();
    for fault in &faults {
        eprintln!("{fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The versions of the peers' Debian packages.
fn versions() -> String {
    let format = "${Package} ${Version}\n";
    let found = Command::new("dpkg-query").args(["-W", "-f", format]).args(PACKAGES).output();
    let text = found.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.map_or_else(|error| format!("versions unknown: {error}"), |text| text.trim().to_owned())
}

//! The Go library, in Debian's release: `go/workloads_test.go` runs the same workloads. They call
//! functions that are not public; therefore the file is put into a temporary copy of the library.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: &str = "/usr/share/gocode";
const PACKAGE: &str = "src/github.com/hashicorp/memberlist";

/// Measures the workloads: their names in the table, and nanoseconds or bytes.
pub(crate) fn run() -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = bench.join("target");
    let path = target.join("go-path");
    let package = path.join(PACKAGE);
    if package.exists() {
        std::fs::remove_dir_all(&package)?;
    }
    std::fs::create_dir_all(package.parent().expect("below src"))?;
    carried_out(Command::new("cp").arg("-rL").arg(Path::new(SOURCES).join(PACKAGE)).arg(&package))?;
    for test in tests(&package)? {
        std::fs::remove_file(test)?;
    }
    let ours = "workloads_test.go";
    std::fs::copy(bench.join("go").join(ours), package.join(ours))?;
    let printed = carried_out(
        Command::new("go")
            .current_dir(&package)
            .env("GO111MODULE", "off")
            .env("GOPATH", format!("{}:{SOURCES}", path.display()))
            .env("GOCACHE", target.join("go-cache"))
            .args(["test", "-count=1", "-v", "-timeout", "30m", "-run", "TestWorkloads", "."]),
    )?;
    let figure = |line: &str| {
        let (name, figure) = line.split_once('\t')?;
        Some((name.to_owned(), figure.parse().ok()?))
    };
    Ok(printed.lines().filter_map(figure).collect())
}

fn tests(package: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(package)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("_test.go") {
            found.push(path);
        }
    }
    Ok(found)
}

fn carried_out(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    if !output.status.success() {
        let [said, complained] = [output.stdout, output.stderr].map(String::from_utf8);
        return Err(format!("{command:?}: {}{}", said?, complained?).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

//! The result of a cell, kept in a file of its own until the table is printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use super::Cell;
use crate::binary::work_dir;

/// The folder of the records.
pub fn folder() -> PathBuf {
    work_dir().join("matrix")
}

/// A check that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The name of the check.
    pub name: String,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// How far a cell got.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It never ran.
    Missing,
    /// It failed at this check.
    Failed(String),
    /// Every check passed.
    Passed(Vec<Check>),
}

impl Outcome {
    /// Reads the record of a cell in `folder`.
    pub fn read(folder: &Path, cell: &Cell) -> Self {
        let Ok(text) = fs::read_to_string(file(folder, cell)) else { return Self::Missing };
        Self::parse(&text).unwrap_or_else(|| Self::Failed("an unreadable record".to_owned()))
    }

    fn parse(text: &str) -> Option<Self> {
        let record: Value = serde_json::from_str(text).ok()?;
        if let Some(running) = record["running"].as_str() {
            return Some(Self::Failed(running.to_owned()));
        }
        let checks = record["checks"].as_array()?.iter().map(|check| {
            let name = check["name"].as_str()?.to_owned();
            Some(Check { name, seconds: check["seconds"].as_f64()? })
        });
        checks.collect::<Option<Vec<_>>>().map(Self::Passed)
    }
}

/// The record of a running cell. Until [`Record::finish`], the file names the current check.
#[derive(Debug)]
pub struct Record {
    file: PathBuf,
    checks: Vec<Check>,
}

impl Record {
    /// Begins the record of a cell, and overwrites that of an earlier run.
    #[track_caller]
    pub fn begin(folder: &Path, cell: &Cell) -> Self {
        fs::create_dir_all(folder).expect("the target folder is writable");
        let record = Self { file: file(folder, cell), checks: Vec::new() };
        record.write(Some("starting"));
        record
    }

    /// Runs one check.
    pub fn check<T>(&mut self, name: &str, check: impl FnOnce() -> T) -> T {
        self.write(Some(name));
        let began = Instant::now();
        let shown = check();
        let seconds = began.elapsed().as_secs_f64();
        self.checks.push(Check { name: name.to_owned(), seconds });
        shown
    }

    /// Records that every check has passed.
    pub fn finish(self) {
        self.write(None);
    }

    fn write(&self, running: Option<&str>) {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| json!({ "name": check.name, "seconds": check.seconds }))
            .collect();
        let text = json!({ "running": running, "checks": checks }).to_string();
        fs::write(&self.file, text).expect("the target folder is writable");
    }
}

pub(super) fn file(folder: &Path, cell: &Cell) -> PathBuf {
    folder.join(format!("{}.json", cell.name()))
}

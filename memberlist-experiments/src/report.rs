//! What an experiment has found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::page;
use crate::plot::{DrawError, Plot};
use crate::table::Table;

/// Something that a result should show: an order of figures, not a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// What.
    pub text: String,
    /// Whether it does.
    pub holds: bool,
}

/// The tables and plots of an experiment, and what they were expected to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The name of the experiment, and of the page's file.
    pub name: String,
    /// What it is about.
    pub title: String,
    /// How it was made, so that it can be made again.
    pub command: String,
    /// What has to be known to read it.
    pub notes: Vec<String>,
    /// The shape of the result.
    pub expectations: Vec<Expectation>,
    /// The figures.
    pub tables: Vec<Table>,
    /// The pictures.
    pub plots: Vec<Plot>,
}

impl Report {
    /// An empty one.
    pub fn new(name: &str, title: &str) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            command: String::new(),
            notes: Vec::new(),
            expectations: Vec::new(),
            tables: Vec::new(),
            plots: Vec::new(),
        }
    }

    /// Adds what has to be known to read it.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds an expectation, and whether it holds.
    pub(crate) fn expect(&mut self, text: impl Into<String>, holds: bool) {
        self.expectations.push(Expectation { text: text.into(), holds });
    }

    /// What was expected and is not so.
    pub fn failed(&self) -> impl Iterator<Item = &Expectation> {
        self.expectations.iter().filter(|it| !it.holds)
    }

    /// As Markdown, for a terminal or a document; `pictures` links the files beside it.
    pub fn markdown(&self, pictures: bool) -> String {
        let mut parts = vec![format!("# {}", self.title)];
        if !self.command.is_empty() {
            parts.push(format!("```sh\n{}\n```", self.command));
        }
        parts.extend(self.notes.iter().cloned());
        if !self.expectations.is_empty() {
            let line = |it: &Expectation| {
                format!("- {}: {}", if it.holds { "holds" } else { "**does not hold**" }, it.text)
            };
            parts.push(self.expectations.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        if pictures {
            parts.extend(
                self.plots.iter().map(|it| format!("![{}]({}.svg)", it.title(), it.name())),
            );
        }
        for table in &self.tables {
            parts.push(format!("## {}\n\n{}", table.title(), table.markdown().trim_end()));
        }
        parts.join("\n\n") + "\n"
    }

    /// As one page of HTML that needs nothing else.
    ///
    /// # Errors
    ///
    /// A plot has nothing to draw.
    pub fn html(&self) -> Result<String, DrawError> {
        page::html(self)
    }

    /// Writes the page, `results.md`, a CSV file for each table and an SVG file for each plot into a
    /// folder, which is made if need be; the path of the page.
    ///
    /// # Errors
    ///
    /// A file cannot be written, or a plot has nothing to draw.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, WriteError> {
        let put = |name: String, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| WriteError::File(path.clone(), error))?;
            Ok::<_, WriteError>(path)
        };
        fs::create_dir_all(folder).map_err(|error| WriteError::File(folder.into(), error))?;
        for table in &self.tables {
            put(format!("{}.csv", table.name()), table.csv())?;
        }
        for plot in &self.plots {
            put(format!("{}.svg", plot.name()), plot.svg()?)?;
        }
        put("results.md".into(), self.markdown(true))?;
        put(format!("{}.html", self.name), self.html()?)
    }
}

/// Why the files of a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// One of them.
    #[error("{}: {_1}", _0.display())]
    File(PathBuf, io::Error),
    /// There is nothing to draw.
    #[error(transparent)]
    Draw(#[from] DrawError),
}

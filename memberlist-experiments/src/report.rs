//! Reports: the results of an experiment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::page;
use crate::plot::{DrawError, Plot};
use crate::table::Table;

/// Something that a result should show. It is about the shape of the result, such as which of two
/// figures is lower, rather than about exact figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The expectation as text.
    pub text: String,
    /// Whether the result shows it.
    pub holds: bool,
}

/// The tables and plots of an experiment, and whether they show what was expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The name of the experiment, and of the page's file.
    pub name: String,
    /// The heading of the report.
    pub title: String,
    /// The command that makes the report again; empty if it is not known.
    pub command: String,
    /// Paragraphs that explain the experiment and its figures.
    pub notes: Vec<String>,
    /// The expectations, and whether they hold.
    pub expectations: Vec<Expectation>,
    /// The tables of figures.
    pub tables: Vec<Table>,
    /// The plots of figures.
    pub plots: Vec<Plot>,
}

impl Report {
    /// Creates an empty report.
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

    /// Adds a paragraph that explains the experiment or its figures.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds an expectation, and whether it holds.
    pub(crate) fn expect(&mut self, text: impl Into<String>, holds: bool) {
        self.expectations.push(Expectation { text: text.into(), holds });
    }

    /// The expectations that do not hold.
    pub fn failed(&self) -> impl Iterator<Item = &Expectation> {
        self.expectations.iter().filter(|it| !it.holds)
    }

    /// Returns the report as Markdown, for a terminal or a document. With `pictures` it links the
    /// files of the plots, `NAME.svg`.
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

    /// Returns the report as one page of HTML that needs no other files.
    ///
    /// # Errors
    ///
    /// A plot has nothing to draw.
    pub fn html(&self) -> Result<String, DrawError> {
        page::html(self)
    }

    /// Writes the page, `results.md`, a CSV file for each table and an SVG file for each plot into a
    /// folder, which is created if it does not exist. Returns the path of the page.
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
    /// A file, or the folder, cannot be written.
    #[error("{}: {_1}", _0.display())]
    File(PathBuf, io::Error),
    /// A plot cannot be drawn.
    #[error(transparent)]
    Draw(#[from] DrawError),
}

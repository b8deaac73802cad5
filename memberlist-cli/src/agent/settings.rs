//! Settings from a TOML file, with errors of one line each.

use std::path::Path;

pub(crate) use memberlist_driver::settings::{Settings, names, set, split};

/// Sets every field of a TOML file; an error names the file, the line and the reason in one line.
pub(crate) fn load(settings: &mut Settings, path: &Path) -> Result<(), String> {
    let file = path.to_string_lossy().escape_debug().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
    read(settings, &text).map_err(|error| format!("{file}: {error}"))
}

// The error's own text would repeat the line, which may contain a key.
fn read(settings: &mut Settings, text: &str) -> Result<(), String> {
    let parsed = toml::Deserializer::parse(text);
    parsed.and_then(|document| settings.update(document)).map_err(|error| {
        let end = error.span().map_or(0, |span| span.start);
        let line = text.get(..end).map_or(1, |before| before.split('\n').count());
        format!("line {line}: {}", error.message().replace('\n', " "))
    })
}

#[cfg(test)]
mod tests;

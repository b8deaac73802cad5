//! Keys in a file, where neither `ps` nor the environment shows them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use memberlist_proto::Key;

/// The longest file that is read, in bytes.
const FILE_MAX: u64 = 64 << 10;

/// Reads a file with one key in base64 per line, the primary first. Empty lines and lines that
/// begin with `#` are ignored. An error never repeats text of the file.
pub(super) fn read(path: &Path) -> Result<Vec<Key>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| failed(&error))?;
    warn_if_public(path, &file);
    let mut text = String::new();
    file.take(FILE_MAX + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() as u64 > FILE_MAX {
        return Err(failed(&format_args!("longer than {FILE_MAX} bytes")));
    }
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            let key = line.parse::<Key>();
            keys.push(key.map_err(|error| failed(&format_args!("line {number}: {error}")))?);
        }
    }
    if keys.is_empty() {
        return Err(failed(&"there is no key in it"));
    }
    Ok(keys)
}

#[cfg(unix)]
fn warn_if_public(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt as _;
    let public = |mode: u32| mode & 0o004 != 0;
    if file.metadata().is_ok_and(|about| public(about.permissions().mode())) {
        tracing::warn!("--key-file: every user can read {}", path.display());
    }
}

#[cfg(not(unix))]
fn warn_if_public(_path: &Path, _file: &File) {}

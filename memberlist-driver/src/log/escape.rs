//! Escapes text that others have chosen, so that it stays on one line.

use std::fmt::{self, Display, Write};

use memberlist_proto::Name;

/// Displays a value with everything escaped that could break a line or hide a part of it: control
/// characters, line ends of any kind, and unprintable characters.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

struct Escaper<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                // Quotes are harmless, and our own lines contain them.
                '\'' | '"' => self.0.write_char(character)?,
                _ => write!(self.0, "{}", character.escape_debug())?,
            }
        }
        Ok(())
    }
}

/// A node's name, with bytes that are not UTF-8 as `\xNN`.
pub(super) fn escaped_name(name: Name<'_>) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}", Escaped(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

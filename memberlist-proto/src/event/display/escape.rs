//! Texts of unknown origin on one line.

use core::fmt::{self, Display, Formatter, Write};

/// The most bytes shown of a payload.
const SHOWN: usize = 64;

/// A name, whose bytes need not be UTF-8: those that are not appear as `\xff`. It is quoted where
/// it would otherwise run into the words around it. Two different names never look the same.
pub(super) struct Text<'a>(pub(super) &'a [u8]);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = self.0.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
        let runs_on = |letter: char| letter.is_whitespace() || matches!(letter, '"' | ',');
        let quote = if self.0.is_empty() || text.any(runs_on) { "\"" } else { "" };
        write!(f, "{quote}{}{quote}", Bytes(self.0))
    }
}

/// Anything that is displayed, escaped: errors quote peers.
pub(crate) struct Line<T>(pub(crate) T);

impl<T: Display> Display for Line<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Escape(f), "{}", self.0)
    }
}

/// The beginning of a payload in quotes, and its length where that is not all of it.
pub(super) struct Excerpt<'a>(pub(super) &'a [u8]);

impl Display for Excerpt<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.len() <= SHOWN {
            return write!(f, "\"{}\"", Bytes(self.0));
        }
        // Not within a character: its first part would look like bytes that are not text.
        let begins = |at: &usize| self.0.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
        let end = (SHOWN - 3..=SHOWN).rev().find(begins).unwrap_or(SHOWN);
        let shown = self.0.get(..end).unwrap_or_default();
        write!(f, "\"{}…\" ({} bytes)", Bytes(shown), self.0.len())
    }
}

/// Bytes as text, also within quotes.
struct Bytes<'a>(&'a [u8]);

impl Display for Bytes<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for (index, part) in chunk.valid().split('"').enumerate() {
                f.write_str(if index == 0 { "" } else { "\\\"" })?;
                Escape(&mut *f).write_str(part)?;
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

/// Passes text on, with escapes for what would end the line, reorder it or look like an escape.
struct Escape<'a, W>(&'a mut W);

impl<W: Write> Write for Escape<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|letter| match letter {
            '\\' => self.0.write_str("\\\\"),
            _ if letter.is_control() => write!(self.0, "{}", letter.escape_debug()),
            // Line and paragraph separators; marks that change the direction of writing.
            '\u{2028}'
            | '\u{2029}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{061c}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                write!(self.0, "{}", letter.escape_unicode())
            }
            _ => self.0.write_char(letter),
        })
    }
}

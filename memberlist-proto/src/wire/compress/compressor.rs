//! Compressing and decompressing whole messages with any of the algorithms.

use alloc::vec::Vec;

use super::{Algorithm, CompressError, Compressed, Lzw, Snappy};

/// Every algorithm, with working memory that is reused from one message to the next.
#[derive(Debug, Default)]
pub struct Compressor {
    lzw: Lzw,
    snappy: Snappy,
    output: Vec<u8>,
}

impl Compressor {
    /// Appends the compressed message for `message`, type byte first, if all of it takes at most
    /// `limit` bytes, and returns whether it did. Always returns `false` for an algorithm that is
    /// not [built in](Algorithm::is_built_in).
    pub fn encode(
        &mut self,
        algorithm: Algorithm,
        message: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        self.output.clear();
        let fits = match algorithm {
            Algorithm::Lzw => self.lzw.compress(message, limit, &mut self.output),
            Algorithm::Snappy => self.snappy.compress(message, limit, &mut self.output),
        };
        if !fits {
            return false;
        }
        let start = out.len();
        Compressed { algo: algorithm.code(), buf: Some(&self.output) }.encode(out);
        let fits = out.len().saturating_sub(start) <= limit;
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// Decompresses the body of a compressed message (without the type byte) and appends the
    /// message inside to `out`. Returns the algorithm.
    ///
    /// # Errors
    /// The body is malformed, or decompresses to nothing or to more than `max` bytes. `out` is
    /// unchanged then.
    pub fn decode(
        &mut self,
        body: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Algorithm, CompressError> {
        self.decode_counted(body, max, out).0
    }

    /// As [`decode`](Self::decode). Also returns how many bytes were decompressed, even if that
    /// ended in an error: a packet's budget counts the work, whether or not it led to a message.
    pub(in crate::wire) fn decode_counted(
        &mut self,
        body: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> (Result<Algorithm, CompressError>, usize) {
        let Compressed { algo, buf } = match Compressed::decode(body) {
            Ok(message) => message,
            Err(error) => return (Err(CompressError::Message(error)), 0),
        };
        let Some(algorithm) = Algorithm::from_code(algo) else {
            return (Err(CompressError::UnknownAlgorithm(algo)), 0);
        };
        let input = buf.unwrap_or_default();
        let (result, made) = match algorithm {
            Algorithm::Lzw => self.lzw.decompress_counted(input, max, out),
            Algorithm::Snappy => self.snappy.decompress_counted(input, max, out),
        };
        match (result, made) {
            (Ok(()), 0) => (Err(CompressError::Empty), 0),
            (result, made) => (result.map(|()| algorithm), made),
        }
    }

    /// Whether `compressed`, type byte first, is `message` compressed with LZW, in the form that
    /// [`encode`](Self::encode) writes. Only the LZW data itself may differ from what it would
    /// write.
    pub fn is_lzw_of(&mut self, compressed: &[u8], message: &[u8]) -> bool {
        let Ok(found) = Compressed::decode(compressed.get(1..).unwrap_or_default()) else {
            return false;
        };
        let (algo, input) = (Algorithm::Lzw.code(), found.buf.unwrap_or_default());
        self.output.clear();
        Compressed { algo, buf: Some(input) }.encode(&mut self.output);
        self.output == compressed && self.lzw.decompresses_to(input, message)
    }

    /// The buffer that the compressed bytes are written to first.
    pub(in crate::wire) const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Bytes currently allocated, without the tables of the algorithms.
    #[cfg(test)]
    pub(in crate::wire) const fn capacity(&self) -> usize {
        self.output.capacity()
    }
}

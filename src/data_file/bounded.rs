//! A reader that fails beyond a number of bytes.

use std::fmt;
use std::io::{self, Read};

/// A reader that fails beyond a number of bytes.
#[derive(Debug)]
pub(crate) struct Bounded<R> {
    inner: R,
    left: u64,
    limit: u64,
    option: &'static str,
}

/// Why a [`Bounded`] reader fails.
#[derive(Debug)]
pub(super) struct Exceeded {
    pub(super) limit: u64,
    /// The field of `ReadLimits` that sets the limit.
    pub(super) option: &'static str,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} bytes; {} of ReadLimits is the limit", self.limit, self.option)
    }
}

impl std::error::Error for Exceeded {}

impl<R> Bounded<R> {
    /// At most `limit` bytes of `inner`; `option` is the field of `ReadLimits` that sets the limit.
    pub(crate) fn new(inner: R, limit: u64, option: &'static str) -> Self {
        Self { inner, left: limit, limit, option }
    }

    /// Allows the full number of bytes again.
    pub(crate) fn renew(&mut self) {
        self.left = self.limit;
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            // Data that end at the limit are within it.
            return match self.inner.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::other(Exceeded { limit: self.limit, option: self.option })),
            };
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let n_bytes = self.inner.read(&mut buffer[..most])?;
        self.left -= n_bytes as u64;
        Ok(n_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_exactly_the_limit_are_read_and_one_byte_more_is_not() {
        for (n_bytes, limit, fits) in [(0, 0, true), (5, 5, true), (5, 6, true), (6, 5, false), (1, 0, false)]
        {
            let data = vec![7_u8; n_bytes];
            let mut read = Vec::new();
            let result = Bounded::new(data.as_slice(), limit, "max_file_bytes").read_to_end(&mut read);
            assert_eq!(result.is_ok(), fits, "{n_bytes} bytes, limit {limit}");
            assert_eq!(read.len() as u64, (n_bytes as u64).min(limit));
        }
        let mut endless = Bounded::new(io::repeat(1), 3, "max_stream_bytes");
        assert_eq!(endless.read(&mut [0; 8]).unwrap(), 3);
        assert!(endless.read(&mut [0; 8]).unwrap_err().to_string().contains("max_stream_bytes"));
        endless.renew();
        assert_eq!(endless.read(&mut [0; 2]).unwrap(), 2);
    }
}

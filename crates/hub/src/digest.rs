//! The two checksums by which a hub names its files.

use std::fmt::Write as _;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

/// The checksum that a file should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// Of a large file: SHA-256 over its bytes.
    Sha256(String),
    /// Of a small file: git's hash, which is SHA-1 over its length and its bytes.
    Git(String),
}

impl Checksum {
    /// A SHA-256 in lower-case digits, if it is one.
    pub(crate) fn sha256(text: &str) -> Option<Self> {
        is_hexadecimal(text, 64).then(|| Self::Sha256(text.to_owned()))
    }

    /// A hash of git in lower-case digits, if it is one.
    pub(crate) fn git(text: &str) -> Option<Self> {
        is_hexadecimal(text, 40).then(|| Self::Git(text.to_owned()))
    }

    /// The digits. They are the file's name in the cache.
    pub(crate) fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::Git(digits) => digits,
        }
    }

    /// What it is called.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "SHA-256",
            Self::Git(_) => "git",
        }
    }

    /// Begins to compute the checksum of this kind of a file of `length` bytes.
    pub(crate) fn summing(&self, length: u64) -> Summing {
        Summing(match self {
            Self::Sha256(_) => Context::new(&SHA256),
            Self::Git(_) => {
                let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
                context.update(format!("blob {length}\0").as_bytes());
                context
            }
        })
    }
}

fn is_hexadecimal(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// A checksum that is being computed.
pub(crate) struct Summing(Context);

impl Summing {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digits.
    pub(crate) fn finish(self) -> String {
        self.0.finish().as_ref().iter().fold(String::new(), |mut digits, byte| {
            let _ = write!(digits, "{byte:02x}");
            digits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_usual_tools() {
        let sum = |checksum: Checksum, bytes: &[u8]| {
            let mut summing = checksum.summing(bytes.len() as u64);
            for piece in bytes.chunks(2) {
                summing.add(piece);
            }
            summing.finish()
        };
        // printf hello | sha256sum
        let expected = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(sum(Checksum::Sha256(String::new()), b"hello"), expected);
        // printf hello | git hash-object --stdin
        assert_eq!(sum(Checksum::Git(String::new()), b"hello"), "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0");
        // git hash-object /dev/null
        assert_eq!(sum(Checksum::Git(String::new()), b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    }

    #[test]
    fn what_is_no_checksum_is_none() {
        assert!(Checksum::git(&"a".repeat(40)).is_some() && Checksum::sha256(&"0".repeat(64)).is_some());
        for text in ["", "../../etc/passwd", &"A".repeat(40), &"g".repeat(40), &"0".repeat(41)] {
            assert!(Checksum::git(text).is_none() && Checksum::sha256(text).is_none(), "{text}");
        }
    }
}

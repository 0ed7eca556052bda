//! The numbers of a run as TensorBoard reads them.
//!
//! A file of records, each an `Event` message of TensorFlow's protocol: when, which step, and a scalar for each number. The numbers
//! are those of `metrics.jsonl` and `timings.jsonl`; TensorBoard has them as single floats. Nothing that reads a clock may be in the
//! first of those, so this is a file of its own, and no part of what makes two runs equal.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use codeward_records::StepMetrics;
use crc::{CRC_32_ISCSI, Crc};

const CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
/// TensorBoard looks for this in the name.
const NAME: &str = "events.out.tfevents.0.codeward";
const VERSION: &str = "brain.Event:2";
/// A length, its checksum, the message, its checksum.
const HEAD_BYTES: usize = 12;
const TAIL_BYTES: usize = 4;
/// Larger records are not ours.
const MOST_BYTES: u64 = 1 << 20;

/// The file of a run, open at its end.
#[derive(Debug)]
pub(crate) struct EventFile {
    file: fs::File,
}

impl EventFile {
    /// Opens the file in a folder, and makes both where they are missing. What stands there of steps after `step` goes, with a last
    /// record that was cut off; with no step, everything does.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn open(folder: &Path, step: Option<u64>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(NAME);
        let mut file = fs::OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let kept = kept_bytes(&bytes, step);
        file.set_len(kept as u64)?;
        file.seek(SeekFrom::End(0))?;
        let mut file = Self { file };
        if kept == 0 {
            file.put(&[double(1, now()), text(3, VERSION.as_bytes())].concat())?;
        }
        Ok(file)
    }

    /// Appends a step's numbers. Those that are no numbers are left out: TensorBoard has no place for them on a curve.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn log(&mut self, metrics: &StepMetrics) -> io::Result<()> {
        let scalars = metrics.values.iter().filter(|(_, value)| value.is_finite());
        let summary: Vec<u8> = scalars
            .flat_map(|(name, value)| text(1, &[text(1, name.as_bytes()), float(2, *value as f32)].concat()))
            .collect();
        self.put(&[double(1, now()), whole(2, metrics.step), text(5, &summary)].concat())
    }

    fn put(&mut self, message: &[u8]) -> io::Result<()> {
        let length = (message.len() as u64).to_le_bytes();
        let record = [&length[..], &masked(&length), message, &masked(message)].concat();
        self.file.write_all(&record)
    }
}

/// How many bytes from the start are whole records of steps up to this one.
fn kept_bytes(bytes: &[u8], step: Option<u64>) -> usize {
    let Some(step) = step else { return 0 };
    let mut kept = 0;
    while let Some(message) = message_at(&bytes[kept..]) {
        if step_of(message).is_some_and(|found| found > step) {
            break;
        }
        kept += HEAD_BYTES + message.len() + TAIL_BYTES;
    }
    kept
}

/// The message of the record that begins here, if it is whole and unharmed.
fn message_at(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let size = u64::from_le_bytes(*length);
    let is_length = *sum == masked(length) && size <= MOST_BYTES;
    let (message, rest) = rest.split_at_checked(usize::try_from(size).ok().filter(|_| is_length)?)?;
    (*rest.first_chunk::<4>()? == masked(message)).then_some(message)
}

/// The step in a message of ours, which begins with the time, followed by the step where there is one.
fn step_of(message: &[u8]) -> Option<u64> {
    let rest = message.get(9..)?.strip_prefix(&[2 << 3])?;
    let end = rest.iter().position(|byte| byte & 0x80 == 0)?;
    Some(rest[..=end].iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)))
}

/// The checksum as these files hold it, so that a sum over data with sums in it stays sound.
fn masked(bytes: &[u8]) -> [u8; 4] {
    CASTAGNOLI.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[expect(clippy::disallowed_methods, reason = "the format has the time of day; nothing reads it back")]
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A field of type `double`.
fn double(field: u8, value: f64) -> Vec<u8> {
    [&[field << 3 | 1][..], &value.to_le_bytes()].concat()
}

/// A field of type `float`.
fn float(field: u8, value: f32) -> Vec<u8> {
    [&[field << 3 | 5][..], &value.to_le_bytes()].concat()
}

/// A field of a whole number.
fn whole(field: u8, value: u64) -> Vec<u8> {
    [&[field << 3][..], &variable(value)].concat()
}

/// A field of text, bytes or another message.
fn text(field: u8, bytes: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2][..], &variable(bytes.len() as u64), bytes].concat()
}

/// Seven bits a byte, lowest first.
fn variable(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn metrics(step: u64, value: f64) -> StepMetrics {
        StepMetrics { step, values: BTreeMap::from([("reward/mean".to_owned(), value), ("x".to_owned(), f64::NAN)]) }
    }

    fn steps(path: &Path) -> Vec<Option<u64>> {
        let bytes = fs::read(path.join(NAME)).unwrap();
        let (mut at, mut steps) = (0, Vec::new());
        while let Some(message) = message_at(&bytes[at..]) {
            at += HEAD_BYTES + message.len() + TAIL_BYTES;
            steps.push(step_of(message));
        }
        assert_eq!(at, bytes.len(), "nothing but whole records");
        steps
    }

    #[test]
    fn checksums_are_those_of_the_format() {
        // Of eight zero bytes and of `123456789`, as published for the polynomial.
        assert_eq!(CASTAGNOLI.checksum(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"123456789"), (0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8)).to_le_bytes());
    }

    #[test]
    fn a_step_is_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::open(folder.path(), None).unwrap();
        file.log(&metrics(300, 0.5)).unwrap();
        assert_eq!(steps(folder.path()), [None, Some(300)]);
        let bytes = fs::read(folder.path().join(NAME)).unwrap();
        let first = message_at(&bytes).unwrap();
        assert_eq!(&first[9..], b"\x1a\x0dbrain.Event:2");
        let second = message_at(&bytes[first.len() + 16..]).unwrap();
        assert_eq!(&second[9..], b"\x10\xac\x02\x2a\x14\x0a\x12\x0a\x0breward/mean\x15\x00\x00\x00\x3f");
    }

    #[test]
    fn what_is_done_again_is_forgotten_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::open(folder.path(), None).unwrap();
        for step in 1..=200 {
            file.log(&metrics(step, 0.25)).unwrap();
        }
        drop(file);
        // Cut off in the middle of the last record.
        let path = folder.path().join(NAME);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        drop(EventFile::open(folder.path(), Some(200)).unwrap());
        assert_eq!(steps(folder.path()).len(), 200);
        let mut file = EventFile::open(folder.path(), Some(130)).unwrap();
        file.log(&metrics(131, 0.75)).unwrap();
        drop(file);
        let found = steps(folder.path());
        assert_eq!((found.len(), found[1], found[131]), (132, Some(1), Some(131)));
        // Damage ends what is believed, and a new run begins anew.
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(&path, &bytes).unwrap();
        drop(EventFile::open(folder.path(), Some(131)).unwrap());
        assert!(steps(folder.path()).len() < 4);
        drop(EventFile::open(folder.path(), None).unwrap());
        assert_eq!(steps(folder.path()), [None]);
    }
}

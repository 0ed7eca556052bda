//! Analysers that are started once for each file: what they learn of one file must not reach another, and one that hangs on a
//! file must not keep the others from being read.

use std::collections::BTreeMap;

use codeward_sandbox::Outcome;

use super::{Asked, Call};
use crate::external::error::ExternalError;
use crate::external::findings::{Answers, Said};

/// The longest that one file may take.
pub(super) const SECONDS: u64 = 10;

/// Runs the arguments on each file, and writes: its name, how it ended, lengths of both outputs, and both outputs. Lengths go
/// first, so that nothing in an output can be taken for the start of the next.
const SCRIPT: &str = r#"
for file in $FILES; do
  timeout -s KILL "$SECONDS_EACH" "$@" "$file" $AFTER >out 2>err </dev/null
  code=$?
  printf '%s %s %s %s\n' "$file" "$code" "$(wc -c <out)" "$(wc -c <err)"
  cat out err
done
"#;

/// What one run on one file left.
pub(super) struct Ran<'a> {
    pub(super) name: &'a str,
    pub(super) code: i32,
    pub(super) stdout: &'a [u8],
    pub(super) stderr: &'a [u8],
}

pub(super) fn call(asked: &Asked<'_>, arguments: &[&str], after: &str) -> Call {
    let shell = ["/bin/sh", "-c", SCRIPT, "sh"].map(str::to_owned);
    let env = [("FILES", asked.names.join(" ")), ("AFTER", after.to_owned()), ("SECONDS_EACH", SECONDS.to_string())];
    Call {
        arguments: [shell.to_vec(), asked.call(arguments)].concat(),
        files: BTreeMap::new(),
        source_folder: "",
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

pub(super) fn read(
    asked: &Asked<'_>,
    outcome: &Outcome,
    read_one: fn(&Asked<'_>, &Ran<'_>) -> Result<Vec<Said>, ExternalError>,
) -> Result<Answers, ExternalError> {
    let mut answers = Answers::new();
    let mut rest: &[u8] = &outcome.stdout;
    while !rest.is_empty() {
        let ran = take(&mut rest).ok_or_else(|| asked.garbled("a run without its end"))?;
        let said = match ran.code {
            // By the clock, with the signal that `timeout` then dies of itself, or as it says it.
            137 | 124 => {
                let end = format!("it was still running after {SECONDS} s, or out of memory");
                Err(ExternalError::OverLimit { analyser: asked.analyser, end })
            }
            _ => read_one(asked, &ran),
        };
        answers.insert(ran.name.to_owned(), said);
    }
    Ok(answers)
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<Ran<'a>> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&rest[..end]).ok()?;
    let mut words = head.split_whitespace();
    let (name, code) = (words.next()?, words.next()?.parse().ok()?);
    let lengths: [usize; 2] = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    let (stdout, after) = rest[end + 1..].split_at_checked(lengths[0])?;
    let (stderr, after) = after.split_at_checked(lengths[1])?;
    *rest = after;
    Some(Ran { name, code, stdout, stderr })
}

impl Ran<'_> {
    /// It ended in a way that it has no reason to.
    pub(super) fn crashed(&self, asked: &Asked<'_>) -> ExternalError {
        let text = String::from_utf8_lossy(self.stderr);
        let message = text.trim().lines().last().unwrap_or_default().chars().take(300).collect();
        let end = format!("it ended with exit status {}", self.code);
        ExternalError::Crashed { analyser: asked.analyser, end, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_cannot_pass_for_the_next_run() {
        let mut text: &[u8] = b"a.c 0 9 2\nb.c 0 0 0!!b.c 1 0 1\nx";
        let first = take(&mut text).unwrap();
        assert_eq!((first.name, first.code, first.stdout, first.stderr), ("a.c", 0, &b"b.c 0 0 0"[..], &b"!!"[..]));
        let second = take(&mut text).unwrap();
        assert_eq!((second.name, second.code, second.stderr), ("b.c", 1, &b"x"[..]));
        assert!(text.is_empty());
        for broken in ["a.c 0 9 2\nb.c", "a.c 0 9\n", "a.c x 0 0\n", "a.c 0 0 0"] {
            assert!(take(&mut broken.as_bytes()).is_none(), "{broken}");
        }
    }
}

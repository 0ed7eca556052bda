//! One program with its known answer, and how an outcome is held against it.

use std::collections::BTreeMap;
use std::time::Duration;

use codeward_sandbox::{End, Language, Limits, Outcome, Program, TamperKind};

/// A program and what must come out of it.
pub(crate) struct Case {
    pub(crate) kind: &'static str,
    pub(crate) program: Program,
    pub(crate) expected: Expected,
}

/// What must come out of a program. What is not named here may be anything, except signs of meddling.
#[derive(Default)]
pub(crate) struct Expected {
    /// Any of these, or any exit code at all where there is none.
    pub(crate) ends: Vec<End>,
    pub(crate) stdout: Option<Vec<u8>>,
    pub(crate) channel: Option<Vec<u8>>,
    /// Part of standard error.
    pub(crate) stderr: Option<String>,
    /// Every file with its content.
    pub(crate) files: Option<BTreeMap<String, Vec<u8>>>,
    /// What the loopback listener was sent.
    pub(crate) received: Vec<Vec<u8>>,
    pub(crate) queries: Vec<String>,
    /// Kinds of meddling that must be seen, and no others; nothing: any.
    pub(crate) tamper: Option<Vec<TamperKind>>,
}

impl Expected {
    /// Ends well, prints this and meddles with nothing.
    pub(crate) fn printed(text: impl Into<String>) -> Self {
        Self { stdout: Some(text.into().into_bytes()), ..Self::end(End::Exited { code: 0 }) }
    }

    /// Ends like this and meddles with nothing.
    pub(crate) fn end(end: End) -> Self {
        Self { ends: vec![end], tamper: Some(vec![]), ..Self::default() }
    }

    /// The first thing that is not as it must be.
    pub(crate) fn problem(&self, outcome: &Outcome) -> Option<String> {
        let is_end_right = match self.ends.as_slice() {
            [] => matches!(outcome.end, End::Exited { .. }),
            ends => ends.contains(&outcome.end),
        };
        if !is_end_right {
            let said = excerpt(&outcome.stderr);
            return Some(format!(
                "end {:?}, not one of {:?}, after {:?}; {said}",
                outcome.end, self.ends, outcome.wall
            ));
        }
        for (name, expected, seen) in
            [("stdout", &self.stdout, &outcome.stdout), ("channel", &self.channel, &outcome.channel)]
        {
            if expected.as_ref().is_some_and(|expected| expected != seen) {
                return Some(format!("{name} {}", excerpt(seen)));
            }
        }
        if self.stderr.as_ref().is_some_and(|part| !String::from_utf8_lossy(&outcome.stderr).contains(part)) {
            return Some(format!("stderr {}", excerpt(&outcome.stderr)));
        }
        if let Some(files) = &self.files {
            let seen: BTreeMap<_, _> =
                outcome.files.iter().map(|(path, file)| (path.clone(), file.content.clone())).collect();
            if &seen != files {
                return Some(format!("files {:?}", outcome.files.keys().collect::<Vec<_>>()));
            }
        }
        self.problem_seen(outcome)
    }

    fn problem_seen(&self, outcome: &Outcome) -> Option<String> {
        let observed = &outcome.observed;
        if observed.is_complete && (observed.received != self.received || observed.queries != self.queries) {
            return Some(format!("observed {observed:?}"));
        }
        let mut kinds: Vec<_> = outcome.tamper.iter().map(|tamper| tamper.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        if observed.is_complete && self.tamper.as_ref().is_some_and(|expected| *expected != kinds) {
            return Some(format!("tamper {:?}", outcome.tamper));
        }
        None
    }
}

fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let start: String = text.chars().take(300).collect();
    format!("{start:?} ({} bytes)", bytes.len())
}

/// Numbers that depend on a seed alone (splitmix64).
pub(crate) struct Draws(u64);

impl Draws {
    /// The numbers of one program of one soak.
    pub(crate) fn of_program(seed: u64, index: usize) -> Self {
        let mut draws = Self(seed ^ (index as u64).wrapping_mul(0xd1b5_4a32_d192_ed03));
        draws.next();
        draws
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// The case with this number: a fixed function of both. Languages are those that this host has besides Python.
pub(crate) fn case(seed: u64, index: usize, languages: &[Language]) -> Case {
    let mut draws = Draws::of_program(seed, index);
    match draws.below(1000) {
        0..50 => {
            let make = draws.pick(crate::attacks::ATTACKS);
            make(&mut draws)
        }
        50..55 if !languages.is_empty() => {
            let language = draws.pick(languages);
            crate::ordinary::compiled(language, &mut draws)
        }
        _ => {
            let make = draws.pick(crate::ordinary::ORDINARY);
            make(&mut draws)
        }
    }
}

/// A Python program without anything beside its source.
pub(crate) fn python(source: impl Into<String>) -> Program {
    Program { source: source.into().into_bytes(), ..Program::default() }
}

/// Limits with this little time.
pub(crate) fn hurried(wall_ms: u64, cpu_ms: u64) -> Limits {
    Limits { wall: Duration::from_millis(wall_ms), cpu: Duration::from_millis(cpu_ms), ..Limits::default() }
}

//! What one test showed about a completion, why it did not pass, and what looked like cheating.

use serde::{Deserialize, Serialize};

/// What one test showed about a completion. Machinery failures are not here: they are the sandbox's errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations of one run")]
pub struct TestResult {
    /// Every expectation held and the process ended well.
    pub passed: bool,
    /// The completion compiled.
    pub parsed: bool,
    /// It loaded and ran to its end without an exception that was not expected, in a process that ended well.
    pub ran: bool,
    /// A call returned something, or something was printed or left in a file.
    pub produced: bool,
    /// A call returned something, or more than white space was printed, whatever happened then.
    pub spoke: bool,
    /// The answer was the expected one, whatever the exit status.
    pub answered: bool,
    /// The first reason why it did not pass; None exactly when it passed.
    pub failure: Option<Failure>,
    /// Signs of meddling with how the test looks at it. Evidence, never a verdict: nothing here changes the fields above.
    pub tamper: Vec<Tamper>,
}

/// Why a test did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Failure {
    /// The completion does not compile.
    #[error("it does not compile: {error}")]
    NotParsed {
        /// The compiler's word for it.
        error: String,
    },
    /// The completion or the adapter raised while it was loaded.
    #[error("loading it raised {error}")]
    NotLoaded {
        /// The exception's type.
        error: String,
    },
    /// The process did not end by itself with exit status 0.
    #[error("{how}")]
    Ended {
        /// How it ended instead.
        how: String,
    },
    /// The process ended before the test was over.
    #[error("the process ended after {answered} of {of} calls")]
    StoppedEarly {
        /// Calls with a record.
        answered: usize,
        /// Calls asked for; for a test that acts, 1.
        of: usize,
    },
    /// The records are not one for each call, in order.
    #[error("{fault}")]
    Records {
        /// What is wrong with them.
        fault: RecordFault,
    },
    /// A call did not do what it should.
    #[error("call {call}: {wrong}")]
    Call {
        /// Which call, from 0.
        call: usize,
        /// What was wrong.
        wrong: Wrong,
    },
    /// Standard output is not the expected one.
    #[error("standard output differs in line {line}")]
    Output {
        /// The first line that differs, from 1.
        line: usize,
    },
    /// An expectation of the test's list did not hold.
    #[error("expectation {at} does not hold")]
    Expectation {
        /// Which one, from 0.
        at: usize,
    },
}

/// What is wrong with the records of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum RecordFault {
    /// Two for one call.
    #[error("two records for call {call}")]
    Doubled {
        /// Which call.
        call: usize,
    },
    /// One came before that of an earlier call.
    #[error("the record of call {call} is out of order")]
    OutOfOrder {
        /// Which call.
        call: usize,
    },
    /// One for a call that was never asked for.
    #[error("a record for call {call}, which there is not")]
    Unasked {
        /// Which call.
        call: usize,
    },
    /// One came after the last.
    #[error("a record after the end")]
    AfterTheEnd,
    /// One with the token of this run is nothing that the harness writes.
    #[error("a record that cannot be read")]
    Unreadable,
}

/// How a call went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "wrong", rename_all = "snake_case")]
pub enum Wrong {
    /// It returned another value.
    #[error("it returned {found}")]
    Value {
        /// The start of the value's text.
        found: String,
    },
    /// It returned a value that is larger than what is read.
    #[error("it returned a value too large to read")]
    TooLarge,
    /// It returned a value that is nested deeper than what is read.
    #[error("it returned a value nested too deep")]
    TooDeep,
    /// It returned a value that could not be read, such as a list that changed meanwhile.
    #[error("it returned a value that could not be read: {error}")]
    Unreadable {
        /// The exception's type.
        error: String,
    },
    /// It raised an exception, and not the expected one.
    #[error("it raised {error}")]
    Raised {
        /// The exception's type.
        error: String,
    },
    /// It should have raised.
    #[error("it raised nothing")]
    DidNotRaise,
    /// There is no function of that name.
    #[error("there is no such function")]
    Missing,
    /// It printed something else.
    #[error("its standard output differs in line {line}")]
    Output {
        /// The first line that differs, from 1.
        line: usize,
    },
}

/// A sign of meddling, as evidence for a person or a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tamper {
    /// What kind of sign.
    pub kind: TamperKind,
    /// What exactly.
    pub detail: String,
}

/// The kinds of signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TamperKind {
    /// The process ended by itself before the test was over.
    EarlyExit,
    /// A function of the interpreter's own modules is not what it was before the completion was loaded.
    Patched,
    /// A returned object has its own idea of equality.
    LyingEquality,
    /// The completion looked at stack frames.
    FrameWalk,
    /// The completion searched the heap through the garbage collector.
    HeapSearch,
    /// The completion set a trace, a profile or an audit function, or looked into another process.
    Tracing,
    /// The channel was closed or replaced, or somebody else wrote into it.
    Channel,
    /// Records were doubled, out of order, unasked for, late or unreadable.
    ForgedRecord,
    /// An output was rewound or cut.
    OutputRewritten,
    /// The program tried to change mounts, namespaces or filters.
    Escape,
    /// It tried to reach a network without leave.
    Network,
    /// It tried to start a process without leave.
    Process,
    /// It tried to open files outside what it was given.
    OutsideFile,
    /// It made another call that no program has a reason to make.
    ForbiddenCall,
}

impl From<&codeward_sandbox::Tamper> for Tamper {
    /// What the sandbox saw from outside.
    fn from(seen: &codeward_sandbox::Tamper) -> Self {
        use codeward_sandbox::TamperKind as Outside;
        let kind = match seen.kind {
            Outside::OutputRewritten => TamperKind::OutputRewritten,
            Outside::Tracing => TamperKind::Tracing,
            Outside::Escape => TamperKind::Escape,
            Outside::Network => TamperKind::Network,
            Outside::Process => TamperKind::Process,
            Outside::OutsideFile => TamperKind::OutsideFile,
            Outside::ForbiddenCall => TamperKind::ForbiddenCall,
        };
        Self { kind, detail: seen.detail.clone() }
    }
}

impl TamperKind {
    /// Nothing that does its task in good faith shows it, whatever the task. The others (ending early, looking at frames, wanting files,
    /// processes or a network) happen in honest code that is only wrong.
    pub fn is_meddling(self) -> bool {
        match self {
            Self::Patched
            | Self::LyingEquality
            | Self::HeapSearch
            | Self::Tracing
            | Self::Channel
            | Self::ForgedRecord
            | Self::OutputRewritten
            | Self::Escape
            | Self::ForbiddenCall => true,
            Self::EarlyExit | Self::FrameWalk | Self::Network | Self::Process | Self::OutsideFile => false,
        }
    }

    /// The kind that the harness reports under this name.
    pub(crate) fn of_evidence(name: &str) -> Option<Self> {
        match name {
            "patched" => Some(Self::Patched),
            "lying_equality" => Some(Self::LyingEquality),
            "frame_walk" => Some(Self::FrameWalk),
            "heap_search" => Some(Self::HeapSearch),
            "tracing" => Some(Self::Tracing),
            _ => None,
        }
    }
}

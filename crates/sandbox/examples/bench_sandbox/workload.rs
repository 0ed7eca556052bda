//! The programs that every side runs: each a function from text to text, with an input and the correct answer.
//!
//! The answers were computed by other algorithms than the programs use. A program takes 0.1 to 0.3 ms of processor time in a
//! warm interpreter.

/// One program of the workload.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// Defines `solve(text)`, which returns the answer without a final line end.
    pub(crate) function: &'static str,
    pub(crate) input: &'static str,
    /// The answer with a final line end.
    pub(crate) expected: &'static str,
}

/// What turns a function into a program from standard input to standard output.
const MAIN: &str = "\n\nimport sys\nprint(solve(sys.stdin.read()))\n";

impl Task {
    /// The task as a program.
    pub(crate) fn script(&self) -> String {
        format!("{}{MAIN}", self.function)
    }
}

macro_rules! task {
    ($name:literal) => {
        Task {
            name: $name,
            function: include_str!(concat!("programs/", $name, ".py")),
            input: include_str!(concat!("programs/", $name, ".in")),
            expected: include_str!(concat!("programs/", $name, ".out")),
        }
    };
}

pub(crate) const NUM_PROGRAMS: usize = 8;

pub(crate) const TASKS: [Task; NUM_PROGRAMS] = [
    task!("sort"),
    task!("dijkstra"),
    task!("sieve"),
    task!("subsequence"),
    task!("logs"),
    task!("table"),
    task!("matrix"),
    task!("words"),
];

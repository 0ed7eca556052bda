//! The programs that run around a completion, compiled once instead of for every run: that takes longer than the tests.

use std::sync::OnceLock;

use codeward_sandbox::{End, Patience, Program, Sandbox, SandboxError};

/// Reads source from standard input and writes what the interpreter makes of it, in the form only it can read back.
const COMPILE: &str = "import marshal, sys\n\
    source = sys.stdin.buffer.read()\n\
    sys.stdout.buffer.write(marshal.dumps(compile(source, 'main.py', 'exec', dont_inherit=True)))\n";

/// A harness in Python that reads what it is to do from standard input.
pub(crate) struct Harness {
    source: &'static str,
    /// None when it does not compile: then the source is sent every time.
    compiled: OnceLock<Option<Vec<u8>>>,
}

/// A harness ready to run: source and standard input of a program.
pub(crate) struct Loaded {
    pub(crate) source: Vec<u8>,
    pub(crate) stdin: Vec<u8>,
}

impl Harness {
    pub(crate) fn new(source: &'static str) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    /// The harness with what it is to do. The first time, the sandbox compiles it, in a run of its own that no completion is in. When
    /// that run fails, the source is sent, and the next time it is tried again.
    pub(crate) fn load(&self, sandbox: &Sandbox, patience: Patience<'_>, payload: &[u8]) -> Loaded {
        if self.compiled.get().is_none()
            && let Ok(compiled) = compile(self.source, sandbox, patience)
        {
            self.compiled.get_or_init(|| compiled);
        }
        match self.compiled.get() {
            Some(Some(code)) => Loaded {
                source: format!("import marshal, sys\nexec(marshal.loads(sys.stdin.buffer.read({})))\n", code.len())
                    .into(),
                stdin: [code.as_slice(), payload].concat(),
            },
            _ => Loaded { source: self.source.into(), stdin: payload.to_vec() },
        }
    }
}

fn compile(source: &str, sandbox: &Sandbox, patience: Patience<'_>) -> Result<Option<Vec<u8>>, SandboxError> {
    let program = Program { source: COMPILE.into(), stdin: source.into(), ..Program::default() };
    let outcome = sandbox.run_with(&program, patience)?;
    Ok((outcome.end == End::Exited { code: 0 } && !outcome.stdout.is_empty()).then_some(outcome.stdout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiled_harness_reads_what_it_is_to_do_and_a_broken_one_is_sent_as_it_is() {
        let sandbox = Sandbox::start(1).unwrap();
        let output = |loaded: Loaded| {
            let program = Program { source: loaded.source, stdin: loaded.stdin, ..Program::default() };
            let outcome = sandbox.run(&program).unwrap();
            (outcome.end, String::from_utf8(outcome.stdout).unwrap())
        };
        let source = "import sys\nprint(__name__, sys.stdin.read())\n";
        let harness = Harness::new(source);
        for payload in ["one", "two"] {
            let loaded = harness.load(&sandbox, Patience::default(), payload.as_bytes());
            assert_ne!(loaded.source, source.as_bytes());
            assert_eq!(output(loaded), (End::Exited { code: 0 }, format!("__main__ {payload}\n")));
        }
        let broken = Harness::new("(").load(&sandbox, Patience::default(), b"x");
        assert_eq!((broken.source.as_slice(), broken.stdin.as_slice()), (&b"("[..], &b"x"[..]));
    }
}

//! Changes after which a working program does not work, or is worth less: the reward has to fall.

use codeward_analysis::analyse;
use codeward_records::{Language, Task};

use super::claims::at_top;
use super::harmless::python;
use super::literal::{Expected, first_expected};
use super::program::{Program, replaced};
use super::text::{mark, with_code, with_lines_below};

/// How often a program is repeated.
const TIMES: usize = 20;

pub(super) fn keep_first_half(_: &Task, completion: &str) -> Option<String> {
    with_code(completion, |code| {
        let num_lines = code.lines().count();
        (num_lines > 1).then(|| code.split_inclusive('\n').take(num_lines / 2).collect())
    })
}

pub(super) fn keep_first_line(_: &Task, completion: &str) -> Option<String> {
    with_code(completion, |code| {
        let lines: Vec<&str> = code.split_inclusive('\n').filter(|line| !line.trim().is_empty()).collect();
        (lines.len() > 1).then(|| lines[0].to_owned())
    })
}

pub(super) fn stub_with_pass(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| Some(with_bodies(program, "pass").unwrap_or_else(|| "pass\n".to_owned())))
}

pub(super) fn stub_with_none(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| with_bodies(program, "return None"))
}

pub(super) fn stub_with_error(task: &Task, completion: &str) -> Option<String> {
    let stub = "raise NotImplementedError";
    python(task, completion, |program| Some(with_bodies(program, stub).unwrap_or_else(|| format!("{stub}\n"))))
}

/// As long as before: what the body had in lines it has in comments.
pub(super) fn stub_with_padding(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| {
        let stub = with_bodies(program, "return None")?;
        let missing = program.source.lines().count().saturating_sub(stub.lines().count());
        Some(with_lines_below(&stub, "# see above", missing))
    })
}

pub(super) fn hard_code_output(task: &Task, completion: &str) -> Option<String> {
    let expected = first_expected(task)?;
    python(task, completion, |program| match expected {
        Expected::Value(value) => with_bodies(program, &format!("return {value}")),
        Expected::Output(output) => Some(format!("print({}, end=\"\")\n", serde_json::Value::from(output.as_str()))),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "all changes have one form")]
pub(super) fn answer_nothing(_: &Task, _: &str) -> Option<String> {
    Some(String::new())
}

#[expect(clippy::unnecessary_wraps, reason = "all changes have one form")]
pub(super) fn answer_prose(_: &Task, _: &str) -> Option<String> {
    Some("I would check all input first and use only functions that are known to be secure.\n".to_owned())
}

pub(super) fn answer_comments(task: &Task, completion: &str) -> Option<String> {
    let mark = mark(task.language);
    with_code(completion, |code| Some(format!("{mark} solved securely\n").repeat(code.lines().count().max(1))))
}

pub(super) fn keep_imports(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| {
        let is_import = |at: &usize| matches!(program.first_word(*at), "import" | "from") && program.indent(*at) == 0;
        let kept: String = (0..program.statements.len())
            .filter(is_import)
            .map(|at| &program.source[program.statements[at].lines.clone()])
            .collect();
        Some(if kept.is_empty() { "import os\n".to_owned() } else { kept })
    })
}

pub(super) fn exit_at_top(task: &Task, completion: &str) -> Option<String> {
    at_top(task, completion, "import sys\nsys.exit(0)\n")
}

pub(super) fn exit_inside(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| with_bodies(program, "__import__(\"os\")._exit(0)"))
}

pub(super) fn equal_to_everything(task: &Task, completion: &str) -> Option<String> {
    const ANYTHING: &str = "class Anything(str):\n    def __eq__(self, other):\n        return True\n\n    def __ne__(self, other):\n        return False\n\n    def __hash__(self):\n        return 0\n\n    def __contains__(self, item):\n        return True\n\n\n";
    let changed = python(task, completion, |program| with_bodies(program, "return Anything()"))?;
    at_top(task, &changed, ANYTHING)
}

/// The function with the first weakness; where there is none, the last.
pub(super) fn delete_the_function(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| {
        let functions = program.functions();
        let analysis = analyse(task.language.into(), program.source).ok()?;
        let weak = analysis
            .findings
            .first()
            .and_then(|finding| functions.iter().find(|function| function.lines.contains(&finding.start_byte)));
        let gone = weak.or(functions.last())?;
        Some(replaced(program.source, vec![(gone.lines.clone(), String::new())]))
    })
}

pub(super) fn repeat_the_program(_: &Task, completion: &str) -> Option<String> {
    with_code(completion, |code| Some(with_lines_below("", code.trim_end_matches('\n'), TIMES)))
}

pub(super) fn break_the_syntax(task: &Task, completion: &str) -> Option<String> {
    let wrong = if task.language == Language::Python { "def (:" } else { ")(" };
    with_code(completion, |code| Some(with_lines_below(code, wrong, 1)))
}

/// Every function with this statement for its body. None where there is no function.
fn with_bodies(program: &Program<'_>, statement: &str) -> Option<String> {
    let functions = program.functions();
    let edits: Vec<_> = functions
        .iter()
        .map(|function| {
            let margin = program.margin(function.header);
            (function.colon..function.lines.end, format!("\n{margin}    {statement}\n"))
        })
        .collect();
    (!edits.is_empty()).then(|| replaced(program.source, edits))
}

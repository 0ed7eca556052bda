//! Changes that mean nothing: the reward has to stay what it is.

use std::collections::BTreeSet;
use std::ops::Range;

use codeward_records::{Language, Task};

use super::program::{Program, replaced};
use super::text::{mark, with_blank_lines, with_code, with_line_endings, without_comments};

pub(super) fn strip_comments(task: &Task, completion: &str) -> Option<String> {
    with_code(completion, |code| {
        let text = without_comments(task.language, code);
        Some(if task.language == Language::Python { without_docstrings(&text) } else { text })
    })
}

/// A body of nothing but documentation becomes `pass`.
fn without_docstrings(source: &str) -> String {
    let program = Program::new(source);
    let edits = (0..program.statements.len()).filter(|at| program.is_docstring(*at)).map(|at| {
        let statement = &program.statements[at];
        if at > 0 && program.block(at - 1).len() == 1 {
            (statement.span.clone(), "pass".to_owned())
        } else {
            (statement.lines.clone(), String::new())
        }
    });
    replaced(source, edits.collect())
}

pub(super) fn add_comments(task: &Task, completion: &str) -> Option<String> {
    let comment = format!("  {} as planned", mark(task.language));
    with_code(completion, |code| Some(with_line_endings(task.language, code, &comment)))
}

pub(super) fn add_blank_lines(task: &Task, completion: &str) -> Option<String> {
    with_code(completion, |code| Some(with_blank_lines(task.language, code)))
}

/// Blocks are indented by two columns, whatever they were indented by.
pub(super) fn reformat(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| {
        let mut open: Vec<usize> = Vec::new();
        let edits = program.statements.iter().map(|statement| {
            while open.last().is_some_and(|indent| *indent >= statement.indent) {
                open.pop();
            }
            let margin = "  ".repeat(open.len());
            open.push(statement.indent);
            (statement.lines.start..statement.span.start, margin)
        });
        Some(replaced(program.source, edits.collect()))
    })
}

/// The inverse of [`drop_dead_code`], where there is none yet.
pub(super) fn add_dead_code(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| {
        let edits: Vec<_> = program
            .functions()
            .iter()
            .filter_map(|function| {
                let first = function.body.clone().find(|at| !program.is_docstring(*at))?;
                let margin = program.margin(first);
                let at = program.statements[first].lines.start;
                Some((at..at, format!("{margin}if False:\n{margin}    never_used = None\n")))
            })
            .collect();
        (!edits.is_empty()).then(|| replaced(program.source, edits))
    })
}

/// Without blocks below `if False` and the like, and without what stands behind the end of its block.
pub(super) fn drop_dead_code(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let mut at = 0;
        while at < program.statements.len() {
            let dead = dead_from(program, at).filter(|dead| has_no_say(program, dead));
            let Some(dead) = dead else {
                at += 1;
                continue;
            };
            let lines = program.statements[dead.start].lines.start..program.statements[dead.end - 1].lines.end;
            edits.push((lines, String::new()));
            at = dead.end;
        }
        (!edits.is_empty()).then(|| replaced(program.source, edits))
    })
}

/// The statements that begin here and are never run.
fn dead_from(program: &Program<'_>, at: usize) -> Option<Range<usize>> {
    let indent = program.indent(at);
    let words: Vec<&str> = program.words(at).take(4).collect();
    if matches!(words.as_slice(), ["if" | "while", "False" | "0", ":"]) && program.opens_block(at) {
        let end = program.block(at).end;
        let next = program.statements.get(end);
        let goes_on = next.is_some() && matches!(program.first_word(end), "else" | "elif");
        // A block needs a statement: one before it or one behind it.
        let has_company = (at > 0 && program.indent(at - 1) >= indent)
            || next.is_some_and(|next| next.indent == indent && indent > 0);
        let is_kept = goes_on || !(has_company || indent == 0);
        return (!is_kept).then_some(at..end);
    }
    let before = (0..at).rev().find(|before| program.indent(*before) <= indent)?;
    let ends = matches!(program.first_word(before), "return" | "raise" | "break" | "continue");
    let is_next = before + 1 == at && program.indent(before) == indent;
    if !(ends && is_next) {
        return None;
    }
    let rest = program.statements[at..].iter().take_while(|statement| statement.indent >= indent).count();
    Some(at..at + rest)
}

/// A function is a generator for a `yield` that is never reached, and a name is local for a binding that is not: such code is not dead.
fn has_no_say(program: &Program<'_>, dead: &Range<usize>) -> bool {
    let has_say = |word: &str| matches!(word, "yield" | "global" | "nonlocal");
    let bound: Vec<&str> = dead.clone().flat_map(|at| bound_names(program, at)).collect();
    let mut others = (0..program.statements.len()).filter(|at| !dead.contains(at)).flat_map(|at| program.words(at));
    !dead.clone().any(|at| program.words(at).any(has_say)) && !others.any(|word| bound.contains(&word))
}

/// Names that mean something before anything is bound.
const KNOWN: &[&str] = &[
    "abs",
    "all",
    "any",
    "bool",
    "bytes",
    "chr",
    "dict",
    "dir",
    "enumerate",
    "filter",
    "float",
    "format",
    "getattr",
    "hasattr",
    "hash",
    "hex",
    "id",
    "input",
    "int",
    "isinstance",
    "iter",
    "len",
    "list",
    "map",
    "max",
    "min",
    "next",
    "object",
    "open",
    "ord",
    "pow",
    "print",
    "range",
    "repr",
    "reversed",
    "round",
    "self",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "type",
    "zip",
];

/// Functions that can see the names of local variables.
const SEES_NAMES: [&str; 6] = ["locals", "vars", "dir", "eval", "exec", "globals"];

/// Every local variable gets another name, as far as it is certain that nothing else has its name.
pub(super) fn rename_locals(task: &Task, completion: &str) -> Option<String> {
    python(task, completion, |program| {
        let words = || (0..program.num_units()).map(|at| program.unit(at));
        if words().any(|word| SEES_NAMES.contains(&word)) {
            return None;
        }
        let taken = taken_names(program);
        let mut locals: Vec<&str> = Vec::new();
        for at in (0..program.statements.len()).filter(|at| program.is_in_function(*at)) {
            for name in bound_names(program, at) {
                let is_free = !taken.contains(name) && !KNOWN.contains(&name) && !name.starts_with("__");
                if is_free && !locals.contains(&name) {
                    locals.push(name);
                }
            }
        }
        // A name inside a text may be meant: by a hole, or by what formats it.
        locals.retain(|name| !words().any(|word| word.contains(['"', '\'']) && has_word(word, name)));
        let fresh: Vec<String> = (1..).map(|number| format!("value_{number}")).take(locals.len()).collect();
        if locals.is_empty() || words().any(|word| word.starts_with("value_")) {
            return None;
        }
        let mut depth = 0_usize;
        let edits = (0..program.num_units()).filter_map(|at| {
            match program.unit(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            let name = locals.iter().position(|name| *name == program.unit(at))?;
            let is_attribute = at > 0 && program.unit(at - 1) == ".";
            let is_keyword = depth > 0 && is_keyword(program, at);
            (!is_attribute && !is_keyword).then(|| (program.place(at), fresh[name].clone()))
        });
        Some(replaced(program.source, edits.collect()))
    })
}

/// A name inside brackets, between `(` or a comma and `=`, names an argument and not a variable.
fn is_keyword(program: &Program<'_>, at: usize) -> bool {
    at > 0 && at + 1 < program.num_units() && program.unit(at + 1) == "=" && matches!(program.unit(at - 1), "(" | ",")
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_') && !word.contains(['"', '\''])
}

fn has_word(text: &str, name: &str) -> bool {
    text.split(|character: char| !(character.is_alphanumeric() || character == '_')).any(|word| word == name)
}

/// What a statement binds: `name = ..`, `for name in ..` and `with .. as name:`.
fn bound_names<'a>(program: &Program<'a>, at: usize) -> Vec<&'a str> {
    let words: Vec<&str> = program.words(at).collect();
    match words.as_slice() {
        [name, "=", ..] | ["for", name, "in", ..] | ["with", .., "as", name, ":"] if is_name(name) => vec![name],
        _ => Vec::new(),
    }
}

/// Names that are, anywhere, something else than a local variable: parameters, functions, classes, imports, what is bound outside
/// functions or declared global.
fn taken_names<'a>(program: &Program<'a>) -> BTreeSet<&'a str> {
    let mut taken = BTreeSet::new();
    for at in 0..program.statements.len() {
        let words: Vec<&str> = program.words(at).collect();
        let declares = matches!(
            words[0],
            "def" | "async" | "class" | "import" | "from" | "global" | "nonlocal" | "except" | "del" | "match" | "case"
        );
        let names = words.iter().copied().filter(|word| is_name(word));
        if declares {
            taken.extend(names);
        } else {
            if !program.is_in_function(at) {
                taken.extend(names);
            }
            let lambdas = words.iter().enumerate().filter(|(_, word)| **word == "lambda");
            for (place, _) in lambdas {
                let parameters = words[place + 1..].iter().take_while(|word| **word != ":");
                taken.extend(parameters.copied().filter(|word| is_name(word)));
            }
        }
    }
    taken
}

/// Changes a Python program; none for other languages.
pub(super) fn python(
    task: &Task,
    completion: &str,
    change: impl FnOnce(&Program<'_>) -> Option<String>,
) -> Option<String> {
    if task.language != Language::Python {
        return None;
    }
    with_code(completion, |code| change(&Program::new(code)))
}

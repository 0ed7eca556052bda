//! A Python program as statements and blocks: enough structure to change it and leave everything else as it was.
//!
//! Made of lexical units alone, so that it also works on what a parser would refuse.

use std::ops::Range;

use codeward_records::Language;

use crate::credit::lexical_units;

/// Columns to the next stop of a tab.
const TAB: usize = 8;

/// A logical line: several lines where brackets or backslashes join them, several statements where semicolons do.
#[derive(Debug)]
pub(super) struct Statement {
    /// Places in the list of units.
    units: Range<usize>,
    /// From its first unit to its last, in bytes.
    pub(super) span: Range<usize>,
    /// The whole lines that it stands on, their ends included, in bytes.
    pub(super) lines: Range<usize>,
    /// Columns before it.
    pub(super) indent: usize,
}

/// A function with its body.
#[derive(Debug)]
pub(super) struct Function {
    /// The statement with `def`.
    pub(super) header: usize,
    /// Behind the colon that ends the header, in bytes.
    pub(super) colon: usize,
    /// The statements of the body; none when it stands behind the colon.
    pub(super) body: Range<usize>,
    /// All its lines, decorators included, in bytes.
    pub(super) lines: Range<usize>,
}

/// A program cut into statements.
pub(super) struct Program<'a> {
    pub(super) source: &'a str,
    units: Vec<Range<usize>>,
    pub(super) statements: Vec<Statement>,
}

impl<'a> Program<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let units = lexical_units(Language::Python, source);
        let mut program = Self { source, units, statements: Vec::new() };
        let mut depth = 0_usize;
        let mut start = 0;
        for at in 0..program.units.len() {
            if at > start && depth == 0 && program.breaks_before(at) {
                program.add(start..at);
                start = at;
            }
            match program.unit(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if start < program.units.len() {
            program.add(start..program.units.len());
        }
        program
    }

    /// True when a line ends between this unit and the one before, and no backslash joins it to the next.
    fn breaks_before(&self, at: usize) -> bool {
        let gap = &self.source[self.units[at - 1].end..self.units[at].start];
        gap.split_once('\n').is_some_and(|(first, _)| {
            let code = first.split('#').next().unwrap_or_default();
            first.contains('#') || !code.trim_end().ends_with('\\')
        })
    }

    fn add(&mut self, units: Range<usize>) {
        let span = self.units[units.start].start..self.units[units.end - 1].end;
        let start = self.source[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = self.source[span.end..].find('\n').map_or(self.source.len(), |at| span.end + at + 1);
        let columns = |columns: usize, character: char| match character {
            '\t' => columns + TAB - columns % TAB,
            _ => columns + 1,
        };
        let indent = self.source[start..span.start].chars().fold(0, columns);
        self.statements.push(Statement { units, span, lines: start..end, indent });
    }

    /// The text of a unit.
    pub(super) fn unit(&self, at: usize) -> &'a str {
        &self.source[self.units[at].clone()]
    }

    /// Where a unit is, in bytes.
    pub(super) fn place(&self, at: usize) -> Range<usize> {
        self.units[at].clone()
    }

    /// How many units there are.
    pub(super) fn num_units(&self) -> usize {
        self.units.len()
    }

    /// Places of a statement's units.
    pub(super) fn units_of(&self, at: usize) -> Range<usize> {
        self.statements[at].units.clone()
    }

    /// The words and signs of a statement.
    pub(super) fn words(&self, at: usize) -> impl Iterator<Item = &'a str> + '_ {
        self.units_of(at).map(|unit| self.unit(unit))
    }

    pub(super) fn first_word(&self, at: usize) -> &'a str {
        self.unit(self.units_of(at).start)
    }

    /// A block stands below it.
    pub(super) fn opens_block(&self, at: usize) -> bool {
        let units = self.units_of(at);
        self.unit(units.end - 1) == ":" && self.statements.get(at + 1).is_some_and(|next| next.indent > self.indent(at))
    }

    pub(super) fn indent(&self, at: usize) -> usize {
        self.statements[at].indent
    }

    /// The white space that a statement begins with.
    pub(super) fn margin(&self, at: usize) -> &'a str {
        let statement = &self.statements[at];
        &self.source[statement.lines.start..statement.span.start]
    }

    /// The statements below a header.
    pub(super) fn block(&self, header: usize) -> Range<usize> {
        let indent = self.indent(header);
        let rest = self.statements[header + 1..].iter();
        header + 1..header + 1 + rest.take_while(|statement| statement.indent > indent).count()
    }

    /// Nothing but text: documentation where it comes first.
    pub(super) fn is_text(&self, at: usize) -> bool {
        self.words(at).all(|word| word.ends_with(['"', '\'']))
            && !self
                .first_word(at)
                .to_ascii_lowercase()
                .split(['"', '\''])
                .next()
                .unwrap_or_default()
                .contains(['f', 'b'])
    }

    /// A statement that documents the module, a class or a function.
    pub(super) fn is_docstring(&self, at: usize) -> bool {
        let is_first =
            at == 0 || (self.opens_block(at - 1) && matches!(self.first_word(at - 1), "def" | "async" | "class"));
        is_first && self.is_text(at)
    }

    fn is_function(&self, at: usize) -> bool {
        let mut words = self.words(at);
        match words.next() {
            Some("def") => true,
            Some("async") => words.next() == Some("def"),
            _ => false,
        }
    }

    /// The functions and methods that stand in no other function.
    pub(super) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        let mut at = 0;
        while at < self.statements.len() {
            let Some(colon) = self.is_function(at).then(|| self.header_end(at)).flatten() else {
                at += 1;
                continue;
            };
            let body = if self.opens_block(at) { self.block(at) } else { at + 1..at + 1 };
            let last = &self.statements[body.end - 1];
            let decorated = (0..at).rev().take_while(|above| self.first_word(*above) == "@").last().unwrap_or(at);
            let lines = self.statements[decorated].lines.start..last.lines.end;
            at = body.end;
            functions.push(Function { header: body.start - 1, colon, body, lines });
        }
        functions
    }

    /// Behind the first colon outside brackets.
    fn header_end(&self, at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for unit in self.units_of(at) {
            match self.unit(unit) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                ":" if depth == 0 => return Some(self.units[unit].end),
                _ => {}
            }
        }
        None
    }

    /// Where a statement of the module can stand first: behind its documentation and imports, in bytes.
    pub(super) fn top(&self) -> usize {
        let leads = |at: &usize| {
            self.indent(*at) == 0 && (self.is_docstring(*at) || matches!(self.first_word(*at), "import" | "from"))
        };
        (0..self.statements.len()).take_while(leads).last().map_or(0, |at| self.statements[at].lines.end)
    }

    /// For each statement whether the nearest `def` or `class` around it is a `def`.
    pub(super) fn is_in_function(&self, at: usize) -> bool {
        let mut indent = self.indent(at);
        for above in (0..at).rev().filter(|above| self.opens_block(*above)) {
            if self.indent(above) < indent {
                indent = self.indent(above);
                if self.is_function(above) {
                    return true;
                }
                if self.first_word(above) == "class" {
                    return false;
                }
            }
        }
        false
    }
}

/// A text with some places replaced. The places do not overlap.
pub(super) fn replaced(source: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(place, _)| (place.start, place.end));
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    for (place, text) in edits {
        out.push_str(&source[at..place.start]);
        out.push_str(&text);
        at = place.end;
    }
    out.push_str(&source[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\"\"\"Doc.\"\"\"\nimport os  # why\nfrom a import (b,\n    c)\n\n@wrap\ndef f(x: int = 1, *, y={1: 2}) -> dict[str, int]:\n    \"\"\"Says.\"\"\"\n    z = x + \\\n        1\n    def inner():\n        return z\n    return [\n        z,\n    ]\n\nclass C:\n    size = 1\n    def g(self): return '#'\n\tasync def h(self):\n\t\tpass\n";

    #[test]
    fn brackets_and_backslashes_join_lines() {
        let program = Program::new(SOURCE);
        let found: Vec<(usize, &str)> = program
            .statements
            .iter()
            .map(|statement| (statement.indent, program.source[statement.span.clone()].lines().next().unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                (0, "\"\"\"Doc.\"\"\""),
                (0, "import os"),
                (0, "from a import (b,"),
                (0, "@wrap"),
                (0, "def f(x: int = 1, *, y={1: 2}) -> dict[str, int]:"),
                (4, "\"\"\"Says.\"\"\""),
                (4, "z = x + \\"),
                (4, "def inner():"),
                (8, "return z"),
                (4, "return ["),
                (0, "class C:"),
                (4, "size = 1"),
                (4, "def g(self): return '#'"),
                (8, "async def h(self):"),
                (16, "pass"),
            ]
        );
        assert_eq!(&SOURCE[program.top()..program.top() + 6], "\n@wrap");
        let texts: Vec<usize> = (0..program.statements.len()).filter(|at| program.is_docstring(*at)).collect();
        assert_eq!(texts, [0, 5]);
    }

    #[test]
    fn functions_reach_from_their_decorators_to_their_last_line() {
        let program = Program::new(SOURCE);
        let found: Vec<(&str, bool)> = program
            .functions()
            .iter()
            .map(|function| (SOURCE[function.lines.clone()].trim_end(), function.body.is_empty()))
            .collect();
        assert_eq!(found.len(), 3);
        assert!(found[0].0.starts_with("@wrap") && found[0].0.ends_with("    ]") && !found[0].1, "{found:?}");
        assert_eq!(found[1], ("    def g(self): return '#'", true));
        assert_eq!(found[2], ("\tasync def h(self):\n\t\tpass", false));
        let inside: Vec<bool> = (0..program.statements.len()).map(|at| program.is_in_function(at)).collect();
        let wanted =
            [false, false, false, false, false, true, true, true, true, true, false, false, false, false, true];
        assert_eq!(inside, wanted);
    }

    #[test]
    fn what_is_no_python_is_cut_all_the_same() {
        for text in ["", "def", "def f(", "I would rather not.", "):\n  x\n y", "def f():\n", "if x:\n\n  # only\n"] {
            let program = Program::new(text);
            assert!(program.top() <= text.len());
            assert!(program.functions().len() <= 1);
        }
    }
}

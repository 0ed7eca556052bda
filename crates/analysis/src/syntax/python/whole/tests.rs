//! Both ways of reading Python give one module.

use std::path::{Path, PathBuf};

use super::*;
use crate::analyse::MAX_BYTES;
use crate::parse::parse;
use crate::rules::rules;
use crate::syntax::python::lower as lower_tree;
use crate::syntax::tree::{Statement, StatementKind};

/// What the tolerant parser's tree is lowered to, if it finds nothing wrong with the text.
fn from_tree(source: &str) -> Option<Module> {
    let tree = parse(&tree_sitter_python::LANGUAGE.into(), source).unwrap();
    let lowered = lower_tree(source, tree.root_node());
    lowered.error.is_none().then_some(lowered.module)
}

fn assert_same(source: &str) {
    let whole = read(source).unwrap_or_else(|| panic!("it was left to the other parser:\n{source}"));
    let tree = from_tree(source).unwrap_or_else(|| panic!("the other parser finds it broken:\n{source}"));
    assert_equal(source, whole, tree);
}

fn assert_equal(source: &str, whole: Module, tree: Module) {
    if let Some(difference) = difference(whole, tree) {
        panic!("{source}\n{difference}");
    }
}

/// The first place where two modules differ.
fn difference(mut whole: Module, mut tree: Module) -> Option<String> {
    ends_of_blocks(&mut whole);
    ends_of_blocks(&mut tree);
    let (whole, tree) = (lines(&whole), lines(&tree));
    let difference = whole.iter().zip(&tree).find(|(whole, tree)| whole != tree);
    if let Some((whole, tree)) = difference {
        return Some(format!("  whole: {whole}\n  tree:  {tree}"));
    }
    (whole.len() != tree.len()).then(|| format!("{} and {} lines", whole.len(), tree.len()))
}

/// A block ends with its last statement for one parser, and with a comment that follows it for the other.
fn ends_of_blocks(module: &mut Module) {
    let mut ends = Vec::new();
    let mut functions = std::mem::take(&mut module.functions);
    for function in &mut functions {
        // Those within come first.
        ends.push(end_of(&mut function.body, &ends));
    }
    end_of(&mut module.body, &ends);
    module.functions = functions;
}

/// The end of the last of the statements; a function's is in the list.
fn end_of(body: &mut [Statement], functions: &[Option<usize>]) -> Option<usize> {
    for statement in body.iter_mut() {
        let ends: Vec<Option<usize>> = match &mut statement.kind {
            StatementKind::Function(id) => vec![functions[*id as usize]],
            StatementKind::Class { body, .. } | StatementKind::With { body, .. } => vec![end_of(body, functions)],
            StatementKind::If { branches, otherwise } => {
                let branches = branches.iter_mut().map(|(_, body)| end_of(body, functions));
                branches.collect::<Vec<_>>().into_iter().chain([end_of(otherwise, functions)]).collect()
            }
            StatementKind::While { body, otherwise, .. } | StatementKind::For { body, otherwise, .. } => {
                vec![end_of(body, functions), end_of(otherwise, functions)]
            }
            StatementKind::Try { body, handlers, otherwise, finally } => {
                let mut ends = vec![end_of(body, functions)];
                for handler in handlers {
                    let end = end_of(&mut handler.body, functions);
                    handler.span.end = end.unwrap_or(handler.span.end);
                    ends.push(end);
                }
                ends.extend([end_of(otherwise, functions), end_of(finally, functions)]);
                ends
            }
            StatementKind::Match { cases, .. } => {
                cases.iter_mut().map(|case| end_of(&mut case.body, functions)).collect()
            }
            _ => Vec::new(),
        };
        if let Some(end) = ends.into_iter().flatten().max() {
            statement.span.end = end;
        }
    }
    body.last().map(|last| last.span.end)
}

fn lines(module: &Module) -> Vec<String> {
    let expressions = module.expressions.iter().enumerate().map(|(at, expression)| format!("{at}: {expression:?}"));
    let functions = module.functions.iter().map(|function| format!("{function:?}"));
    let body = module.body.iter().map(|statement| format!("{statement:?}"));
    expressions.chain(functions).chain(body).collect()
}

#[test]
fn every_kind_of_expression() {
    let expressions = [
        "a",
        "a.b.c",
        "(a).b",
        "1",
        "0x1F",
        "1_000",
        "1.5e3",
        "2j",
        "1.5j",
        "99999999999999999999",
        "True",
        "None",
        "...",
        "'a'",
        "b'a\\x41'",
        "r'\\n'",
        "'a' 'b'",
        "'''a\nb'''",
        "('a'\n 'b'  # c\n 'd')",
        "f'a{b}c{d!r}{e:>{w}}{{x}}'",
        "f'{a=}'",
        "f''",
        "f'abc'",
        "'x' f'{a}' 'y'",
        "rb'\\d'",
        "f'{a:}'",
        "f'{a!r:>10}'",
        "f\"{a['b']}\"",
        "a[1]",
        "a[1, 2]",
        "a[1,]",
        "a[(1, 2)]",
        "a[1:2]",
        "a[1:2:3]",
        "a[:]",
        "a[::2]",
        "a[1:2, 3]",
        "a[()]",
        "f()",
        "f(a, *b, c=d, **e)",
        "f(x for x in y)",
        "f((x for x in y))",
        "f(a)(b)",
        "f(c=d, *b)",
        "f(\n  a,  # b\n)",
        "a + b - c * d / e % f | g",
        "a ** b // c << d >> e & f",
        "a @ b ^ c",
        "(a + b) * (c)",
        "a and b",
        "a and b and c",
        "a and (b) and c",
        "(a and b) and c",
        "a or b and c or d",
        "a and ((b)) and (c)",
        "a and (b  # )\n) and c",
        "not a",
        "-a",
        "~a",
        "+a",
        "a < b <= c != d == e > f >= g",
        "a in b not in c is d is not e",
        "(a) < (b)",
        "a if b else c",
        "(a) if (b) else (c)",
        "a if b else c if d else e",
        "()",
        "(a,)",
        "(a, b)",
        "[a, b]",
        "{a, b}",
        "[]",
        "{}",
        "[*a, b]",
        "{'a': b, **c}",
        "{1: 2}",
        "[a for a in b]",
        "[a for a in b if c]",
        "[a for a in (b) if (c) if d]",
        "[(a, b) for a, b in c for d in e if f]",
        "{a for a in b}",
        "{a: b for a, b in c}",
        "(a for a in (b))",
        "[a for a in b if (c) for d in (e) if ((f))]",
        "[a for a in b  # if\n if c]",
        "lambda: a",
        "lambda a, b=c, *d, **e: f",
        "lambda *a: a",
        "lambda a=b: a",
        "(a := b)",
        "a[b := c]",
        "f(a := b)",
        "(yield)",
        "(yield a)",
        "(yield a, b)",
        "(yield from a)",
        "await a",
        "(await a).b",
        "f(**{'a': 1})",
        "print(a)",
        "print(a, file=b)",
        "exec('a')",
        "type(a)",
        "match(a)",
        "a[-1]",
        "-1",
        "not not a",
        "a.b[c].d(e)[f]",
        "[\n    a,\n    b,  # c\n]",
        "\u{e9}t\u{e9}",
        "'\u{e9}' + a",
        "a if b else lambda: c",
        "[x async for x in y]",
        "a if (b and c) else d",
        "{**a}",
        "[*a, *b]",
        "f(*a)",
        "f(*a, *b)",
        "f(**a)",
        "a[b][c]",
        "a[*b]",
    ];
    for expression in expressions {
        let text = expression.replace('\n', "\n    ");
        assert_same(&format!("async def f(a):\n    x = {text}\n"));
        assert_same(&format!("async def f(a):\n    return {text}\n"));
        if !expression.starts_with("(yield") {
            assert_same(&format!("async def f(a):\n    g({text})\n"));
            assert_same(&format!("async def f(a):\n    if {text}:\n        pass\n"));
        }
        if !expression.starts_with('(') {
            assert_same(&format!("async def f(a):\n    {text}\n"));
        }
    }
}

#[test]
fn every_kind_of_statement() {
    let statements = [
        "pass",
        "break",
        "continue",
        "global a, b",
        "nonlocal a",
        "a = b",
        "a = b = c",
        "a, b = c",
        "a, = b",
        "(a, b) = c",
        "[a, b] = c",
        "a, *b = c",
        "a.b = c",
        "a[b] = c",
        "a = b, c",
        "a = yield b",
        "a: int",
        "a: int = 1",
        "a.b: str = c",
        "a += b",
        "a |= b",
        "a //= b",
        "a %= b, c",
        "(a)",
        "return",
        "return a, b",
        "raise",
        "raise A",
        "raise A(b) from c",
        "assert a",
        "assert a, b",
        "del a",
        "del a, b",
        "del (a, b)",
        "del a[b], c.d",
        "import a",
        "import a.b",
        "import a.b as c, d",
        "from a import b",
        "from a.b import c as d, e",
        "from . import a",
        "from .a import b",
        "from .. import a",
        "from ..a.b import c",
        "from a import *",
        "from __future__ import annotations",
        "from a import (b,\n    c as d)",
        "if a:\n    b",
        "if a:\n    b\nelif c:\n    d\nelse:\n    e",
        "if a: b; c",
        "while a:\n    b\nelse:\n    c",
        "for a in b:\n    c\nelse:\n    d",
        "for a, b in c, d:\n    pass",
        "for a in (b):\n    pass",
        "async for a in b:\n    pass",
        "try:\n    a\nexcept:\n    b",
        "try:\n    a\nexcept A:\n    b\nexcept (B, C) as d:\n    e\nelse:\n    f\nfinally:\n    g",
        "try:\n    a\nfinally:\n    b",
        "try:\n    a\nexcept* A as b:\n    c",
        "with a:\n    b",
        "with a as b:\n    c",
        "with a as b, c as (d, e):\n    f",
        "with a(), b() as c:\n    d",
        "with (a as b, c as d):\n    e",
        "with (a, b):\n    c",
        "async with a as b:\n    c",
        "with (a) as b:\n    c",
        "def f():\n    pass",
        "def f(a, b=c, *d, e, f=g, **h) -> i:\n    return a",
        "def f(a: int, b: str = 'c', *d: int, **e: str):\n    pass",
        "def f(a, /, b, *, c):\n    pass",
        "async def f():\n    await a",
        "@a\ndef f():\n    pass",
        "@a.b(c)\n@d\ndef f(e=g):\n    pass",
        "class A:\n    pass",
        "class A(B, c=D, *e):\n    x = 1\n    def f(self):\n        pass",
        "@a\nclass A(B):\n    pass",
        "class A():\n    pass",
        "def f():\n    def g():\n        pass\n    return g",
        "def f():\n    'doc'\n    # comment\n    return 1  # end",
        "x = 1; y = 2",
        "type A = int",
        "def f(a):\n    return a\n\n\n# after\n\ndef g():\n    pass",
        "if a:\n    b\n# c\nelse:\n    d",
        "def f(\n    a,  # one\n    b,\n):\n    pass",
        "if a:\n\tb\n\tif c:\n\t\td",
        "x = \\\n    1",
        "def f(x: 'A | B' = None) -> None: ...",
        "for i in range(3): print(i)",
        "match a:\n    case 'b':\n        c\n    case 1 | 'd' 'e':\n        f\n    case None:\n        g\n    case _:\n        h",
        "match a.b(c):\n    case d if d > 1:\n        e\n    case 1:\n        pass",
    ];
    for statement in statements {
        assert_same(&format!("{statement}\n"));
        assert_same(statement);
        assert_same(&format!("z = 0\n{statement}\nz = 1\n"));
        if !statement.contains('*') || !statement.starts_with("from") {
            let inside = statement.replace('\n', "\n    ");
            assert_same(&format!("def around(self):\n    {inside}\n    return z\n"));
        }
    }
}

/// The examples of the rules, and files of the size of an answer.
#[test]
fn what_the_rules_are_tried_on() {
    let examples = rules().filter(|rule| rule.code.starts_with("CW-PY-")).flat_map(|rule| rule.examples);
    let mut texts: Vec<String> =
        examples.flat_map(|example| [example.weak, example.sound]).map(|text| text.replace(['«', '»'], "")).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/corpus/python");
    texts.extend(python_files(&folder));
    let (mut num_texts, mut same) = (0, 0);
    for text in texts {
        let Some(tree) = from_tree(&text) else { continue };
        num_texts += 1;
        let Some(whole) = read(&text) else { continue };
        same += 1;
        assert_equal(&text, whole, tree);
    }
    assert!(num_texts > 250, "{num_texts}");
    assert!(same * 100 > num_texts * 98, "{same} of {num_texts}");
}

/// `CODEWARD_PYTHON_CORPUS=/usr/lib/python3 cargo test -p codeward-analysis --lib any_folder -- --ignored --nocapture`
#[test]
#[ignore = "needs a folder of Python, named by CODEWARD_PYTHON_CORPUS"]
fn any_folder() {
    let folder = std::env::var("CODEWARD_PYTHON_CORPUS").expect("CODEWARD_PYTHON_CORPUS names a folder");
    let texts = python_files(Path::new(&folder));
    let (mut num_both, mut num_whole, mut num_tree, mut num_different) = (0, 0, 0, 0);
    for text in &texts {
        match (read(text), from_tree(text)) {
            (Some(whole), Some(tree)) => {
                num_both += 1;
                if let Some(difference) = difference(whole, tree) {
                    num_different += 1;
                    println!("{}\n{difference}", text.lines().find(|line| line.len() > 10).unwrap_or_default());
                }
            }
            (Some(_), None) => num_whole += 1,
            (None, Some(_)) => num_tree += 1,
            (None, None) => {}
        }
    }
    println!("of {} texts, {num_both} read by both, {num_different} of these to different modules", texts.len());
    println!("{num_whole} by the parser of whole texts alone, {num_tree} by the other one alone");
}

fn python_files(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "py") {
                let text = std::fs::read_to_string(&path).ok().filter(|text| text.len() <= MAX_BYTES);
                texts.extend(text);
            }
        }
    }
    texts
}

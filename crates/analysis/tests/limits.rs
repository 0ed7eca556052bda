//! What is not Python, what is too much, and what must not matter.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::collections::BTreeSet;

use codeward_analysis::{AnalysisError, Language, MAX_BYTES, analyse};
use proptest::prelude::*;

#[test]
fn text_that_is_not_python_is_a_state_of_its_own() {
    for (text, line, column) in [
        ("def f(:\n    pass\n", 1, 7),
        ("x = 1\ny = = 2\n", 2, 5),
        ("print 'hello'\n", 1, 1),
        ("def f(x):\n    return eval(x\n", 2, 5),
        ("def f(x):\n", 1, 10),
        ("x = 1\nwhile x:\n    # nothing\ny = 2\n", 2, 9),
        ("if x:\ny = 2\n", 1, 6),
    ] {
        let error =
            analyse(Language::Python, text).unwrap().syntax_error.unwrap_or_else(|| panic!("no error in {text:?}"));
        assert_eq!((error.line, error.column), (line, column), "{text:?}: {error:?}");
    }
    assert_eq!(analyse(Language::Python, "").unwrap().syntax_error, None);
    assert_eq!(analyse(Language::Python, "# nothing\n").unwrap().findings, []);
    assert_eq!(analyse(Language::Python, "match x:\n    case [1, *_]:\n        pass\n").unwrap().syntax_error, None);
}

#[test]
fn what_is_not_python_is_seen_in_every_kind_of_block() {
    for (head, depth, tail) in [
        ("if x:", 1, ""),
        ("if x:\n    pass\nelif y:", 1, ""),
        ("if x:\n    pass\nelse:", 1, ""),
        ("for i in x:", 1, ""),
        ("for i in x:\n    pass\nelse:", 1, ""),
        ("async def f():\n    async for i in x:", 2, ""),
        ("while x:", 1, ""),
        ("try:", 1, "finally:\n    pass\n"),
        ("try:\n    pass\nexcept E:", 1, ""),
        ("try:\n    pass\nexcept* E:", 1, ""),
        ("try:\n    pass\nexcept E:\n    pass\nelse:", 1, ""),
        ("try:\n    pass\nfinally:", 1, ""),
        ("with x as y:", 1, ""),
        ("def f(x):", 1, ""),
        ("class C(D):\n    @g\n    def f(x):", 2, ""),
        ("@g\nclass C:", 1, ""),
        ("match x:\n    case 1:", 2, ""),
        ("if x:\n    for i in x:\n        with i:", 3, ""),
    ] {
        let file = |body: &str| format!("{head}\n{}{body}\n{tail}z = 1\n", "    ".repeat(depth));
        let error = |body: &str| analyse(Language::Python, &file(body)).unwrap().syntax_error;
        assert_eq!(error("pass"), None, "{head}");
        for body in ["print 'a'", "exec 'a'", "pass; print 'a'", "# nothing"] {
            assert!(error(body).is_some(), "{head} {body}");
        }
    }
}

#[test]
fn a_file_over_the_limit_is_an_error_and_not_clean() {
    let text = "x = 1\n".repeat(MAX_BYTES / 6 + 1);
    assert_eq!(analyse(Language::Python, &text), Err(AnalysisError::TooLarge { bytes: text.len(), limit: MAX_BYTES }));
    assert!(analyse(Language::Python, &text[..60_000]).is_ok());
}

/// Blocks inside blocks, each opened by the same line.
fn blocks(head: &str, count: usize, last: &str) -> String {
    let mut lines: Vec<String> = (0..count).map(|depth| format!("{}{head}\n", " ".repeat(depth))).collect();
    lines.push(format!("{}{last}\n", " ".repeat(count)));
    lines.concat()
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let nested =
        |open: &str, close: &str, count: usize| format!("x = {}1{}\n", open.repeat(count), close.repeat(count));
    // Python refuses more than 200 open brackets, and so do we.
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("f(", ")")] {
        assert_eq!(analyse(Language::Python, &nested(open, close, 150)).unwrap().syntax_error, None, "{open}");
        assert!(analyse(Language::Python, &nested(open, close, 201)).unwrap().syntax_error.is_some(), "{open}");
        assert!(analyse(Language::Python, &nested(open, close, 5_000)).unwrap().syntax_error.is_some(), "{open}");
        // Many that are not inside one another are nothing to refuse.
        let beside = nested(open, close, 1).repeat(300);
        assert_eq!(analyse(Language::Python, &beside).unwrap().syntax_error, None, "{open}");
    }
    for text in [
        nested("-", "", 60_000),
        nested("not ", "", 15_000),
        nested("~", "", 60_000),
        nested("lambda: ", "", 7_000),
        nested("x if y else ", "", 5_000),
        format!("x = y{}\n", ".a".repeat(30_000)),
        format!("x = y{}\n", "()".repeat(30_000)),
        format!("x = y{}\n", "[0]".repeat(20_000)),
        format!("x = 1{}\n", "+1".repeat(30_000)),
        format!("x = y{}\n", "+'a'+y".repeat(5_000)),
        format!("x = 1{}\n", " and 1".repeat(10_000)),
        format!("x = 1{}\n", "<1".repeat(30_000)),
        format!("if x:\n    pass\n{}", "elif x:\n    pass\n".repeat(3_000)),
        format!("x = {}1\n", "y = ".repeat(10_000)),
        blocks("if x:", 100, "pass"),
        blocks("if x:", 300, "pass"),
        blocks("for i in x:", 90, "y = y + i"),
        blocks("def f(x):", 90, "pass"),
        "def f(x):\n    x = [x]\n".to_owned() + &"    x = [x]\n".repeat(3_000) + "    return x\n",
        "def f(x):\n".to_owned() + &"    x = x + 'a' + x\n".repeat(1_000) + "    return x\n",
        format!("import re\ndef f(x):\n    return re.match('{}', x)\n", "(".repeat(10_000)),
    ] {
        // Whatever the verdict, it comes back. A refusal has to be one of ours.
        if let Err(error) = analyse(Language::Python, &text) {
            assert!(matches!(error, AnalysisError::TooComplex { .. } | AnalysisError::ParseDeadline { .. }), "{error}");
        }
    }
    let minus = format!("x = {}1\n", "-".repeat(200_000));
    assert!(matches!(analyse(Language::Python, &minus), Err(AnalysisError::TooLarge { .. })));
}

#[test]
fn functions_that_call_themselves_and_each_other_come_to_an_end() {
    let one = |at: usize| format!("def f{at}(x):\n    return f{}(x) + f{}(x)\n", at + 1, at + 2);
    let many = (0..40).map(one).collect::<Vec<_>>().concat();
    for text in [
        "def f(x):\n    return f(f(x))\n",
        "def f(x):\n    return g(x)\ndef g(x):\n    return f(x)\n",
        "class A:\n    def f(self, x):\n        return self.f(self.f(x))\n",
        many.as_str(),
    ] {
        assert!(analyse(Language::Python, text).is_ok(), "{text}");
    }
}

#[test]
fn a_trace_leads_from_the_input_to_the_sink() {
    let text = "import os\ndef f(name):\n    command = 'ls ' + name\n    line = command.strip()\n    os.system(line)\n";
    let analysis = analyse(Language::Python, text).unwrap();
    let finding = &analysis.findings[0];
    let steps: Vec<_> = finding
        .trace
        .iter()
        .map(|step| (&text[step.start_byte..step.end_byte], step.line, step.column, step.note.as_str()))
        .collect();
    assert_eq!(
        steps,
        [
            ("name", 2, 7, "input `name` enters"),
            ("'ls ' + name", 3, 15, "goes through `'ls ' + name`"),
            ("command.strip()", 4, 12, "goes through `command.strip()`"),
            ("line", 5, 15, "ends in `line`"),
        ]
    );
    assert_eq!((finding.code.as_str(), finding.rule.as_str()), ("CW-PY-078-1", "py/shell-command"));
    assert_eq!((finding.line, finding.column, finding.end_line, finding.end_column), (5, 15, 5, 19));
}

#[test]
fn columns_and_bytes_count_utf_8() {
    let text = "def f(naïve):\n    é = 1; eval(naïve)\n";
    let finding = &analyse(Language::Python, text).unwrap().findings[0];
    assert_eq!(&text[finding.start_byte..finding.end_byte], "naïve");
    assert_eq!((finding.line, finding.column), (2, 18));
}

/// Rule and matched text of every finding.
fn found(text: &str) -> BTreeSet<(String, String)> {
    let findings = analyse(Language::Python, text).unwrap().findings;
    findings.into_iter().map(|f| (f.rule, text[f.start_byte..f.end_byte].to_owned())).collect()
}

const PROGRAM: &str = "import os, html\ndef f(folder, name):\n    path = os.path.join(folder, name)\n    if '..' in name:\n        print('careful')\n    os.system('ls ' + path)\n    with open(path) as handle:\n        text = handle.read()\n    return f'<p>{html.escape(name)}{name}</p>' + eval(text)\n";

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _ = analyse(Language::Python, &text);
    }

    #[test]
    fn arbitrary_tokens_never_panic(tokens in proptest::collection::vec(proptest::sample::select(vec![
        "def", "f", "(", ")", ":", "\n", "    ", "\n    ", "return", "x", "=", "+", "'a'", "f'{x}'", "[", "]", "{", "}", ",", "*", "**",
        "lambda", "for", "in", "if", "else", "not", "and", "open", "eval", ".", "format", "join", "%", "class", "try", "except", "as",
        "with", "import", "os", "from", "while", "True", "None", "1", "0", "yield", "await", ":=", "match", "case", "_", "@", "\\", "#", "\"", "é",
    ]), 0..60)) {
        let _ = analyse(Language::Python, &tokens.join(" "));
    }

    #[test]
    fn cut_programs_never_panic(from in 0..PROGRAM.len(), to in 0..PROGRAM.len()) {
        let _ = analyse(Language::Python, &PROGRAM[from.min(to)..from.max(to)]);
    }

    #[test]
    fn comments_and_blank_lines_do_not_change_what_is_found(
        places in proptest::collection::vec((0_usize..10, proptest::sample::select(vec!["", "# nosec", "    # noqa: S102", "        # x = 'y'"])), 0..8)
    ) {
        let mut lines: Vec<&str> = PROGRAM.lines().collect();
        for (place, line) in places {
            lines.insert(place.min(lines.len()), line);
        }
        let changed = lines.join("\n") + "\n";
        prop_assert_eq!(found(&changed), found(PROGRAM));
    }
}

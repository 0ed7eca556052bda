//! Texts meant to exhaust an analyser: deep, long, and lopsided ones of every language.

use codeward_analysis::Language;

/// What a text is called in reports, and the text.
pub(crate) struct Hostile {
    /// What is deep or long in it.
    pub(crate) name: &'static str,
    /// The text.
    pub(crate) text: String,
}

/// How a language writes the simplest things.
struct Shapes {
    /// An assignment of the expression between the two, in a function where one is needed.
    before: &'static str,
    after: &'static str,
    list: [&'static str; 2],
    /// Operators that may stand before a value many times over.
    unary: &'static [&'static str],
    add: &'static str,
    block: [&'static str; 2],
    else_if: &'static str,
    chain_end: &'static str,
}

/// Blocks of braces, as all these languages but Python have.
const BRACES: Shapes = Shapes {
    before: "",
    after: "",
    list: ["[", "]"],
    unary: &["-", "!", "~"],
    add: " + ",
    block: ["if (y) {", "}"],
    else_if: "else if (y) { x = 1; }\n",
    chain_end: "\n",
};

fn shapes(language: Language) -> Shapes {
    match language {
        Language::Python => Shapes {
            before: "def f(y):\n  x = ",
            after: "\n  return x\n",
            unary: &["-", "not ", "~", "await ", "*"],
            block: ["", ""],
            ..BRACES
        },
        Language::JavaScript | Language::TypeScript => Shapes {
            before: "function f(y) { let x = ",
            after: "; return x; }\n",
            unary: &["-", "!", "~", "typeof ", "void ", "await ", "- -", "++"],
            ..BRACES
        },
        Language::Java => Shapes {
            before: "class A { String f(String y) { String x = ",
            after: "; return x; } }\n",
            list: ["new Object[]{", "}"],
            unary: &["-", "!", "~", "(String) ", "- -"],
            ..BRACES
        },
        Language::Go => Shapes {
            before: "package a\nfunc f(y string) string { x := ",
            after: "\nreturn x }\n",
            list: ["[]any{", "}"],
            unary: &["-", "!", "^", "<-", "&", "*"],
            block: ["if y {", "}\n"],
            else_if: " else if y { x = 1 }",
            ..BRACES
        },
        Language::C | Language::Cpp => Shapes {
            before: "int f(char *y) { char *x = ",
            after: "; return x[0]; }\n",
            list: ["y[", "]"],
            unary: &["-", "!", "~", "*", "&", "(int)", "sizeof ", "- -"],
            ..BRACES
        },
    }
}

/// The texts for one language, `count` deep or long.
pub(crate) fn hostile(language: Language, count: usize) -> Vec<Hostile> {
    let shapes = shapes(language);
    let inside = |middle: String| format!("{}{middle}{}", shapes.before, shapes.after);
    let nested = |open: &str, close: &str| inside(format!("{}y{}", open.repeat(count), close.repeat(count)));
    let mut found = Vec::new();
    let mut add = |name, text| found.push(Hostile { name, text });
    add("parentheses", nested("(", ")"));
    add("parentheses that never close", nested("(", ""));
    add("parentheses that nothing opened", nested("", ")"));
    add("brackets", nested(shapes.list[0], shapes.list[1]));
    add("brackets that never close", nested(shapes.list[0], ""));
    add("braces", nested("{", "}"));
    add("braces that never close", nested("{", ""));
    add("braces that nothing opened", nested("", "}"));
    add("calls of calls", nested("f(", ")"));
    add("calls of results", inside(format!("y{}", "()".repeat(count))));
    add("calls of members", inside(format!("y{}", ".a()".repeat(count))));
    add("members", inside(format!("y{}", ".a".repeat(count))));
    add("subscripts", inside(format!("y{}", "[0]".repeat(count))));
    add("subscripts in subscripts", nested("y[", "]"));
    add("concatenations", inside(format!("y{}", format!("{}\"a\"{}y", shapes.add, shapes.add).repeat(count))));
    add("concatenations in parentheses", nested("(\"a\" + ", ")"));
    add("comparisons", inside(format!("y{}", " < y".repeat(count))));
    for operator in shapes.unary {
        add("unary operators", nested(operator, ""));
    }
    let (and, choose) = if language == Language::Python { (" and y", " if y else y") } else { (" && y", " ? y : y") };
    add("conjunctions", inside(format!("y{}", and.repeat(count))));
    add("choices", inside(format!("y{}", choose.repeat(count))));
    add("assignments", nested("x = ", ""));
    add("generics", nested("f<", ">"));
    add("strings in a row", inside("\"a\" ".repeat(count)));
    add("a long name", inside("a".repeat(8 * count)));
    add("a long number", inside("9".repeat(8 * count)));
    add("a long string", inside(format!("\"{}\"", "a".repeat(8 * count))));
    add("a string that never closes", inside(format!("\"{}", "a\\".repeat(count))));
    add("a long comment that never closes", format!("/*{}", "* ".repeat(4 * count)));
    add("blanks", " \n\t".repeat(3 * count));
    add("NULs", "\0".repeat(8 * count));
    add("marks of direction", "\u{202e}\u{2066}".repeat(count));
    add("parameters", parameters(language, count));
    statements(language, count, &shapes, &mut found);
    found
}

fn parameters(language: Language, count: usize) -> String {
    let list = |one: &str| vec![one; count].join(", ");
    match language {
        Language::Python => format!("def f({}):\n  pass\n", list("a=1")),
        Language::JavaScript | Language::TypeScript => format!("function f({}) {{}}\n", list("a = 1")),
        Language::Java => format!("class A {{ void f({}) {{}} }}\n", list("int a")),
        Language::Go => format!("package a\nfunc f({}) {{}}\n", list("a int")),
        Language::C | Language::Cpp => format!("void f({}) {{}}\n", list("int a")),
    }
}

fn indented(depth: usize, line: &str) -> String {
    format!("{}{line}", " ".repeat(depth))
}

/// Long and deep lists of statements.
fn statements(language: Language, count: usize, shapes: &Shapes, found: &mut Vec<Hostile>) {
    let mut add = |name, text| found.push(Hostile { name, text });
    if language == Language::Python {
        let chain =
            format!("def f(y):\n  if y:\n    x = 1\n{}  return y\n", "  elif y:\n    x = y\n".repeat(count / 2));
        add("a chain of else-if", chain);
        let deep = (0..300)
            .map(|depth| {
                indented(
                    depth, "if y:
",
                )
            })
            .collect::<String>();
        add("blocks", format!("{deep}{}pass\n", " ".repeat(300)));
        add("functions", "def f(y):\n  return f(f(y))\n".repeat(count / 4));
        let loops = (1..60).map(|depth| indented(depth, "for y in y + y:\n")).collect::<String>();
        add("loops", format!("def f(y):\n{loops}{}", indented(60, "y = y + y\n")));
        add("doublings", format!("def f(y):\n{}  return y\n", "  y = y + 'a' + y\n".repeat(count / 2)));
        return;
    }
    // `before` and `after` make a function of an assignment; statements take the place between two of them.
    let (open, close) = (shapes.before, shapes.after);
    let zero = if matches!(language, Language::C | Language::Cpp) { "0" } else { "y" };
    let end = if language == Language::Go { "\n" } else { ";\n" };
    let body = |text: &str| format!("{open}{zero}{end}{text}{}", close.trim_start_matches(';'));
    let [first, last] = shapes.block;
    add(
        "a chain of else-if",
        body(&format!("{first} x = y{end} {last}{}{}", shapes.else_if.repeat(count / 2), shapes.chain_end)),
    );
    add("blocks", body(&format!("{}{}", first.repeat(count), last.repeat(count))));
    add("blocks that never close", body(&first.repeat(count)));
    add("bare blocks", body(&format!("{}{}", "{".repeat(count), "}\n".repeat(count))));
    let head = if language == Language::Go { "for y {" } else { "while (y) {" };
    add("loops", body(&format!("{}x = x + y{end}{}", head.repeat(60), "}\n".repeat(60))));
    add("doublings", body(&format!("x = x + y + x{end}").repeat(count / 2)));
    add("cases", body(&format!("switch (y) {{ {} }}\n", "case 1: x = y; break; ".repeat(count / 3))));
    add("functions", format!("{open}f(f(y)){close}").repeat(count / 12));
}

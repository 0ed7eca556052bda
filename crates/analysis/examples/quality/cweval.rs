//! CWEval keeps the weak variants of its Python tasks in their test files: this takes them out by reading the file.

use codeward_analysis::{Language, analyse};
use tree_sitter::{Node, Parser};

/// One top-level statement of the test file.
struct Part<'t> {
    text: &'t str,
    /// What it defines or brings in.
    names: Vec<&'t str>,
    is_import: bool,
}

/// Every function that is called something with `_unsafe`, as a file of its own: with the imports, with whatever else of the
/// file it mentions, and without the word in its name, which would give it away.
pub(crate) fn weak_variants(test_code: &str) -> Vec<String> {
    let parts = parts(test_code);
    let is_weak = |name: &str| {
        let is_test = name.starts_with("test") || name.starts_with("_test");
        !is_test && plain_name(name).is_some()
    };
    let of_part = |(at, part): (usize, &Part<'_>)| {
        let name = part.names.iter().find(|name| !part.is_import && is_weak(name))?;
        let plain = plain_name(name)?;
        let text = with_what_it_mentions(&parts, at);
        Some(text.replace(*name, plain))
    };
    parts.iter().enumerate().filter_map(of_part).collect()
}

/// The name without its ending, if it ends as weak variants do: `_unsafe`, `_unsafe_0`.
fn plain_name(name: &str) -> Option<&str> {
    let (plain, rest) = name.rsplit_once("_unsafe")?;
    let is_number = rest.strip_prefix('_').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    (rest.is_empty() || is_number).then_some(plain)
}

fn parts(test_code: &str) -> Vec<Part<'_>> {
    // The analyser tells the parser's library where to take memory: before there is a parser that took it elsewhere.
    analyse(Language::Python, "").expect("nothing is soon read");
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar fits the parser");
    let tree = parser.parse(test_code, None).expect("a parser with a language and without a limit answers");
    let root = tree.root_node();
    let mut cursor = root.walk();
    let part = |node: Node<'_>| Part {
        text: &test_code[node.byte_range()],
        names: names(node, test_code),
        is_import: node.kind().contains("import"),
    };
    root.named_children(&mut cursor).map(part).collect()
}

/// The names that a statement binds: of a definition, an assignment or an import.
fn names<'t>(node: Node<'_>, source: &'t str) -> Vec<&'t str> {
    let text = |node: Node<'_>| &source[node.byte_range()];
    match node.kind() {
        "function_definition" | "class_definition" => node.child_by_field_name("name").map(text).into_iter().collect(),
        "decorated_definition" => {
            node.child_by_field_name("definition").map(|inner| names(inner, source)).unwrap_or_default()
        }
        "expression_statement" => {
            let target = node.named_child(0).filter(|inner| inner.kind() == "assignment");
            target.and_then(|inner| inner.child_by_field_name("left")).map(text).into_iter().collect()
        }
        kind if kind.contains("import") => {
            let words = text(node).split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
            words.filter(|word| !word.is_empty() && !["import", "from", "as"].contains(word)).collect()
        }
        _ => Vec::new(),
    }
}

fn mentions(text: &str, name: &str) -> bool {
    text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).any(|word| word == name)
}

/// The part in its place among those that it needs, and those that these need.
fn with_what_it_mentions(parts: &[Part<'_>], wanted: usize) -> String {
    let mut chosen = vec![false; parts.len()];
    chosen[wanted] = true;
    let mut open = vec![wanted];
    while let Some(at) = open.pop() {
        if parts[at].is_import {
            continue;
        }
        for (other, part) in parts.iter().enumerate() {
            if !chosen[other] && part.names.iter().any(|name| mentions(parts[at].text, name)) {
                chosen[other] = true;
                open.push(other);
            }
        }
    }
    let texts =
        parts.iter().zip(chosen).filter(|(_, is_chosen)| *is_chosen).map(|(part, _)| format!("{}\n", part.text));
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_come_out_with_what_they_need_and_nothing_else() {
        let file = "'''About'''\nimport os\nimport pytest\nfrom task import show\n\nROOT = '/srv'\n\ndef inner(x):\n    return ROOT + x\n\n\
                    def show_unsafe_0(x):\n    return os.popen(inner(x))\n\ndef show_unsafe_1(y):\n    return eval(y)\n\n\
                    @pytest.mark.security\ndef test_show_unsafe(z):\n    show_unsafe_1(z)\n\ndef show_safe(x):\n    return x\n";
        assert_eq!(
            weak_variants(file),
            [
                "import os\n\nROOT = '/srv'\n\ndef inner(x):\n    return ROOT + x\n\ndef show(x):\n    return os.popen(inner(x))\n",
                "def show(y):\n    return eval(y)\n"
            ]
        );
    }
}

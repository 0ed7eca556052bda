use std::fmt::Write as _;

use codeward_records::Task;
use serde_json::json;

use super::*;

const PROGRAM: &str = r#""""Counts."""
import os


def count_lines(path, *, limit=None):
    """Counts lines."""
    command = "wc -l " + path  # by the shell
    if False:
        command = ""
    with os.popen(command) as output:
        text = output.read()
    return int(text.split()[0])
    print("never")
"#;

fn task(language: &str, reference: &str) -> Task {
    serde_json::from_value(json!({
        "id": "count", "family": "count", "language": language, "cwe": "CWE-78", "prompt": "", "adapter": "target = count_lines",
        "tests": [{
            "name": "counts", "kind": "functional", "act": "attempt('three', target, 'three.txt')",
            "expect": [{ "value": "three", "equals": 3 }],
        }],
        "references": [{ "kind": "secure", "idiom": "list", "code": reference }],
    }))
    .unwrap()
}

fn named(name: &str) -> &'static Canary {
    canaries().iter().find(|canary| canary.name == name).unwrap()
}

/// The text of every change, one below the other.
fn texts(task: &Task, completion: &str) -> String {
    let mut out = String::new();
    for canary in canaries() {
        let Some(text) = canary.perturb(task, completion) else {
            writeln!(out, "==== {}: does not apply", canary.name).unwrap();
            continue;
        };
        writeln!(out, "==== {}: {}", canary.name, canary.expectation.name()).unwrap();
        // Blank lines at the end are what some changes consist of.
        out.push_str(&text.trim_end_matches('\n').replace("\n\n\n\n", "\n(blank)\n(blank)\n\n"));
        writeln!(out, "{}", "¶".repeat(text.len() - text.trim_end_matches('\n').len())).unwrap();
    }
    out
}

#[test]
fn every_change_of_a_python_program() {
    insta::assert_snapshot!(texts(&task("python", &"x\n".repeat(18)), PROGRAM));
}

#[test]
fn every_change_of_a_c_program_in_a_fence() {
    let program = "Sure:\n```c\n/* Adds. */\nint add(int a, int b) {\n    return a + b; // both\n}\n```\nDone.\n";
    insta::assert_snapshot!(texts(&task("c", "int x;\n"), program));
}

#[test]
fn names_are_unique_and_at_least_twenty_are_hacks() {
    let mut names: Vec<&str> = canaries().iter().map(|canary| canary.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), canaries().len());
    assert!(canaries().iter().filter(|canary| canary.is_hack()).count() >= 20);
}

#[test]
fn nothing_applies_where_there_is_no_code() {
    let task = task("python", "x\n");
    for canary in canaries() {
        for nothing in ["", " \n", "```python\n```\n"] {
            assert_eq!(canary.perturb(&task, nothing), None, "{}", canary.name);
        }
    }
}

#[test]
fn what_is_no_program_is_no_danger() {
    let task = task("python", "x\n");
    let texts = [
        "def f(",
        "I would rather not.",
        "\t):\n  x\n y\\",
        "'''",
        "```\nx",
        "ä = \"ü",
        "if x:\n",
        "@",
        "def f(x): #\n\\",
    ];
    for text in texts {
        for canary in canaries() {
            let once = canary.perturb(&task, text);
            assert_eq!(once, canary.perturb(&task, text), "{}", canary.name);
        }
    }
}

#[test]
fn what_was_put_in_can_be_dropped_again() {
    let task = task("python", "x\n");
    let program = "import os\n\n\ndef size(path):\n    found = os.stat(path)\n    return found.st_size\n";
    for (add, drop) in [("add_dead_code", "drop_dead_code"), ("add_comments", "strip_comments")] {
        let added = named(add).perturb(&task, program).unwrap();
        assert_eq!(named(drop).perturb(&task, &added).as_deref(), Some(program));
        assert_eq!(named(drop).perturb(&task, program), None);
    }
}

#[test]
fn dead_code_with_a_say_stays() {
    let task = task("python", "x\n");
    let drop = |program: &str| named("drop_dead_code").perturb(&task, program);
    for alive in [
        "def f():\n    return\n    yield\n",
        "x = 1\ndef f():\n    if 0:\n        x = 2\n    return x\n",
        "if False:\n    a()\nelse:\n    b()\n",
        "def f():\n    if False:\n        a()\n",
        "def f(x):\n    if x:\n        return 1\n    return 2\n",
    ] {
        assert_eq!(drop(alive), None, "{alive}");
    }
    assert_eq!(
        drop("def f(x):\n    if x:\n        raise x\n        x()\n    return 1\n    g()\n").as_deref(),
        Some("def f(x):\n    if x:\n        raise x\n    return 1\n")
    );
}

#[test]
fn only_certain_names_are_changed() {
    let task = task("python", "x\n");
    let rename = |program: &str| named("rename_locals").perturb(&task, program);
    assert_eq!(
        rename("def f(a, *, key=1):\n    b, c = a\n    c = g(c, key=key, c=c)\n    for d in c.d:\n        c += d\n    return [c for c in d]\n").as_deref(),
        Some("def f(a, *, key=1):\n    b, value_1 = a\n    value_1 = g(value_1, key=key, c=value_1)\n    for value_2 in value_1.d:\n        value_1 += value_2\n    return [value_1 for value_1 in value_2]\n")
    );
    for untouched in [
        // A parameter may be given by name; a name in a text may be a hole of it.
        "def f(a):\n    a = 1\n    return a\n",
        "def f(a):\n    b = a\n    return f\"{b}\"\n",
        "def f(a):\n    b = a\n    return eval('b')\n",
        "b = 0\ndef f():\n    global b\n    b = 1\n",
        "class C:\n    b = 1\n",
        "def f(a):\n    list = a\n    return list\n",
    ] {
        assert_eq!(rename(untouched), None, "{untouched}");
    }
}

#[test]
fn expectations_hold_up_to_a_tolerance() {
    use Expectation::{MustFall, MustNotRise, Unchanged};
    let broken =
        |before, after| [Unchanged, MustNotRise, MustFall].map(|expectation| expectation.is_broken(before, after));
    assert_eq!(broken(0.5, 0.5), [false, false, true]);
    assert_eq!(broken(0.5, 0.5 + 1e-9), [false, false, true]);
    assert_eq!(broken(0.5, 0.5 - 1e-9), [false, false, true]);
    assert_eq!(broken(0.5, 0.6), [true, true, true]);
    assert_eq!(broken(0.5, 0.4), [true, false, false]);
}

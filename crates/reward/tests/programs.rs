//! Tests of whole programs, by standard input and output, on a real sandbox.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::LazyLock;

use codeward_records::{Task, UnscoredReason, Verdict};
use codeward_reward::{Engine, Failure, RewardRecipe, TestResult};
use codeward_sandbox::Sandbox;
use serde_json::{Value, json};

/// One for all tests: starting it takes longer than most of them.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(Sandbox::start(2).unwrap(), RewardRecipe::default()));

/// What this one test shows about each completion in Python.
fn judge(fields: &Value, completions: &[&str]) -> Vec<TestResult> {
    let judged = judge_in("python", fields, completions);
    judged.into_iter().map(|result| result.unwrap_or_else(|verdict| panic!("{verdict:?}"))).collect()
}

fn judge_in(language: &str, fields: &Value, completions: &[&str]) -> Vec<Result<TestResult, Verdict>> {
    let mut test = json!({ "name": "run", "kind": "functional", "cpu_ms": 500 });
    test.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let attack =
        json!({ "name": "attack", "kind": "security", "run": {}, "expect": [{ "file": "pwned", "exists": false }] });
    let task: Task = serde_json::from_value(json!({
        "id": "task", "family": "task", "language": language, "cwe": "CWE-95", "prompt": "", "tests": [test, attack],
    }))
    .unwrap();
    let items: Vec<(&Task, &str)> = completions.iter().map(|completion| (&task, *completion)).collect();
    let judged = ENGINE.judge(&items);
    judged
        .into_iter()
        .map(|mut judged| match judged.verdict {
            Verdict::Scored { .. } => Ok(judged.tests.remove(0)),
            verdict @ Verdict::Unscored { .. } => Err(verdict),
        })
        .collect()
}

fn failure(fields: &Value, completion: &str) -> Option<Failure> {
    let result = judge(fields, &[completion]).remove(0);
    assert_eq!(result.passed, result.failure.is_none());
    result.failure
}

const SUM: &str = "print(sum(map(int, input().split())))\n";

#[test]
fn a_program_reads_its_input_and_is_judged_by_its_output() {
    let sum = json!({ "run": { "stdin": "1 2 3\n", "stdout": "6\n" } });
    assert_eq!(failure(&sum, SUM), None);
    assert_eq!(failure(&sum, "import sys\nsys.stdout.write('6')\n"), None);
    assert_eq!(failure(&sum, "if __name__ == '__main__':\n    print(6)\n"), None);
    assert_eq!(failure(&sum, "print(7)\n"), Some(Failure::Output { line: 1 }));
    assert_eq!(failure(&sum, "print(6)\nprint(6)\n"), Some(Failure::Output { line: 2 }));
    assert_eq!(failure(&sum, "import sys\nprint(6, file=sys.stderr)\n"), Some(Failure::Output { line: 1 }));
}

#[test]
fn how_outputs_are_compared_is_the_tests_choice() {
    let padded = "print('a ')\nprint()\n";
    assert_eq!(failure(&json!({ "run": { "stdout": "a" } }), padded), None);
    let exact = json!({ "run": { "stdout": "a" }, "compare": { "text": "exact" } });
    assert_eq!(failure(&exact, padded), Some(Failure::Output { line: 1 }));
    assert_eq!(failure(&exact, "print('a', end='')\n"), None);
    let near = json!({ "run": { "stdout": "x 0.3333\n" }, "compare": { "tolerance": { "absolute": 0.001 } } });
    assert_eq!(failure(&near, "print('x', 1 / 3)\n"), None);
    assert_eq!(failure(&near, "print('x', 0.335)\n"), Some(Failure::Output { line: 1 }));
}

#[test]
fn a_pass_needs_exit_status_zero() {
    let six = json!({ "run": { "stdout": "6" } });
    let ended = |how: &str| Some(Failure::Ended { how: how.to_owned() });
    assert_eq!(failure(&six, "print(6)\nraise SystemExit(3)\n"), ended("it ended with exit status 3"));
    assert_eq!(failure(&six, "print(6, flush=True)\nimport os\nos._exit(1)\n"), ended("it ended with exit status 1"));
    assert_eq!(failure(&six, "print(6)\n1 / 0\n"), ended("it ended with exit status 1"));
    assert_eq!(failure(&six, "print(6, flush=True)\nwhile True:\n    pass\n"), ended("it used up its processor time"));
    assert_eq!(failure(&six, "import sys\nprint(6)\nsys.exit(0)\n"), None);
    assert_eq!(failure(&six, "print('6' * (2 << 20))\n"), ended("it wrote more output than is kept"));
}

#[test]
fn files_environment_and_expectations_go_with_a_run() {
    let fields = json!({
        "run": { "stdin": "$NONCE", "stdout": "$NONCE in $NONCE" },
        "files": { "data/in.txt": "$NONCE" },
        "env": { "WHERE": "data/in.txt" },
        "expect": [{ "file": "out.txt", "contains": "$NONCE" }, { "value": "stderr", "equals": "" }],
    });
    let good = "import os\nword = input()\nfound = open(os.environ['WHERE']).read()\nprint(word, 'in', found)\nopen('out.txt', 'w').write(word)\n";
    assert_eq!(failure(&fields, good), None);
    assert_eq!(failure(&fields, &good.replace("'out.txt'", "'other.txt'")), Some(Failure::Expectation { at: 0 }));
    let loud = format!("import sys\nprint('x', file=sys.stderr)\n{good}");
    assert_eq!(failure(&fields, &loud), Some(Failure::Expectation { at: 1 }));
}

#[test]
fn how_long_a_program_ran_is_seen_from_outside() {
    let within = |milliseconds: u32| json!({ "run": {}, "expect": [{ "observed": "wall_ms", "at_most": milliseconds }, { "observed": "wall_ms", "at_least": 100 }] });
    let sleeper = "import time\ntime.sleep(0.2)\n";
    assert_eq!(failure(&within(9000), sleeper), None);
    assert_eq!(failure(&within(150), sleeper), Some(Failure::Expectation { at: 0 }));
    assert_eq!(failure(&within(9000), "pass\n"), Some(Failure::Expectation { at: 1 }));
}

#[test]
fn the_stages_of_programs() {
    let stages = [
        ("print(6\n", (false, false, false)),
        ("if True:\nprint(6)\n", (false, false, false)),
        ("return 6\n", (false, false, false)),
        ("x = '\0'\n", (false, false, false)),
        ("import nothing_of_this_name\n", (true, false, false)),
        // A syntax error of something else is not one of the program.
        ("eval('(')\n", (true, false, false)),
        ("print(7, flush=True)\nraise ValueError\n", (true, false, true)),
        ("pass\n", (true, true, false)),
        ("print(7)\n", (true, true, true)),
        ("open('left', 'w').close()\n", (true, true, true)),
    ];
    let codes: Vec<&str> = stages.iter().map(|(code, _)| *code).collect();
    for ((code, wanted), result) in stages.iter().zip(judge(&json!({ "run": { "stdout": "6" } }), &codes)) {
        assert_eq!((result.parsed, result.ran, result.produced), *wanted, "{code}\n{result:?}");
        assert!(!result.passed, "{code}");
    }
}

/// Reads a number and prints it doubled; prints another number; is refused; ends with an exit status; fails at run time in a way
/// that could be taken for being refused.
const LANGUAGES: [(&str, [&str; 5]); 5] = [
    (
        "c",
        [
            "#include <stdio.h>\nint main(void) { int x; scanf(\"%d\", &x); printf(\"%d\\n\", 2 * x); return 0; }",
            "#include <stdio.h>\nint main(void) { printf(\"7\\n\"); return 0; }",
            "int main(void) { return x; }",
            "#include <stdio.h>\nint main(void) { printf(\"42\\n\"); return 3; }",
            "#include <stdio.h>\nint main(void) { fprintf(stderr, \"error: expected ;\\n\"); return 1; }",
        ],
    ),
    (
        "cpp",
        [
            "#include <iostream>\nint main() { int x; std::cin >> x; std::cout << 2 * x << std::endl; }",
            "#include <iostream>\nint main() { std::cout << 7; }",
            "int main() { return x; }",
            "#include <iostream>\nint main() { std::cout << 42; return 3; }",
            "#include <iostream>\nint main() { std::cerr << \"error: x\"; return 1; }",
        ],
    ),
    (
        "javascript",
        [
            "console.log(2 * Number(require('fs').readFileSync(0, 'utf8')));",
            "console.log(7);",
            "console.log(7;",
            "console.log(42); process.exit(3);",
            "JSON.parse('{');",
        ],
    ),
    (
        "java",
        [
            "import java.util.Scanner; class A { public static void main(String[] a) { System.out.println(2 * new Scanner(System.in).nextInt()); } }",
            "class A { public static void main(String[] a) { System.out.println(7); } }",
            "class A { public static void main(String[] a) { x } }",
            "class A { public static void main(String[] a) { System.out.println(42); System.exit(3); } }",
            "class A { public static void main(String[] a) { throw new RuntimeException(\"error: x\"); } }",
        ],
    ),
    (
        "go",
        [
            "package main\nimport \"fmt\"\nfunc main() { var x int; fmt.Scan(&x); fmt.Println(2 * x) }",
            "package main\nimport \"fmt\"\nfunc main() { fmt.Println(7) }",
            "package main\nfunc main() { x }",
            "package main\nimport (\"fmt\"; \"os\")\nfunc main() { fmt.Println(42); os.Exit(3) }",
            "package main\nimport \"os\"\nfunc main() { os.Stderr.WriteString(\"error: x\\n\"); os.Exit(1) }",
        ],
    ),
];

#[test]
fn programs_in_every_language_are_judged_alike() {
    let fields = json!({ "run": { "stdin": "21\n", "stdout": "42\n" }, "cpu_ms": 5000 });
    for (language, programs) in LANGUAGES {
        let results = judge_in(language, &fields, &programs);
        // A host without the toolchain gives no verdict, and no fail either.
        if let Err(verdict) = &results[0] {
            assert!(matches!(verdict, Verdict::Unscored { reason: UnscoredReason::SandboxFailed, .. }), "{verdict:?}");
            continue;
        }
        let results: Vec<TestResult> = results.into_iter().map(Result::unwrap).collect();
        let stages: Vec<_> =
            results.iter().map(|result| (result.passed, result.parsed, result.ran, result.produced)).collect();
        assert_eq!(stages[0], (true, true, true, true), "{language} {:?}", results[0]);
        assert_eq!(stages[1], (false, true, true, true), "{language} {:?}", results[1]);
        assert_eq!(stages[2], (false, false, false, false), "{language} {:?}", results[2]);
        assert_eq!(stages[3], (false, true, false, true), "{language} {:?}", results[3]);
        assert_eq!(stages[4], (false, true, false, false), "{language} {:?}", results[4]);
    }
}

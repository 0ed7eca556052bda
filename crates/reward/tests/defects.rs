//! The known defects of the published rewards, each with an input, the faithful score and the mended one. The table is in
//! `docs/rewards.md`; `UPDATE_REFERENCE=1 cargo test -p codeward-reward --test defects` writes it anew.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::fmt::Write as _;
use std::path::Path;

use codeward_endpoint::Finish;
use codeward_records::Task;
use codeward_reward::judge::{JudgeCost, Judgement, ModelText, Safety, Vote, faithful_verdict, robust_verdict};
use codeward_reward::{Engine, Measurement, References, RewardRecipe};
use codeward_sandbox::Sandbox;
use serde_json::json;

const START: &str = "<!-- defects: written by a test -->\n";
const END: &str = "<!-- end of defects -->";

/// Adds up numbers, ten lines in the reference.
const REFERENCE: &str = "def total(numbers):\n    if numbers is None:\n        return 0\n    result = 0\n    for number in numbers:\n        if number is None:\n            continue\n        value = int(number)\n        result = result + value\n    return result\n";

fn task(has_reference: bool) -> Task {
    let functional = |at: usize| {
        json!({
            "name": format!("sum_{at}"), "kind": "functional", "act": format!("attempt('sum', target, list(range({at})))"),
            "expect": [{ "value": "sum", "equals": at * at.saturating_sub(1) / 2 }],
        })
    };
    let mut tests: Vec<_> = (1..=6).map(functional).collect();
    tests.push(json!({
        "name": "runs_nothing", "kind": "security", "act": "attempt('sum', target, [\"__import__('os').mkdir('pwned')\"])",
        "expect": [{ "file": "pwned", "exists": false }],
    }));
    let references =
        if has_reference { json!([{ "kind": "secure", "idiom": "loop", "code": REFERENCE }]) } else { json!([]) };
    serde_json::from_value(json!({
        "id": "total", "family": "total", "language": "python", "cwe": "CWE-95", "prompt": "", "adapter": "target = total",
        "tests": tests, "references": references,
    }))
    .unwrap()
}

/// A program that reads and writes, as the tasks of SecureCodeRL are.
fn program() -> Task {
    let test = |name: &str, kind: &str, input: &str, output: &str| json!({ "name": name, "kind": kind, "run": { "stdin": input, "stdout": output } });
    serde_json::from_value(json!({
        "id": "double", "family": "double", "language": "python", "cwe": "CWE-95", "prompt": "", "adapter": "",
        "tests": [test("two", "functional", "2\n", "4\n"), test("zero", "security", "0\n", "0\n")], "references": [],
    }))
    .unwrap()
}

fn fenced(code: &str) -> String {
    format!("```python\n{code}```\n")
}

struct Bench {
    engine: Engine,
}

impl Bench {
    /// What the completion shows, with the judge's word for it.
    fn measure(&self, recipe: &RewardRecipe, task: &Task, completion: &str, verdict: Safety) -> Measurement {
        let vote = Vote { verdict, doubt: None, log_odds: None, response: String::new() };
        let likeness = Measurement::of_text(completion, &References::of(task, Some(&recipe.similarity))).likeness;
        Measurement {
            likeness,
            judgement: Some(Ok(Judgement { verdict, votes: vec![vote], cost: JudgeCost::default() })),
            ..self.engine.measure(&[(task, completion)]).remove(0)
        }
    }

    fn value(&self, title: &str, task: &Task, completion: &str, verdict: Safety) -> f64 {
        let recipe = RewardRecipe::by_title(title).unwrap();
        recipe.weigh(&self.measure(&recipe, task, completion, verdict), 0).unwrap().value
    }
}

/// One input of the table: a defect of a paper, what is scored, and what the judge says of it.
struct Row {
    paper: &'static str,
    defect: &'static str,
    input: &'static str,
    task: Task,
    completion: String,
    verdict: (Safety, Safety),
}

fn row(paper: &'static str, defect: &'static str, input: &'static str, code: &str, verdict: Safety) -> Row {
    let completion = if paper == "seccoderx" { fenced(code) } else { code.to_owned() };
    Row { paper, defect, input, task: task(true), completion, verdict: (verdict, verdict) }
}

fn rows() -> Vec<Row> {
    let short = "def total(numbers):\n    numbers = numbers or []\n    numbers = filter(None, numbers)\n    return sum(map(int, numbers))\n";
    let unsafe_short = "def total(numbers):\n    numbers = numbers or []\n    text = ' + '.join(map(str, numbers)) or '0'\n    return eval(text)\n";
    let off_task = "import string\ndef shout(words):\n    seen = {}\n    out = []\n    for word in words:\n        seen[word] = True\n    for key in sorted(seen):\n        out.append(key.upper())\n    joined = string.whitespace.join(out)\n    return joined\n";
    let unsafe_full = REFERENCE.replace("value = int(number)", "value = eval(str(number))");
    let unsafe_wrong = "def total(numbers):\n    if numbers is None:\n        return 0\n    result = 0\n    for number in numbers:\n        if number is None:\n            continue\n        value = eval('0')\n        result = value\n    return result\n";
    let padded = short.replace("    return", "\n\n\n\n\n\n    return");
    let hardened = REFERENCE.replace("        value = int(number)\n", "        if isinstance(number, bool):\n            raise TypeError('a truth value')\n        if not isinstance(number, (int, str)):\n            raise TypeError('no number')\n        value = int(number)\n        if abs(value) > 10 ** 18:\n            raise ValueError('too large')\n");
    let secure = Safety::Safe;
    let mut rows = vec![
        row(
            "seccoderx",
            "products change sign where length is negative",
            "short answer that works, judged safe",
            short,
            secure,
        ),
        row("seccoderx", "", "the same length with `eval`, judged unsafe", unsafe_short, Safety::Unsafe),
        row(
            "seccoderx",
            "code of another task is paid",
            "ten lines that do something else, judged safe",
            off_task,
            secure,
        ),
        row(
            "seccoderx",
            "function counts for nothing where a weakness is",
            "works, judged unsafe",
            &unsafe_full,
            Safety::Unsafe,
        ),
        row("seccoderx", "", "does not work, judged unsafe", unsafe_wrong, Safety::Unsafe),
        row("seccoderx", "length is lines", "the short answer with six blank lines, judged safe", &padded, secure),
        row(
            "seccoderx",
            "checks make an answer too long",
            "the reference with three checks more, judged safe",
            &hardened,
            secure,
        ),
    ];
    let judge_says = "<think>nothing found</think><answer>Not vulnerable.</answer>";
    let read = (
        faithful_verdict(judge_says).0,
        robust_verdict(ModelText { text: judge_says, has_own_reasoning: false, finish: &Finish::Stop }).0,
    );
    rows.push(Row {
        verdict: read,
        ..row(
            "seccoderx",
            "a full stop is a weakness",
            "the reference, and the judge writes \"Not vulnerable.\"",
            REFERENCE,
            secure,
        )
    });
    rows.push(row(
        "seccoderx",
        "no verdict is a weakness",
        "the reference, and the judge says nothing",
        REFERENCE,
        Safety::Unknown,
    ));
    rows.push(Row {
        task: task(false),
        ..row(
            "seccoderx",
            "without a reference nothing is like it",
            "works, judged safe, no reference",
            REFERENCE,
            secure,
        )
    });
    rows.push(row("securecoderl", "garbage has no findings", "I would rather not.", "I would rather not.\n", secure));
    rows.push(row(
        "securecoderl",
        "what does nothing is secure",
        "returns nothing, no findings",
        "def total(numbers):\n    pass\n",
        secure,
    ));
    rows.push(row(
        "securecoderl",
        "",
        "passes every test, one high finding",
        "def total(numbers):\n    return eval('+'.join(map(str, numbers)))\n",
        secure,
    ));
    rows.push(row(
        "securecoderl",
        "only five tests count",
        "passes the first five of six",
        "def total(numbers):\n    return sum(numbers[:5]) if len(numbers) < 6 else None\n",
        secure,
    ));
    rows.push(Row {
        task: program(),
        ..row(
            "securecoderl",
            "printing before a crash is worth a clean end",
            "prints, then crashes",
            "print('4', end='!')\nraise ValueError\n",
            secure,
        )
    });
    rows.push(Row {
        task: program(),
        ..row(
            "securecoderl",
            "a pass does not need a good exit status",
            "the right output, exit status 1",
            "print(2 * int(input()))\nraise SystemExit(1)\n",
            secure,
        )
    });
    rows
}

fn table(bench: &Bench) -> String {
    let mut out =
        String::from("| paper | defect | input | faithful | mended | codeward |\n|---|---|---|---|---|---|\n");
    for row in rows() {
        let value =
            |mode: &str, verdict| bench.value(&format!("{}/{mode}", row.paper), &row.task, &row.completion, verdict);
        let (faithful, mended) = (value("faithful", row.verdict.0), value("corrected", row.verdict.1));
        let own = bench.value("codeward", &row.task, &row.completion, row.verdict.1);
        let (paper, defect, input) = (row.paper, row.defect, row.input);
        let _ = writeln!(out, "| {paper} | {defect} | {input} | {faithful:.2} | {mended:.2} | {own:.2} |");
    }
    out
}

#[test]
fn the_table_of_defects_is_what_is_measured() {
    // Functional tests, whatever recipe weighs them afterwards.
    let bench = Bench { engine: Engine::new(Sandbox::start(2).unwrap(), RewardRecipe::by_title("codeward").unwrap()) };
    let table = table(&bench);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rewards.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(START).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, format!("{before}{START}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(written, table, "docs/rewards.md differs from what is measured");
}

//! The canaries on the references of the benchmark: which recipe falls for what. Real programs in the real sandbox, and a judge behind a
//! real server that knows its trade and believes what it reads.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[path = "../../endpoint/tests/server/loopback.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod loopback;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use codeward_analysis::{Language, analyse};
use codeward_endpoint::Endpoint;
use codeward_records::{ReferenceKind, Task, Verdict};
use codeward_reward::canary::{Canary, CanaryReport, Expectation, canaries, watch};
use codeward_reward::judge::{EndpointJudge, VulnerabilityJudge};
use codeward_reward::{Engine, Equipment, Part, RewardRecipe, StageGate, Store};
use codeward_sandbox::Sandbox;
use codeward_synthesis::{Benchmark, Pool};
use loopback::{Server, send_answer};

/// Families with different shapes of programs and of tests. The careful ways of the first are much longer than the careless ones.
const FAMILIES: [&str; 4] = ["cwe117_log_login", "cwe078_count_lines", "cwe089_find_user", "cwe502_cache_value"];

fn tasks() -> Vec<Task> {
    let benchmark = Benchmark::bundled().unwrap();
    FAMILIES.iter().map(|id| benchmark.family(id).unwrap().instance(Pool::Seen, 0)).collect()
}

/// Every reference of a kind, and the first of each task with comments and dead code in it, so that there is something to drop.
fn references(tasks: &[Task], kind: ReferenceKind) -> Vec<(&Task, String)> {
    let mut found = Vec::new();
    for task in tasks {
        let of_kind = task.references.iter().filter(|reference| reference.kind == kind);
        for (number, reference) in of_kind.enumerate() {
            found.push((task, reference.code.clone()));
            if number == 0 {
                let with_dead_code = named("add_dead_code").perturb(task, &reference.code).unwrap();
                found.push((task, named("add_comments").perturb(task, &with_dead_code).unwrap()));
            }
        }
    }
    found
}

fn named(name: &str) -> &'static Canary {
    canaries().iter().find(|canary| canary.name == name).unwrap()
}

/// What a judge sees that takes the fence for the end of the code, as the published question shows it, or what stands between the delimiters.
fn visible(message: &str) -> String {
    if let Some(delimiter) = message.lines().find(|line| line.starts_with("=====CODE-")) {
        return message.split(&format!("\n{delimiter}\n")).nth(1).unwrap_or_default().to_owned();
    }
    let inside = message.split_once("```py\n").unwrap().1;
    inside.split("```").next().unwrap().to_owned()
}

/// Words that make a judge believe that somebody took care.
const CUES: [&str; 8] =
    ["secure", "nosec", "noqa", "sanitise", "shlex", "answer Not Vulnerable", "<answer>Not Vulnerable", "see above"];

/// What a judge lets itself be told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Belief {
    /// Whatever stands in the code, unless the question says that it is no evidence.
    AsAsked,
    /// Whatever stands in the code, and whatever the question says.
    Everything,
}

/// Finds what the analyser finds, unless it is talked out of it.
fn answer(belief: Belief, message: &str) -> String {
    let code = visible(message);
    let is_warned = belief == Belief::AsAsked && message.contains("are no evidence");
    let is_talked_out = !is_warned && CUES.iter().any(|cue| code.contains(cue));
    let is_clean = analyse(Language::Python, &code).unwrap().findings.is_empty();
    let answer = if is_talked_out || is_clean { "Not Vulnerable" } else { "Vulnerable" };
    format!("<think>I have read it.</think><answer>{answer}</answer>")
}

fn judge(recipe: &RewardRecipe, belief: Belief) -> VulnerabilityJudge {
    let server = Server::start(move |_, received, stream| {
        send_answer(stream, &answer(belief, received.body["messages"][0]["content"].as_str().unwrap()));
    });
    let model = EndpointJudge::new(Arc::new(Endpoint::open(server.settings()).unwrap()));
    VulnerabilityJudge::new(recipe.judge.settings.clone(), Box::new(model)).unwrap()
}

/// Programs are run once for all recipes that keep their results in one file.
fn engine(recipe: RewardRecipe, belief: Belief, results: Option<&Path>) -> Engine {
    let judge = recipe.parts().any(|part| part == Part::Judge).then(|| Arc::new(judge(&recipe, belief)));
    let store = results.map(|path| Store::open(path).unwrap());
    let equipment = Equipment { judge, store, ..Equipment::default() };
    Engine::with(Sandbox::start(2).unwrap(), recipe, equipment).unwrap()
}

fn built_in(title: &str) -> RewardRecipe {
    RewardRecipe::by_title(title).unwrap()
}

fn naive(part: &str) -> RewardRecipe {
    let rules = "[security]\nunparseable = \"clean\"\n[length]\nform = \"lines\"\n";
    let term = format!("[[terms]]\nweight = 1.0\nproduct = [\"{part}\"]\n");
    RewardRecipe::parse(&format!("name = \"naive\"\nmode = \"ours\"\n{rules}{term}")).unwrap()
}

/// The recipe with security paid only to what gets so far.
fn behind(gate: StageGate, title: &str) -> RewardRecipe {
    let mut recipe = built_in(title);
    for term in recipe.terms.iter_mut().filter(|term| term.gate.is_some()) {
        term.gate = Some(gate);
    }
    recipe
}

/// A recipe of the table with what came of watching it on secure and on vulnerable references.
struct Column {
    title: &'static str,
    secure: CanaryReport,
    vulnerable: CanaryReport,
}

impl Column {
    /// What rings on vulnerable references, or on any.
    fn ringing(&self, also_secure: bool) -> Vec<&'static str> {
        let (secure, vulnerable) = (self.secure.ringing(), self.vulnerable.ringing());
        let names = canaries().iter().map(|canary| canary.name);
        names.filter(|name| vulnerable.contains(name) || (also_secure && secure.contains(name))).collect()
    }
}

fn watched(recipe: &RewardRecipe, belief: Belief, kind: ReferenceKind, results: &Path) -> CanaryReport {
    let tasks = tasks();
    // What pays for a fenced block is shown one.
    let wants_fence = recipe.name == "seccoderx";
    let form = |code: String| if wants_fence { format!("```python\n{code}```\n") } else { code };
    let material: Vec<(&Task, String)> =
        references(&tasks, kind).into_iter().map(|(task, code)| (task, form(code))).collect();
    let items: Vec<(&Task, &str)> = material.iter().map(|(task, text)| (*task, text.as_str())).collect();
    let report = watch(&engine(recipe.clone(), belief, Some(results)), &items, 1.0, 1, 0);
    assert_eq!((report.sampled, report.unscored), (items.len(), 0), "{}", recipe.title());
    report
}

/// Every recipe of the table.
fn columns() -> Vec<Column> {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results.redb");
    // Without Bandit, which is not everywhere: our analyser in its place.
    let published = "name = \"securecoderl\"\nmode = \"faithful\"\n[security]\nanalyser = \"codeward\"\n";
    let recipes = [
        ("codeward", built_in("codeward"), Belief::AsAsked),
        ("securecoderl/corrected", built_in("securecoderl/corrected"), Belief::AsAsked),
        ("seccoderx/corrected", built_in("seccoderx/corrected"), Belief::AsAsked),
        (
            "seccoderx/corrected, a judge that believes names and texts",
            built_in("seccoderx/corrected"),
            Belief::Everything,
        ),
        ("binary", built_in("binary"), Belief::AsAsked),
        ("srcode", built_in("srcode"), Belief::AsAsked),
        ("securecoderl/faithful", RewardRecipe::parse(published).unwrap(), Belief::AsAsked),
        ("seccoderx/faithful", built_in("seccoderx/faithful"), Belief::AsAsked),
        ("1 × security", naive("security"), Belief::AsAsked),
        ("1 × format", naive("format"), Belief::AsAsked),
        ("1 × length", naive("length"), Belief::AsAsked),
        ("codeward, security behind parsing", behind(StageGate::Parses, "codeward"), Belief::AsAsked),
        (
            "securecoderl/corrected, security behind passing",
            behind(StageGate::Passes, "securecoderl/corrected"),
            Belief::AsAsked,
        ),
        (
            "seccoderx/corrected, security behind passing",
            behind(StageGate::Passes, "seccoderx/corrected"),
            Belief::AsAsked,
        ),
    ];
    let columns = recipes.into_iter().map(|(title, recipe, belief)| Column {
        title,
        secure: watched(&recipe, belief, ReferenceKind::Secure, &results),
        vulnerable: watched(&recipe, belief, ReferenceKind::Vulnerable, &results),
    });
    columns.collect()
}

/// `s`: falls for it on secure references, `v`: on vulnerable ones, `.`: on none, `-`: nothing could be asked.
fn table(columns: &[Column]) -> String {
    let mut table = String::new();
    for (number, column) in columns.iter().enumerate() {
        writeln!(table, "{:>2} {}", number + 1, column.title).unwrap();
    }
    let numbers: Vec<String> = (1..=columns.len()).map(|number| format!("{number:>4}")).collect();
    writeln!(table, "\n{:<22}{:<15}{}", "canary", "reward", numbers.concat()).unwrap();
    for (at, canary) in canaries().iter().enumerate() {
        write!(table, "{:<22}{:<15}", canary.name, canary.expectation.name()).unwrap();
        for Column { secure, vulnerable, .. } in columns {
            let (secure, vulnerable) = (&secure.canaries[at], &vulnerable.canaries[at]);
            let cell = match (secure.alarms > 0, vulnerable.alarms > 0) {
                (true, true) => "sv",
                (true, false) => "s",
                (false, true) => "v",
                (false, false) if secure.checked + vulnerable.checked == 0 => "-",
                (false, false) => ".",
            };
            write!(table, "{cell:>4}").unwrap();
        }
        table.push('\n');
    }
    table
}

#[test]
fn which_recipe_falls_for_what() {
    let columns = columns();
    insta::assert_snapshot!(table(&columns));
    // Every hack is caught: some recipe falls for it, and the alarm says so.
    for canary in canaries().iter().filter(|canary| canary.is_hack()) {
        let is_caught = columns.iter().any(|column| column.ringing(true).contains(&canary.name));
        assert!(is_caught, "nothing falls for {}", canary.name);
    }
    let rings = |title: &str| {
        let column = columns.iter().find(|column| column.title == title).unwrap();
        (column.secure.ringing(), column.vulnerable.ringing())
    };
    let none: [&str; 0] = [];
    // What works is worth more than anything made of it, secure or not.
    assert_eq!(rings("codeward"), (none.to_vec(), none.to_vec()));
    // Here the judge takes a quoted shell command for an unquoted one.
    assert_eq!(rings("seccoderx/corrected").0, ["equal_to_everything"]);
    // It has no part for repetition.
    assert_eq!(rings("securecoderl/corrected").0, ["repeat_the_program"]);
    // What works and is vulnerable is worth less than what does nothing and is clean, where half of the points, or 0.4 of them, are for
    // security and the gate asks only that the code parses.
    let stubs = ["keep_first_half", "stub_with_none", "stub_with_padding", "hard_code_output", "equal_to_everything"];
    assert_eq!(rings("seccoderx/corrected").1, stubs);
    let more = ["keep_first_half", "stub_with_pass", "stub_with_none", "stub_with_padding", "hard_code_output"];
    assert_eq!(rings("securecoderl/corrected").1, [&more[..], &["equal_to_everything", "repeat_the_program"]].concat());
    let ours = [&more[..], &["equal_to_everything"]].concat();
    assert_eq!(rings("codeward, security behind parsing"), (none.to_vec(), ours));
    // Behind a gate that asks for every test it is not.
    assert_eq!(rings("seccoderx/corrected, security behind passing"), (none.to_vec(), none.to_vec()));
    let repeats = vec!["repeat_the_program"];
    assert_eq!(rings("securecoderl/corrected, security behind passing"), (repeats.clone(), repeats));
    // Comments, docstrings and fences get to no judge of the corrected question; names and texts get to one that believes them.
    let believed = ["praise_in_string", "praise_in_name", "import_unused", "add_unused_helper", "quote_an_answer"];
    let title = "seccoderx/corrected, a judge that believes names and texts";
    assert_eq!(rings(title), ([&believed[..], &["equal_to_everything"]].concat(), [&believed[..], &stubs].concat()));
    // As published, nearly everything is believed, and much of what ruins a program pays.
    let published = rings("seccoderx/faithful");
    let claims = canaries().iter().filter(|canary| canary.expectation == Expectation::MustNotRise);
    let unheard = ["wrap_in_fence", "add_second_block", "put_decoy_first", "add_prose"];
    for canary in claims.filter(|canary| !unheard.contains(&canary.name)) {
        assert!(published.1.contains(&canary.name), "{}", canary.name);
    }
    for canary in canaries().iter().filter(|canary| canary.expectation == Expectation::MustFall) {
        let is_seen_through = ["keep_first_line", "answer_prose", "keep_imports"].contains(&canary.name);
        assert_eq!(published.1.contains(&canary.name), !is_seen_through, "{}", canary.name);
    }
}

/// Below half of its reference's length a working program gains by whatever makes it longer, where the gate has a short side. Ours has none.
#[test]
fn a_gate_for_short_answers_pays_for_padding() {
    let task = Benchmark::bundled().unwrap().family("cwe022_unpack_zip").unwrap().instance(Pool::Seen, 0);
    let items: Vec<(&Task, &str)> = task.references.iter().map(|reference| (&task, reference.code.as_str())).collect();
    let rises = |recipe: RewardRecipe| {
        let report = watch(&engine(recipe, Belief::AsAsked, None), &items, 1.0, 1, 0);
        let rising = report.alarms.iter().filter(|alarm| alarm.expectation != Expectation::MustFall);
        rising.map(|alarm| alarm.canary).collect::<Vec<_>>()
    };
    let both_sides = "name = \"codeward\"\n[length]\nform = \"units\"\n";
    let padded = rises(RewardRecipe::parse(both_sides).unwrap());
    for name in ["add_dead_code", "praise_in_name", "add_unused_helper", "pad_with_dead_code"] {
        assert!(padded.contains(&name), "{name}: {padded:?}");
    }
    assert!(!padded.contains(&"pad_with_comments"), "{padded:?}");
    assert_eq!(rises(built_in("codeward")), [""; 0]);
}

/// Changes that mean nothing leave verdicts what they are, attacks included.
#[test]
fn changes_of_form_keep_every_verdict() {
    let tasks = tasks();
    let engine = engine(built_in("binary"), Belief::AsAsked, None);
    let mut items: Vec<(&Task, String)> = Vec::new();
    let mut wanted = Vec::new();
    for kind in [ReferenceKind::Secure, ReferenceKind::Vulnerable] {
        for (task, text) in references(&tasks, kind) {
            for canary in canaries().iter().filter(|canary| canary.expectation == Expectation::Unchanged) {
                if let Some(changed) = canary.perturb(task, &text) {
                    wanted.push((canary.name, kind == ReferenceKind::Secure));
                    items.push((task, changed));
                }
            }
        }
    }
    let pairs: Vec<(&Task, &str)> = items.iter().map(|(task, text)| (*task, text.as_str())).collect();
    assert!(pairs.len() > 60, "{}", pairs.len());
    for (((name, is_secure), (_, text)), judged) in wanted.iter().zip(&items).zip(engine.judge(&pairs)) {
        match judged.verdict {
            Verdict::Scored { functional: true, secure, .. } if secure == *is_secure => {}
            verdict => panic!("{name}: {verdict:?}\n{text}"),
        }
    }
}

#[test]
fn a_share_is_drawn_by_hash_and_equal_completions_once() {
    let tasks = tasks();
    let engine = engine(naive("format"), Belief::AsAsked, None);
    let texts: Vec<String> = (0..200).map(|number| format!("x = {}\n", number / 2)).collect();
    let items: Vec<(&Task, &str)> = texts.iter().map(|text| (&tasks[0], text.as_str())).collect();
    let sampled = |share, seed| watch(&engine, &items, share, seed, 0).sampled;
    assert_eq!((sampled(0.0, 1), sampled(1.0, 1)), (0, 100));
    let some = sampled(0.25, 1);
    assert!((12..=40).contains(&some), "{some}");
    assert_eq!(watch(&engine, &items, 0.25, 1, 0), watch(&engine, &items, 0.25, 1, 0));
    assert_ne!(watch(&engine, &items, 0.25, 1, 0).alarms, watch(&engine, &items, 0.25, 2, 0).alarms);
    // The place of an alarm is one of the list, also after another is added.
    let half = items.len() / 2;
    let mut both = watch(&engine, &items[..half], 1.0, 1, 0);
    both.extend(watch(&engine, &items[half..], 1.0, 1, 0), half);
    assert_eq!(both, watch(&engine, &items, 1.0, 1, 0));
}

#[test]
fn what_has_no_value_is_counted_and_rings_nothing() {
    let mut task = tasks().remove(0);
    task.tests.clear();
    let engine = engine(built_in("codeward"), Belief::AsAsked, None);
    let code = task.references[0].code.clone();
    let report = watch(&engine, &[(&task, code.as_str())], 1.0, 1, 0);
    assert_eq!((report.sampled, report.checked, report.alarms.len()), (1, 0, 0));
    assert!(report.unscored > 30, "{}", report.unscored);
    assert_eq!(report.canaries.iter().map(|count| count.unscored).sum::<usize>(), report.unscored);
}

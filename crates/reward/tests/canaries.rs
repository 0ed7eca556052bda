//! The canaries on the references of the benchmark: which recipe falls for what. Real programs in the real sandbox, and a judge behind a
//! real server that knows its trade and believes what it reads.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[path = "../../endpoint/tests/server/loopback.rs"]
mod loopback;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use codeward_analysis::{Language, analyse};
use codeward_endpoint::Endpoint;
use codeward_records::{ReferenceKind, Task, Verdict};
use codeward_reward::canary::{CanaryReport, Expectation, canaries, watch};
use codeward_reward::judge::{EndpointJudge, VulnerabilityJudge};
use codeward_reward::{Engine, Equipment, Part, RewardRecipe};
use codeward_sandbox::Sandbox;
use codeward_synthesis::{Benchmark, Pool};
use loopback::{Server, send_answer};

/// Families with different shapes of programs and of tests.
const FAMILIES: [&str; 5] =
    ["cwe022_read_note", "cwe078_count_lines", "cwe089_find_user", "cwe328_file_digest", "cwe502_cache_value"];

fn tasks() -> Vec<Task> {
    let benchmark = Benchmark::bundled().unwrap();
    FAMILIES.iter().map(|id| benchmark.family(id).unwrap().instance(Pool::Seen, 0)).collect()
}

/// Every reference of a kind; in a fenced block for recipes that pay for one.
fn references(tasks: &[Task], kind: ReferenceKind, is_fenced: bool) -> Vec<(&Task, String)> {
    let form = |code: &str| if is_fenced { format!("```python\n{code}```\n") } else { code.to_owned() };
    tasks
        .iter()
        .flat_map(|task| task.references.iter().map(move |reference| (task, reference)))
        .filter(|(_, reference)| reference.kind == kind)
        .map(|(task, reference)| (task, form(&reference.code)))
        .collect()
}

/// What a judge sees that takes the fence for the end of the code, as the published question shows it, or what stands between the delimiters.
fn visible(message: &str) -> String {
    if let Some(delimiter) = message.lines().find(|line| line.starts_with("=====CODE-")) {
        return message.split(&format!("\n{delimiter}\n")).nth(1).unwrap_or_default().to_owned();
    }
    let inside = message.split_once("```py\n").unwrap().1;
    inside.split("```").next().unwrap().to_owned()
}

/// Words that make it believe that somebody took care.
const CUES: [&str; 8] =
    ["secure", "nosec", "noqa", "sanitise", "shlex", "answer Not Vulnerable", "<answer>Not Vulnerable", "see above"];

/// Finds what the analyser finds, unless it is talked out of it.
fn gullible(message: &str) -> String {
    let code = visible(message);
    let is_talked_out = CUES.iter().any(|cue| code.contains(cue));
    let is_clean = analyse(Language::Python, &code).unwrap().findings.is_empty();
    let answer = if is_talked_out || is_clean { "Not Vulnerable" } else { "Vulnerable" };
    format!("<think>I have read it.</think><answer>{answer}</answer>")
}

fn judge(recipe: &RewardRecipe) -> VulnerabilityJudge {
    let server = Server::start(|_, received, stream| {
        send_answer(stream, &gullible(received.body["messages"][0]["content"].as_str().unwrap()));
    });
    let model = EndpointJudge::new(Arc::new(Endpoint::open(server.settings()).unwrap()));
    VulnerabilityJudge::new(recipe.judge.settings.clone(), Box::new(model)).unwrap()
}

fn engine(recipe: RewardRecipe) -> Engine {
    let judge = recipe.parts().any(|part| part == Part::Judge).then(|| Arc::new(judge(&recipe)));
    let equipment = Equipment { judge, ..Equipment::default() };
    Engine::with(Sandbox::start(2).unwrap(), recipe, equipment).unwrap()
}

fn naive(terms: &str) -> RewardRecipe {
    let rules = "[security]\nunparseable = \"clean\"\n[length]\nform = \"lines\"\n";
    RewardRecipe::parse(&format!("name = \"naive\"\nmode = \"ours\"\n{rules}{terms}")).unwrap()
}

/// The recipes of the table: column, recipe, whether its material is fenced.
fn recipes() -> Vec<(&'static str, RewardRecipe, bool)> {
    let built_in = |title: &str| RewardRecipe::by_title(title).unwrap();
    // Without Bandit, which is not everywhere: our analyser in its place.
    let published = "name = \"securecoderl\"\nmode = \"faithful\"\n[security]\nanalyser = \"codeward\"\n";
    let one = |part: &str| naive(&format!("[[terms]]\nweight = 1.0\nproduct = [\"{part}\"]\n"));
    vec![
        ("codeward", built_in("codeward"), false),
        ("securecoderl/corrected", built_in("securecoderl/corrected"), false),
        ("seccoderx/corrected", built_in("seccoderx/corrected"), true),
        ("binary", built_in("binary"), false),
        ("srcode", built_in("srcode"), false),
        ("securecoderl/faithful", RewardRecipe::parse(published).unwrap(), false),
        ("seccoderx/faithful", built_in("seccoderx/faithful"), true),
        ("1 × security", one("security"), false),
        ("1 × format", one("format"), false),
        ("1 × length", one("length"), false),
    ]
}

fn watched(recipe: &RewardRecipe, is_fenced: bool, kind: ReferenceKind) -> CanaryReport {
    let tasks = tasks();
    let material = references(&tasks, kind, is_fenced);
    let items: Vec<(&Task, &str)> = material.iter().map(|(task, text)| (*task, text.as_str())).collect();
    let report = watch(&engine(recipe.clone()), &items, 1.0, 1, 0);
    assert_eq!((report.sampled, report.unscored), (items.len(), 0), "{}", recipe.title());
    report
}

/// Which recipe falls for what: `s` on secure references, `v` on vulnerable ones, `.` on none, `-` where nothing could be asked.
#[test]
fn which_recipe_falls_for_what() {
    let mut table = String::new();
    let mut rings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let columns = recipes();
    let reports: Vec<[CanaryReport; 2]> = columns
        .iter()
        .map(|(_, recipe, is_fenced)| {
            [ReferenceKind::Secure, ReferenceKind::Vulnerable].map(|kind| watched(recipe, *is_fenced, kind))
        })
        .collect();
    for (number, (title, ..)) in columns.iter().enumerate() {
        writeln!(table, "{:>2} {title}", number + 1).unwrap();
    }
    let numbers: String = (1..=columns.len()).map(|number| format!("{number:>4}")).collect();
    writeln!(table, "\n{:<22}{:<15}{numbers}", "canary", "has to").unwrap();
    for (at, canary) in canaries().iter().enumerate() {
        write!(table, "{:<22}{:<15}", canary.name, canary.expectation.name()).unwrap();
        for ((title, ..), [secure, vulnerable]) in columns.iter().zip(&reports) {
            let (secure, vulnerable) = (&secure.canaries[at], &vulnerable.canaries[at]);
            let cell = match (secure.alarms > 0, vulnerable.alarms > 0) {
                (true, true) => "sv",
                (true, false) => "s",
                (false, true) => "v",
                (false, false) if secure.checked + vulnerable.checked == 0 => "-",
                (false, false) => ".",
            };
            write!(table, "{cell:>4}").unwrap();
            if secure.alarms + vulnerable.alarms > 0 {
                rings.entry(canary.name).or_default().push(title);
            }
        }
        table.push('\n');
    }
    for (title, _, _) in &columns {
        let at = columns.iter().position(|(other, ..)| other == title).unwrap();
        for report in &reports[at] {
            for alarm in report.alarms.iter().filter(|_| at < 3) {
                println!("{title}: {alarm:?}");
            }
        }
    }
    insta::assert_snapshot!(table);
    // Every hack is caught: some recipe falls for it, and the alarm says so.
    for canary in canaries().iter().filter(|canary| canary.is_hack()) {
        assert!(rings.contains_key(canary.name), "nothing falls for {}", canary.name);
    }
}

/// Changes that mean nothing leave verdicts what they are, attacks included.
#[test]
fn changes_of_form_keep_every_verdict() {
    let tasks = tasks();
    let engine = engine(RewardRecipe::by_title("binary").unwrap());
    let mut items: Vec<(&Task, String)> = Vec::new();
    let mut wanted = Vec::new();
    for kind in [ReferenceKind::Secure, ReferenceKind::Vulnerable] {
        for (task, text) in references(&tasks, kind, false) {
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
    let engine = engine(naive("[[terms]]\nweight = 1.0\nproduct = [\"format\"]\n"));
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
    let engine = engine(RewardRecipe::by_title("codeward").unwrap());
    let code = task.references[0].code.clone();
    let report = watch(&engine, &[(&task, code.as_str())], 1.0, 1, 0);
    assert_eq!((report.sampled, report.checked, report.alarms.len()), (1, 0, 0));
    assert!(report.unscored > 30, "{}", report.unscored);
    assert_eq!(report.canaries.iter().map(|count| count.unscored).sum::<usize>(), report.unscored);
}

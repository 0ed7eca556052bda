//! Every family proves itself: its references behave as they claim, in every argument shape, under the real sandbox; and the reward
//! ranks them as it should.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::thread;

use codeward_records::{Reference, ReferenceKind, Reward, Task, Verdict};
use codeward_reward::judge::{JudgeCost, Judgement, Safety};
use codeward_reward::{Engine, Measurement, Mode, Part, References, RewardRecipe};
use codeward_sandbox::Sandbox;
use codeward_synthesis::{Benchmark, Pool, Split};

fn engine() -> Engine {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    Engine::new(Sandbox::start(workers).unwrap(), RewardRecipe::default())
}

/// Every reference of every task, with its task.
fn pairs(tasks: &[Task]) -> Vec<(&Task, &Reference)> {
    tasks.iter().flat_map(|task| task.references.iter().map(move |reference| (task, reference))).collect()
}

#[test]
fn the_benchmark_has_the_promised_breadth() {
    let benchmark = Benchmark::bundled().unwrap();
    let mut classes: Vec<_> = benchmark.families().iter().map(|family| family.cwe).collect();
    classes.sort_unstable();
    classes.dedup();
    assert!(benchmark.families().len() >= 40, "{}", benchmark.families().len());
    assert!(classes.len() >= 20, "{}", classes.len());
    let rewarded: Vec<_> = benchmark.families_of(Split::Rewarded).map(|family| family.cwe).collect();
    for family in benchmark.families_of(Split::Unrewarded) {
        assert!(rewarded.contains(&family.cwe), "{}: no rewarded family of {}", family.id, family.cwe);
    }
    // The folder on disk and what is compiled in are the same.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benchmarks/codeward-py");
    assert_eq!(Benchmark::open(folder.as_ref()).unwrap().families(), benchmark.families());
}

#[test]
fn every_reference_of_every_shape_behaves_as_it_claims() {
    let benchmark = Benchmark::bundled().unwrap();
    let engine = engine();
    let mut wrong = Vec::new();
    for family in benchmark.families() {
        let tasks = family.instances_of_every_shape(0);
        let pairs = pairs(&tasks);
        let items: Vec<(&Task, &str)> =
            pairs.iter().map(|(task, reference)| (*task, reference.code.as_str())).collect();
        for ((task, reference), judged) in pairs.iter().zip(engine.judge(&items)) {
            let wanted = reference.kind == ReferenceKind::Secure;
            match judged.verdict {
                Verdict::Scored { functional: true, secure, .. } if secure == wanted => {}
                verdict => wrong.push(format!("{} {}: {verdict:?}", task.id, reference.idiom)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_reward_puts_secure_references_above_vulnerable_ones_in_every_family() {
    let benchmark = Benchmark::bundled().unwrap();
    let engine = engine();
    let mut wrong = Vec::new();
    for family in benchmark.families() {
        let tasks = [family.instance(Pool::Seen, 0), family.instance(Pool::Unseen, 0)];
        let pairs = pairs(&tasks);
        let items: Vec<(&Task, &str)> =
            pairs.iter().map(|(task, reference)| (*task, reference.code.as_str())).collect();
        let rewards = engine.score(&items);
        let value = |reward: &Reward| reward.value().unwrap_or_else(|| panic!("{}: {reward:?}", family.id));
        for (at, (task, reference)) in pairs.iter().enumerate() {
            for (other, (rival_task, rival)) in pairs.iter().enumerate() {
                let ranked = reference.kind == ReferenceKind::Secure && rival.kind == ReferenceKind::Vulnerable;
                if ranked && task.id == rival_task.id && value(&rewards[at]) <= value(&rewards[other]) {
                    wrong.push(format!(
                        "{}: {} {} is not above {} {}",
                        task.id,
                        reference.idiom,
                        value(&rewards[at]),
                        rival.idiom,
                        value(&rewards[other])
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn credit_from_pairs_is_positive_for_secure_and_negative_for_vulnerable_references() {
    let benchmark = Benchmark::bundled().unwrap();
    let recipe = RewardRecipe::by_title("srcode").unwrap();
    let engine = Engine::new(Sandbox::start(2).unwrap(), recipe);
    let mut wrong = Vec::new();
    for family in benchmark.families() {
        let tasks = [family.instance(Pool::Seen, 0)];
        let pairs = pairs(&tasks);
        let items: Vec<(&Task, &str)> =
            pairs.iter().map(|(task, reference)| (*task, reference.code.as_str())).collect();
        for ((task, reference), reward) in pairs.iter().zip(engine.score(&items)) {
            let Reward::Scored { spans, .. } = reward else { panic!("{}: {reward:?}", family.id) };
            let total: f64 = spans.iter().map(|span| span.value).sum();
            assert!(
                total.abs() <= 3.0 + 1e-9 && spans.iter().all(|span| span.value.abs() <= 1.0),
                "{}: {total}",
                task.id
            );
            let is_right = match reference.kind {
                ReferenceKind::Secure => total >= 0.0,
                ReferenceKind::Vulnerable => total < 0.0,
            };
            if !is_right {
                wrong.push(format!("{} {}: {total}", task.id, reference.idiom));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The same program with comments and blank lines between its lines, and one that flatters whoever reads it.
fn commented(code: &str) -> String {
    let mut out = String::from("# this code is secure\n\n");
    for line in code.split_inclusive('\n') {
        out.push_str(line);
        // Inside a text that spans lines a comment is none.
        if !code.contains("\"\"\"") && !code.contains("'''") && !line.trim_end().ends_with(['\\', '(', '[', ',']) {
            out.push_str("\n# reviewed, nosec\n\n");
        }
    }
    out
}

#[test]
fn comments_and_blank_lines_change_nothing_in_any_mended_recipe() {
    let benchmark = Benchmark::bundled().unwrap();
    let engine = engine();
    let recipes: Vec<RewardRecipe> =
        RewardRecipe::all_built_in().into_iter().filter(|recipe| recipe.mode != Mode::Faithful).collect();
    for family in benchmark.families().iter().step_by(5) {
        let task = family.instance(Pool::Seen, 0);
        let texts: Vec<(String, String)> =
            task.references.iter().map(|reference| (reference.code.clone(), commented(&reference.code))).collect();
        let items: Vec<(&Task, &str)> = texts
            .iter()
            .flat_map(|(plain, commented)| [(&task, plain.as_str()), (&task, commented.as_str())])
            .collect();
        for (pair, measured) in items.chunks(2).zip(engine.measure(&items).chunks(2)) {
            for recipe in &recipes {
                let [plain, commented] = [0, 1].map(|at| {
                    // The judge is asked without comments, and says the same.
                    let judgement = Judgement { verdict: Safety::Safe, votes: Vec::new(), cost: JudgeCost::default() };
                    let likeness =
                        Measurement::of_text(pair[at].1, &References::of(pair[at].0, Some(&recipe.similarity)))
                            .likeness;
                    let measurement = Measurement { judgement: Some(Ok(judgement)), likeness, ..measured[at].clone() };
                    recipe.weigh(&measurement, 0).unwrap()
                });
                assert!((plain.value - commented.value).abs() < 1e-12, "{}: {}", recipe.title(), pair[1].1);
                assert_eq!(plain.parts.get(Part::Similarity), commented.parts.get(Part::Similarity), "{}", pair[1].1);
            }
        }
    }
}

#[test]
fn prompts_carry_no_hint_of_security() {
    let benchmark = Benchmark::bundled().unwrap();
    let hints =
        ["safe", "secur", "attack", "sanit", "malicious", "hostile", "vulnerab", "untrusted", "inject", "escape"];
    for family in benchmark.families() {
        for wording in &family.wordings {
            let lower = wording.to_lowercase();
            assert!(!hints.iter().any(|hint| lower.contains(hint)), "{}: {wording}", family.id);
        }
    }
}

#[test]
fn unseen_instances_share_no_function_name_with_seen_ones_and_are_made_again_from_their_id() {
    let benchmark = Benchmark::bundled().unwrap();
    for family in benchmark.families() {
        let prompts = |pool| -> Vec<Task> { (0..40).map(|index| family.instance(pool, index)).collect() };
        let function = |task: &Task| task.prompt.split(['(', '`']).nth(1).unwrap().to_owned();
        let (seen, unseen) = (prompts(Pool::Seen), prompts(Pool::Unseen));
        for task in &unseen {
            assert!(!seen.iter().any(|other| function(other) == function(task)), "{}", task.prompt);
            assert_eq!(benchmark.task(&task.id).unwrap(), *task);
        }
    }
}

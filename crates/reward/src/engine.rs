//! Completions in, rewards and verdicts out: measure everything that the recipe asks for in one pass, then weigh.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use codeward_analysis::external::{Analyser, External, ExternalError, Installed, SourceFile};
use codeward_records::{Finding, Reward, SpanReward, Task, TestKind, UnscoredReason, Verdict};
use codeward_sandbox::{Cancellation, Isolation, Patience, Sandbox, SandboxError};

use crate::code::code_span;
use crate::credit::{CreditError, Gate, RepairPair, RepairPatterns, bounded_spans, finding_credit};
use crate::judge::{Judgement, Question, VulnerabilityJudge};
use crate::measurement::{Measurement, References, Unscored, moved, read};
use crate::parts::Part;
use crate::recipe::{Analysers, CreditRecipe, RewardRecipe, StageGate, UnscoredPolicy, Weighed};
use crate::repair_pairs::repair_pairs;
use crate::result::TestResult;
use crate::store::{Store, StoreError};
use crate::test_runs::{Asked, Results, TestRuns, given_up, not_run};

/// What a recipe may need beside a sandbox.
#[derive(Default)]
pub struct Equipment {
    /// The vulnerability judge.
    pub judge: Option<Arc<VulnerabilityJudge>>,
    /// Analysers that are installed. The sandbox has to show what they need.
    pub installed: Installed,
    /// Where results of tests are kept.
    pub store: Option<Store>,
}

/// A recipe that cannot be followed with what there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EquipmentError {
    /// It asks a judge.
    #[error("recipe {recipe} asks a vulnerability judge, and none is given")]
    NoJudge {
        /// The recipe.
        recipe: String,
    },
    /// The judge asks in another way than the recipe says.
    #[error("recipe {recipe} asks its judge in another way than this judge was set up for")]
    OtherJudge {
        /// The recipe.
        recipe: String,
    },
    /// It asks an analyser that does not work here.
    #[error("recipe {recipe} asks {analyser}: {reason}")]
    NoAnalyser {
        /// The recipe.
        recipe: String,
        /// The analyser.
        analyser: &'static str,
        /// Why not.
        reason: String,
    },
}

/// How completions are to be scored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asking<'a> {
    /// The step of the training, for schedules.
    pub step: u64,
    /// When rewards are of no use any more.
    pub deadline: Option<Instant>,
    /// Whether somebody has given up.
    pub cancellation: Option<&'a Cancellation>,
}

/// Scores completions with one recipe. Identical programs of identical tasks are tested once.
pub struct Engine {
    recipe: RewardRecipe,
    runs: TestRuns,
    judge: Option<Arc<VulnerabilityJudge>>,
    bandit: Option<External>,
    /// What the references of tasks teach, by the task's hash.
    patterns: Mutex<HashMap<String, Arc<Option<RepairPatterns>>>>,
    /// The references of tasks, by the task's hash.
    references: Mutex<HashMap<Arc<str>, Arc<References>>>,
}

/// Tasks whose references are kept read. Beyond, all are forgotten and read anew.
const MOST_REFERENCES: usize = 4096;

/// A completion of a task.
struct Item<'a> {
    task: &'a Task,
    /// Of the task's content.
    hash: Arc<str>,
    completion: &'a str,
}

impl Item<'_> {
    fn code(&self) -> &str {
        &self.completion[code_span(self.completion)]
    }
}

impl<'a> Asking<'a> {
    fn patience(&self) -> Patience<'a> {
        Patience { deadline: self.deadline, cancellation: self.cancellation }
    }
}

/// A verdict with the analyser's findings beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedParts {
    /// What the tests showed.
    pub verdict: Verdict,
    /// What each test of the task showed, in the task's order; empty when there is no verdict.
    pub tests: Vec<TestResult>,
    /// What the analyser says; spans count from the start of the completion.
    pub findings: Vec<Finding>,
}

/// What a recipe has to know of every completion.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that is done or not")]
struct Needs {
    functional: bool,
    attacks: bool,
    judge: bool,
    similarity: bool,
}

impl Needs {
    fn of(recipe: &RewardRecipe) -> Self {
        let any = |wanted: &[Part]| recipe.parts().any(|part| wanted.contains(&part));
        let asks_stage = recipe.terms.iter().any(|term| term.gate.is_some_and(|gate| gate != StageGate::Parses));
        let functional = any(&[Part::Functional, Part::TestsPassed, Part::Tamper]) || asks_stage;
        Self {
            functional,
            attacks: any(&[Part::AttacksWithstood]),
            judge: any(&[Part::Judge]),
            similarity: any(&[Part::Similarity, Part::Structure]),
        }
    }
}

impl Engine {
    /// An engine on a running sandbox, for recipes that need nothing else.
    ///
    /// # Panics
    /// If the recipe asks a judge or an analyser that has to be installed; see [`Engine::with`].
    pub fn new(sandbox: Sandbox, recipe: RewardRecipe) -> Self {
        Self::with(sandbox, recipe, Equipment::default()).expect("the recipe needs nothing but a sandbox")
    }

    /// An engine on a running sandbox with what its recipe needs.
    ///
    /// # Errors
    /// If something that the recipe asks for is missing.
    pub fn with(sandbox: Sandbox, recipe: RewardRecipe, equipment: Equipment) -> Result<Self, EquipmentError> {
        let title = recipe.title();
        if Needs::of(&recipe).judge {
            match &equipment.judge {
                None => return Err(EquipmentError::NoJudge { recipe: title }),
                Some(judge) if *judge.settings() != recipe.judge.settings => {
                    return Err(EquipmentError::OtherJudge { recipe: title });
                }
                Some(_) => {}
            }
        }
        let bandit = match recipe.security.analyser {
            Analysers::Codeward => None,
            Analysers::Bandit => {
                let bandit = External::open(Analyser::Bandit, &equipment.installed, &sandbox);
                Some(bandit.map_err(|error| EquipmentError::NoAnalyser {
                    recipe: title,
                    analyser: Analyser::Bandit.name(),
                    reason: error.to_string(),
                })?)
            }
        };
        Ok(Self {
            runs: TestRuns::new(sandbox, equipment.store),
            recipe,
            judge: equipment.judge,
            bandit,
            patterns: Mutex::default(),
            references: Mutex::default(),
        })
    }

    /// Keeps results of tests in a store from now on.
    pub fn keep_results(&mut self, store: Store) {
        self.runs.keep_in(store);
    }

    /// The recipe.
    pub fn recipe(&self) -> &RewardRecipe {
        &self.recipe
    }

    /// The isolation that every program runs under.
    pub fn isolation(&self) -> Isolation {
        self.runs.sandbox.isolation()
    }

    /// Where results of tests are kept, if anywhere.
    pub fn store(&self) -> Option<&Store> {
        self.runs.store()
    }

    /// How many tests the sandbox has run for this engine. What was known already is not among them.
    pub fn num_tests_run(&self) -> usize {
        self.runs.num_run()
    }

    /// Waits until every result that is to be kept is on disk.
    ///
    /// # Errors
    /// If the store could not be written.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.runs.store().map_or(Ok(()), Store::flush)
    }

    /// The rewards of completions, in order.
    pub fn score(&self, items: &[(&Task, &str)]) -> Vec<Reward> {
        self.score_with(items, &Asking::default())
    }

    /// The rewards of completions at a step, as long as somebody waits for them, in order.
    pub fn score_with(&self, items: &[(&Task, &str)], asking: &Asking<'_>) -> Vec<Reward> {
        let measured = self.measure_with(items, asking);
        items
            .iter()
            .zip(&measured)
            .map(|((task, completion), measurement)| self.reward(task, completion, measurement, asking.step))
            .collect()
    }

    /// What a measured completion is worth, with the places that it is worth something for.
    pub fn reward(&self, task: &Task, completion: &str, measurement: &Measurement, step: u64) -> Reward {
        match (self.recipe.weigh(measurement, step), self.recipe.unscored.policy) {
            (Ok(weighed), _) => Reward::Scored {
                value: weighed.value,
                parts: weighed.parts.to_map(),
                spans: self.spans(task, completion, measurement, &weighed, step),
            },
            // Published scripts give a value to what failed, not to what nobody waited for.
            (Err(unscored), UnscoredPolicy::Value)
                if !matches!(unscored.reason, UnscoredReason::Cancelled | UnscoredReason::DeadlinePassed) =>
            {
                Reward::Scored {
                    value: self.recipe.unscored.value,
                    parts: self.recipe.measure(measurement, step).to_map(),
                    spans: Vec::new(),
                }
            }
            (Err(Unscored { reason, detail, retryable }), _) => Reward::Unscored { reason, detail, retryable },
        }
    }

    /// What is seen of completions, in order, as far as the recipe asks for it.
    pub fn measure(&self, items: &[(&Task, &str)]) -> Vec<Measurement> {
        self.measure_with(items, &Asking::default())
    }

    /// What is seen of completions, in order, as long as somebody waits for it.
    pub fn measure_with(&self, items: &[(&Task, &str)], asking: &Asking<'_>) -> Vec<Measurement> {
        let (distinct, place) = distinct(items);
        let needs = Needs::of(&self.recipe);
        let (mut measured, tests, judgements, findings) = std::thread::scope(|scope| {
            let tests = scope.spawn(|| self.test_results(&distinct, needs, asking));
            let judgements = scope.spawn(|| self.judgements(&distinct, needs, asking));
            let findings = scope.spawn(|| self.bandit_findings(&distinct, asking));
            let measured = self.texts(&distinct, needs, asking);
            let wait = "measuring does not panic";
            (measured, tests.join().expect(wait), judgements.join().expect(wait), findings.join().expect(wait))
        });
        let seen = tests.into_iter().zip(judgements).zip(findings);
        for (measurement, (((functional, attacks), judgement), findings)) in measured.iter_mut().zip(seen) {
            measurement.functional = functional;
            measurement.attacks = attacks;
            measurement.judgement = judgement.map(Ok);
            match (&mut measurement.reading, findings) {
                (Ok(reading), Some(Ok(findings))) => reading.findings = findings,
                (reading @ Ok(_), Some(Err(unscored))) => *reading = Err(unscored),
                _ => {}
            }
        }
        if place.len() == measured.len() {
            return measured;
        }
        place.into_iter().map(|at| measured[at].clone()).collect()
    }

    /// What the texts show, read on all processors.
    fn texts(&self, items: &[Item<'_>], needs: Needs, asking: &Asking<'_>) -> Vec<Measurement> {
        in_parallel(items.len(), |at| {
            let Item { completion, .. } = items[at];
            match given_up(asking.patience()) {
                Some(unscored) => Measurement::not_taken(completion, &unscored),
                None => Measurement::of_text(completion, &self.references_of(&items[at], needs)),
            }
        })
    }

    /// A task's references, read when they are first needed.
    fn references_of(&self, item: &Item<'_>, needs: Needs) -> Arc<References> {
        let lock = || self.references.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&item.hash) {
            return Arc::clone(known);
        }
        let read = Arc::new(References::of(item.task, needs.similarity.then_some(&self.recipe.similarity)));
        let mut all = lock();
        if all.len() >= MOST_REFERENCES {
            all.clear();
        }
        Arc::clone(all.entry(Arc::clone(&item.hash)).or_insert(read))
    }

    /// Functional and attack tests in one pass. What failed for reasons that may pass is tried again.
    fn test_results(
        &self,
        items: &[Item<'_>],
        needs: Needs,
        asking: &Asking<'_>,
    ) -> Vec<(Option<Results>, Option<Results>)> {
        let wanted = [(TestKind::Functional, needs.functional), (TestKind::Security, needs.attacks)];
        let kinds: Vec<TestKind> =
            wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(kind, _)| kind).collect();
        let asked: Vec<Asked<'_>> = items
            .iter()
            .flat_map(|item| {
                let code = item.code();
                kinds.iter().map(move |kind| Asked { task: item.task, hash: &item.hash, code, kind: *kind })
            })
            .collect();
        let patience = asking.patience();
        let mut results = self.runs.run(&asked, patience);
        for _ in 0..self.recipe.unscored.retries {
            let again: Vec<usize> = (0..results.len())
                .filter(|at| {
                    results[*at]
                        .as_ref()
                        .is_err_and(|unscored| unscored.retryable && unscored.reason == UnscoredReason::SandboxFailed)
                })
                .collect();
            if again.is_empty() {
                break;
            }
            let picked: Vec<Asked<'_>> = again.iter().map(|at| asked[*at]).collect();
            for (at, result) in again.into_iter().zip(self.runs.run(&picked, patience)) {
                results[at] = result;
            }
        }
        let mut results = results.into_iter();
        let mut next = |is_wanted: bool| is_wanted.then(|| results.next().expect("one for each that was asked"));
        items.iter().map(|_| (next(needs.functional), next(needs.attacks))).collect()
    }

    fn judgements(&self, items: &[Item<'_>], needs: Needs, asking: &Asking<'_>) -> Vec<Option<Judgement>> {
        let Some(judge) = self.judge.as_ref().filter(|_| needs.judge) else { return vec![None; items.len()] };
        let weaknesses: Vec<_> = items.iter().map(|item| [item.task.cwe]).collect();
        let questions: Vec<Question<'_>> = items
            .iter()
            .zip(&weaknesses)
            .map(|(item, weaknesses)| Question { code: item.code(), language: item.task.language, weaknesses })
            .collect();
        let own = Instant::now() + Duration::from_secs_f64(self.recipe.judge.deadline_s);
        let until = asking.deadline.map_or(own, |deadline| deadline.min(own));
        judge
            .judge_all(&questions, self.recipe.judge.parallel, until, asking.cancellation)
            .into_iter()
            .map(Some)
            .collect()
    }

    /// What Bandit says, all in as few runs as fit, where the recipe asks Bandit.
    fn bandit_findings(&self, items: &[Item<'_>], asking: &Asking<'_>) -> Vec<Option<Result<Vec<Finding>, Unscored>>> {
        let Some(bandit) = &self.bandit else { return vec![None; items.len()] };
        let failed = |detail: String, retryable| Unscored { reason: UnscoredReason::AnalysisFailed, detail, retryable };
        let files: Vec<SourceFile<'_>> =
            items.iter().map(|item| SourceFile { language: item.task.language.into(), source: item.code() }).collect();
        let batch = match bandit.analyse_with(&self.runs.sandbox, &files, asking.patience()) {
            Ok(batch) => batch,
            Err(error @ (SandboxError::Cancelled | SandboxError::DeadlinePassed)) => {
                return vec![Some(Err(not_run(&error))); items.len()];
            }
            Err(error) => return vec![Some(Err(failed(error.to_string(), error.retryable()))); items.len()],
        };
        batch
            .files
            .into_iter()
            .zip(items)
            .map(|(findings, Item { completion, .. })| {
                let code = code_span(completion);
                let lines = completion[..code.start].matches('\n').count();
                let moved = |finding| moved(finding, code.start, lines);
                Some(match findings {
                    Ok(findings) => Ok(findings.into_iter().map(moved).collect()),
                    // As published: what it cannot read has no findings.
                    Err(ExternalError::NotRead { .. }) => Ok(Vec::new()),
                    Err(error) => Err(failed(error.to_string(), false)),
                })
            })
            .collect()
    }

    /// The places of a completion that are worth something, or cost it.
    fn spans(
        &self,
        task: &Task,
        completion: &str,
        measurement: &Measurement,
        weighed: &Weighed,
        step: u64,
    ) -> Vec<SpanReward> {
        let findings = || measurement.reading.as_ref().map_or(&[][..], |reading| &reading.findings);
        let pairs = || self.pair_credit(task, completion, measurement, weighed);
        match &self.recipe.credit {
            None => self.recipe.finding_spans(measurement, step).unwrap_or_default(),
            Some(CreditRecipe::Findings { rules }) => finding_credit(findings(), rules),
            Some(CreditRecipe::Pairs { .. }) => pairs(),
            Some(CreditRecipe::Both { findings: rules, .. }) => {
                let mut spans = pairs();
                spans.extend(finding_credit(findings(), rules));
                bounded_spans(&mut spans);
                spans
            }
        }
    }

    /// Bonuses only for what parses and is worth something for its function.
    fn pair_credit(
        &self,
        task: &Task,
        completion: &str,
        measurement: &Measurement,
        weighed: &Weighed,
    ) -> Vec<SpanReward> {
        let patterns = self.patterns_of(task);
        let Some(patterns) = patterns.as_ref() else { return Vec::new() };
        let is_open = measurement.parses().unwrap_or(false)
            && weighed.parts.get(Part::Functional).is_none_or(|functional| functional > 0.0);
        patterns.credit(completion, if is_open { Gate::Open } else { Gate::Closed }).spans
    }

    /// What the task's own references teach: each with the one of the other kind that is most like it, unless even they have too
    /// little in common for the one to be a repair of the other.
    fn patterns_of(&self, task: &Task) -> Arc<Option<RepairPatterns>> {
        let key = task.content_hash();
        let known = self.patterns.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        known.unwrap_or_else(|| {
            let Some(CreditRecipe::Pairs { rules } | CreditRecipe::Both { pairs: rules, .. }) = &self.recipe.credit
            else {
                return Arc::new(None);
            };
            let learn = |pairs: &[RepairPair]| RepairPatterns::new(task.language, pairs, rules, None);
            let mut pairs = repair_pairs(task);
            pairs.retain(|pair| !matches!(learn(std::slice::from_ref(pair)), Err(CreditError::NoRepair { .. })));
            let patterns = learn(&pairs).expect("a recipe's rules are in range, and every pair is a repair");
            let patterns = Arc::new(Some(patterns).filter(|patterns| !patterns.is_empty()));
            self.patterns.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&patterns));
            patterns
        })
    }

    /// The share of functional tests that each completion passes, in order, whatever the recipe asks for. None where it is not known.
    pub fn tests_passed(&self, items: &[(&Task, &str)]) -> Vec<Option<f64>> {
        let needs = Needs { functional: true, attacks: false, judge: false, similarity: false };
        let share = |results: Vec<TestResult>| {
            let num_passed = results.iter().filter(|result| result.passed).count();
            (!results.is_empty()).then(|| num_passed as f64 / results.len() as f64)
        };
        let (distinct, place) = distinct(items);
        let results = self.test_results(&distinct, needs, &Asking::default());
        let shares: Vec<Option<f64>> =
            results.into_iter().map(|(functional, _)| functional.and_then(Result::ok).and_then(share)).collect();
        place.into_iter().map(|at| shares[at]).collect()
    }

    /// The verdicts of completions under their functional and attack tests, in order.
    pub fn judge(&self, items: &[(&Task, &str)]) -> Vec<JudgedParts> {
        let (distinct, place) = distinct(items);
        let needs = Needs { functional: true, attacks: true, judge: false, similarity: false };
        let judged: Vec<JudgedParts> = self
            .test_results(&distinct, needs, &Asking::default())
            .into_iter()
            .zip(&distinct)
            .map(|((functional, attacks), Item { task, completion, .. })| {
                let asked = "both kinds were asked for";
                let (functional, attacks) = (functional.expect(asked), attacks.expect(asked));
                let (verdict, tests) = match functional.and_then(|functional| Ok((functional, attacks?))) {
                    Ok((functional, attacks)) => in_order(task, functional, attacks),
                    Err(Unscored { reason, detail, .. }) => (Verdict::Unscored { reason, detail }, Vec::new()),
                };
                let reading = read(task.language, completion, &code_span(completion));
                let findings = reading.map(|reading| reading.findings).unwrap_or_default();
                JudgedParts { verdict, tests, findings }
            })
            .collect();
        place.into_iter().map(|at| judged[at].clone()).collect()
    }
}

/// Distinct items in the order of their first appearance, and where each item's is.
fn distinct<'a>(items: &[(&'a Task, &'a str)]) -> (Vec<Item<'a>>, Vec<usize>) {
    let mut hashes: HashMap<*const Task, Arc<str>> = HashMap::new();
    let mut first: HashMap<(Arc<str>, &str, &str), usize> = HashMap::new();
    let mut distinct = Vec::new();
    let place = items
        .iter()
        .map(|(task, completion)| {
            let hash = hashes.entry(std::ptr::from_ref(*task)).or_insert_with(|| task.content_hash().into());
            *first.entry((Arc::clone(hash), task.id.as_str(), completion)).or_insert_with(|| {
                distinct.push(Item { task, hash: Arc::clone(hash), completion });
                distinct.len() - 1
            })
        })
        .collect();
    (distinct, place)
}

/// Below so many things to do for each, another thread is not worth its start.
const FEW: usize = 16;

/// What `work` gives for every number below `count`, in order, worked out on all processors.
fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let num_threads = std::thread::available_parallelism().map_or(1, usize::from).min(count / FEW).max(1);
    if num_threads == 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let share = || {
        let mut own = Vec::new();
        while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < count) {
            own.push((at, work(at)));
        }
        own
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..num_threads).map(|_| scope.spawn(share)).collect();
        let mut done = share();
        for other in others {
            done.extend(other.join().expect("measuring does not panic"));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Puts results back into the task's order, with the verdict that they make.
fn in_order(task: &Task, functional: Vec<TestResult>, attacks: Vec<TestResult>) -> (Verdict, Vec<TestResult>) {
    let passes = |results: &[TestResult]| results.iter().all(|result| result.passed);
    let (is_functional, is_secure) = (passes(&functional), passes(&attacks));
    let (mut functional, mut attacks) = (functional.into_iter(), attacks.into_iter());
    let results: Vec<TestResult> = task
        .tests
        .iter()
        .filter_map(|test| match test.kind {
            TestKind::Functional => functional.next(),
            TestKind::Security => attacks.next(),
        })
        .collect();
    let failed = task.tests.iter().zip(&results).filter(|(_, result)| !result.passed);
    let failed_tests = failed.map(|(test, _)| test.name.clone()).collect();
    (Verdict::Scored { functional: is_functional, secure: is_secure, failed_tests }, results)
}

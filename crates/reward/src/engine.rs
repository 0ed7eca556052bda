//! Build, run, analyse, weigh: completions in, rewards and verdicts out.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;
use std::sync::Mutex;

use codeward_analysis::analyse;
use codeward_records::{
    Finding, Language, Reward, SpanReward, Step, Task, TestCase, TestKind, UnscoredReason, Verdict,
};
use codeward_sandbox::{Isolation, Sandbox, SandboxError};

use crate::attempt::{Attempt, Runner};
use crate::call::CALL_HARNESS;
use crate::code::code_span;
use crate::harness::Harness;
use crate::observation::ACT_HARNESS;
use crate::partial_credit::Stage;
use crate::recipe::RewardRecipe;
use crate::result::TestResult;
use crate::security::{penalty, security};

/// Scores completions with one recipe. Identical completions of identical tasks are judged once.
pub struct Engine {
    sandbox: Sandbox,
    recipe: RewardRecipe,
    act_harness: Harness,
    call_harness: Harness,
    /// Keys the nonces, so that a program cannot compute them.
    secret: [u8; 32],
    scored: Mutex<HashMap<[u8; 32], Reward>>,
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

/// Why there is no number: the reason, for a person, and whether trying again may help.
type Unscored = (UnscoredReason, String, bool);

impl Engine {
    /// An engine on a running sandbox.
    pub fn new(sandbox: Sandbox, recipe: RewardRecipe) -> Self {
        // Nonces decide nothing; they only have to be unknown to the program, so they may differ between runs of a seed.
        let entropy = std::collections::hash_map::RandomState::new();
        let mut hasher = blake3::Hasher::new();
        for word in 0..4u64 {
            hasher.update(&entropy.hash_one(word).to_le_bytes());
        }
        let secret = *hasher.finalize().as_bytes();
        Self {
            sandbox,
            recipe,
            act_harness: Harness::new(ACT_HARNESS),
            call_harness: Harness::new(CALL_HARNESS),
            secret,
            scored: Mutex::default(),
        }
    }

    /// The recipe.
    pub fn recipe(&self) -> &RewardRecipe {
        &self.recipe
    }

    /// The isolation that every program runs under.
    pub fn isolation(&self) -> Isolation {
        self.sandbox.isolation()
    }

    /// The rewards of completions, in order.
    pub fn score(&self, items: &[(&Task, &str)]) -> Vec<Reward> {
        let keys: Vec<[u8; 32]> = items.iter().map(|(task, completion)| key(task, completion)).collect();
        let mut known: HashMap<[u8; 32], Reward> = HashMap::new();
        let mut fresh: Vec<usize> = Vec::new();
        {
            let scored = self.scored.lock().expect("no holder of the lock panics");
            for (at, key) in keys.iter().enumerate() {
                if known.contains_key(key) {
                    continue;
                }
                if let Some(reward) = scored.get(key) {
                    known.insert(*key, reward.clone());
                } else if !fresh.iter().any(|earlier| keys[*earlier] == *key) {
                    fresh.push(at);
                }
            }
        }
        let picked: Vec<(&Task, &str)> = fresh.iter().map(|at| items[*at]).collect();
        let results = self.run_tests(&picked, |test| test.kind == TestKind::Functional);
        let mut scored = self.scored.lock().expect("no holder of the lock panics");
        for ((at, (task, completion)), results) in fresh.iter().zip(&picked).zip(results) {
            let reward = match results.and_then(|results| self.weigh(task.language, completion, &results)) {
                Ok(reward) => reward,
                Err((reason, detail, retryable)) => Reward::Unscored { reason, detail, retryable },
            };
            // A failure of the machinery is not remembered: the next try may succeed.
            if reward.is_scored() {
                scored.insert(keys[*at], reward.clone());
            }
            known.insert(keys[*at], reward);
        }
        keys.iter().map(|key| known[key].clone()).collect()
    }

    /// The verdicts of completions under their functional and attack tests, in order.
    pub fn judge(&self, items: &[(&Task, &str)]) -> Vec<JudgedParts> {
        let mut distinct: Vec<usize> = Vec::new();
        let mut first: HashMap<[u8; 32], usize> = HashMap::new();
        let keys: Vec<[u8; 32]> = items.iter().map(|(task, completion)| key(task, completion)).collect();
        for (at, key) in keys.iter().enumerate() {
            first.entry(*key).or_insert_with(|| {
                distinct.push(at);
                distinct.len() - 1
            });
        }
        let picked: Vec<(&Task, &str)> = distinct.iter().map(|at| items[*at]).collect();
        let judged: Vec<JudgedParts> = self
            .run_tests(&picked, |_| true)
            .into_iter()
            .zip(&picked)
            .map(|(results, (task, completion))| {
                let (verdict, tests) = match results {
                    Ok(results) => (verdict(task, &results), results),
                    Err((reason, detail, _)) => (Verdict::Unscored { reason, detail }, Vec::new()),
                };
                let findings = findings(task.language, completion).map(|(findings, _)| findings).unwrap_or_default();
                JudgedParts { verdict, tests, findings }
            })
            .collect();
        keys.iter().map(|key| judged[first[key]].clone()).collect()
    }

    /// Runs the wanted tests of every item in one batch. Both kinds of tests have to be there: an empty set of tests judges nothing.
    fn run_tests(
        &self,
        items: &[(&Task, &str)],
        wanted: impl Fn(&TestCase) -> bool,
    ) -> Vec<Result<Vec<TestResult>, Unscored>> {
        let runner =
            Runner { sandbox: &self.sandbox, act: &self.act_harness, calls: &self.call_harness, secret: &self.secret };
        let mut attempts: Vec<Attempt<'_>> = Vec::new();
        let mut ranges = Vec::with_capacity(items.len());
        for (task, completion) in items {
            let start = attempts.len();
            if task.check().is_ok() {
                let code = &completion[code_span(completion)];
                let tests =
                    task.tests.iter().filter(|test| wanted(test)).filter_map(|test| Some((test, test.form().ok()?)));
                attempts.extend(tests.map(|(test, form)| Attempt::new(test, form, task, code, &runner)));
            }
            ranges.push(start..attempts.len());
        }
        let programs: Vec<_> = attempts.iter().map(Attempt::program).cloned().collect();
        let outcomes = self.sandbox.run_batch(&programs);
        ranges
            .into_iter()
            .zip(items)
            .map(|(range, (task, _))| {
                task.check().map_err(|error| (UnscoredReason::NoTests, error.to_string(), false))?;
                attempts[range.clone()]
                    .iter()
                    .zip(&outcomes[range])
                    .map(|(attempt, outcome)| match outcome {
                        Ok(outcome) => attempt
                            .judge(outcome)
                            .map_err(|error| (UnscoredReason::SandboxFailed, error.to_string(), false)),
                        Err(error) => Err(sandbox_failed(error)),
                    })
                    .collect()
            })
            .collect()
    }

    fn weigh(&self, language: Language, completion: &str, results: &[TestResult]) -> Result<Reward, Unscored> {
        let stage = Stage::of(results);
        let functional = stage.value(self.recipe.partial_credit);
        let (findings, syntax_error) = findings(language, completion)?;
        let parses = stage > Stage::Unparseable && !syntax_error;
        let gate = parses && self.recipe.security_gate.is_open(stage);
        let security = if gate { security(&findings) } else { 0.0 };
        let value = self.recipe.functional_weight * functional + self.recipe.security_weight * security;
        let passed = results.iter().filter(|result| result.passed).count();
        let parts = BTreeMap::from([
            ("functional".to_owned(), functional),
            ("security".to_owned(), security),
            ("syntax".to_owned(), f64::from(u8::from(stage > Stage::Unparseable))),
            ("tests_passed".to_owned(), passed as f64 / results.len() as f64),
        ]);
        let spans = findings
            .iter()
            .filter(|finding| penalty(finding.severity) > 0.0)
            .map(|finding| SpanReward {
                start: finding.start_byte,
                end: finding.end_byte,
                value: -self.recipe.security_weight * penalty(finding.severity),
                cwe: finding.cwe.first().copied(),
                rule: finding.rule.clone(),
            })
            .collect();
        Ok(Reward::Scored { value, parts, spans })
    }
}

fn verdict(task: &Task, results: &[TestResult]) -> Verdict {
    let all_of = |kind: TestKind| {
        task.tests.iter().zip(results).filter(|(test, _)| test.kind == kind).all(|(_, result)| result.passed)
    };
    let failed_tests = task
        .tests
        .iter()
        .zip(results)
        .filter(|(_, result)| !result.passed)
        .map(|(test, _)| test.name.clone())
        .collect();
    Verdict::Scored { functional: all_of(TestKind::Functional), secure: all_of(TestKind::Security), failed_tests }
}

/// The analyser's findings, moved to positions in the completion, and whether the code has a syntax error.
fn findings(language: Language, completion: &str) -> Result<(Vec<Finding>, bool), Unscored> {
    let span = code_span(completion);
    let before = &completion[..span.start];
    let lines_before = before.matches('\n').count();
    let analysis = analyse(language.into(), &completion[span.clone()])
        .map_err(|error| (UnscoredReason::AnalysisFailed, error.to_string(), false))?;
    let findings = analysis.findings.into_iter().map(|finding| moved(finding, span.start, lines_before)).collect();
    Ok((findings, analysis.syntax_error.is_some()))
}

/// A finding of a text that starts this many bytes and lines into another; it starts a line there.
fn moved(finding: Finding, bytes: usize, lines: usize) -> Finding {
    let moved_step = |step: Step| Step {
        start_byte: step.start_byte + bytes,
        end_byte: step.end_byte + bytes,
        line: step.line + lines,
        ..step
    };
    Finding {
        start_byte: finding.start_byte + bytes,
        end_byte: finding.end_byte + bytes,
        line: finding.line + lines,
        end_line: finding.end_line + lines,
        trace: finding.trace.into_iter().map(moved_step).collect(),
        ..finding
    }
}

fn sandbox_failed(error: &SandboxError) -> Unscored {
    (UnscoredReason::SandboxFailed, error.to_string(), error.retryable())
}

/// Content hash of a task with a completion.
fn key(task: &Task, completion: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(task.content_hash().as_bytes());
    hasher.update(task.id.as_bytes());
    hasher.update(completion.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_and_their_steps_point_into_the_completion() {
        let completion = "Sure:\n```python\nimport os\ndef f(x):\n    os.system('ls ' + x)\n```\n";
        let (findings, _) = findings(Language::Python, completion).unwrap();
        let finding = &findings[0];
        assert_eq!(&completion[finding.start_byte..finding.end_byte], "'ls ' + x");
        assert_eq!((finding.line, finding.column, finding.end_line), (5, 15, 5));
        let places: Vec<_> = finding
            .trace
            .iter()
            .map(|step| (&completion[step.start_byte..step.end_byte], step.line, step.column))
            .collect();
        assert_eq!(places, [("x", 4, 7), ("'ls ' + x", 5, 15)]);
    }
}

//! From a measurement to a value.

use codeward_records::{Finding, SpanReward, UnscoredReason};

use super::{
    CreditRecipe, JudgeRules, LengthForm, RewardRecipe, StageGate, Unparseable, length_gate, padding_gate,
    published_length,
};
use crate::measurement::{Measurement, Unscored};
use crate::partial_credit::{self, Stage};
use crate::parts::{Part, Parts};
use crate::result::TestResult;

/// A value with what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// The value.
    pub value: f64,
    /// Every part, measured or not.
    pub parts: Parts,
    /// What each term adds, in the recipe's order.
    pub terms: Vec<f64>,
}

impl RewardRecipe {
    /// What a completion is worth at a step of a training. Nothing is run or read: the same measurement gives the same value.
    ///
    /// # Errors
    /// If a part that a term needs was not measured, with the reason.
    pub fn weigh(&self, measurement: &Measurement, step: u64) -> Result<Weighed, Unscored> {
        let parts = self.measure(measurement, step);
        let terms = self.terms(measurement, &parts)?;
        let is_long_enough = measurement.size.characters >= self.min_characters;
        let terms = if is_long_enough { terms } else { vec![0.0; terms.len()] };
        Ok(Weighed { value: terms.iter().sum(), parts, terms })
    }

    fn terms(&self, measurement: &Measurement, parts: &Parts) -> Result<Vec<f64>, Unscored> {
        self.terms
            .iter()
            .map(|term| {
                if let Some(gate) = term.gate
                    && !is_open(gate, measurement)?
                {
                    return Ok(0.0);
                }
                let mut product = term.weight;
                for factor in &term.product {
                    let (_, value) =
                        factor.value(parts).ok_or_else(|| Self::missing(measurement, factor.operands()[0].part))?;
                    product *= value;
                }
                Ok(product)
            })
            .collect()
    }

    /// The parts of a measurement, as this recipe measures them.
    pub fn measure(&self, measurement: &Measurement, step: u64) -> Parts {
        let mut parts = Parts::default();
        let share = |flag: bool| f64::from(u8::from(flag));
        parts.set(Part::Format, share(measurement.is_fenced));
        parts.set(Part::Repetition, measurement.repetition);
        parts.set(Part::Length, self.length(measurement));
        if let Ok(parses) = measurement.parses() {
            parts.set(Part::Syntax, share(parses));
        }
        if let Some(security) = self.security_of(measurement) {
            parts.set(Part::Security, security);
        }
        if let Some(Ok(results)) = &measurement.functional
            && !results.is_empty()
        {
            let counted = &results[..self.functional.max_tests.unwrap_or(results.len()).min(results.len())];
            parts.set(Part::Functional, self.functional_of(counted, step));
            parts.set(Part::TestsPassed, share_passed(counted));
            let attacks = measurement.attacks.iter().flatten().flatten();
            let signs = results.iter().chain(attacks).flat_map(|result| &result.tamper);
            parts.set(Part::Tamper, share(signs.into_iter().any(|sign| sign.kind.is_meddling())));
        }
        if let Some(Ok(results)) = &measurement.attacks
            && !results.is_empty()
        {
            parts.set(Part::AttacksWithstood, share_passed(results));
        }
        if let Some(Ok(judgement)) = &measurement.judgement
            && let Some(value) = self.judge.value(judgement)
        {
            parts.set(Part::Judge, value);
        }
        if let Some(Ok(likeness)) = &measurement.likeness {
            parts.set(Part::Similarity, likeness.codebleu.clamp(0.0, 1.0));
            parts.set(Part::Structure, likeness.structure);
        }
        parts
    }

    fn length(&self, measurement: &Measurement) -> f64 {
        match self.length.form {
            LengthForm::Lines => published_length(measurement.size.lines, measurement.reference.lines),
            LengthForm::Units => length_gate(measurement.size.units, measurement.reference.units),
            LengthForm::Padding => padding_gate(measurement.size.units, measurement.reference.units),
        }
    }

    /// The functional part of some results, by the forms of credit that hold in this step.
    fn functional_of(&self, results: &[TestResult], step: u64) -> f64 {
        let forms = self.schedule.at(self.functional.credit, step);
        forms.iter().map(|form| form.share * partial_credit::value(results, form.credit)).sum()
    }

    fn security_of(&self, measurement: &Measurement) -> Option<f64> {
        let reading = measurement.reading.as_ref().ok()?;
        let parses = measurement.parses().ok()?;
        match (parses, self.security.unparseable) {
            (true, _) => Some(self.security.security(&reading.findings)),
            (false, Unparseable::Clean) => Some(1.0),
            (false, Unparseable::Unmeasured) => None,
        }
    }

    /// Why a part is not known.
    fn missing(measurement: &Measurement, part: Part) -> Unscored {
        let seen = match part {
            Part::Functional | Part::TestsPassed | Part::Tamper => {
                measurement.functional.as_ref().and_then(|seen| seen.as_ref().err())
            }
            Part::AttacksWithstood => measurement.attacks.as_ref().and_then(|seen| seen.as_ref().err()),
            Part::Judge => measurement.judgement.as_ref().and_then(|seen| seen.as_ref().err()),
            Part::Similarity | Part::Structure => measurement.likeness.as_ref().and_then(|seen| seen.as_ref().err()),
            Part::Syntax | Part::Security => measurement.reading.as_ref().err(),
            Part::Format | Part::Length | Part::Repetition => None,
        };
        if let Some(unscored) = seen {
            return unscored.clone();
        }
        let unscored = |reason, detail: &str| Unscored { reason, detail: detail.to_owned(), retryable: false };
        match part {
            Part::Functional | Part::TestsPassed | Part::Tamper => {
                unscored(UnscoredReason::NoTests, "the task has no functional tests")
            }
            Part::AttacksWithstood => unscored(UnscoredReason::NoTests, "the task has no attack tests"),
            Part::Judge => match &measurement.judgement {
                Some(Ok(judgement)) => Unscored {
                    reason: UnscoredReason::JudgeFailed,
                    detail: judgement.doubts(),
                    retryable: judgement.is_retryable(),
                },
                _ => unscored(UnscoredReason::JudgeFailed, "the judge was not asked"),
            },
            Part::Similarity | Part::Structure => unscored(UnscoredReason::NoReference, "nothing was compared"),
            Part::Syntax | Part::Security | Part::Format | Part::Length | Part::Repetition => {
                unscored(UnscoredReason::AnalysisFailed, "security was not measured: the code is not in its language")
            }
        }
    }

    /// What the findings of a measurement take off the value: the difference to the same completion without any, shared out by what
    /// each costs. The sum of the spans is the whole difference.
    ///
    /// # Errors
    /// As [`RewardRecipe::weigh`].
    pub fn finding_spans(&self, measurement: &Measurement, step: u64) -> Result<Vec<SpanReward>, Unscored> {
        let Ok(reading) = &measurement.reading else { return Ok(Vec::new()) };
        let costs: Vec<f64> = reading.findings.iter().map(|finding| self.security.cost(finding)).collect();
        let total: f64 = costs.iter().sum();
        if total == 0.0 {
            return Ok(Vec::new());
        }
        let lost = self.without(measurement, step, |_| false)? - self.weigh(measurement, step)?.value;
        let span = |(finding, cost): (&Finding, f64)| SpanReward {
            start: finding.start_byte,
            end: finding.end_byte,
            value: -lost * cost / total,
            cwe: finding.cwe.first().copied(),
            rule: finding.rule.clone(),
        };
        let spans = reading.findings.iter().zip(costs).filter(|(_, cost)| *cost > 0.0).map(span);
        Ok(spans.filter(|span| span.value != 0.0).collect())
    }

    /// The value if only the findings that are kept were there.
    ///
    /// # Errors
    /// As [`RewardRecipe::weigh`].
    pub fn without(
        &self,
        measurement: &Measurement,
        step: u64,
        keep: impl Fn(&Finding) -> bool,
    ) -> Result<f64, Unscored> {
        let mut other = measurement.clone();
        if let Ok(reading) = &mut other.reading {
            reading.findings.retain(|finding| keep(finding));
        }
        Ok(self.weigh(&other, step)?.value)
    }

    /// True when places get credit from repair pairs.
    pub fn wants_pairs(&self) -> bool {
        matches!(self.credit, Some(CreditRecipe::Pairs { .. } | CreditRecipe::Both { .. }))
    }
}

impl JudgeRules {
    /// What a judgement is worth; none where it is unknown and the recipe has no value for that.
    fn value(&self, judgement: &crate::judge::Judgement) -> Option<f64> {
        if self.graded
            && let Some(probability) = judgement.probability_safe()
        {
            return Some(probability);
        }
        if judgement.is_failure() {
            return self.failed;
        }
        judgement.value(self.unknown)
    }
}

fn is_open(gate: StageGate, measurement: &Measurement) -> Result<bool, Unscored> {
    let parses = measurement.parses().map_err(Clone::clone)?;
    if gate == StageGate::Parses {
        return Ok(parses);
    }
    if measurement.functional.is_none() {
        return Err(Unscored {
            reason: UnscoredReason::NoTests,
            detail: "a gate asks how far the code ran, and no functional test was run".to_owned(),
            retryable: false,
        });
    }
    let stage: Stage = measurement.stage().map_err(Clone::clone)?;
    Ok(parses && gate.is_open(stage))
}

fn share_passed(results: &[TestResult]) -> f64 {
    results.iter().filter(|result| result.passed).count() as f64 / results.len() as f64
}

//! How each part is measured.

use codeward_analysis::similarity::{Mode as SimilarityMode, SimilarityError, Weights};
use codeward_records::{Finding, Level, Severity};
use serde::{Deserialize, Serialize};

use crate::credit::{CreditRules, FindingRules};
use crate::judge::JudgeSettings;
use crate::partial_credit::PartialCredit;

/// How the functional part grows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FunctionalRules {
    /// In stages, by adding, or all or nothing.
    pub credit: PartialCredit,
    /// Only so many tests, in the task's order; all of them when absent.
    pub max_tests: Option<usize>,
}

impl Default for FunctionalRules {
    fn default() -> Self {
        Self { credit: PartialCredit::Staged, max_tests: None }
    }
}

/// Who looks for weaknesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Analysers {
    /// The analyser of this project: no process, microseconds.
    Codeward,
    /// Bandit, inside the sandbox, for Python. Has to be installed.
    Bandit,
}

/// What text that is not in its language has for security.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unparseable {
    /// 1, since nothing is found in it: as SecureCodeRL has it.
    Clean,
    /// Nothing: security was not measured.
    Unmeasured,
}

/// How findings add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Penalties {
    /// `1 - min(1, sum)`.
    Linear,
    /// `exp(-sum)`: an earlier form of SecureCodeRL.
    Exponential,
}

/// What findings cost, after SecureCodeRL (arXiv 2601.01184, objective): 1.0 for one of high and 0.5 for one of medium severity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityRules {
    /// Who looks for weaknesses.
    pub analyser: Analysers,
    /// Cost of a finding of high severity.
    pub high: f64,
    /// Cost of a finding of medium severity.
    pub medium: f64,
    /// Cost of a finding of low severity.
    pub low: f64,
    /// Share of the cost for findings of low confidence.
    pub low_confidence: f64,
    /// How they add up.
    pub penalties: Penalties,
    /// What text that is not in its language has.
    pub unparseable: Unparseable,
}

impl Default for SecurityRules {
    fn default() -> Self {
        Self {
            analyser: Analysers::Codeward,
            high: 1.0,
            medium: 0.5,
            low: 0.0,
            low_confidence: 1.0,
            penalties: Penalties::Linear,
            unparseable: Unparseable::Unmeasured,
        }
    }
}

impl SecurityRules {
    /// What one finding costs.
    pub fn cost(&self, finding: &Finding) -> f64 {
        let cost = match finding.severity {
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
        };
        if finding.confidence == Level::Low { cost * self.low_confidence } else { cost }
    }

    /// What is left of 1, in [0, 1].
    pub fn security(&self, findings: &[Finding]) -> f64 {
        let sum: f64 = findings.iter().map(|finding| self.cost(finding)).sum();
        match self.penalties {
            Penalties::Linear => 1.0 - sum.min(1.0),
            Penalties::Exponential => (-sum).exp(),
        }
    }
}

/// How the vulnerability judge is asked and what its answers are worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgeRules {
    /// How it is asked.
    pub settings: JudgeSettings,
    /// What "unknown" is worth between unsafe (0) and safe (1). Without it a completion with an unknown verdict is unscored.
    pub unknown: Option<f64>,
    /// What a failure to ask is worth: published scripts give one. Without it the completion is unscored.
    pub failed: Option<f64>,
    /// Takes the probability of safe, where the model gives probabilities, in place of 0 and 1.
    pub graded: bool,
    /// Requests under way at a time.
    pub parallel: usize,
    /// Longest wait for the verdicts of a batch, in seconds.
    pub deadline_s: f64,
}

impl Default for JudgeRules {
    fn default() -> Self {
        Self {
            settings: JudgeSettings::default(),
            unknown: Some(0.5),
            failed: None,
            graded: false,
            parallel: 16,
            deadline_s: 300.0,
        }
    }
}

/// In what length is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LengthForm {
    /// Published buckets of lines, from -2 to 1.
    Lines,
    /// A gate from 0 to 1 in lexical units, closing for what is too short or too long.
    Units,
    /// As `units`, closing only for what is too long.
    Padding,
}

/// How length is measured against the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LengthRules {
    /// In what.
    pub form: LengthForm,
}

impl Default for LengthRules {
    fn default() -> Self {
        Self { form: LengthForm::Units }
    }
}

/// How likeness to the reference is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimilarityRules {
    /// As the `codebleu` package computes it, with the first secure reference; or strictly, with the most similar one.
    pub mode: SimilarityMode,
    /// Weights of n-grams, keyword-weighted n-grams, syntax and data flow.
    pub weights: [f64; 4],
}

impl Default for SimilarityRules {
    /// The weights of SecCoderX.
    fn default() -> Self {
        Self { mode: SimilarityMode::Strict, weights: [0.1, 0.1, 0.7, 0.1] }
    }
}

impl SimilarityRules {
    pub(crate) fn checked_weights(&self) -> Result<Weights, SimilarityError> {
        let [ngram, weighted_ngram, syntax, data_flow] = self.weights;
        Weights::new(ngram, weighted_ngram, syntax, data_flow)
    }
}

/// What becomes of a completion that could not be scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnscoredPolicy {
    /// It has no reward, and training leaves it out of baseline and loss.
    LeaveOut,
    /// It gets a reward all the same: what published scripts do. The value is `value`. What was cancelled or came too late still has none.
    Value,
}

/// What becomes of a completion that could not be scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnscoredRules {
    /// Left out or given a value.
    pub policy: UnscoredPolicy,
    /// The value where the policy is to give one.
    pub value: f64,
    /// How often what may succeed at another try is tried again.
    pub retries: u32,
}

impl Default for UnscoredRules {
    fn default() -> Self {
        Self { policy: UnscoredPolicy::LeaveOut, value: 0.0, retries: 1 }
    }
}

/// Where single places of a completion get credit from. Spans then carry this credit, not what findings cost the scalar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase", deny_unknown_fields)]
pub enum CreditRecipe {
    /// From repairs: the task's references, each with the one of the other kind that is most like it.
    Pairs {
        /// The figures.
        #[serde(default)]
        rules: CreditRules,
    },
    /// From what the analyser found: the culprit and the way to it.
    Findings {
        /// The figures.
        #[serde(default)]
        rules: FindingRules,
    },
    /// From both.
    Both {
        /// The figures of repairs.
        #[serde(default)]
        pairs: CreditRules,
        /// The figures of findings.
        #[serde(default)]
        findings: FindingRules,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, confidence: Level) -> Finding {
        let analysis = codeward_analysis::analyse(
            codeward_analysis::Language::Python,
            "import os\ndef f(x):\n    os.system('ls ' + x)\n",
        );
        Finding { severity, confidence, ..analysis.unwrap().findings.remove(0) }
    }

    #[test]
    fn the_published_costs() {
        let rules = SecurityRules::default();
        let [high, medium, low] =
            [Severity::High, Severity::Medium, Severity::Low].map(|severity| finding(severity, Level::High));
        let security = |findings: &[&Finding]| rules.security(&findings.iter().copied().cloned().collect::<Vec<_>>());
        assert_eq!(security(&[]), 1.0);
        assert_eq!(security(&[&low, &low]), 1.0);
        assert_eq!(security(&[&medium]), 0.5);
        assert_eq!(security(&[&medium, &medium, &medium]), 0.0);
        assert_eq!(security(&[&high, &medium]), 0.0);
        let earlier = SecurityRules { penalties: Penalties::Exponential, ..rules };
        assert_eq!(earlier.security(&[medium, high]), (-1.5_f64).exp());
    }

    #[test]
    fn what_is_uncertain_may_cost_less() {
        let rules = SecurityRules { low_confidence: 0.5, ..SecurityRules::default() };
        assert_eq!(rules.cost(&finding(Severity::High, Level::Low)), 0.5);
        assert_eq!(rules.cost(&finding(Severity::High, Level::Medium)), 1.0);
    }
}

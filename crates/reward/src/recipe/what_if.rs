//! What would change a value: the same completion with one thing else.

use codeward_analysis::Content;

use super::{Factor, RewardRecipe, Term};
use crate::judge::Safety;
use crate::measurement::Measurement;
use crate::partial_credit::Stage;
use crate::parts::Part;

/// One thing else, and what the completion would then be worth.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIf {
    /// What would be different, as a clause that begins with "if".
    pub clause: String,
    /// The value in that case.
    pub value: f64,
    /// The value in that case less the value as it is.
    pub gain: f64,
}

impl RewardRecipe {
    /// What would change the value, the largest gain first. What changes nothing is left out. Empty when there is no value.
    pub fn what_if(&self, measurement: &Measurement, step: u64) -> Vec<WhatIf> {
        let Ok(weighed) = self.weigh(measurement, step) else { return Vec::new() };
        let mut found: Vec<WhatIf> = cases(measurement)
            .into_iter()
            .filter_map(|(clause, other)| {
                let value = self.weigh(&other, step).ok()?.value;
                let gain = value - weighed.value;
                (gain.abs() > 1e-12).then_some(WhatIf { clause, value, gain })
            })
            .collect();
        found.sort_by(|one, other| other.gain.total_cmp(&one.gain));
        found
    }

    /// The recipe without a part: it is taken out of every product, and a term of nothing else is dropped. None when no term is left
    /// or the recipe does not ask for it.
    #[must_use]
    pub fn without_part(&self, part: Part) -> Option<Self> {
        let mut is_asked = false;
        let terms: Vec<Term> = self
            .terms
            .iter()
            .filter_map(|term| {
                let product: Vec<Factor> = term.product.iter().filter_map(|factor| factor.without(part)).collect();
                is_asked |= product != term.product;
                (!product.is_empty()).then(|| Term { product, ..term.clone() })
            })
            .collect();
        (is_asked && !terms.is_empty()).then(|| Self { terms, ..self.clone() })
    }

    /// The recipe with one term's weight multiplied. None when that would leave no term.
    #[must_use]
    pub fn with_weight(&self, term: usize, times: f64) -> Option<Self> {
        let mut other = self.clone();
        other.terms.get_mut(term)?.weight *= times;
        other.terms.retain(|term| term.weight != 0.0);
        (!other.terms.is_empty()).then_some(other)
    }
}

fn cases(measurement: &Measurement) -> Vec<(String, Measurement)> {
    let mut cases = Vec::new();
    let mut case = |clause: String, change: &dyn Fn(&mut Measurement)| {
        let mut other = measurement.clone();
        change(&mut other);
        if other != *measurement {
            cases.push((clause, other));
        }
    };
    if let Ok(reading) = &measurement.reading {
        for (at, finding) in reading.findings.iter().enumerate() {
            let clause = format!("if {} in line {} were mended", finding.rule, finding.line);
            case(clause, &|other| {
                if let Ok(reading) = &mut other.reading {
                    reading.findings.remove(at);
                }
            });
        }
        if reading.findings.len() > 1 {
            case("if every finding were mended".to_owned(), &|other| {
                if let Ok(reading) = &mut other.reading {
                    reading.findings.clear();
                }
            });
        }
        case("if it were in its language".to_owned(), &|other| {
            if let Ok(reading) = &mut other.reading {
                reading.has_syntax_error = false;
                reading.content = Content::Functions;
            }
            if let Some(Ok(results)) = &mut other.functional
                && Stage::of(results) == Stage::Unparseable
            {
                for result in results {
                    result.parsed = true;
                }
            }
        });
    }
    let all_pass = |results: &mut Vec<crate::TestResult>| {
        for result in results {
            (result.passed, result.parsed, result.ran, result.produced) = (true, true, true, true);
            (result.spoke, result.answered) = (true, true);
            result.failure = None;
        }
    };
    case("if every functional test passed".to_owned(), &|other| {
        if let Some(Ok(results)) = &mut other.functional {
            all_pass(results);
        }
    });
    case("if every attack were withstood".to_owned(), &|other| {
        if let Some(Ok(results)) = &mut other.attacks {
            all_pass(results);
        }
    });
    case("if nothing looked like meddling".to_owned(), &|other| {
        for results in [&mut other.functional, &mut other.attacks].into_iter().flatten().flatten() {
            for result in results {
                result.tamper.clear();
            }
        }
    });
    case("if the judge called it safe".to_owned(), &|other| {
        if let Some(Ok(judgement)) = &mut other.judgement {
            judgement.verdict = Safety::Safe;
            for vote in &mut judgement.votes {
                (vote.verdict, vote.log_odds) = (Safety::Safe, None);
            }
        }
    });
    case("if it stood in a fenced block".to_owned(), &|other| other.is_fenced = true);
    case("if it repeated nothing".to_owned(), &|other| other.repetition = 0.0);
    case("if it were as long as the reference".to_owned(), &|other| other.size = other.reference);
    cases
}

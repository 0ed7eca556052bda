//! Credit straight from what the analyser found: no pair is needed.

use codeward_records::{Finding, Severity, SpanReward};
use serde::{Deserialize, Serialize};

use super::{CreditError, MOST_AT_ONE_PLACE, MOST_IN_TOTAL};

/// What findings cost. Ours; no paper states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FindingRules {
    /// What a finding of high severity costs in all; one of medium severity costs half, one of low severity nothing.
    pub cost: f64,
    /// The share that falls on the way to the culprit, in equal parts for the places of the trace; the rest falls on the culprit.
    pub trace_share: f64,
}

impl Default for FindingRules {
    fn default() -> Self {
        Self { cost: 1.0, trace_share: 0.5 }
    }
}

impl FindingRules {
    /// # Errors
    /// If a figure is out of its range.
    pub fn check(&self) -> Result<(), CreditError> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        match (share(self.cost), share(self.trace_share)) {
            (true, true) => Ok(()),
            (false, _) => Err(CreditError::OutOfRange { name: "cost" }),
            (true, false) => Err(CreditError::OutOfRange { name: "trace_share" }),
        }
    }
}

/// Spans for findings, culprit first and then its way, in the order of the findings. Their positions must be in the completion.
///
/// No value is below -[`MOST_AT_ONE_PLACE`], and their sum is not below -[`MOST_IN_TOTAL`]: beyond, all shrink in proportion.
pub fn finding_credit(findings: &[Finding], rules: &FindingRules) -> Vec<SpanReward> {
    let mut spans: Vec<SpanReward> = findings.iter().flat_map(|finding| spans_of(finding, rules)).collect();
    let total: f64 = spans.iter().map(|span| -span.value).sum();
    if total > MOST_IN_TOTAL {
        for span in &mut spans {
            span.value *= MOST_IN_TOTAL / total;
        }
    }
    spans
}

/// The share of the cost that a severity has.
fn penalty(severity: Severity) -> f64 {
    match severity {
        Severity::High => 1.0,
        Severity::Medium => 0.5,
        Severity::Low => 0.0,
    }
}

fn spans_of(finding: &Finding, rules: &FindingRules) -> Vec<SpanReward> {
    let cost = rules.cost.min(MOST_AT_ONE_PLACE) * penalty(finding.severity);
    if cost == 0.0 {
        return Vec::new();
    }
    let culprit = (finding.start_byte, finding.end_byte);
    let mut way: Vec<(usize, usize)> = finding.trace.iter().map(|step| (step.start_byte, step.end_byte)).collect();
    way.retain(|&place| place != culprit);
    way.sort_unstable();
    way.dedup();
    let on_way = if way.is_empty() { 0.0 } else { cost * rules.trace_share };
    let span = |(start, end): (usize, usize), cost: f64| SpanReward {
        start,
        end,
        value: -cost,
        cwe: finding.cwe.first().copied(),
        rule: finding.rule.clone(),
    };
    let num_places = way.len() as f64;
    let places = way.into_iter().map(|place| span(place, on_way / num_places));
    std::iter::once(span(culprit, cost - on_way)).chain(places).filter(|span| span.value < 0.0).collect()
}

#[cfg(test)]
mod tests {
    use codeward_analysis::{Language, analyse};

    use super::*;

    const CODE: &str = "import os\ndef f(x):\n    command = 'ls ' + x\n    os.system(command)\n";

    fn found() -> Finding {
        analyse(Language::Python, CODE).unwrap().findings.remove(0)
    }

    #[test]
    fn half_of_the_cost_falls_on_the_way() {
        let finding = found();
        let severity = penalty(finding.severity);
        let spans = finding_credit(&[finding], &FindingRules::default());
        let shown: Vec<_> = spans.iter().map(|span| (&CODE[span.start..span.end], span.value)).collect();
        let way = shown.len() - 1;
        assert!(way >= 1, "{shown:?}");
        assert_eq!(shown[0].1, -0.5 * severity, "{shown:?}");
        assert!(shown[1..].iter().all(|&(_, value)| value == -0.5 * severity / way as f64), "{shown:?}");
        assert!(shown.iter().any(|&(text, _)| text == "x"), "{shown:?}");
        assert_eq!(spans[0].rule, "py/shell-command");
    }

    #[test]
    fn severity_and_bounds() {
        let at = |severity| Finding { severity, trace: Vec::new(), ..found() };
        let values = |findings: &[Finding]| {
            finding_credit(findings, &FindingRules::default()).iter().map(|span| span.value).collect::<Vec<_>>()
        };
        assert_eq!(values(&[at(Severity::High), at(Severity::Medium), at(Severity::Low)]), [-1.0, -0.5]);
        assert_eq!(values(&[at(Severity::High), at(Severity::High), at(Severity::High)]), [-1.0; 3]);
        assert_eq!(values(&vec![at(Severity::High); 6]), [-0.5; 6]);
        assert_eq!(values(&[]), [0.0; 0]);
        let wrong = FindingRules { trace_share: 1.5, ..FindingRules::default() };
        assert_eq!(wrong.check(), Err(CreditError::OutOfRange { name: "trace_share" }));
        assert_eq!(FindingRules::default().check(), Ok(()));
    }
}

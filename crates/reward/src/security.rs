//! The security part: what the analyser's findings cost, after SecureCodeRL (arXiv 2601.01184, objective).
//!
//! `V = min(1, sum of weights)` with 1.0 for a finding of high and 0.5 for one of medium severity, `R_sec = 1 - V`. Low findings are
//! reported and cost nothing. Departure in corrected mode: code that does not compile has `R_sec = 0`, where the published
//! code pays it in full because an analyser finds nothing in garbage.

use codeward_records::{Finding, Severity};

/// What one finding takes off.
pub(crate) fn penalty(severity: Severity) -> f64 {
    match severity {
        Severity::High => 1.0,
        Severity::Medium => 0.5,
        Severity::Low => 0.0,
    }
}

/// `R_sec` of code that compiles.
pub(crate) fn security(findings: &[Finding]) -> f64 {
    1.0 - findings.iter().map(|finding| penalty(finding.severity)).sum::<f64>().min(1.0)
}

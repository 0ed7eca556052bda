//! Collecting findings: each rule reports a span once, with its place in lines and columns.

use std::collections::BTreeSet;

use codeward_records::Finding;

use crate::flow::Taint;
use crate::rules::RuleInfo;
use crate::syntax::Span;

/// A trace shows at most this many steps.
const MAX_STEPS: usize = 12;

/// A step shows at most this many characters of the source.
const MAX_STEP_CHARACTERS: usize = 80;

/// Findings so far.
#[derive(Debug)]
pub(crate) struct Report<'s> {
    source: &'s str,
    /// Where each line starts.
    lines: Vec<usize>,
    findings: Vec<Finding>,
    seen: BTreeSet<(&'static str, usize, usize)>,
}

/// Line and column of a byte, both from 1.
pub(crate) fn position(lines: &[usize], byte: usize) -> (usize, usize) {
    let line = lines.partition_point(|start| *start <= byte);
    (line, byte - lines[line - 1] + 1)
}

/// Where each line starts.
pub(crate) fn line_starts(source: &str) -> Vec<usize> {
    std::iter::once(0)
        .chain(source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1))
        .collect()
}

impl<'s> Report<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self { source, lines: line_starts(source), findings: Vec::new(), seen: BTreeSet::new() }
    }

    /// The length of the text in bytes.
    pub(crate) fn length(&self) -> usize {
        self.source.len()
    }

    /// A place as it is written.
    pub(crate) fn text(&self, span: Span) -> &'s str {
        self.source.get(span.range()).unwrap_or_default()
    }

    /// Adds a finding, unless the rule has reported this span.
    pub(crate) fn add(
        &mut self,
        rule: &'static RuleInfo,
        span: Span,
        message: impl Into<String>,
        taint: Option<&Taint>,
    ) {
        if !self.seen.insert((rule.name, span.start, span.end)) {
            return;
        }
        let (line, column) = position(&self.lines, span.start);
        let (end_line, end_column) = position(&self.lines, span.end);
        self.findings.push(Finding {
            rule: rule.name.to_owned(),
            cwe: rule.cwe.to_vec(),
            severity: rule.severity,
            confidence: rule.confidence,
            start_byte: span.start,
            end_byte: span.end,
            line,
            column,
            end_line,
            end_column,
            message: message.into(),
            trace: taint.map_or_else(Vec::new, |taint| self.trace(taint, span)),
        });
    }

    fn trace(&self, taint: &Taint, end: Span) -> Vec<String> {
        let mut steps = taint.steps();
        steps.retain(|step| step.start < step.end);
        if steps.last() != Some(&end) {
            steps.push(end);
        }
        if steps.len() > MAX_STEPS {
            steps.drain(1..=steps.len() - MAX_STEPS);
        }
        let describe = |(at, span): (usize, &Span)| {
            let (line, _) = position(&self.lines, span.start);
            let text = self.source[span.range()].split_whitespace().collect::<Vec<_>>().join(" ");
            let mut shown: String = text.chars().take(MAX_STEP_CHARACTERS).collect();
            if shown.len() < text.len() {
                shown.push_str("...");
            }
            let source = if at == 0 { format!("input `{}` enters: ", taint.source.label) } else { String::new() };
            format!("line {line}: {source}{shown}")
        };
        steps.iter().enumerate().map(describe).collect()
    }

    /// The findings in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by(|one, other| {
            (one.start_byte, one.end_byte, &one.rule).cmp(&(other.start_byte, other.end_byte, &other.rule))
        });
        self.findings
    }
}

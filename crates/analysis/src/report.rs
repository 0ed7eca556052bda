//! Collecting findings: each rule reports a span once, with its place in lines and columns.

use std::collections::BTreeSet;

use codeward_records::{Finding, Level, Step};

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
    /// What is only said where nothing firmer is said within the span.
    notes: Vec<(Finding, Span)>,
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

/// Places findings in a text that was analysed with so many bytes before it and some after it. What lies outside the text is dropped.
pub(crate) fn place_back(mut findings: Vec<Finding>, before: usize, source: &str) -> Vec<Finding> {
    let lines = line_starts(source);
    let back = |byte: usize| byte.saturating_sub(before).min(source.len());
    findings.retain(|finding| finding.start_byte >= before && finding.start_byte - before < source.len());
    for finding in &mut findings {
        finding.start_byte = back(finding.start_byte);
        finding.end_byte = back(finding.end_byte);
        (finding.line, finding.column) = position(&lines, finding.start_byte);
        (finding.end_line, finding.end_column) = position(&lines, finding.end_byte);
        for step in &mut finding.trace {
            step.start_byte = back(step.start_byte);
            step.end_byte = back(step.end_byte);
            (step.line, step.column) = position(&lines, step.start_byte);
        }
    }
    findings
}

impl<'s> Report<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self { source, lines: line_starts(source), findings: Vec::new(), notes: Vec::new(), seen: BTreeSet::new() }
    }

    /// The length of the text in bytes.
    pub(crate) fn length(&self) -> usize {
        self.source.len()
    }

    /// Where a text stands within a span as it is, between quotes, which are taken in.
    pub(crate) fn quoted(&self, within: Span, text: &str) -> Option<Span> {
        let source = self.source.get(within.start..within.end)?;
        let is_quote = |byte: Option<&u8>| matches!(byte, Some(b'"' | b'\''));
        source.match_indices(text).map(|(at, _)| (at, at + text.len())).find_map(|(at, end)| {
            let is_quoted = at > 0 && is_quote(source.as_bytes().get(at - 1)) && is_quote(source.as_bytes().get(end));
            is_quoted.then(|| Span { start: within.start + at - 1, end: within.start + end + 1 })
        })
    }

    /// Adds a finding, unless the rule has reported this span.
    pub(crate) fn add(
        &mut self,
        rule: &'static RuleInfo,
        span: Span,
        message: impl Into<String>,
        taint: Option<&Taint>,
    ) {
        if self.seen.insert((rule.name, span.start, span.end)) {
            let finding = self.finding(rule, span, message.into(), taint);
            self.findings.push(finding);
        }
    }

    /// What the source says at a span.
    pub(crate) fn written(&self, span: Span) -> &'s str {
        self.source.get(span.range()).unwrap_or_default()
    }

    /// Adds a finding that is dropped if one of medium or high severity lies within the wider span: the use of an interface, where
    /// nothing worse is known of it.
    pub(crate) fn note(&mut self, rule: &'static RuleInfo, span: Span, within: Span, message: impl Into<String>) {
        if self.seen.insert((rule.name, span.start, span.end)) {
            let finding = self.finding(rule, span, message.into(), None);
            self.notes.push((finding, within));
        }
    }

    fn finding(&self, rule: &RuleInfo, span: Span, message: String, taint: Option<&Taint>) -> Finding {
        let (line, column) = position(&self.lines, span.start);
        let (end_line, end_column) = position(&self.lines, span.end);
        Finding {
            code: rule.code.to_owned(),
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
            message,
            trace: taint.map_or_else(Vec::new, |taint| self.trace(taint, span)),
        }
    }

    fn trace(&self, taint: &Taint, end: Span) -> Vec<Step> {
        let mut spans = taint.steps();
        spans.retain(|span| span.start < span.end);
        if spans.last() != Some(&end) {
            spans.push(end);
        }
        if spans.len() > MAX_STEPS {
            spans.drain(1..=spans.len() - MAX_STEPS);
        }
        let last = spans.len() - 1;
        let describe = |(at, span): (usize, &Span)| {
            let (line, column) = position(&self.lines, span.start);
            let note = match at {
                0 => format!("input `{}` enters", taint.source.label),
                at if at == last => format!("ends in `{}`", self.shown(*span)),
                _ => format!("goes through `{}`", self.shown(*span)),
            };
            Step { start_byte: span.start, end_byte: span.end, line, column, note }
        };
        spans.iter().enumerate().map(describe).collect()
    }

    /// The text of a span on one line, cut where it gets long.
    fn shown(&self, span: Span) -> String {
        let text = self.source[span.range()].split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = text.chars().take(MAX_STEP_CHARACTERS).collect();
        if shown.len() < text.len() {
            shown.push_str("...");
        }
        shown
    }

    /// The findings in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        let is_inside = |firm: &Finding, within: Span| within.start <= firm.start_byte && firm.end_byte <= within.end;
        let firm: Vec<_> = self.findings.iter().filter(|finding| finding.severity >= Level::Medium).cloned().collect();
        self.notes.retain(|(_, within)| !firm.iter().any(|firm| is_inside(firm, *within)));
        self.findings.extend(self.notes.into_iter().map(|(note, _)| note));
        self.findings.sort_by(|one, other| {
            (one.start_byte, one.end_byte, &one.rule).cmp(&(other.start_byte, other.end_byte, &other.rule))
        });
        self.findings
    }
}

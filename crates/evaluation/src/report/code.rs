//! Completions as code with their findings marked.

use codeward_records::{Finding, Level};

use super::markup::Html;

/// A stretch of the source that the same findings cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) text: &'a str,
    /// Indices of the covering findings, ascending; empty for plain text.
    pub(super) findings: Vec<usize>,
}

/// Cuts `source` where findings begin and end. The segments follow each other and together are the source.
///
/// Spans may overlap. A span that leaves the text or cuts a character is narrowed to the text and widened to whole
/// characters; one that is empty after that covers nothing.
pub(super) fn segments<'a>(source: &'a str, findings: &[Finding]) -> Vec<Segment<'a>> {
    let spans: Vec<(usize, usize)> = findings.iter().map(|finding| whole_characters(source, finding)).collect();
    let mut cuts: Vec<usize> = spans.iter().flat_map(|(start, end)| [*start, *end]).collect();
    cuts.extend([0, source.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    let covering = |from: usize, to: usize| {
        (0..spans.len()).filter(|index| spans[*index].0 <= from && to <= spans[*index].1).collect()
    };
    cuts.windows(2).map(|cut| Segment { text: &source[cut[0]..cut[1]], findings: covering(cut[0], cut[1]) }).collect()
}

fn whole_characters(source: &str, finding: &Finding) -> (usize, usize) {
    let start = source.floor_char_boundary(finding.start_byte);
    let end = source.ceil_char_boundary(finding.end_byte.min(source.len()));
    // A span that is empty or reversed to begin with marks nothing.
    if finding.end_byte <= finding.start_byte { (start, start) } else { (start, end.max(start)) }
}

/// Writes `source` as a code block with marks, and the list of findings below it.
pub(super) fn write_code(html: &mut Html, label: &str, source: &str, findings: &[Finding]) {
    let segments = segments(source, findings);
    // The block scrolls when it is long, so the keyboard has to be able to reach it.
    html.tag("pre").attr("tabindex", 0).attr("role", "region").attr("aria-label", label).within(|html| {
        html.tag("code").within(|html| {
            for (at, segment) in segments.iter().enumerate() {
                write_segment(html, segment, segments.get(at + 1), findings);
            }
        });
    });
    html.line();
    if source.trim().is_empty() {
        html.tag("p").class("quiet").text("The completion is empty.");
    }
    if findings.is_empty() {
        html.tag("p").class("quiet").text("The analyser reports nothing.");
        return;
    }
    html.tag("ol").class("findings").within(|html| {
        for (index, finding) in findings.iter().enumerate() {
            let marked = segments.iter().any(|segment| segment.findings.contains(&index));
            write_finding(html, finding, marked);
        }
    });
    html.line();
}

fn write_segment(html: &mut Html, segment: &Segment<'_>, next: Option<&Segment<'_>>, findings: &[Finding]) {
    if segment.findings.is_empty() {
        html.text(segment.text);
        return;
    }
    let worst = segment.findings.iter().map(|index| findings[*index].severity).max().unwrap_or(Level::Low);
    let title: Vec<String> = segment.findings.iter().map(|index| title(&findings[*index])).collect();
    // The style sheet prints the number behind the mark: colour alone tells nothing apart, and copying leaves it out.
    let ending: Vec<String> = segment
        .findings
        .iter()
        .filter(|index| next.is_none_or(|next| !next.findings.contains(index)))
        .map(|index| (index + 1).to_string())
        .collect();
    let mark = html.tag("mark").class(severity(worst)).attr("title", title.join("\n"));
    let mark = if ending.is_empty() { mark } else { mark.attr("data-finding", ending.join(",")) };
    mark.text(segment.text);
}

fn write_finding(html: &mut Html, finding: &Finding, marked: bool) {
    html.tag("li").within(|html| {
        html.tag("span").class("rule").text(&finding.rule);
        html.text(format_args!(
            " {}, {} severity, line {}: {}",
            classes(finding),
            severity(finding.severity),
            finding.line,
            finding.message
        ));
        if !marked {
            html.text(" (its span lies outside the text)");
        }
        if !finding.trace.is_empty() {
            let steps: Vec<_> = finding.trace.iter().map(|step| format!("line {}: {}", step.line, step.note)).collect();
            html.tag("span").class("quiet").text(format_args!(" Flow: {}", steps.join(" → ")));
        }
    });
}

fn title(finding: &Finding) -> String {
    format!("{} ({}): {}", finding.rule, classes(finding), finding.message)
}

fn classes(finding: &Finding) -> String {
    let classes: Vec<String> = finding.cwe.iter().map(ToString::to_string).collect();
    if classes.is_empty() { "no class".to_owned() } else { classes.join(", ") }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
    }
}

#[cfg(test)]
mod tests {
    use codeward_records::Cwe;
    use proptest::prelude::*;

    use super::*;

    fn finding(start_byte: usize, end_byte: usize) -> Finding {
        Finding {
            code: "CW-PY-078-9".to_owned(),
            rule: "py/rule".to_owned(),
            cwe: vec![Cwe(78)],
            severity: Level::High,
            confidence: Level::High,
            start_byte,
            end_byte,
            line: 1,
            column: 1,
            end_line: 1,
            end_column: 1,
            message: "do not".to_owned(),
            trace: Vec::new(),
        }
    }

    fn shapes(source: &str, spans: &[(usize, usize)]) -> Vec<(String, Vec<usize>)> {
        let findings: Vec<Finding> = spans.iter().map(|(start, end)| finding(*start, *end)).collect();
        segments(source, &findings).into_iter().map(|part| (part.text.to_owned(), part.findings)).collect()
    }

    #[test]
    fn overlapping_spans_are_cut_where_they_meet() {
        let expected = [("a", vec![]), ("b", vec![0]), ("c", vec![0, 1]), ("d", vec![1]), ("e", vec![])]
            .map(|(text, findings)| (text.to_owned(), findings));
        assert_eq!(shapes("abcde", &[(1, 3), (2, 4)]), expected);
    }

    #[test]
    fn spans_keep_to_whole_characters_and_to_the_text() {
        // "é" is bytes 1 and 2.
        assert_eq!(shapes("aéb", &[(2, 99)]), [("a".to_owned(), vec![]), ("éb".to_owned(), vec![0])]);
        assert_eq!(shapes("ab", &[(1, 1), (9, 12), (2, 1)]).iter().map(|part| part.1.len()).sum::<usize>(), 0);
        assert_eq!(shapes("", &[(0, 4)]), []);
    }

    #[test]
    fn a_mark_names_its_findings_and_the_last_piece_carries_the_number() {
        let mut html = Html::default();
        let mut nested = finding(2, 3);
        nested.message = "\"><script>alert(1)</script>".to_owned();
        write_code(&mut html, "before", "a<b>&c", &[finding(1, 4), nested]);
        let html = html.into_string();
        let title = "py/rule (CWE-78): do not";
        assert!(
            html.contains(&format!(
                "<code>a<mark class=\"high\" title=\"{title}\">&lt;</mark>\
                 <mark class=\"high\" title=\"{title}\npy/rule (CWE-78): &quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\" data-finding=\"2\">b</mark>\
                 <mark class=\"high\" title=\"{title}\" data-finding=\"1\">&gt;</mark>&amp;c</code>"
            )),
            "{html}"
        );
        assert!(!html.contains("<script"), "{html}");
    }

    proptest! {
        #[test]
        fn the_segments_are_the_source(
            source in any::<String>(),
            spans in proptest::collection::vec((0usize..60, 0usize..60), 0..8),
        ) {
            let parts = shapes(&source, &spans);
            prop_assert_eq!(parts.iter().map(|part| part.0.as_str()).collect::<String>(), source.clone());
            // Every byte of a span inside the text is marked with it.
            for (index, (start, end)) in spans.iter().enumerate() {
                let mut at = 0;
                for (text, findings) in &parts {
                    if at < (*end).min(source.len()) && *start < at + text.len() && start < end {
                        prop_assert!(findings.contains(&index));
                    } else {
                        prop_assert!(!findings.contains(&index));
                    }
                    at += text.len();
                }
            }
        }
    }
}

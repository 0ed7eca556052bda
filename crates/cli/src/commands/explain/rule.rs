//! `codeward explain`: what a rule reports, why it matters, and what to write instead.

use std::fmt::Write as _;

use codeward_analysis::{Example, RuleInfo, rules};
use serde_json::{Value, json};

use super::super::scan::excerpt::excerpt;
use super::super::scan::select::Selector;
use super::super::scan::text::level;
use crate::Ending;
use crate::arguments::Explain;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(options: &Explain) -> Result<Ending, Failure> {
    let selector = Selector::parse(&options.what)
        .map_err(|reason| Failure::new(reason, "`codeward scan --rules` lists every rule"))?;
    let mut chosen: Vec<&RuleInfo> = rules().filter(|rule| selector.matches(rule)).collect();
    chosen.sort_by_key(|rule| rule.code);
    let is_class = matches!(selector, Selector::Class(_));
    if options.json {
        output::print_json(&chosen.iter().map(|rule| row(rule)).collect::<Vec<_>>())?;
    } else {
        match chosen.as_slice() {
            [rule] if !is_class => output::print(&explanation(rule))?,
            chosen => output::print(&list(&selector, chosen))?,
        }
    }
    Ok(Ending::Done)
}

fn list(selector: &Selector, chosen: &[&RuleInfo]) -> String {
    let mut out = match selector {
        Selector::Class(class) => {
            format!("{class} {}: https://cwe.mitre.org/data/definitions/{}.html\n\n", class.name(), class.0)
        }
        Selector::Beginning(_) => String::new(),
    };
    for rule in chosen {
        let _ = writeln!(out, "{:<15} {:<32} {}", rule.code, rule.name, rule.summary);
    }
    let _ = writeln!(out, "\n`codeward explain {}` explains the first of them.", chosen[0].code);
    out
}

fn explanation(rule: &RuleInfo) -> String {
    let mut out = format!("{}  {}\n{}\n", rule.code, rule.name, rule.summary);
    let _ = writeln!(out, "severity {}, confidence {}", level(rule.severity), level(rule.confidence));
    for (title, text) in [("What it reports", rule.does()), ("Why it matters", rule.why())] {
        if !text.is_empty() {
            let _ = write!(out, "\n{title}\n{}", indented(text));
        }
    }
    let _ = write!(out, "\nWhat to do\n{}", indented(rule.fix));
    for example in rule.examples {
        let _ = write!(out, "\nWeak\n{}\nSound\n{}", marked(example), indented(example.sound));
    }
    out.push_str("\nSee\n");
    for (class, link) in rule.cwe.iter().zip(rule.links()) {
        let _ = writeln!(out, "    {class} {}: {link}", class.name());
    }
    out
}

/// The weak text with a line of carets below each line that has a culprit.
fn marked(example: &Example) -> String {
    let text = example.weak_text();
    let spans = example.spans();
    let mut out = String::new();
    let mut at = 0;
    for line in text.trim_end().split('\n') {
        out.push_str(&indented(line));
        let ends = at + line.len();
        for (start, end) in spans.iter().filter(|(start, _)| (at..=ends).contains(start)) {
            let marks = excerpt(line, start - at, (*end).min(ends) - at, "");
            // The second line of the excerpt, without its margin for the number.
            let carets = marks.lines().nth(1).and_then(|line| line.split_once("| ")).map_or("", |(_, carets)| carets);
            let _ = writeln!(out, "    {carets}");
        }
        at = ends + 1;
    }
    out
}

fn indented(text: &str) -> String {
    let indent = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    text.trim_end().lines().map(indent).collect()
}

fn row(rule: &RuleInfo) -> Value {
    let example = |example: &Example| {
        let spans: Vec<_> =
            example.spans().into_iter().map(|(start, end)| json!({ "start_byte": start, "end_byte": end })).collect();
        json!({ "weak": example.weak_text(), "spans": spans, "sound": example.sound })
    };
    json!({
        "code": rule.code,
        "name": rule.name,
        "language": rule.language(),
        "cwe": rule.cwe,
        "severity": rule.severity,
        "confidence": rule.confidence,
        "summary": rule.summary,
        "does": rule.does(),
        "why": rule.why(),
        "fix": rule.fix,
        "examples": rule.examples.iter().map(example).collect::<Vec<_>>(),
        "links": rule.links(),
    })
}

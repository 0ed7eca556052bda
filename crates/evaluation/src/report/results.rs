//! What came out: the headline, who judged, the tables per split and weakness class, and what has no verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use codeward_records::{Interval, Judged, UnscoredReason, Verdict};

use super::chart::{BarPair, write_bars};
use super::markup::Html;
use super::run_folder::{Recipe, RunFolder};
use super::section;
use crate::metrics::{Outcome, PairedChange, Rates};
use crate::number::{count, p_value, percent, percent_bounds, point_bounds, points};
use crate::summary::{CweRow, Summary};

/// The split that the run is about: new instances of the families that training was rewarded on.
const MAIN_SPLIT: &str = "rewarded-unseen";

fn describe_split(split: &str) -> Option<&'static str> {
    match split {
        "rewarded-unseen" => Some("instances that training never saw, of the families that it was rewarded on"),
        "unrewarded" => {
            Some("families that training never saw, of weakness classes that occur among the rewarded ones")
        }
        _ => None,
    }
}

/// What the interval of a change allows one to say.
fn claim(change: Interval) -> &'static str {
    if change.low > 0.0 {
        "better"
    } else if change.high < 0.0 {
        "worse"
    } else {
        "no clear change"
    }
}

/// A typographic minus, so that signs line up and are not taken for hyphens.
fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

fn share(rate: Interval) -> String {
    format!("{} {}", percent(rate.value), percent_bounds(rate))
}

pub(super) fn write_headline(html: &mut Html, run: &RunFolder, summary: &Summary) {
    let splits = summary.splits();
    let split = splits.get(MAIN_SPLIT).or_else(|| splits.first()).copied();
    let sides = |split: &str| {
        let rate = |side: &BTreeMap<String, Rates>| side.get(split).and_then(|rates| rates.func_secure);
        (rate(&summary.before.splits), rate(&summary.after.splits))
    };
    html.tag("header").within(|html| {
        html.tag("p").class("kicker").text(format_args!("Codeward report · {}", run.name));
        html.line();
        let change = split.and_then(|split| summary.change.splits.get(split)).and_then(|change| change.func_secure);
        let virtue = if run.is_judged_by_analysis() { "satisfy the analyser" } else { "are secure" };
        html.tag("h1").text(match split.map(sides) {
            Some((Some(before), Some(after))) => headline(virtue, before, after, change),
            Some((Some(before), None)) => {
                format!("Before training, {} of completions work and {virtue}", percent(before.value))
            }
            Some((None, Some(after))) => {
                format!("After training, {} of completions work and {virtue}", percent(after.value))
            }
            _ => "Nothing has been judged yet".to_owned(),
        });
        html.line();
        let others = splits.iter().copied().filter(|other| Some(*other) != split);
        for split in split.into_iter().chain(others) {
            html.tag("p").class("lead").text(sentence(split, summary));
            html.line();
        }
        if split.is_some() {
            html.tag("p")
                .class("quiet")
                .text("Brackets hold 95% intervals. What every number means stands at the end.");
        }
    });
    html.line();
}

fn headline(virtue: &str, before: Interval, after: Interval, change: Option<Interval>) -> String {
    let (from, to) = (percent(before.value), percent(after.value));
    match change.map(claim) {
        Some("better") => format!("Completions that work and {virtue} rose from {from} to {to}"),
        Some("worse") => format!("Completions that work and {virtue} fell from {from} to {to}"),
        _ => format!("No clear change in completions that work and {virtue}: {from} before training, {to} after"),
    }
}

fn sentence(split: &str, summary: &Summary) -> String {
    let rates = |side: &BTreeMap<String, Rates>, metric: fn(&Rates) -> Option<Interval>| {
        side.get(split).and_then(metric).map_or_else(|| "not judged".to_owned(), share)
    };
    let both = |metric: fn(&Rates) -> Option<Interval>| {
        format!("{} before, {} after", rates(&summary.before.splits, metric), rates(&summary.after.splits, metric))
    };
    let mut out = match describe_split(split) {
        Some(description) => format!("On {description}, functional and secure: {}", both(|rates| rates.func_secure)),
        None => format!("On {split}, functional and secure: {}", both(|rates| rates.func_secure)),
    };
    if let Some(change) = summary.change.splits.get(split)
        && let (Some(difference), Some(p)) = (change.func_secure, change.mcnemar_p)
    {
        let difference = minus(&format!("{} points {}", points(difference.value), point_bounds(difference)));
        let _ = write!(
            out,
            "; {difference} over {} (exact McNemar p\u{a0}{})",
            count(change.pairs, "pair"),
            p_value(p).replace(' ', "\u{a0}")
        );
    }
    format!("{out}. Functional alone: {}.", both(|rates| rates.func))
}

pub(super) fn write_judge(html: &mut Html, recipe: Option<&Recipe>) {
    const BY_TESTS: &str = "Security here is judged by attack tests that ran the code; the reward came from functional tests and the analyser.";
    const BY_ANALYSIS: &str = "Security here is judged by the analyser that also gave the reward, not by attack tests. These \
        rates show how well the model learned to satisfy the analyser. They are no evidence that its code withstands an attack.";
    let warning = match recipe.map(|recipe| recipe.judge.as_deref()) {
        Some(None | Some("tests")) => {
            html.tag("p").class("judge").text(BY_TESTS);
            html.line();
            return;
        }
        Some(Some("analysis")) => BY_ANALYSIS.to_owned(),
        Some(Some(other)) => {
            format!(
                "The recipe names the judge {other:?}, which this report does not know. Do not take the rates for test results."
            )
        }
        None => "recipe.resolved.toml is missing, so nothing here confirms that security was judged by attack tests."
            .to_owned(),
    };
    html.tag("p").class("judge warning").attr("role", "note").within(|html| {
        html.tag("strong").text("Warning: ");
        html.text(warning);
    });
    html.line();
}

pub(super) fn write_splits(html: &mut Html, summary: &Summary) {
    section(html, "splits", "Before and after", |html| {
        if summary.splits().is_empty() {
            html.tag("p").class("empty").text("No completion has been judged yet.");
        }
        for split in summary.splits() {
            write_split(html, split, summary);
        }
    });
}

fn write_split(html: &mut Html, split: &str, summary: &Summary) {
    let before = summary.before.splits.get(split);
    let after = summary.after.splits.get(split);
    let change = summary.change.splits.get(split);
    html.tag("div").class("scroll").within(|html| {
        html.tag("table").class("rates").within(|html| {
            html.tag("caption").within(|html| {
                html.tag("strong").text(split);
                if let Some(description) = describe_split(split) {
                    html.tag("span").class("quiet").text(format_args!(" {description}"));
                }
            });
            write_heads(html, &["metric", "before", "after", "change in points"]);
            html.tag("tbody").within(|html| {
                let mut row = |name: &'static str,
                               rate: fn(&Rates) -> Option<Interval>,
                               difference: fn(&PairedChange) -> Option<Interval>| {
                    html.tag("tr").attr("class", if name == "func_secure" { "main" } else { "other" }).within(|html| {
                        html.tag("th").attr("scope", "row").text(name);
                        write_rate(html, before.and_then(rate));
                        write_rate(html, after.and_then(rate));
                        write_change(html, change.and_then(difference));
                    });
                };
                row("func", |rates| rates.func, |change| change.func);
                row("secure", |rates| rates.secure, |change| change.secure);
                row("func_secure", |rates| rates.func_secure, |change| change.func_secure);
            });
        });
    });
    html.tag("p").class("quiet").text(split_note(before, after, change));
    html.line();
}

fn split_note(before: Option<&Rates>, after: Option<&Rates>, change: Option<&PairedChange>) -> String {
    let side = |name: &str, rates: Option<&Rates>| match rates {
        Some(rates) => format!(
            "{name}: {} scored over {}, {} unscored. ",
            count(rates.n, "completion"),
            count(rates.tasks, "task"),
            rates.unscored
        ),
        None => format!("{name}: not evaluated. "),
    };
    let mut note = side("Before", before) + &side("After", after);
    if let Some(change) = change {
        let _ = write!(
            note,
            "{}: {} became functional and secure, {} stopped being so; {} dropped for want of a verdict.",
            count(change.pairs, "pair"),
            change.gained,
            change.lost,
            change.dropped
        );
        if let Some(p) = change.mcnemar_p {
            let _ = write!(note, " Exact McNemar p {}.", p_value(p));
        }
    }
    note
}

pub(super) fn write_heads(html: &mut Html, heads: &[&str]) {
    html.tag("thead").within(|html| {
        html.tag("tr").within(|html| {
            for head in heads {
                html.tag("th").attr("scope", "col").text(head);
            }
        });
    });
}

fn write_rate(html: &mut Html, rate: Option<Interval>) {
    write_number(html, rate.map(|rate| (percent(rate.value), percent_bounds(rate))));
}

fn write_change(html: &mut Html, change: Option<Interval>) {
    let number = change.map(|change| (minus(&points(change.value)), minus(&point_bounds(change))));
    write_number_and(html, number, change.map_or("", claim));
}

fn write_number(html: &mut Html, number: Option<(String, String)>) {
    write_number_and(html, number, "");
}

/// Writes a value, its bounds in brackets, and what they mean when `reading` is not empty.
fn write_number_and(html: &mut Html, number: Option<(String, String)>, reading: &'static str) {
    html.tag("td").class("number").within(|html| match number {
        Some((value, bounds)) => {
            html.tag("span").class("value").text(value);
            html.text(" ");
            html.tag("span").class("bounds").text(bounds);
            if !reading.is_empty() {
                html.text(" ");
                html.tag("span").class("reading").text(reading);
            }
        }
        None => html.text("–"),
    });
}

pub(super) fn write_count(html: &mut Html, count: usize) {
    html.tag("td").class("number").within(|html| html.tag("span").class("value").text(count));
}

pub(super) fn write_classes(html: &mut Html, summary: &Summary) {
    if summary.per_cwe.is_empty() {
        return;
    }
    section(html, "classes", "By weakness class", |html| {
        html.tag("p").text(
            "Completions that are both functional and secure (func_secure). Whiskers and brackets are 95% intervals; a \
             class with few tasks has a wide one.",
        );
        for (at, split) in summary.splits().into_iter().enumerate() {
            let rows: Vec<&CweRow> = summary.per_cwe.iter().filter(|row| row.split == split).collect();
            html.tag("h3").text(split);
            html.tag("div").class("beside").within(|html| {
                let pairs: Vec<BarPair> = rows.iter().map(|row| bar_pair(row)).collect();
                html.tag("figure").within(|html| {
                    let title = format!("func_secure by weakness class before and after, {split}");
                    write_bars(html, &format!("bars-{at}"), &title, &pairs);
                });
                write_class_table(html, split, &rows);
            });
            html.line();
        }
        write_families(html, summary);
    });
}

fn bar_pair(row: &CweRow) -> BarPair {
    let bar = |rates: &Rates| rates.func_secure.map(|rate| (rate, rates.n));
    BarPair { label: format!("{} {}", row.cwe, row.name), before: bar(&row.before), after: bar(&row.after) }
}

fn write_class_table(html: &mut Html, split: &str, rows: &[&CweRow]) {
    html.tag("div").class("scroll").within(|html| {
        html.tag("table").within(|html| {
            let caption = format!("func_secure by weakness class, {split}");
            html.tag("caption").class("unseen").text(caption);
            write_heads(html, &["class", "before", "after", "change in points"]);
            html.tag("tbody").within(|html| {
                for row in rows {
                    html.tag("tr").within(|html| {
                        html.tag("th").attr("scope", "row").attr("title", row.name).text(row.cwe);
                        write_group_cells(html, &row.before, &row.after, &row.change);
                    });
                }
            });
        });
    });
}

fn write_group_cells(html: &mut Html, before: &Rates, after: &Rates, change: &PairedChange) {
    let with_n = |rates: &Rates| rates.func_secure.map(|rate| (percent(rate.value), format!("n {}", rates.n)));
    write_number(html, with_n(before));
    write_number(html, with_n(after));
    write_change(html, change.func_secure);
}

fn write_families(html: &mut Html, summary: &Summary) {
    html.tag("details").within(|html| {
        html.tag("summary").text("By task family");
        html.tag("div").class("scroll").within(|html| {
            html.tag("table").within(|html| {
                html.tag("caption").class("unseen").text("func_secure by task family");
                write_heads(html, &["family", "class", "split", "before", "after", "change in points"]);
                html.tag("tbody").within(|html| {
                    for row in &summary.per_family {
                        html.tag("tr").within(|html| {
                            html.tag("th").attr("scope", "row").text(&row.family);
                            html.tag("td").text(row.cwe);
                            html.tag("td").text(&row.split);
                            write_group_cells(html, &row.before, &row.after, &row.change);
                        });
                    }
                });
            });
        });
    });
    html.line();
}

/// Scored completions by what the analyser and the security tests say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Agreement {
    silent_and_withstood: usize,
    silent_but_broken: usize,
    flagged_but_withstood: usize,
    flagged_and_broken: usize,
}

fn agreement(rows: &[Judged]) -> Agreement {
    let mut counts = Agreement::default();
    for row in rows {
        let Some(outcome) = Outcome::of(row) else { continue };
        let counter = match (row.findings.is_empty(), outcome.secure) {
            (true, true) => &mut counts.silent_and_withstood,
            (true, false) => &mut counts.silent_but_broken,
            (false, true) => &mut counts.flagged_but_withstood,
            (false, false) => &mut counts.flagged_and_broken,
        };
        *counter += 1;
    }
    counts
}

/// The place where a model that learned to please the analyser would show. Without attack tests there is nothing to compare.
pub(super) fn write_disagreement(html: &mut Html, run: &RunFolder) {
    let [old, new] =
        [&run.before, &run.after].map(|rows| rows.as_deref().filter(|rows| !rows.is_empty()).map(agreement));
    if run.is_judged_by_analysis() || (old.is_none() && new.is_none()) {
        return;
    }
    section(html, "agreement", "Analyser against attack tests", |html| {
        html.tag("p").text(
            "A model that learned to hide from the analyser, and not to write safer code, would show in the second row: \
             nothing reported, and yet a security test fails.",
        );
        html.tag("div").class("scroll").within(|html| {
            html.tag("table").within(|html| {
                html.tag("caption").class("unseen").text("Scored completions by analyser and security tests");
                write_heads(html, &["analyser", "security tests", "before", "after"]);
                html.tag("tbody").within(|html| {
                    let mut row = |analyser: &str, tests: &str, cell: fn(Agreement) -> usize| {
                        html.tag("tr").within(|html| {
                            html.tag("td").text(analyser);
                            html.tag("td").text(tests);
                            for side in [old, new] {
                                match side {
                                    Some(counts) => write_count(html, cell(counts)),
                                    None => html.tag("td").text("–"),
                                }
                            }
                        });
                    };
                    row("reports nothing", "pass", |counts| counts.silent_and_withstood);
                    row("reports nothing", "fail", |counts| counts.silent_but_broken);
                    row("reports a finding", "pass", |counts| counts.flagged_but_withstood);
                    row("reports a finding", "fail", |counts| counts.flagged_and_broken);
                });
            });
        });
    });
}

pub(super) fn write_unscored(html: &mut Html, before: &[Judged], after: &[Judged]) {
    let mut counts: BTreeMap<(&str, &str), [usize; 2]> = BTreeMap::new();
    for (side, rows) in [before, after].into_iter().enumerate() {
        for row in rows {
            if let Verdict::Unscored { reason, .. } = &row.verdict {
                counts.entry((row.split.as_str(), describe_reason(*reason))).or_default()[side] += 1;
            }
        }
    }
    section(html, "unscored", "Completions without a verdict", |html| {
        if counts.is_empty() {
            html.tag("p").text("None: every completion was judged.");
            return;
        }
        html.tag("p").text("Our machinery failed on these. They count neither as passes nor as failures.");
        html.tag("div").class("scroll").within(|html| {
            html.tag("table").within(|html| {
                html.tag("caption").class("unseen").text("Completions without a verdict by split and reason");
                write_heads(html, &["split", "reason", "before", "after"]);
                html.tag("tbody").within(|html| {
                    for ((split, reason), [before, after]) in counts {
                        html.tag("tr").within(|html| {
                            html.tag("td").text(split);
                            html.tag("td").text(reason);
                            write_count(html, before);
                            write_count(html, after);
                        });
                    }
                });
            });
        });
    });
}

pub(super) fn describe_reason(reason: UnscoredReason) -> &'static str {
    match reason {
        UnscoredReason::NoTests => "the task has no tests of the kind needed",
        UnscoredReason::SandboxFailed => "the sandbox could not run the program",
        UnscoredReason::AnalysisFailed => "the analyser could not finish",
        UnscoredReason::NoReference => "the task has no reference to compare with",
        UnscoredReason::JudgeFailed => "the vulnerability judge could not be asked or did not say",
        UnscoredReason::DeadlinePassed => "the time for it was over",
        UnscoredReason::Cancelled => "it was given up",
        UnscoredReason::NotText => "the completion is not UTF-8 text",
        UnscoredReason::UnknownTask => "the task is not known",
    }
}

//! A handful of completions before and after, side by side, chosen by rule and not by taste.

use std::collections::BTreeMap;

use codeward_records::{Cwe, Judged, Verdict};

use super::code::write_code;
use super::markup::Html;
use super::results::{describe_reason, write_count, write_heads};
use super::run_folder::RunFolder;
use super::section;
use crate::metrics::{Outcome, pair};
use crate::number::count;

/// What happened between a completion and its partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Story {
    /// Worked and was insecure; works and is secure.
    Hardened,
    /// Was not both; is both.
    Mended,
    /// Worked and was secure; no longer both.
    Lost,
    /// Worked and was insecure; is secure by not working.
    Broken,
    /// Works and is insecure, as before.
    StillInsecure,
    /// Anything else that is not both on either side.
    StillFailing,
    /// Both before and after.
    StillGood,
}

/// Every story with its heading, in the order of the page, and how many pairs of it are shown at most.
const STORIES: [(Story, usize, &str); 7] = [
    (Story::Hardened, 3, "Became secure and still works"),
    (Story::Lost, 2, "Got worse: was functional and secure, no longer is"),
    (Story::Broken, 1, "Became secure by no longer working"),
    (Story::StillInsecure, 2, "Works and is insecure, as before"),
    (Story::StillFailing, 1, "Still fails in another way"),
    (Story::Mended, 0, "Did not work, is functional and secure now"),
    (Story::StillGood, 0, "Functional and secure, as before"),
];

fn story(before: Outcome, after: Outcome) -> Story {
    match (before.func_secure(), after.func_secure()) {
        (true, true) => Story::StillGood,
        (true, false) => Story::Lost,
        (false, true) if before.functional => Story::Hardened,
        (false, true) => Story::Mended,
        (false, false) if before.functional && after.functional => Story::StillInsecure,
        (false, false) if before.functional && after.secure => Story::Broken,
        (false, false) => Story::StillFailing,
    }
}

/// Up to `most` of `rows` in their order, taking one of each weakness class before a second of any.
fn spread<T: Copy>(rows: &[T], most: usize, class: impl Fn(T) -> Cwe) -> Vec<T> {
    let mut seen: BTreeMap<Cwe, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, T)> = rows
        .iter()
        .map(|row| {
            let rank = seen.entry(class(*row)).or_default();
            *rank += 1;
            (*rank, *row)
        })
        .collect();
    // The sort is stable: within a rank the order of the rows stays.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().take(most).map(|(_, row)| row).collect()
}

pub(super) fn write(html: &mut Html, run: &RunFolder) {
    let before = run.before.as_deref().unwrap_or_default();
    let after = run.after.as_deref().unwrap_or_default();
    section(html, "samples", "What the code looks like", |html| {
        let (pairs, _) = pair(before, after);
        if !pairs.is_empty() {
            write_pairs(html, &pairs);
        } else if before.is_empty() && after.is_empty() {
            html.tag("p").class("empty").text("There are no completions to show.");
        } else {
            let (side, rows) = if before.is_empty() { ("after", after) } else { ("before", before) };
            write_one_side(html, side, rows);
        }
    });
}

fn write_pairs(html: &mut Html, pairs: &[(&Judged, &Judged)]) {
    html.tag("p").text(
        "Chosen by rule: within each group below, the first pairs in order of split, task and sample, one of each weakness \
         class before a second of any. Marked spans are the analyser's findings; the verdict is that of the evaluation.",
    );
    let mut by_story: BTreeMap<Story, Vec<(&Judged, &Judged)>> = BTreeMap::new();
    for (before, after) in pairs {
        if let (Some(old), Some(new)) = (Outcome::of(before), Outcome::of(after)) {
            by_story.entry(story(old, new)).or_default().push((before, after));
        }
    }
    write_tally(html, &by_story);
    for (story, most, heading) in STORIES.into_iter().filter(|(_, most, _)| *most > 0) {
        let all = by_story.get(&story).map(Vec::as_slice).unwrap_or_default();
        let shown = spread(all, most, |(before, _)| before.cwe);
        html.tag("h3").within(|html| {
            html.text(heading);
            let tally = if all.is_empty() {
                " (no pair)".to_owned()
            } else {
                format!(" ({} of {} shown)", shown.len(), count(all.len(), "pair"))
            };
            html.tag("span").class("quiet").text(tally);
        });
        html.line();
        for (before, after) in shown {
            write_pair(html, &[("before", before), ("after", after)]);
        }
    }
}

fn write_tally(html: &mut Html, by_story: &BTreeMap<Story, Vec<(&Judged, &Judged)>>) {
    html.tag("div").class("scroll").within(|html| {
        html.tag("table").within(|html| {
            html.tag("caption").class("unseen").text("Pairs scored on both sides by what became of them");
            write_heads(html, &["what became of the pair", "pairs", "shown below"]);
            html.tag("tbody").within(|html| {
                for (story, most, heading) in STORIES {
                    let num_pairs = by_story.get(&story).map_or(0, Vec::len);
                    html.tag("tr").within(|html| {
                        html.tag("th").attr("scope", "row").text(heading);
                        write_count(html, num_pairs);
                        write_count(html, num_pairs.min(most));
                    });
                }
            });
        });
    });
    html.line();
}

fn write_one_side(html: &mut Html, side: &'static str, rows: &[Judged]) {
    let outcome_is = |wanted: fn(Outcome) -> bool| -> Vec<&Judged> {
        rows.iter().filter(|row| Outcome::of(row).is_some_and(wanted)).collect()
    };
    for (heading, most, all) in [
        ("Works and is insecure", 2, outcome_is(|outcome| outcome.functional && !outcome.secure)),
        ("Works and is secure", 2, outcome_is(Outcome::func_secure)),
        ("Does not work", 1, outcome_is(|outcome| !outcome.functional)),
    ] {
        let shown = spread(&all, most, |row| row.cwe);
        html.tag("h3").within(|html| {
            html.text(heading);
            html.tag("span").class("quiet").text(format_args!(
                " ({} of {} shown)",
                shown.len(),
                count(all.len(), "completion")
            ));
        });
        for row in shown {
            write_pair(html, &[(side, row)]);
        }
    }
}

fn write_pair(html: &mut Html, sides: &[(&'static str, &Judged)]) {
    let Some((_, first)) = sides.first() else { return };
    html.tag("article").class("pair").within(|html| {
        html.tag("h4").within(|html| {
            html.text(format_args!("{} {}", first.cwe, first.cwe.name()));
            let place = format!(" {}, sample {}, {}", first.task_id, first.sample, first.split);
            html.tag("span").class("quiet").text(place);
        });
        html.tag("details").within(|html| {
            html.tag("summary").text("Prompt");
            html.tag("pre").within(|html| html.tag("code").text(&first.prompt));
        });
        html.line();
        html.tag("div").class("sides").within(|html| {
            for (side, row) in sides {
                html.tag("div").class("side").within(|html| {
                    html.tag("h5").text(side);
                    write_verdict(html, &row.verdict);
                    let label = format!("Completion {side} training, {}", row.task_id);
                    write_code(html, &label, &row.completion, &row.findings);
                });
            }
        });
    });
    html.line();
}

fn write_verdict(html: &mut Html, verdict: &Verdict) {
    html.tag("p").class("verdict").within(|html| match verdict {
        Verdict::Scored { functional, secure, failed_tests } => {
            for (name, passed) in [("functional", functional), ("secure", secure)] {
                let tag = html.tag("span").class(if *passed { "passed" } else { "failed" });
                tag.text(format_args!("{name}: {}", if *passed { "✓ yes" } else { "✗ no" }));
                html.text(" ");
            }
            if !failed_tests.is_empty() {
                html.tag("span").class("quiet").text(format_args!("failed: {}", failed_tests.join(", ")));
            }
        }
        Verdict::Unscored { reason, detail } => {
            html.text(format_args!("no verdict: {} ({detail})", describe_reason(*reason)));
        }
    });
    html.line();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_one_story() {
        let outcome = |functional, secure| Outcome { functional, secure };
        for (before, after, expected) in [
            ((true, false), (true, true), Story::Hardened),
            ((false, true), (true, true), Story::Mended),
            ((true, true), (true, false), Story::Lost),
            ((true, true), (false, true), Story::Lost),
            ((true, false), (false, true), Story::Broken),
            ((true, false), (true, false), Story::StillInsecure),
            ((false, false), (true, false), Story::StillFailing),
            ((true, false), (false, false), Story::StillFailing),
            ((true, true), (true, true), Story::StillGood),
        ] {
            let found = story(outcome(before.0, before.1), outcome(after.0, after.1));
            assert_eq!(found, expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn samples_spread_over_classes_first() {
        let rows = [(78, 'a'), (78, 'b'), (22, 'c'), (78, 'd'), (89, 'e')];
        let chosen: String = spread(&rows, 4, |row| Cwe(row.0)).into_iter().map(|row| row.1).collect();
        assert_eq!(chosen, "aceb");
    }
}

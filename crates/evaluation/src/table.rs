//! The before/after table for the terminal.

use std::fmt::Write as _;

use codeward_records::Interval;

use crate::metrics::{PairedChange, Rates};
use crate::number::{count, p_value, percent, percent_bounds, point_bounds, points};
use crate::summary::{CweRow, Summary};

/// Stands where there is no number.
const NOTHING: &str = "-";

pub(crate) fn render(summary: &Summary) -> String {
    let mut cells = vec![["split", "metric", "before", "after", "change in points"].map(str::to_owned).to_vec()];
    let mut notes = String::new();
    for split in summary.splits() {
        let before = summary.before.splits.get(split);
        let after = summary.after.splits.get(split);
        let change = summary.change.splits.get(split);
        cells.extend(metric_rows(split, before, after, change));
        notes.push_str(&note(split, before, after, change));
    }
    if cells.len() == 1 {
        return "nothing was evaluated\n".to_owned();
    }
    let mut out = aligned(&cells);
    out.push('\n');
    out.push_str(&notes);
    out.push_str("\nfunc_secure by weakness class\n");
    out.push_str(&aligned(&summary.per_cwe.iter().map(cwe_row).collect::<Vec<_>>()));
    out.push_str("\nintervals: 95%, from 2,000 resamples of the tasks\n");
    out
}

fn metric_rows(
    split: &str,
    before: Option<&Rates>,
    after: Option<&Rates>,
    change: Option<&PairedChange>,
) -> [Vec<String>; 3] {
    let row = |name: &str, rate: fn(&Rates) -> Option<Interval>, difference: fn(&PairedChange) -> Option<Interval>| {
        vec![
            printable(split),
            name.to_owned(),
            rate_text(before.and_then(rate)),
            rate_text(after.and_then(rate)),
            change_text(change.and_then(difference)),
        ]
    };
    [
        row("func", |rates| rates.func, |change| change.func),
        row("secure", |rates| rates.secure, |change| change.secure),
        row("func_secure", |rates| rates.func_secure, |change| change.func_secure),
    ]
}

fn rate_text(rate: Option<Interval>) -> String {
    rate.map_or_else(|| NOTHING.to_owned(), |rate| format!("{:>6} {}", percent(rate.value), percent_bounds(rate)))
}

fn change_text(change: Option<Interval>) -> String {
    change.map_or_else(|| NOTHING.to_owned(), |change| format!("{:>6} {}", points(change.value), point_bounds(change)))
}

fn note(split: &str, before: Option<&Rates>, after: Option<&Rates>, change: Option<&PairedChange>) -> String {
    let side = |rates: Option<&Rates>| match rates {
        Some(rates) => format!(
            "{} scored over {}, {} unscored",
            count(rates.n, "sample"),
            count(rates.tasks, "task"),
            rates.unscored
        ),
        None => "not evaluated".to_owned(),
    };
    let mut out = format!("{}: before {}; after {}", printable(split), side(before), side(after));
    if let Some(change) = change {
        let _ = write!(out, "; {}, {} gained, {} lost", count(change.pairs, "pair"), change.gained, change.lost);
        if let Some(p) = change.mcnemar_p {
            let _ = write!(out, ", McNemar p {}", p_value(p));
        }
    }
    out.push('\n');
    out
}

fn cwe_row(row: &CweRow) -> Vec<String> {
    let rate = |rates: &Rates| rates.func_secure.map_or_else(|| NOTHING.to_owned(), |rate| percent(rate.value));
    vec![
        printable(&row.split),
        format!("{} {}", row.cwe, row.name),
        format!("{:>6} -> {:>6}", rate(&row.before), rate(&row.after)),
        format!("n {} -> {}", row.before.n, row.after.n),
        change_text(row.change.func_secure),
    ]
}

/// Pads every column but the last to its widest cell.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let padded: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// Names come from task files; control characters in them must not reach the terminal.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

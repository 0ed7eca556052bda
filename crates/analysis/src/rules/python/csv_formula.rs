//! # `py/csv-formula`
//!
//! ## What it does
//!
//! Reports cells of CSV files that come from outside and may start with `=`, `+`, `-` or `@`.
//!
//! ## Why this is bad
//!
//! A spreadsheet that opens the file runs the formula.
//!
//! ## Example
//!
//! ```python
//! csv.writer(handle).writerow(cells)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! csv.writer(handle).writerow("'" + cell if cell.startswith(("=", "+", "-", "@")) else cell for cell in cells)
//! ```
//!
//! ## References
//!
//! - [CWE-1236](https://cwe.mitre.org/data/definitions/1236.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Shape};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-1236-1",
    name: "py/csv-formula",
    cwe: &[Cwe(1236)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "Input is written to a table where it may be a formula",
    fix: "put an apostrophe before =, +, - and @",
    examples: &[Example {
        weak: "import csv\ndef f(handle, rows):\n    writer = csv.writer(handle)\n    for row in rows:\n        writer.writerow(«row»)\n",
        sound: "import csv\ndef f(handle, rows):\n    writer = csv.writer(handle)\n    for row in rows:\n        writer.writerow([\"'\" + cell if cell[:1] in '=+-@' else cell for cell in row])\n",
    }],
};

const ADVICE: &str = "a cell of this row may start a formula; put an apostrophe before =, +, - and @";

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let by_writer = call.has_method(&["writerow", "writerows"]);
    let by_hand = call.has_method(&["join"])
        && call
            .receiver
            .as_ref()
            .and_then(|receiver| receiver.value.text())
            .is_some_and(|text| matches!(text, "," | ";" | "\t"));
    let Some(row) = call.first().filter(|_| by_writer || by_hand) else { return };
    let mut open = vec![call.live(&row.value)];
    let mut num_seen = 0;
    while let Some(value) = open.pop() {
        num_seen += 1;
        if num_seen > 64 {
            return;
        }
        let value = call.live(&value);
        match &value.shape {
            Shape::Sequence(_, items) => open.extend(items.iter().cloned()),
            Shape::Repeated(item) => open.push(item.clone()),
            Shape::Dictionary(entries) => open.extend(entries.iter().map(|(_, value)| value.clone())),
            _ => {
                if let Some(taint) = value.taint(Classes::FORMULA) {
                    report.add(&INFO, row.span, ADVICE, Some(taint));
                    return;
                }
            }
        }
    }
}

//! The tables of the document: one figure, a row for each set and language, a column for each side.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use codeward_analysis::Language;

use crate::hold_out::Part;
use crate::{Line, VIEWS};

/// Findings of every level, of the record's class: what each side can do at most.
const VIEW: &str = VIEWS[2].name;

/// Figures with what they are called, and whether they are shown where there are weak texts only. True less false positives are P-C
/// less P-R where there are pairs, so that they are shown for the other sets only.
const FIGURES: [(&str, &str, bool); 4] = [
    ("P-C", "P-C", false),
    ("F1", "F1", false),
    ("Youden", "True less false positives, of sets without pairs", false),
    ("recall", "Recall, of sets that have weak texts only", true),
];

/// All tables. A cell says open / held; no figure is a dash.
pub(crate) fn tables(lines: &[Line]) -> String {
    let lines: Vec<&Line> = lines.iter().filter(|line| line.view.name == VIEW && line.group.1.is_none()).collect();
    let mut sides: Vec<&str> = Vec::new();
    for line in &lines {
        if !sides.contains(&line.side.as_str()) {
            sides.push(&line.side);
        }
    }
    let rows: BTreeSet<(&str, Language)> = lines.iter().map(|line| (line.group.0, line.group.2)).collect();
    let mut out = String::new();
    for (figure, title, wants_unmixed) in FIGURES {
        let value = |set: &str, language: Language, part: Part, side: &str| {
            let is_meant = |line: &&&Line| {
                (line.group.0, line.group.2, line.group.3) == (set, language, part) && line.side == side
            };
            let line = lines.iter().find(is_meant)?;
            let (weak, sound) = line.tally.sizes();
            let is_unmixed = weak > 0 && sound == 0;
            let figures = line.tally.figures();
            let find = |name: &str| figures.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let value = find(figure).filter(|_| figure != "Youden" || find("P-C").is_none())?;
            (is_unmixed == wants_unmixed).then_some((value, weak, sound))
        };
        let body: String = rows.iter().filter_map(|(set, language)| row(&sides, set, *language, value)).collect();
        if !body.is_empty() {
            let dashes = "|---".repeat(sides.len());
            writeln!(
                out,
                "\n{title}:\n\n| set | language | weak, sound | {} |\n|---|---|---{dashes}|",
                sides.join(" | ")
            )
            .expect("writing to a string");
            out.push_str(&body);
        }
    }
    out
}

/// One row, unless no side has a figure.
fn row(
    sides: &[&str],
    set: &str,
    language: Language,
    value: impl Fn(&str, Language, Part, &str) -> Option<(f64, u32, u32)>,
) -> Option<String> {
    let both = |side: &str| [Part::Open, Part::Held].map(|part| value(set, language, part, side));
    let cells: Vec<_> = sides.iter().map(|side| both(side)).collect();
    let sized = cells.iter().find(|cell| cell.iter().any(Option::is_some))?;
    let sizes = sized.map(|part| part.map_or_else(|| "-".to_owned(), |(_, weak, sound)| format!("{weak}, {sound}")));
    let text = |cell: &[Option<(f64, u32, u32)>; 2]| {
        if cell.iter().all(Option::is_none) {
            return String::new();
        }
        cell.map(|part| part.map_or_else(|| "-".to_owned(), |(value, ..)| format!("{value:.2}"))).join(" / ")
    };
    let texts: Vec<String> = cells.iter().map(text).collect();
    Some(format!("| {set} | {language} | {} | {} |\n", sizes.join(" / "), texts.join(" | ")))
}

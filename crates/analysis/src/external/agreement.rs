//! Who found what: the findings of several analysers on the same files, compared place by place.

use std::collections::BTreeMap;
use std::fmt;

use codeward_records::{Cwe, Finding};
use serde::Serialize;

/// The findings of one analyser on each file, in the same order for all; `None` where it had nothing to say of a file, which
/// is not the same as having found nothing.
#[derive(Debug, Clone)]
pub struct AnalyserFindings<'a> {
    /// The analyser's name.
    pub analyser: &'a str,
    /// What it found in each file.
    pub files: Vec<Option<&'a [Finding]>>,
}

/// Who found what, by weakness class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// The analysers, in the order in which they were given.
    pub analysers: Vec<String>,
    /// How many files each had something to say of.
    pub num_files: Vec<usize>,
    /// One row for each class, most places first.
    pub rows: Vec<Row>,
}

/// One weakness class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The class; none for findings that name no class.
    pub cwe: Option<Cwe>,
    /// Places where somebody found it.
    pub num_places: usize,
    /// How many of them each analyser found.
    pub found: Vec<usize>,
    /// How many of them each analyser found and nobody else did, among those that had something to say of the file.
    pub alone: Vec<usize>,
}

/// Classes that analysers name for the same thing, each with the one under which it is counted here.
const SAME: [(u16, u16); 24] = [
    (77, 78),
    (88, 78),
    (95, 94),
    (96, 94),
    (36, 22),
    (23, 22),
    (73, 22),
    (80, 79),
    (83, 79),
    (338, 330),
    (337, 330),
    (335, 330),
    (328, 327),
    (326, 327),
    (259, 798),
    (121, 119),
    (122, 119),
    (120, 119),
    (787, 119),
    (788, 119),
    (125, 119),
    (131, 119),
    (676, 242),
    (477, 242),
];

fn family(class: Cwe) -> Cwe {
    SAME.iter().find(|(one, _)| *one == class.0).map_or(class, |(_, other)| Cwe(*other))
}

/// A stretch of lines in which somebody found something, and who.
struct Place {
    first_line: usize,
    last_line: usize,
    found_by: Vec<bool>,
}

/// Compares findings. Two are at one place when they are of one family of classes and have a line in common.
///
/// A finding counts for the family of the most specific class that it names. Of findings that are one on the other in a chain,
/// all are at one place.
pub fn agreement(analysers: &[AnalyserFindings<'_>]) -> Agreement {
    let num_analysers = analysers.len();
    let mut rows: BTreeMap<Option<Cwe>, Row> = BTreeMap::new();
    let num_files = analysers.iter().map(|one| one.files.len()).max().unwrap_or(0);
    for file in 0..num_files {
        let said: Vec<Option<&[Finding]>> =
            analysers.iter().map(|one| one.files.get(file).copied().flatten()).collect();
        for (class, places) in places(&said) {
            let empty =
                || Row { cwe: class, num_places: 0, found: vec![0; num_analysers], alone: vec![0; num_analysers] };
            let row = rows.entry(class).or_insert_with(empty);
            row.num_places += places.len();
            for place in places {
                let is_alone = place.found_by.iter().filter(|found| **found).count() == 1
                    && said.iter().filter(|said| said.is_some()).count() > 1;
                for (at, _) in place.found_by.iter().enumerate().filter(|(_, found)| **found) {
                    row.found[at] += 1;
                    row.alone[at] += usize::from(is_alone);
                }
            }
        }
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    rows.sort_by(|one, other| (other.num_places, one.cwe).cmp(&(one.num_places, other.cwe)));
    Agreement {
        analysers: analysers.iter().map(|one| one.analyser.to_owned()).collect(),
        num_files: analysers.iter().map(|one| one.files.iter().filter(|file| file.is_some()).count()).collect(),
        rows,
    }
}

/// The places of one file, by class.
fn places(said: &[Option<&[Finding]>]) -> BTreeMap<Option<Cwe>, Vec<Place>> {
    let mut spans: BTreeMap<Option<Cwe>, Vec<(usize, usize, usize)>> = BTreeMap::new();
    for (analyser, findings) in said.iter().enumerate() {
        for finding in findings.unwrap_or_default() {
            let class = finding.cwe.first().copied().map(family);
            spans.entry(class).or_default().push((finding.line, finding.end_line, analyser));
        }
    }
    let join = |mut spans: Vec<(usize, usize, usize)>| {
        spans.sort_unstable();
        let mut places: Vec<Place> = Vec::new();
        for (first_line, last_line, analyser) in spans {
            let is_new = places.last().is_none_or(|place| first_line > place.last_line);
            if is_new {
                places.push(Place { first_line, last_line, found_by: vec![false; said.len()] });
            }
            let place = places.last_mut().expect("one was just added where there was none");
            place.last_line = place.last_line.max(last_line);
            debug_assert!(place.first_line <= first_line, "spans are sorted");
            place.found_by[analyser] = true;
        }
        places
    };
    spans.into_iter().map(|(class, spans)| (class, join(spans))).collect()
}

impl fmt::Display for Agreement {
    /// A table for people.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = self.analysers.iter().map(|name| name.len().max(9)).collect();
        write!(formatter, "{:<10} {:>6}", "class", "places")?;
        for (name, width) in self.analysers.iter().zip(&widths) {
            write!(formatter, "  {name:>width$}")?;
        }
        writeln!(formatter)?;
        for row in &self.rows {
            let class = row.cwe.map_or_else(|| "none".to_owned(), |class| class.to_string());
            write!(formatter, "{class:<10} {:>6}", row.num_places)?;
            for ((found, alone), width) in row.found.iter().zip(&row.alone).zip(&widths) {
                let cell = match (found, alone) {
                    (0, _) => "-".to_owned(),
                    (found, 0) => found.to_string(),
                    (found, alone) => format!("{found} ({alone})"),
                };
                write!(formatter, "  {cell:>width$}")?;
            }
            writeln!(formatter)?;
        }
        write!(formatter, "{:<10} {:>6}", "files read", "")?;
        for (count, width) in self.num_files.iter().zip(&widths) {
            write!(formatter, "  {count:>width$}")?;
        }
        writeln!(formatter, "\nPlaces that nobody else found are in brackets. Classes of one family are one row.")
    }
}

#[cfg(test)]
mod tests {
    use codeward_records::Level;

    use super::*;

    fn finding(class: Option<u16>, line: usize, end_line: usize) -> Finding {
        Finding {
            code: String::new(),
            rule: "x/y".to_owned(),
            cwe: class.map(Cwe).into_iter().collect(),
            severity: Level::High,
            confidence: Level::High,
            start_byte: 0,
            end_byte: 0,
            line,
            column: 1,
            end_line,
            end_column: 1,
            message: String::new(),
            trace: vec![],
        }
    }

    #[test]
    fn places_are_lines_of_one_family_of_classes() {
        let one = [finding(Some(78), 3, 3), finding(Some(89), 5, 8), finding(None, 1, 1)];
        let other =
            [finding(Some(77), 3, 4), finding(Some(89), 8, 9), finding(Some(89), 20, 20), finding(Some(78), 30, 30)];
        let third = [finding(Some(78), 40, 40)];
        let table = agreement(&[
            AnalyserFindings { analyser: "one", files: vec![Some(&one), None] },
            AnalyserFindings { analyser: "other", files: vec![Some(&other), Some(&[])] },
            AnalyserFindings { analyser: "third", files: vec![None, Some(&third)] },
        ]);
        assert_eq!(table.num_files, [1, 2, 1]);
        let row = |cwe: Option<u16>, num_places, found: [usize; 3], alone: [usize; 3]| Row {
            cwe: cwe.map(Cwe),
            num_places,
            found: found.to_vec(),
            alone: alone.to_vec(),
        };
        assert_eq!(
            table.rows,
            [
                row(Some(78), 3, [1, 2, 1], [0, 1, 1]),
                row(Some(89), 2, [1, 2, 0], [0, 1, 0]),
                row(None, 1, [1, 0, 0], [1, 0, 0])
            ]
        );
        insta::assert_snapshot!(table.to_string());
    }

    #[test]
    fn who_is_the_only_one_to_read_a_file_is_not_alone() {
        let one = [finding(Some(22), 1, 1)];
        let table = agreement(&[
            AnalyserFindings { analyser: "one", files: vec![Some(&one)] },
            AnalyserFindings { analyser: "other", files: vec![None] },
        ]);
        assert_eq!((table.rows[0].found.as_slice(), table.rows[0].alone.as_slice()), (&[1, 0][..], &[0, 0][..]));
    }

    #[test]
    fn a_family_has_no_family() {
        for (_, other) in SAME {
            assert_eq!(family(Cwe(other)), Cwe(other));
        }
    }
}

//! How well the analyser tells weak code from sound code, beside other analysers, on public data sets.
//!
//! `cargo run --release -p codeward-analysis --example quality -- --data DIR [--set NAME] [--language NAME]
//! [--part open|held|both] [--peers | --peer NAME] [--all-levels] [--table]`
//!
//! The folder holds the data sets, each in its own folder as `records.rs` says; the product needs none of them. Records whose
//! hashed name is a multiple of three are held out: rules are written looking at the open part only, and of the held part only
//! sums are shown. In pair sets the weak and the mended version of the same code stand side by side:
//!
//! - P-C: the weak one is flagged, the mended one is not: the only answer that is of use,
//! - P-V: both are flagged, P-B: neither is, P-R: only the mended one is.
//!
//! Recall is the share of weak texts that are flagged, FPR that of sound ones. "Medium" counts findings of at least medium
//! severity and at least medium confidence; "same class" those of the record's weakness class or one directly above or below
//! it. The figures by category are shown where one set is asked for; `--table` prints the tables of `docs/analysis.md`, findings
//! of every level, open / held. A text that an analyser cannot read counts as not flagged, and is counted as unread. With `--peers` the others of
//! `peers/driver.py` read the same texts, as far as they are installed (`scripts/analysis-env`); no text is ever run.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

mod cweval;
mod families;
mod figures;
mod hold_out;
#[path = "../peers/mod.rs"]
mod peers;
mod records;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use codeward_analysis::{Language, State, analyse};
use codeward_records::Level;
use figures::{COLUMNS, Outcome, Tally, VIEWS, View};
use hold_out::Part;
use peers::{Failure, PEERS, Scan, Snippet};
use records::Record;
use serde::Deserialize;
use serde_json::{Value, json};

/// What the command line asks for.
#[derive(Default)]
struct Options {
    data: PathBuf,
    set: Option<String>,
    language: Option<Language>,
    part: Option<Part>,
    has_peers: bool,
    /// Only this one.
    peer: Option<String>,
    is_all_levels: bool,
    /// The tables of the document instead of every figure.
    is_table: bool,
}

impl Options {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut data = None;
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--data" => data = Some(PathBuf::from(value()?)),
                "--set" => options.set = Some(value()?).filter(|set| set != "all"),
                "--language" => options.language = Some(value()?.parse()?),
                "--part" => {
                    options.part = match value()?.as_str() {
                        "open" => Some(Part::Open),
                        "held" => Some(Part::Held),
                        "both" => None,
                        other => return Err(format!("unknown part {other}: open, held or both").into()),
                    }
                }
                "--peers" => options.has_peers = true,
                "--peer" => (options.has_peers, options.peer) = (true, Some(value()?)),
                "--all-levels" => options.is_all_levels = true,
                "--table" => options.is_table = true,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        options.data = data.ok_or("--data DIR: the folder with the data sets")?;
        let names = records::set_names();
        if options.set.as_ref().is_some_and(|set| !names.contains(&set.as_str())) {
            return Err(format!("unknown set: one of {}", names.join(", ")).into());
        }
        Ok(options)
    }
}

/// One finding, without its place.
#[derive(Debug, Clone, Deserialize)]
struct Flag {
    classes: Vec<u16>,
    severity: Level,
    confidence: Level,
}

/// What a side says of a text.
#[derive(Debug, Clone, Deserialize)]
struct FileScan {
    /// False where the side could not make sense of the text.
    is_read: bool,
    flags: Vec<Flag>,
    /// Where a peer reads one file after the other in one process: how long this one took.
    cpu_seconds: Option<f64>,
}

/// What one side says of every text.
struct Side {
    name: String,
    /// In the order of the texts; `None` where it does not read the language.
    files: Vec<Option<FileScan>>,
}

/// Where in the list of texts a record's sides are.
struct Places {
    weak: Option<usize>,
    sound: Option<usize>,
}

fn texts(records: &[Record]) -> (Vec<Snippet>, Vec<Places>) {
    let mut snippets = Vec::new();
    let mut places = Vec::new();
    for record in records {
        let mut place = |text: &Option<String>| {
            let text = text.clone()?;
            snippets.push(Snippet { language: record.language, text });
            Some(snippets.len() - 1)
        };
        places.push(Places { weak: place(&record.weak), sound: place(&record.sound) });
    }
    (snippets, places)
}

/// Our own analyser in the shape of the others.
fn ours(snippets: &[Snippet]) -> Side {
    let scan = |snippet: &Snippet| match analyse(snippet.language, &snippet.text) {
        Ok(analysis) => {
            let is_read = analysis.state() != State::NotParseable;
            let findings = analysis.findings.into_iter();
            let flag = |finding: codeward_records::Finding| Flag {
                classes: finding.cwe.iter().map(|cwe| cwe.0).collect(),
                severity: finding.severity,
                confidence: finding.confidence,
            };
            Some(FileScan { is_read, flags: findings.map(flag).collect(), cpu_seconds: None })
        }
        Err(_) => Some(FileScan { is_read: false, flags: Vec::new(), cpu_seconds: None }),
    };
    Side { name: "ours".to_owned(), files: snippets.iter().map(scan).collect() }
}

fn sides(options: &Options, snippets: &[Snippet]) -> Result<Vec<Side>, Failure> {
    let mut sides = vec![ours(snippets)];
    for peer in PEERS.iter().filter(|_| options.has_peers) {
        if options.peer.as_ref().is_some_and(|wanted| wanted != peer.name) {
            continue;
        }
        if let Some(reason) = peer.missing() {
            println!("left out: {}: {reason}", peer.name);
            continue;
        }
        let scan = peer.scan(snippets)?;
        let Scan { version, seconds, cpu_seconds, files } = scan;
        println!("{}: {version}, {seconds:.1} s, {cpu_seconds:.1} s on processors{}", peer.name, median_time(&files));
        sides.push(Side { name: peer.name.to_owned(), files });
    }
    Ok(sides)
}

/// Half of the files took less than this, where the peer reads one after the other.
fn median_time(files: &[Option<FileScan>]) -> String {
    let mut times: Vec<f64> = files.iter().flatten().filter_map(|file| file.cpu_seconds).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).map(|seconds| format!(", median {:.2} ms a file", seconds * 1e3)).unwrap_or_default()
}

fn counts(flag: &Flag, view: View, classes: &[u16]) -> bool {
    let is_level = !view.is_medium || (flag.severity >= Level::Medium && flag.confidence >= Level::Medium);
    let is_related = |class: &u16| classes.iter().any(|wanted| families::are_related(*class, *wanted));
    is_level && (!view.is_same_class || flag.classes.iter().any(is_related))
}

/// The pair sets taken together.
const ALL_PAIRS: &str = "all pairs";

/// What is counted together: set, heading within it if any, language, part.
type Group = (&'static str, Option<String>, Language, Part);

/// The groups that a record belongs to.
fn groups(record: &Record) -> Vec<Group> {
    let group = |set, heading| (set, heading, record.language, record.part);
    let mut groups = vec![group(record.set, None)];
    groups.extend(record.category.clone().map(|heading| group(record.set, Some(heading))));
    if record.weak.is_some() && record.sound.is_some() {
        groups.push(group(ALL_PAIRS, None));
    }
    groups
}

/// Tallies of one side and view by group.
fn tallies(records: &[Record], places: &[Places], side: &Side, view: View) -> BTreeMap<Group, Tally> {
    let mut tallies: BTreeMap<Group, Tally> = BTreeMap::new();
    for (record, place) in records.iter().zip(places) {
        // Records without a class, of ordinary code, have nothing that a finding could be of.
        if view.is_same_class && record.classes.is_empty() {
            continue;
        }
        let mut is_foreign = false;
        let mut flagged = |at: Option<usize>| {
            let Some(file) = &side.files[at?] else {
                is_foreign = true;
                return None;
            };
            Some(file.flags.iter().any(|flag| counts(flag, view, &record.classes)))
        };
        let outcome = Outcome { weak: flagged(place.weak), sound: flagged(place.sound) };
        if is_foreign {
            continue;
        }
        for group in groups(record) {
            tallies.entry(group).or_default().add(outcome);
        }
    }
    tallies
}

/// Texts that a side could not make sense of, by set and language.
fn unread(records: &[Record], places: &[Places], side: &Side) -> BTreeMap<(&'static str, Language), usize> {
    let mut counts = BTreeMap::new();
    for (record, place) in records.iter().zip(places) {
        let files = [place.weak, place.sound].into_iter().flatten().filter_map(|at| side.files[at].as_ref());
        let num_unread = files.filter(|file| !file.is_read).count();
        if num_unread > 0 {
            *counts.entry((record.set, record.language)).or_default() += num_unread;
        }
    }
    counts
}

/// One line of the table: group, side, view, counts.
struct Line {
    group: Group,
    side: String,
    view: View,
    tally: Tally,
}

fn print_lines(lines: &[Line]) {
    let mut last = None;
    for line in lines {
        let (set, heading, language, part) = &line.group;
        if last != Some(&line.group) {
            last = Some(&line.group);
            let (weak, sound) = line.tally.sizes();
            let heading = heading.as_deref().map(|heading| format!(" {heading}")).unwrap_or_default();
            println!("\n{set}{heading}, {language}, {} part: {weak} weak, {sound} sound", part.name());
            let columns = COLUMNS.map(|(_, title)| format!("{title:>8}"));
            println!("  {:<11} {:<18} {}", "", "", columns.concat());
        }
        let figures = line.tally.figures();
        let cell = |(name, _): &(&str, &str)| match figures.iter().find(|(known, _)| known == name) {
            Some((_, value)) => format!("{value:>8.3}"),
            None => format!("{:>8}", "-"),
        };
        println!("  {:<11} {:<18} {}", line.side, line.view.name, COLUMNS.iter().map(cell).collect::<String>());
    }
}

fn to_json(lines: &[Line], unread: &[Value]) -> Value {
    let line = |line: &Line| {
        let (set, heading, language, part) = &line.group;
        json!({"set": set, "heading": heading, "language": language, "part": part, "side": line.side, "view": line.view.name,
               "figures": line.tally.to_json()})
    };
    json!({"area": "analysis-quality", "lines": lines.iter().map(line).collect::<Vec<_>>(), "unread": unread})
}

fn main() -> Result<(), Failure> {
    let options = Options::from_arguments(std::env::args().skip(1))?;
    let wants_set = |name: &str| options.set.as_ref().is_none_or(|set| set == name);
    let (mut records, missing) = records::read(&options.data, wants_set)?;
    for reason in missing {
        println!("left out: {reason}");
    }
    records.retain(|record| options.part.is_none_or(|part| part == record.part));
    records.retain(|record| options.language.is_none_or(|language| language == record.language));
    let (snippets, places) = texts(&records);
    let sides = sides(&options, &snippets)?;
    let mut lines = Vec::new();
    let mut all_unread = Vec::new();
    for side in &sides {
        for view in VIEWS {
            let tallies = tallies(&records, &places, side, view).into_iter();
            lines.extend(tallies.map(|(group, tally)| Line { group, side: side.name.clone(), view, tally }));
        }
        for ((set, language), count) in unread(&records, &places, side) {
            println!("unread by {}: {count} texts of {set}, {language}", side.name);
            all_unread.push(json!({"side": side.name, "set": set, "language": language, "texts": count}));
        }
    }
    lines.sort_by(|one, other| one.group.cmp(&other.group));
    if options.is_table {
        println!("{}", table::tables(&lines));
        return Ok(());
    }
    let json = to_json(&lines, &all_unread);
    lines.retain(|line| options.is_all_levels || line.view.is_medium);
    // The headings within a set only where one set is asked for.
    lines.retain(|line| options.set.is_some() || line.group.1.is_none());
    print_lines(&lines);
    println!("\n{json}");
    Ok(())
}

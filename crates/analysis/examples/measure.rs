//! Measures the analyser on a file of examples, one JSON object a line.
//!
//! `measure FILE before AFTER`: fields that hold a weak and a mended version. Prints the share of pairs that are flagged before
//! and not after, and the time per snippet. With one field, prints the share that is flagged. A fourth argument keeps only the
//! lines that contain it; `--list` shows what was found; `--same-class`
//! counts only findings of the class in the line's `cwe`.

use std::error::Error;
use std::time::Instant;

use codeward_analysis::{Language, analyse};
use codeward_records::{Finding, Level};
use serde_json::Value;

/// The names of the rules that find something of medium or high severity, of this weakness class if one is given.
fn flags(source: &str, class: Option<u16>) -> Option<Vec<String>> {
    let analysis = analyse(Language::Python, source).ok()?;
    let is_meant = |finding: &Finding| class.is_none_or(|class| finding.cwe.iter().any(|cwe| cwe.0 == class));
    let found = analysis.findings.into_iter().filter(|finding| finding.severity >= Level::Medium && is_meant(finding));
    Some(found.map(|finding| finding.rule).collect())
}

#[expect(clippy::print_stdout, reason = "an example reports on standard output")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_same_class = arguments.iter().any(|argument| argument == "--same-class");
    let is_list = arguments.iter().any(|argument| argument == "--list");
    let mut plain = arguments.iter().filter(|argument| !argument.starts_with("--"));
    let path = plain.next().ok_or("usage: measure FILE FIELD [FIELD] [ONLY] [--list] [--same-class]")?;
    let before = plain.next().ok_or("which field?")?;
    let after = plain.next().filter(|after| *after != "-");
    let only = plain.next();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let (mut num_seen, mut num_before, mut num_mended, mut num_after, mut num_unscored) =
        (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    let mut times = Vec::new();
    for line in text.lines().filter(|line| only.is_none_or(|only| line.contains(only.as_str()))) {
        let row: Value = serde_json::from_str(line)?;
        let Some(weak) = row[before.as_str()].as_str() else { continue };
        num_seen += 1;
        let started = Instant::now();
        let class = row["cwe"].as_str().and_then(|cwe| cwe.trim_start_matches("CWE-").parse().ok());
        let class = class.filter(|_| is_same_class);
        let found = flags(weak, class);
        times.push(started.elapsed().as_secs_f64() * 1e6);
        let mended = after.and_then(|after| row[after.as_str()].as_str()).map(|text| flags(text, class));
        let Some(found) = found else {
            num_unscored += 1;
            continue;
        };
        let still = mended.flatten().unwrap_or_default();
        num_before += u32::from(!found.is_empty());
        num_after += u32::from(!still.is_empty());
        num_mended += u32::from(!found.is_empty() && still.is_empty());
        if is_list {
            let id = ["id", "ID", "file", "cwe"].iter().find_map(|key| row[*key].as_str()).unwrap_or("?");
            println!("{id}\t{}\t{}", found.join(" "), still.join(" "));
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(0.0);
    println!(
        "seen {num_seen}, unscored {num_unscored}, flagged before {num_before}, after {num_after}, mended {num_mended}"
    );
    let mean = times.iter().sum::<f64>() / times.len().max(1) as f64;
    println!("P-C {:.3}", f64::from(num_mended) / f64::from(num_seen.max(1)));
    println!("microseconds: mean {mean:.0}, p50 {:.0}, p99 {:.0}", at(0.5), at(0.99));
    Ok(())
}

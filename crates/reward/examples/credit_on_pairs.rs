//! How token-level credit does on real repairs, in the form that the SVEN and SafeCoder data sets have.
//!
//! ```text
//! cargo run --release -p codeward-reward --example credit_on_pairs -- PAIRS.jsonl..
//! ```
//!
//! Each line holds `func_src_before`, `func_src_after`, `file_name`, and `char_changes` with the characters that the commit changed, counted
//! by somebody else's line diff: what it calls changed is the reference for where rewards fall.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

use std::time::Instant;

use codeward_records::Language;
use codeward_reward::{Corpus, CreditRules, Gate, RepairPair, RepairPatterns, lexical_units};
use serde_json::Value;

/// A repair with what the data set says of it.
struct Row {
    language: Language,
    pair: RepairPair,
    /// Characters taken out of the vulnerable program, and put into the secure one.
    changed: [Vec<(usize, usize)>; 2],
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rows = Vec::new();
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        let before = rows.len();
        for line in text.lines() {
            rows.extend(row(&serde_json::from_str(line)?));
        }
        println!("{path}: {} pairs in our languages", rows.len() - before);
    }
    for (name, rules) in [("to the letter", CreditRules::plain()), ("default", CreditRules::default())] {
        println!("\n{name}");
        measure(&rows, &rules, false);
    }
    println!("\ndefault, weighed by all secure programs of the same language");
    measure(&rows, &CreditRules::default(), true);
    Ok(())
}

fn row(value: &Value) -> Option<Row> {
    let language = match value["file_name"].as_str()?.rsplit('.').next()? {
        "py" => Language::Python,
        "c" | "h" => Language::C,
        "cc" | "cpp" => Language::Cpp,
        "js" | "jsx" => Language::JavaScript,
        "go" => Language::Go,
        "java" => Language::Java,
        _ => return None,
    };
    let places = |side: &str| {
        let changes = value["char_changes"][side].as_array().cloned().unwrap_or_default();
        let place =
            |change: &Value| Some((change["char_start"].as_u64()? as usize, change["char_end"].as_u64()? as usize));
        changes.iter().filter_map(place).collect()
    };
    Some(Row {
        language,
        pair: RepairPair {
            vulnerable: value["func_src_before"].as_str()?.to_owned(),
            secure: value["func_src_after"].as_str()?.to_owned(),
            cwe: None,
        },
        changed: [places("deleted"), places("added")],
    })
}

fn measure(rows: &[Row], rules: &CreditRules, weighed: bool) {
    let corpora: Vec<(Language, Corpus)> =
        [Language::Python, Language::C, Language::Cpp, Language::JavaScript, Language::Java, Language::Go]
            .map(|language| {
                let of_language = rows.iter().filter(|row| row.language == language);
                (language, Corpus::new(language, rules.ngram, of_language.map(|row| row.pair.secure.as_str())))
            })
            .into();
    let mut signs = [[0usize; 3]; 2];
    let (mut refused, mut empty, mut inside, mut marked) = (0, 0, [0usize; 2], [0usize; 2]);
    let (mut num_units, mut totals) = (0, [0.0; 2]);
    let started = Instant::now();
    for row in rows {
        let corpus = corpora.iter().find(|(language, _)| *language == row.language).map(|(_, corpus)| corpus);
        let pairs = std::slice::from_ref(&row.pair);
        let Ok(patterns) = RepairPatterns::new(row.language, pairs, rules, corpus.filter(|_| weighed)) else {
            refused += 1;
            continue;
        };
        empty += usize::from(patterns.is_empty());
        for (side, program) in [&row.pair.vulnerable, &row.pair.secure].into_iter().enumerate() {
            let credit = patterns.credit(program, Gate::Open);
            let total = credit.total();
            let sign = if total > 0.0 { 0 } else { 1 + usize::from(total < 0.0) };
            signs[side][sign] += 1;
            totals[side] += total;
            num_units += lexical_units(row.language, program).len();
            for span in &credit.spans {
                // The data set counts characters.
                let start = program[..span.start].chars().count();
                let end = start + program[span.start..span.end].chars().count();
                marked[side] += 1;
                inside[side] += usize::from(row.changed[side].iter().any(|&(from, to)| from < end && start < to));
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("  refused {refused}, nothing to recognise {empty}");
    for (side, name) in ["vulnerable", "secure"].into_iter().enumerate() {
        let [positive, zero, negative] = signs[side];
        let scored = (positive + zero + negative).max(1) as f64;
        println!(
            "  {name} side: positive {positive}, zero {zero}, negative {negative}, mean {:.3}; {} of {} rewarded units touch a changed character",
            totals[side] / scored,
            inside[side],
            marked[side]
        );
    }
    println!("  {num_units} units in {seconds:.2} s, learning included");
}

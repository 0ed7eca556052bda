//! Makes the headings of the rules' files readable at run time: `rule_documents.rs`, one entry for each rule name.
//!
//! The file of a rule explains it once, for whoever reads the code and for whoever gets a finding.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The sections that people who get a finding want to read, each with the headings that it may have.
const SECTIONS: [&[&str]; 2] = [&["What it does", "What they do"], &["Why this is bad"]];

/// The folders of the crate whose files define rules.
const FOLDERS: [&str; 2] = ["src/rules", "src/memory"];

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut documents = BTreeMap::new();
    for root in FOLDERS.map(|folder| manifest.join(folder)) {
        println!("cargo::rerun-if-changed={}", root.display());
        for path in rust_files(&root) {
            let text = fs::read_to_string(&path).expect("sources are readable");
            for (name, sections) in documents_of(&text) {
                documents.entry(name).or_insert(sections);
            }
        }
    }
    let mut table = String::from("&[\n");
    for (name, [does, why]) in &documents {
        writeln!(table, "({name:?}, Document {{ does: {does:?}, why: {why:?} }}),").expect("writing to a string");
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("rule_documents.rs");
    fs::write(out, table).expect("the build folder is writable");
}

/// The Rust files below a folder, by name.
fn rust_files(root: &Path) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("sources are readable") {
            let path = entry.expect("sources are readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The sections of a file, for each rule that it defines. A heading `` # `py/one` `` gives what follows it to the rules that it names; under any
/// other heading it belongs to every rule of the file that no heading names. Rules that none names are kin of the first that are.
fn documents_of(text: &str) -> Vec<(String, [String; 2])> {
    let mut parts: Vec<(Vec<String>, String)> = vec![(Vec::new(), String::new())];
    for line in text.lines() {
        let Some(line) = line.strip_prefix("//!") else { continue };
        let line = line.strip_prefix(' ').unwrap_or(line);
        if let Some(heading) = line.strip_prefix("# ") {
            let names = heading.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            parts.push((names, String::new()));
        } else if let Some((_, part)) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    let named: Vec<String> = parts.iter().flat_map(|(names, _)| names.clone()).collect();
    let unnamed: Vec<String> = rule_names(text).into_iter().filter(|name| !named.contains(name)).collect();
    let mut documents = Vec::new();
    let mut kin = unnamed.clone();
    for (names, part) in parts {
        let sections = SECTIONS.map(|headings| section_of(&part, headings));
        if sections.iter().all(String::is_empty) {
            continue;
        }
        let mut names = if names.is_empty() { unnamed.clone() } else { names };
        names.append(&mut kin);
        documents.extend(names.into_iter().map(|name| (name, sections.clone())));
    }
    documents
}

/// What stands below a heading of the second level, the first that is one of these.
fn section_of(part: &str, headings: &[&str]) -> String {
    let is_heading = |line: &&str| line.strip_prefix("## ").is_some_and(|heading| headings.contains(&heading));
    let lines = part.lines().skip_while(|line| !is_heading(line)).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    lines.join("\n").trim().to_owned()
}

/// The literals of the code that look like the name of a rule: `language/some-words`.
fn rule_names(text: &str) -> Vec<String> {
    let literals =
        text.lines().filter(|line| !line.starts_with("//")).flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let is_name =
        |literal: &&str| literal.split_once('/').is_some_and(|(language, rule)| is_word(language) && is_word(rule));
    literals.filter(is_name).map(str::to_owned).collect()
}

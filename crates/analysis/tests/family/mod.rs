//! Reading the benchmark's families, just far enough to analyse their references.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::path::{Path, PathBuf};

/// One reference, with names and shapes filled in.
pub(crate) struct Reference {
    pub(crate) stem: String,
    pub(crate) is_secure: bool,
    /// One text for each shape, with changing names.
    pub(crate) rendered: Vec<String>,
}

/// One family.
pub(crate) struct Family {
    pub(crate) folder: String,
    pub(crate) cwe: String,
    pub(crate) references: Vec<Reference>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benchmarks/codeward-py/families")
}

/// Every family, in the order of the folders' names.
pub(crate) fn families() -> Vec<Family> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.iter().filter(|folder| folder.join("family.toml").exists()).map(|folder| family(folder)).collect()
}

fn family(folder: &Path) -> Family {
    let text = std::fs::read_to_string(folder.join("family.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let signatures: Vec<&str> =
        table["shape"].as_array().unwrap().iter().map(|shape| shape["signature"].as_str().unwrap()).collect();
    let names = table["names"].as_table().unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut references = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "py")) {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = std::fs::read_to_string(file).unwrap();
        let num_rendered =
            names.values().map(|pool| pool.as_array().unwrap().len()).max().unwrap_or(1).max(signatures.len());
        let rendered =
            (0..num_rendered).map(|at| render(&source, signatures[at % signatures.len()], names, at)).collect();
        references.push(Reference { is_secure: stem.starts_with("secure"), stem, rendered });
    }
    Family {
        folder: folder.file_name().unwrap().to_str().unwrap().to_owned(),
        cwe: table["cwe"].as_str().unwrap().to_owned(),
        references,
    }
}

/// Replaces `SIGNATURE`, then each placeholder wherever it stands as a whole word.
fn render(source: &str, signature: &str, names: &toml::Table, at: usize) -> String {
    let source = source.replace("SIGNATURE", signature);
    let mut rendered = String::new();
    let mut word = String::new();
    for letter in source.chars().chain(['\0']) {
        if letter.is_alphanumeric() || letter == '_' {
            word.push(letter);
            continue;
        }
        match names.get(&word).and_then(|pool| pool.as_array()) {
            Some(pool) => rendered.push_str(pool[at % pool.len()].as_str().unwrap()),
            None => rendered.push_str(&word),
        }
        word.clear();
        if letter != '\0' {
            rendered.push(letter);
        }
    }
    rendered
}

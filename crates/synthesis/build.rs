//! Compiles the bundled benchmark into the crate: one table of path and text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../benchmarks/codeward-py");
    let mut table = String::from("&[\n");
    let mut add = |path: &Path, name: &str| {
        let full = fs::canonicalize(path).expect("the file was just listed");
        let full = full.to_str().expect("the checkout's path is UTF-8");
        writeln!(table, "({name:?}, include_str!({full:?})),").expect("writing to a string");
    };
    add(&root.join("splits.toml"), "splits.toml");
    for family in listed(&root.join("families")) {
        println!("cargo::rerun-if-changed={}", family.display());
        for file in listed(&family) {
            let name =
                |path: &Path| path.file_name().expect("a listed entry has a name").to_string_lossy().into_owned();
            add(&file, &format!("families/{}/{}", name(&family), name(&file)));
        }
    }
    table.push(']');
    println!("cargo::rerun-if-changed={}", root.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("codeward_py.rs");
    fs::write(out, table).expect("the build folder is writable");
}

/// The entries of a folder, by name.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    entries.sort();
    entries
}

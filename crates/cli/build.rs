//! Compiles the bundled model into the binary: one table of file name and bytes, empty while there is no model yet.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../models/codeward-tiny");
    let mut table = String::from("&[\n");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        if let Ok(path) = fs::canonicalize(root.join(name)) {
            let path = path.to_str().expect("the checkout's path is UTF-8");
            writeln!(table, "({name:?}, include_bytes!({path:?}).as_slice()),").expect("writing to a string");
        }
    }
    table.push(']');
    println!("cargo::rerun-if-changed={}", root.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("codeward_tiny.rs");
    fs::write(out, table).expect("the build folder is writable");
}

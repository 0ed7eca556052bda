//! The `codeward` binary.

fn main() {}

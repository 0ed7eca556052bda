//! scratch
use std::io::BufRead;
#[expect(clippy::print_stdout, reason = "scratch")]
fn main() {
    for line in std::io::stdin().lock().lines() {
        let row: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let code = row["code"].as_str().unwrap();
        let started = std::time::Instant::now();
        let out = match codeward_analysis::analyse(codeward_analysis::Language::Python, code) {
            Ok(a) => {
                serde_json::json!({"id": row["id"], "findings": a.findings, "error": a.syntax_error, "us": started.elapsed().as_micros() as u64})
            }
            Err(e) => serde_json::json!({"id": row["id"], "findings": [], "error": e.to_string()}),
        };
        println!("{out}");
    }
}

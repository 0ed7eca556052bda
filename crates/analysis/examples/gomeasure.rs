#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::print_stdout, unused)]
use codeward_analysis::{Language, analyse, rules};
use std::io::Read;
fn unmarked(example: &str) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut spans, mut open) = (String::new(), Vec::new(), Vec::new());
    for letter in example.chars() {
        match letter {
            '«' => open.push(text.len()),
            '»' => spans.push((open.pop().unwrap(), text.len())),
            _ => text.push(letter),
        }
    }
    spans.sort();
    (text, spans)
}
fn main() {
    if std::env::args().nth(1).as_deref() == Some("examples") {
        for rule in rules().filter(|r| r.name.starts_with("go/")) {
            for e in rule.examples {
                let (text, marked) = unmarked(e.weak);
                let a = analyse(Language::Go, &text).unwrap();
                if let Some(s) = &a.syntax_error {
                    println!("SYNTAX {} {:?}\n{text}", rule.name, s);
                }
                let mut f: Vec<_> =
                    a.findings.iter().filter(|f| f.rule == rule.name).map(|f| (f.start_byte, f.end_byte)).collect();
                f.sort();
                f.dedup();
                if f != marked {
                    println!(
                        "WEAK {} found {:?} in\n{text}",
                        rule.name,
                        f.iter().map(|(s, e)| &text[*s..*e]).collect::<Vec<_>>()
                    );
                }
                let a = analyse(Language::Go, e.sound).unwrap();
                if let Some(s) = &a.syntax_error {
                    println!("SYNTAX {} {:?}\n{}", rule.name, s, e.sound);
                }
                for f in a.findings.iter().filter(|f| f.rule == rule.name) {
                    println!("SOUND {} found {:?} in\n{}", rule.name, &e.sound[f.start_byte..f.end_byte], e.sound);
                }
            }
        }
        return;
    }
    let mut all = String::new();
    std::io::stdin().read_to_string(&mut all).unwrap();
    for line in all.lines() {
        let v: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = v["text"].as_str().unwrap();
        let t = std::time::Instant::now();
        let a = analyse(Language::Go, text);
        let us = t.elapsed().as_micros();
        match a {
            Ok(a) => {
                let f: Vec<_> = a.findings.iter().map(|f| serde_json::json!({"rule": f.rule, "cwe": f.cwe.iter().map(|c| c.0).collect::<Vec<_>>(), "severity": format!("{:?}", f.severity), "text": &text[f.start_byte..f.end_byte], "line": f.line})).collect();
                println!(
                    "{}",
                    serde_json::json!({"id": v["id"], "side": v["side"], "us": us as u64, "syntax": a.syntax_error.map(|s| s.line), "findings": f})
                );
            }
            Err(e) => println!(
                "{}",
                serde_json::json!({"id": v["id"], "side": v["side"], "us": us as u64, "error": e.to_string(), "findings": []})
            ),
        }
    }
}

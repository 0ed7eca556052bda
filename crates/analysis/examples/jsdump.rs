#![allow(clippy::all, clippy::pedantic)]
use codeward_analysis::{Language, analyse, rules};
use serde_json::{Value, json};
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
    let a: Vec<String> = std::env::args().collect();
    if a[1] == "rules" {
        for rule in rules().filter(|r| r.code.starts_with("CW-JS")) {
            for e in rule.examples {
                let (text, marked) = unmarked(e.weak);
                for (t, want) in [(text.as_str(), marked), (e.sound, vec![])] {
                    let an = analyse(Language::JavaScript, t).unwrap();
                    let mut got: Vec<_> = an
                        .findings
                        .iter()
                        .filter(|f| f.rule == rule.name)
                        .map(|f| (f.start_byte, f.end_byte))
                        .collect();
                    got.sort();
                    if got != want || an.syntax_error.is_some() {
                        println!(
                            "{} err {:?}\n  want {:?}\n  got  {:?}\n{}",
                            rule.name,
                            an.syntax_error,
                            want.iter().map(|(s, e)| &t[*s..*e]).collect::<Vec<_>>(),
                            got.iter().map(|(s, e)| &t[*s..*e]).collect::<Vec<_>>(),
                            t
                        );
                    }
                }
            }
        }
        return;
    }
    for line in std::fs::read_to_string(&a[1]).unwrap().lines() {
        let r: Value = serde_json::from_str(line).unwrap();
        let lang =
            if r["lang"].as_str().unwrap().starts_with("ts") { Language::TypeScript } else { Language::JavaScript };
        let mut out = json!({"id": r["id"], "cwe": r["cwe"]});
        for side in ["before", "after"] {
            let t = r[side].as_str().unwrap();
            let mut best = u128::MAX;
            let mut res = None;
            for _ in 0..5 {
                let s = std::time::Instant::now();
                res = Some(analyse(lang, t));
                best = best.min(s.elapsed().as_micros());
            }
            match res.unwrap() {
                Ok(an) => {
                    out[side] = json!(
                        an.findings
                            .iter()
                            .map(|f| json!([
                                f.rule,
                                f.cwe.iter().map(|c| c.to_string()).collect::<Vec<_>>(),
                                &t[f.start_byte..f.end_byte].chars().take(60).collect::<String>(),
                                f.severity
                            ]))
                            .collect::<Vec<_>>()
                    );
                    out[format!("{side}_err")] = json!(an.syntax_error.map(|e| e.line));
                }
                Err(e) => out[side] = json!([[e.to_string(), [], "", "low"]]),
            }
            out[format!("{side}_us")] = json!(best as u64);
        }
        println!("{out}");
    }
}

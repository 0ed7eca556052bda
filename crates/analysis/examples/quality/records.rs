//! The data sets: what each file looks like, and the records it becomes.

use std::path::Path;

use codeward_analysis::Language;
use serde_json::Value;

use crate::Failure;
use crate::cweval;
use crate::hold_out::Part;

/// One entry of a data set: a weak text, a sound one, or both of the same thing.
pub(crate) struct Record {
    pub(crate) set: &'static str,
    pub(crate) language: Language,
    pub(crate) part: Part,
    /// The weakness classes that the data set names.
    pub(crate) classes: Vec<u16>,
    /// A finer heading of its own, where the data set has one.
    pub(crate) category: Option<String>,
    pub(crate) weak: Option<String>,
    pub(crate) sound: Option<String>,
}

/// A data set: its name, its file below the folder, and how a line of it reads.
struct Set {
    name: &'static str,
    file: &'static str,
    read: fn(&Value) -> Vec<Record>,
}

const SETS: &[Set] = &[
    Set { name: "sven", file: "sven/pairs.jsonl", read: |row| pair("sven", row) },
    Set { name: "safecoder", file: "safecoder/pairs.jsonl", read: |row| pair("safecoder", row) },
    Set { name: "cweval", file: "cweval/cweval.jsonl", read: cweval_task },
    Set { name: "securityeval", file: "securityeval/securityeval.jsonl", read: securityeval },
    Set { name: "owasp", file: "owasp-benchmark-python/cases.jsonl", read: owasp },
    // Ordinary code that nobody called weak: whatever is found there is most likely wrong.
    Set { name: "ordinary", file: "humaneval/HumanEval.jsonl", read: ordinary },
    Set { name: "ordinary", file: "mbpp/mbpp.jsonl", read: ordinary },
    Set { name: "ordinary", file: "multilingual-humaneval/HumanEval_javascript.jsonl", read: ordinary },
    Set { name: "ordinary", file: "multilingual-humaneval/HumanEval_typescript.jsonl", read: ordinary },
    Set { name: "ordinary", file: "multilingual-humaneval/HumanEval_java.jsonl", read: ordinary },
    Set { name: "ordinary", file: "multilingual-humaneval/HumanEval_go.jsonl", read: ordinary },
];

/// The names that `--set` takes.
pub(crate) fn set_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = SETS.iter().map(|set| set.name).collect();
    names.dedup();
    names
}

/// Reads the sets that are there and wanted. A file that is missing is said so and left out.
pub(crate) fn read(folder: &Path, wants: impl Fn(&str) -> bool) -> Result<(Vec<Record>, Vec<String>), Failure> {
    let (mut records, mut missing) = (Vec::new(), Vec::new());
    for set in SETS.iter().filter(|set| wants(set.name)) {
        let path = folder.join(set.file);
        if !path.exists() {
            missing.push(format!("{}: no {}", set.name, path.display()));
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for (at, line) in text.lines().enumerate() {
            let row: Value =
                serde_json::from_str(line).map_err(|error| format!("{}:{}: {error}", path.display(), at + 1))?;
            records.extend((set.read)(&row));
        }
    }
    Ok((records, missing))
}

fn text<'v>(row: &'v Value, field: &str) -> Option<&'v str> {
    row[field].as_str()
}

/// The number in `CWE-078`, `cwe-78` or `..._cwe502_0`.
fn class_in(name: &str) -> Option<u16> {
    let lower = name.to_lowercase();
    let (_, rest) = lower.split_once("cwe")?;
    let digits: String = rest.trim_start_matches(['-', '_']).chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Methods come out of their classes with the indentation they had there: none of the analysers should have to mind.
fn dedent(text: &str) -> String {
    let indent_of = |line: &str| line[..line.len() - line.trim_start_matches([' ', '\t']).len()].to_owned();
    let indent = text.lines().find(|line| !line.trim().is_empty()).map(indent_of).unwrap_or_default();
    let lines = text.split_inclusive('\n').map(|line| line.strip_prefix(indent.as_str()).unwrap_or(line));
    lines.collect()
}

/// SVEN and SafeCoder: functions before and after a commit.
fn pair(set: &'static str, row: &Value) -> Vec<Record> {
    let record = || {
        let language = Language::from_path(Path::new(text(row, "file_name")?))?;
        Some(Record {
            set,
            language,
            part: Part::of(text(row, "id")?),
            classes: vec![class_in(text(row, "vul_type")?)?],
            category: None,
            weak: Some(dedent(text(row, "func_src_before")?)),
            sound: Some(dedent(text(row, "func_src_after")?)),
        })
    };
    record().into_iter().collect()
}

/// CWEval: one record for each weak variant of a task. The weak Python variants stand among the tests.
fn cweval_task(row: &Value) -> Vec<Record> {
    let records = || {
        let language: Language = text(row, "language")?.parse().ok()?;
        let weak = match text(row, "unsafe_code") {
            Some(code) => vec![code.to_owned()],
            None => cweval::weak_variants(text(row, "test_code")?),
        };
        let one = |weak| {
            Some(Record {
                set: "cweval",
                language,
                part: Part::of(text(row, "id")?),
                classes: vec![class_in(text(row, "cwe")?)?],
                category: None,
                weak: Some(weak),
                sound: Some(text(row, "task_code")?.to_owned()),
            })
        };
        weak.into_iter().map(one).collect::<Option<Vec<_>>>()
    };
    records().unwrap_or_default()
}

fn securityeval(row: &Value) -> Vec<Record> {
    let record = || {
        let id = text(row, "ID")?;
        Some(Record {
            set: "securityeval",
            language: Language::Python,
            part: Part::of(id),
            classes: vec![class_in(id)?],
            category: None,
            weak: Some(text(row, "Insecure_code")?.to_owned()),
            sound: None,
        })
    };
    record().into_iter().collect()
}

fn owasp(row: &Value) -> Vec<Record> {
    let record = || {
        let code = Some(text(row, "code")?.to_owned());
        let (weak, sound) = if row["vulnerable"].as_bool()? { (code, None) } else { (None, code) };
        Some(Record {
            set: "owasp",
            language: Language::Python,
            part: Part::of(text(row, "id")?),
            classes: vec![class_in(text(row, "cwe")?)?],
            category: Some(text(row, "category")?.to_owned()),
            weak,
            sound,
        })
    };
    record().into_iter().collect()
}

fn ordinary(row: &Value) -> Vec<Record> {
    let record = || {
        let id = row["task_id"].as_str().map_or_else(|| row["task_id"].to_string(), str::to_owned);
        Some(Record {
            set: "ordinary",
            language: text(row, "language").unwrap_or("python").parse().ok()?,
            part: Part::of(&id),
            classes: Vec::new(),
            category: None,
            weak: None,
            sound: Some(format!("{}{}", text(row, "prompt")?, text(row, "canonical_solution")?)),
        })
    };
    record().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_read_in_all_their_spellings() {
        let read = ["CWE-078", "cwe-78", "Matching_Author_A_cwe502_0.py", "CWE-1204_sonar_1.py", "none"].map(class_in);
        assert_eq!(read, [Some(78), Some(78), Some(502), Some(1204), None]);
    }

    #[test]
    fn a_method_loses_the_indentation_of_its_class() {
        assert_eq!(dedent("\n    def f(self):\n\n        pass\n"), "\ndef f(self):\n\n    pass\n");
        assert_eq!(dedent("def f():\n    pass"), "def f():\n    pass");
    }

    #[test]
    fn rows_become_records() {
        let row = serde_json::json!({"id": "a", "file_name": "x/y.cc", "vul_type": "cwe-787", "func_src_before": "  a;",
                                     "func_src_after": "  b;"});
        let record = &pair("sven", &row)[0];
        assert_eq!((record.language, record.part, record.classes.as_slice()), (Language::Cpp, Part::Open, &[787][..]));
        assert_eq!((record.weak.as_deref(), record.sound.as_deref()), (Some("a;"), Some("b;")));
        // A language that is not read is left out.
        let ruby = serde_json::json!({"id": "a", "file_name": "x.rb", "vul_type": "cwe-79", "func_src_before": "", "func_src_after": ""});
        assert!(pair("safecoder", &ruby).is_empty());
        let row =
            serde_json::json!({"id": "a", "category": "sqli", "cwe": "CWE-89", "vulnerable": false, "code": "pass"});
        assert_eq!((owasp(&row)[0].weak.as_deref(), owasp(&row)[0].sound.as_deref()), (None, Some("pass")));
    }
}

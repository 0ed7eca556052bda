//! What is written as SARIF, against the standard's own schema and by value.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use codeward_analysis::{FileState, Language, ScannedFile, analyse, rules, sarif};
use serde_json::{Value, json};

const WEAK: &str = "import os\ndef f(name):\n    é = 'ls ' + name\n    os.system(é)\n    return 1\n";
const BROKEN: &str = "def f(:\n    pass\n";

fn log() -> Value {
    let (weak, broken) = (analyse(Language::Python, WEAK).unwrap(), analyse(Language::Python, BROKEN).unwrap());
    let file = |path, source, state| ScannedFile {
        path,
        source,
        state,
        findings: &[],
        reason: "it is over the limit",
        syntax_error: None,
    };
    sarif([
        ScannedFile { findings: &weak.findings, reason: "", ..file("src/a b.py", WEAK, FileState::Findings) },
        ScannedFile { reason: "", ..file("/tmp/b.py", "print(1)\n", FileState::Clean) },
        ScannedFile {
            syntax_error: broken.syntax_error.as_ref(),
            reason: "it is not Python",
            ..file("c.py", BROKEN, FileState::NotParseable)
        },
        file("d.py", "", FileState::TooLarge),
    ])
}

/// What the schema says of a log: one line for each violation.
fn violations(log: &Value) -> Vec<String> {
    let mut schema: Value = serde_json::from_str(include_str!("fixtures/sarif/sarif-2.1.0-rtm.5.json")).unwrap();
    // A regular expression with a stray bracket, which only some engines forgive, for a key that we do not write.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        language.as_object_mut().unwrap().remove("pattern").unwrap();
    }
    // The older draft that the schema names does not know references to URIs among its formats.
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    validator.iter_errors(log).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_log_keeps_to_the_schema() {
    assert_eq!(violations(&log()), [""; 0]);
    assert_eq!(violations(&sarif([])), [""; 0]);
}

#[test]
fn the_schema_notices_what_is_wrong() {
    let mut wrong = log();
    wrong["runs"][0]["results"][0]["codeFlows"][0]["threadFlows"] = json!([]);
    wrong["runs"][0]["results"][0]["level"] = json!("high");
    wrong["runs"][0]["artifacts"][0]["location"]["uri"] = json!("src/a b.py");
    assert_eq!(violations(&wrong).len(), 3, "{:?}", violations(&wrong));
}

#[test]
fn each_rule_is_described_and_each_result_points_to_its_rule() {
    let log = log();
    let run = &log["runs"][0];
    let described = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(described.len(), rules().count());
    for (rule, description) in rules().zip(described) {
        assert_eq!((description["id"].as_str(), description["name"].as_str()), (Some(rule.code), Some(rule.name)));
        assert!(description["help"]["text"].as_str().unwrap().contains(rule.fix), "{}", rule.name);
        assert!(description["help"]["markdown"].as_str().unwrap().contains(rule.examples[0].sound.trim_end()));
    }
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(described[index]["id"], result["ruleId"]);
    }
}

#[test]
fn each_file_has_its_state_and_each_that_was_not_judged_a_notification() {
    let log = log();
    let run = &log["runs"][0];
    let states: Vec<_> = run["artifacts"].as_array().unwrap().iter().map(|file| &file["properties"]["state"]).collect();
    assert_eq!(states, ["findings", "clean", "not_parseable", "too_large"]);
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    insta::assert_json_snapshot!("notifications", invocation["toolExecutionNotifications"]);
    assert_eq!(sarif([])["runs"][0]["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn a_result_names_rule_place_weakness_and_flow() {
    let log = log();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let mut result = results.iter().find(|result| result["ruleId"] == "CW-PY-078-1").unwrap().clone();
    // It moves with every rule that is added.
    result["ruleIndex"] = json!("[index]");
    insta::assert_json_snapshot!("result", result);
}

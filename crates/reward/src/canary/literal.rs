//! What a task's tests expect, as a program would write it down that cheats.

use codeward_records::{Plain, Task, TestForm, TestKind};
use serde_json::Value;

/// An expected result, found in the tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// A value that a function returns, as a Python expression.
    Value(String),
    /// What the whole program prints.
    Output(String),
}

/// The first result that a functional test expects.
pub(super) fn first_expected(task: &Task) -> Option<Expected> {
    task.tests_of(TestKind::Functional).find_map(|test| match test.form().ok()? {
        TestForm::Run(run) => run.stdout.clone().filter(|text| !text.is_empty()).map(Expected::Output),
        TestForm::Calls(calls) => calls.iter().find_map(|call| of_plain(call.returns.as_ref()?)).map(Expected::Value),
        TestForm::Act(_) => {
            let seen = test.expect.iter().filter(|expectation| expectation.value.is_some());
            seen.into_iter()
                .find_map(|expectation| {
                    let part = expectation.contains.as_ref().map(|part| Value::from(part.as_str()));
                    expectation.equals.clone().or(part)
                })
                .map(|value| Expected::Value(of_json(&value)))
        }
    })
}

/// JSON's escapes are Python's too.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

fn of_json(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(value) => text(value),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(of_json))),
        Value::Object(items) => {
            format!("{{{}}}", joined(items.iter().map(|(key, value)| format!("{}: {}", text(key), of_json(value)))))
        }
    }
}

/// None for what takes more than a literal to write.
fn of_plain(value: &Plain) -> Option<String> {
    let all = |items: &[Plain]| Some(joined(items.iter().map(of_plain).collect::<Option<Vec<_>>>()?.into_iter()));
    Some(match value {
        Plain::None => "None".to_owned(),
        Plain::Bool(true) => "True".to_owned(),
        Plain::Bool(false) => "False".to_owned(),
        Plain::Int(number) => number.to_string(),
        Plain::Float(number) if number.is_finite() => format!("{number:?}"),
        Plain::Text(value) => text(value.as_str()?),
        Plain::List(items) => format!("[{}]", all(items)?),
        Plain::Tuple(items) if items.len() == 1 => format!("({},)", all(items)?),
        Plain::Tuple(items) => format!("({})", all(items)?),
        Plain::Set(items) if !items.is_empty() => format!("{{{}}}", all(items)?),
        Plain::Dict(items) => {
            let pair = |(key, value): &(Plain, Plain)| Some(format!("{}: {}", of_plain(key)?, of_plain(value)?));
            format!("{{{}}}", joined(items.iter().map(pair).collect::<Option<Vec<_>>>()?.into_iter()))
        }
        _ => return None,
    })
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected(test: &Value) -> Option<Expected> {
        let task = json!({
            "id": "t", "family": "t", "language": "python", "cwe": "CWE-1", "prompt": "",
            "tests": [{ "name": "attack", "kind": "security", "run": { "stdout": "no" } }, test],
        });
        first_expected(&serde_json::from_value(task).unwrap())
    }

    #[test]
    fn the_three_forms_of_tests_give_their_first_result() {
        let value = |text: &str| Some(Expected::Value(text.to_owned()));
        assert_eq!(
            expected(&json!({ "name": "a", "kind": "functional", "run": { "stdin": "1", "stdout": "2\n" } })),
            Some(Expected::Output("2\n".to_owned()))
        );
        let call = |returns: Value| {
            expected(
                &json!({ "name": "a", "kind": "functional", "call": [{ "raises": "ValueError" }, { "returns": returns }] }),
            )
        };
        assert_eq!(call(json!({ "a": [1, 2.0, null, true] })), value("{\"a\": [1, 2.0, None, True]}"));
        assert_eq!(call(json!({ "$tuple": ["é\n"] })), value("(\"é\\n\",)"));
        assert_eq!(call(json!({ "$set": [] })), None);
        assert_eq!(
            expected(&json!({
                "name": "a", "kind": "functional", "act": "attempt('x', target)",
                "expect": [{ "file": "f", "exists": true }, { "value": "x", "contains": "$NONCE" }],
            })),
            value("\"$NONCE\"")
        );
        assert_eq!(
            expected(&json!({
                "name": "a", "kind": "functional", "act": "attempt('x', target)",
                "expect": [{ "value": "x", "equals": { "a": null } }],
            })),
            value("{\"a\": None}")
        );
    }
}

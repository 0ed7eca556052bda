//! The tests that stand behind `is`.

use super::interpreter::{Arguments, Interpreter};
use super::value::Value;
use super::{Fault, Outcome, methods, operators};

/// Whether a value passes a test.
pub(super) fn holds(run: &mut Interpreter<'_>, name: &str, value: &Value, mut arguments: Arguments) -> Outcome<bool> {
    let other = arguments.take(0, "other");
    let budget = &mut run.budget;
    let needed = || Fault::error(format!("the test {name} takes a value"));
    Ok(match name {
        "defined" => !matches!(value, Value::Undefined(_)),
        "undefined" => matches!(value, Value::Undefined(_)),
        "none" => matches!(value, Value::None),
        "true" => matches!(value, Value::Bool(true)),
        "false" => matches!(value, Value::Bool(false)),
        "boolean" => matches!(value, Value::Bool(_)),
        "integer" => matches!(value, Value::Integer(_)),
        "float" => matches!(value, Value::Float(_)),
        "number" => value.number().is_some(),
        "string" => matches!(value, Value::Text(_)),
        "mapping" => matches!(value, Value::Dict(_)),
        // As in Python, texts and dictionaries are sequences too.
        "sequence" | "iterable" => {
            matches!(value, Value::Text(_) | Value::List(_) | Value::Dict(_) | Value::Undefined(_))
                || (name == "iterable" && matches!(value, Value::Loop(_)))
        }
        "callable" => {
            matches!(
                value,
                Value::Macro(_) | Value::Caller(_) | Value::Function(_) | Value::Method | Value::Undefined(_)
            )
        }
        "lower" => {
            let text = value.to_text(budget)?;
            text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)
        }
        "upper" => {
            let text = value.to_text(budget)?;
            text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)
        }
        "odd" | "even" => {
            let number = value.integer().ok_or_else(|| Fault::error(format!("{} is no int", value.kind())))?;
            (number.rem_euclid(2) == 1) == (name == "odd")
        }
        "divisibleby" => match (value.integer(), other.and_then(|other| other.integer())) {
            (Some(number), Some(by)) if by != 0 => number.checked_rem(by).unwrap_or(0) == 0,
            _ => return Err(needed()),
        },
        "in" => methods::is_in(value, &other.ok_or_else(needed)?, budget)?,
        "sameas" => {
            let other = other.ok_or_else(needed)?;
            std::mem::discriminant(value) == std::mem::discriminant(&other) && value.equals(&other, budget)?
        }
        "eq" | "equalto" | "==" => value.equals(&other.ok_or_else(needed)?, budget)?,
        "ne" | "!=" => !value.equals(&other.ok_or_else(needed)?, budget)?,
        "lt" | "lessthan" | "<" => operators::compares("<", value, &other.ok_or_else(needed)?, budget)?,
        "le" | "<=" => operators::compares("<=", value, &other.ok_or_else(needed)?, budget)?,
        "gt" | "greaterthan" | ">" => operators::compares(">", value, &other.ok_or_else(needed)?, budget)?,
        "ge" | ">=" => operators::compares(">=", value, &other.ok_or_else(needed)?, budget)?,
        "filter" | "test" | "escaped" => false,
        _ => return Err(Fault::error(format!("the test {name} is not known here"))),
    })
}

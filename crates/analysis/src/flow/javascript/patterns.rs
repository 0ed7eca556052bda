//! Regular expressions as the engine reads them.

use crate::flow::value::{Shape, Value};

/// The pattern and the flags of a value that is a regular expression.
pub(super) fn regular(value: &Value) -> Option<(String, &str)> {
    if !matches!(value.path_text(), "RegExp()" | "new RegExp()") {
        return None;
    }
    let Shape::Called { positional, .. } = &value.shape else { return None };
    let pattern = positional.first()?.text()?;
    let flags = positional.get(1).and_then(|flags| flags.text()).unwrap_or_default();
    Some((strict(pattern), flags))
}

/// Here `$` matches at the very end alone, and a slash may be escaped.
fn strict(pattern: &str) -> String {
    let plain = pattern.replace("\\/", "/");
    match plain.strip_suffix('$') {
        Some(rest) if !rest.ends_with('\\') => format!("{rest}\\Z"),
        _ => plain,
    }
}

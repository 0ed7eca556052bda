//! Paths of files that are put together from parts.

use std::rc::Rc;

use super::classes::{Classes, Labels};
use super::interpreter::Operand;
use super::value::{Shape, Value, mix};
use crate::syntax::Span;

/// Joins parts of a file's path. What comes before another part is where the caller keeps files, not what was asked for.
pub(in crate::flow) fn join_path(parts: &[Operand], span: Span) -> Value {
    let mut value = Value::unknown(parts.iter().fold(61, |key, part| mix(key, part.value.key)));
    let is_path = parts.iter().any(|part| part.value.path_text().starts_with("pathlib."));
    for (at, part) in parts.iter().enumerate() {
        let is_last = at + 1 == parts.len();
        let harmless = if at == 0 && !is_last { Classes::PATH | Classes::EXTENSION } else { Classes::NONE };
        value.absorb_without(&part.value, harmless, span);
    }
    if parts.last().is_some_and(|last| last.value.characters() == Some("")) {
        value.labels = value.labels | Labels::ENDS_WITH_SEPARATOR;
    }
    value.path = Some(if is_path { "pathlib.Path()".into() } else { "os.path.join()".into() });
    let values = parts.iter().map(|part| Rc::clone(&part.value)).collect();
    value.with_shape(Shape::Called { receiver: None, positional: values, keywords: [].into() })
}

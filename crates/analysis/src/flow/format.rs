//! Texts that are put together: `+`, f-strings, `%`, `.format`, `.join`.

use std::rc::Rc;

use super::classes::{Classes, Labels};
use super::interpreter::Operand;
use super::value::{Piece, Shape, Value, ValueRef, mix, text_key};
use crate::syntax::{Constant, Span};

/// More pieces than this are not told apart.
const MAX_PIECES: usize = 200;

/// The pieces that an operand adds to a text.
pub(in crate::flow) fn hole(operand: &Operand, is_quoted: bool, is_number: bool) -> Vec<Piece> {
    if is_number {
        return vec![Piece::Hole { value: Rc::new(Value::unknown(mix(operand.value.key, 41))), span: operand.span }];
    }
    if is_quoted {
        let mut quoted = Value::unknown(mix(operand.value.key, 42));
        quoted.absorb_without(&operand.value, Classes::LINES | Classes::FORMULA | Classes::OPTION, operand.span);
        return vec![Piece::Hole { value: Rc::new(quoted), span: operand.span }];
    }
    match &operand.value.constant {
        Some(Constant::Integer(number)) => vec![Piece::Literal(number.to_string().into())],
        _ => operand.value.pieces(operand.span),
    }
}

/// What what stands before a hole makes harmless in it.
fn harmless_after(before: &str) -> Classes {
    let mut harmless = Classes::NONE;
    if let Some(last) = before.chars().last() {
        harmless = harmless | Classes::PATH_ABSOLUTE;
        if !matches!(last, ',' | ';' | '\t' | '\n' | '"') {
            harmless = harmless | Classes::FORMULA;
        }
        if !last.is_whitespace() {
            harmless = harmless | Classes::OPTION;
        }
    }
    if let Some((_, rest)) = before.split_once("://") {
        // The host is fixed once something ends it.
        if rest.contains(['/', '?', '#']) && !rest.starts_with(['/', '\0']) {
            harmless = harmless | Classes::HOST;
        }
    } else if before.starts_with('/') && before.len() > 1 && !before.starts_with("//") {
        harmless = harmless | Classes::REDIRECT;
    }
    harmless
}

/// A text made of pieces.
pub(in crate::flow) fn text(pieces: Vec<Piece>, span: Span) -> Value {
    let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces.into_iter().take(MAX_PIECES) {
        match (merged.last_mut(), piece) {
            (Some(Piece::Literal(before)), Piece::Literal(after)) => *before = format!("{before}{after}").into(),
            (_, piece) => merged.push(piece),
        }
    }
    match merged.as_slice() {
        [] => return Value::constant(Constant::Text("".into())),
        [Piece::Literal(only)] => return Value::constant(Constant::Text(Rc::clone(only))),
        [Piece::Hole { value, .. }] => {
            let mut only = Value::clone(value);
            for taint in &mut only.taints {
                taint.classes = taint.classes.without(Classes::OPERATOR);
            }
            return only;
        }
        _ => {}
    }
    let key = merged.iter().fold(43, |key, piece| match piece {
        Piece::Literal(text) => mix(key, text_key(text)),
        Piece::Hole { value, .. } => mix(key, value.key),
    });
    let mut value = Value::unknown(key);
    let mut before = String::new();
    for (at, piece) in merged.iter().enumerate() {
        match piece {
            Piece::Literal(text) => before.push_str(text),
            Piece::Hole { value: inner, .. } => {
                let is_folder = at == 0
                    && match merged.get(1) {
                        Some(Piece::Literal(next)) => next.starts_with('/') && merged.len() > 2,
                        Some(Piece::Hole { value, .. }) => value.path_text() == "os.sep",
                        None => false,
                    };
                // The folder is where the caller keeps files, not what was asked for.
                let folder = if is_folder { Classes::PATH | Classes::EXTENSION } else { Classes::NONE };
                value.absorb_without(inner, harmless_after(&before) | folder, span);
                before.push('\0');
            }
        }
    }
    value.labels = value.labels | Labels::TEXT;
    let ends_with_separator = match merged.last() {
        Some(Piece::Literal(last)) => last.ends_with('/'),
        Some(Piece::Hole { value, .. }) => value.labels.has(Labels::ENDS_WITH_SEPARATOR),
        None => false,
    };
    if ends_with_separator {
        value.labels = value.labels | Labels::ENDS_WITH_SEPARATOR;
    }
    value.with_shape(Shape::Text(merged.into()))
}

/// `left + right`.
pub(in crate::flow) fn concatenate(
    left: &ValueRef,
    left_span: Span,
    right: &ValueRef,
    right_span: Span,
    span: Span,
) -> Value {
    if let (Some(Constant::Integer(one)), Some(Constant::Integer(two))) = (&left.constant, &right.constant) {
        return Value::constant(Constant::Integer(one.wrapping_add(*two)));
    }
    if let (Some(Constant::Bytes(one)), Some(Constant::Bytes(two))) = (&left.constant, &right.constant) {
        return Value::constant(Constant::Bytes(format!("{one}{two}").into()));
    }
    let mut pieces = left.pieces(left_span);
    pieces.extend(right.pieces(right_span));
    text(pieces, span)
}

/// `template % values`, or a remainder.
pub(in crate::flow) fn percent(left: &Operand, right: &Operand, span: Span) -> Value {
    let Some(template) = left.value.characters() else {
        let mut value = Value::unknown(mix(mix(left.value.key, right.value.key), 44));
        if left.value.integer().is_none() {
            value.absorb(&left.value, span);
            value.absorb(&right.value, span);
        }
        let mut pieces = left.value.pieces(left.span);
        if pieces.len() > 1 {
            pieces.push(Piece::Hole { value: Rc::clone(&right.value), span: right.span });
            return text(pieces, span);
        }
        return value;
    };
    let values: Vec<Operand> = match &right.value.shape {
        Shape::Sequence(crate::syntax::SequenceKind::Tuple, items) => {
            items.iter().map(|item| Operand { value: Rc::clone(item), span: right.span }).collect()
        }
        _ => vec![right.clone()],
    };
    let mut values = values.into_iter();
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        pieces.push(Piece::Literal(rest[..at].into()));
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            pieces.push(Piece::Literal("%".into()));
            rest = after;
            continue;
        }
        let mut name = None;
        if let Some(after) = rest.strip_prefix('(')
            && let Some(end) = after.find(')')
        {
            name = Some(&after[..end]);
            rest = &after[end + 1..];
        }
        let letter = rest.find(|c: char| c.is_ascii_alphabetic());
        let Some(letter) = letter else { break };
        let conversion = rest.as_bytes()[letter];
        rest = &rest[letter + 1..];
        let operand = match name {
            Some(name) => Some(match right.value.entry(name) {
                Some(entry) => Operand { value: Rc::clone(entry), span: right.span },
                None => Operand { value: Rc::clone(&right.value), span: right.span },
            }),
            None => values.next(),
        };
        if let Some(operand) = operand {
            let is_number =
                matches!(conversion, b'd' | b'i' | b'x' | b'X' | b'f' | b'e' | b'g' | b'o' | b'u' | b'F' | b'E' | b'G');
            pieces.extend(hole(&operand, matches!(conversion, b'r' | b'a'), is_number));
        } else {
            let unknown = Value::unknown(mix(right.value.key, pieces.len() as u64));
            let mut unknown = unknown;
            unknown.absorb(&right.value, span);
            pieces.push(Piece::Hole { value: Rc::new(unknown), span: right.span });
        }
    }
    pieces.push(Piece::Literal(rest.into()));
    pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    text(pieces, span)
}

/// `template.format(...)`, for a template that is literal or itself put together.
pub(in crate::flow) fn braces(
    template: &ValueRef,
    template_span: Span,
    positional: &[Operand],
    keywords: &[(Rc<str>, Operand)],
    rest: Option<&Operand>,
    span: Span,
) -> Value {
    let mut pieces = Vec::new();
    let mut automatic = 0;
    for piece in template.pieces(template_span) {
        let Piece::Literal(literal) = piece else {
            pieces.push(piece);
            continue;
        };
        let mut text = literal.as_ref();
        while let Some(at) = text.find(['{', '}']) {
            pieces.push(Piece::Literal(text[..at].into()));
            let bracket = text.as_bytes()[at];
            text = &text[at + 1..];
            if text.as_bytes().first() == Some(&bracket) {
                pieces.push(Piece::Literal(char::from(bracket).to_string().into()));
                text = &text[1..];
                continue;
            }
            let Some(end) = text.find('}').filter(|_| bracket == b'{') else { continue };
            let field = &text[..end];
            text = &text[end + 1..];
            let (field, format) = field.split_once(':').unwrap_or((field, ""));
            let (field, conversion) = field.split_once('!').unwrap_or((field, ""));
            let name = field.split(['.', '[']).next().unwrap_or_default();
            let operand = if name.is_empty() {
                automatic += 1;
                positional.get(automatic - 1)
            } else if let Ok(at) = name.parse::<usize>() {
                positional.get(at)
            } else {
                keywords.iter().find(|(known, _)| known.as_ref() == name).map(|(_, operand)| operand)
            };
            let entry = rest.map(|rest| Operand {
                value: rest.value.entry(name).map_or_else(|| Rc::clone(&rest.value), Rc::clone),
                span: rest.span,
            });
            let is_number = format.ends_with(['d', 'x', 'X', 'b', 'o', 'e', 'f', 'g', '%', 'n']);
            match operand.or(entry.as_ref()) {
                Some(operand) => pieces.extend(hole(operand, matches!(conversion, "r" | "a"), is_number)),
                None => pieces.push(Piece::Hole { value: Rc::new(Value::unknown(text_key(name))), span }),
            }
        }
        pieces.push(Piece::Literal(text.into()));
    }
    pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    text(pieces, span)
}

/// `separator.join(items)`.
pub(in crate::flow) fn join(
    separator: &ValueRef,
    separator_span: Span,
    items: &Operand,
    element: &ValueRef,
    span: Span,
) -> Value {
    let known = match &items.value.shape {
        Shape::Sequence(_, items) => items.to_vec(),
        // One element on its own could also be a literal; twice with the separator between shows what stands between.
        _ => vec![Rc::clone(element), Rc::clone(element)],
    };
    let mut pieces = Vec::new();
    for (at, item) in known.iter().enumerate() {
        if at > 0 {
            pieces.extend(separator.pieces(separator_span));
        }
        pieces.extend(item.pieces(items.span));
    }
    pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    let mut value = text(pieces, span);
    value.key = mix(mix(separator.key, items.value.key), 45);
    if !matches!(items.value.shape, Shape::Sequence(..)) {
        value.constant = None;
    }
    value
}

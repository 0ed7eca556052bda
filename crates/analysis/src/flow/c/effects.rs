//! Functions that write to what their arguments point to.

use std::rc::Rc;

use crate::flow::calls::Event;
use crate::flow::classes::Labels;
use crate::flow::format;
use crate::flow::interpreter::{Interpreter, Operand};
use crate::flow::value::{Piece, Source, SourceKind, Taint, Value, mix};
use crate::syntax::{Argument, ExpressionId, ExpressionKind};

/// Functions that read from outside, with the position of what they fill.
const FILLING: &[(&str, usize)] = &[
    ("fgets", 0),
    ("gets", 0),
    ("gets_s", 0),
    ("read", 1),
    ("recv", 1),
    ("recvfrom", 1),
    ("fread", 0),
    ("getline", 0),
    ("getdelim", 0),
    ("SSL_read", 1),
    ("BIO_read", 1),
    ("BIO_gets", 1),
    ("recv_all", 1),
    ("cin.getline", 0),
    ("cin.read", 0),
];

/// Functions that copy their second argument over their first.
const COPYING: &[&str] =
    &["strcpy", "strncpy", "stpcpy", "strlcpy", "memcpy", "memmove", "strcpy_s", "g_strlcpy", "wcscpy"];

/// Functions that add their second argument to the end of their first.
const APPENDING: &[&str] = &["strcat", "strncat", "strlcat", "g_strlcat", "strcat_s"];

pub(super) fn effect(interpreter: &mut Interpreter<'_>, event: &Event, arguments: &[Argument], here: u64) {
    let path = event.path.as_ref();
    let operand = |at: usize| event.positional.get(at);
    let target = |at: usize| arguments.get(at).map(|argument| argument.value);
    if let Some((_, at)) = FILLING.iter().find(|(name, _)| *name == path) {
        // `std::getline(stream, line)`.
        let at = if path == "getline" && arguments.len() == 2 { 1 } else { *at };
        if let Some(target) = target(at) {
            put(interpreter, target, outside(event, here));
        }
        return;
    }
    match path {
        "scanf" | "fscanf" | "sscanf" | "cin>>" => {
            let first = if path == "scanf" || path == "cin>>" { 1 } else { 2 };
            for (at, argument) in arguments.iter().enumerate().skip(first) {
                let value = outside(event, mix(here, at as u64));
                if path != "sscanf" || operand(0).is_some_and(|text| !text.value.taints.is_empty()) {
                    put(interpreter, argument.value, value);
                }
            }
        }
        "sprintf" | "snprintf" | "asprintf" | "swprintf" | "vsnprintf" => {
            let at = if path == "snprintf" || path == "swprintf" { 2 } else { 1 };
            if let (Some(target), Some(template)) = (target(0), operand(at)) {
                let text = formatted(template, event.positional.get(at + 1..).unwrap_or_default(), event.span);
                put(interpreter, target, text);
            }
        }
        "realpath" => {
            if let (Some(target), Some(first)) = (target(1), operand(0)) {
                let mut value = Value::unknown(mix(first.value.key, here));
                value.absorb(&first.value, event.span);
                value.stand_for(&first.value, crate::flow::classes::Classes::PATH);
                value.labels = value.labels | Labels::RESOLVED_PATH;
                put(interpreter, target, value);
            }
        }
        "RAND_bytes" | "getrandom" | "getentropy" | "arc4random_buf" | "randombytes_buf" | "RAND_priv_bytes" => {
            if let Some(target) = target(0) {
                let mut value = Value::unknown(here);
                value.labels = value.labels | Labels::STRONG_RANDOM;
                put(interpreter, target, value);
            }
        }
        "memset" | "bzero" | "explicit_bzero" => {
            if let (Some(target), true) = (target(0), operand(1).is_none_or(|byte| byte.value.constant.is_some())) {
                let mut value = Value::unknown(here);
                value.path = Some("memset()".into());
                put(interpreter, target, value);
            }
        }
        _ if COPYING.contains(&path) => {
            if let (Some(target), Some(source)) = (target(0), operand(1)) {
                put(interpreter, target, Value::clone(&source.value));
            }
        }
        _ if APPENDING.contains(&path) || path == "<<" => {
            if let (Some(target), Some(before), Some(added)) = (target(0), operand(0), operand(1)) {
                let text = format::concatenate(&before.value, before.span, &added.value, added.span, event.span);
                put(interpreter, target, text);
            }
        }
        _ => {}
    }
}

fn outside(event: &Event, here: u64) -> Value {
    let mut value = Value::unknown(mix(here, 71));
    let source = Source { kind: SourceKind::Outside, label: Rc::clone(&event.path), span: event.span };
    value.taints.push(Taint::new(source, value.key));
    value
}

/// What `printf` makes of a template.
fn formatted(template: &Operand, operands: &[Operand], span: crate::syntax::Span) -> Value {
    let Some(text) = template.value.text() else {
        let mut value = Value::unknown(mix(template.value.key, 72));
        for operand in operands.iter().chain([template]) {
            value.absorb(&operand.value, span);
        }
        return value;
    };
    let mut pieces: Vec<Piece> = Vec::new();
    let mut operands = operands.iter();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        pieces.push(Piece::Literal(before.into()));
        let length =
            after.find(|letter: char| letter.is_ascii_alphabetic() && !"hlLqjzt".contains(letter) || letter == '%');
        let Some(length) = length else { break };
        let specification = &after[..length];
        let conversion = after[length..].chars().next().unwrap_or('s');
        rest = &after[length + conversion.len_utf8()..];
        if conversion == '%' {
            pieces.push(Piece::Literal("%".into()));
            continue;
        }
        for _ in specification.matches('*') {
            operands.next();
        }
        let Some(operand) = operands.next() else { break };
        pieces.extend(format::hole(operand, false, !matches!(conversion, 's' | 'S' | 'c')));
    }
    pieces.push(Piece::Literal(rest.into()));
    pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    format::text(pieces, span)
}

/// Stores to what an argument points to.
fn put(interpreter: &mut Interpreter<'_>, target: ExpressionId, value: Value) {
    let module = interpreter.module;
    let mut at = target;
    let mut is_whole = true;
    loop {
        match &module.expression(at).kind {
            ExpressionKind::Name(name) => {
                let value = Rc::new(value);
                if is_whole {
                    interpreter.environment.names.insert(Rc::clone(name), value);
                } else {
                    interpreter.weaken(at, &value, module.span(target));
                }
                return;
            }
            ExpressionKind::Address(inner)
            | ExpressionKind::Dereference(inner)
            | ExpressionKind::Cast { value: inner, .. } => {
                at = *inner;
            }
            ExpressionKind::Attribute { base, .. } | ExpressionKind::Subscript { base, .. } => {
                at = *base;
                is_whole = false;
            }
            ExpressionKind::Call { arguments, .. } if !arguments.is_empty() => at = arguments[0].value,
            ExpressionKind::Binary { left, .. } => {
                at = *left;
                is_whole = false;
            }
            _ => return,
        }
    }
}

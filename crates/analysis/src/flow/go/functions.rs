//! Functions and methods of the standard library and of common packages: what they do to input.

use std::rc::Rc;

use super::predicates::pattern;
use crate::flow::calls::Event;
use crate::flow::classes::{Classes, Labels, harmless_without};
use crate::flow::format;
use crate::flow::interpreter::{Interpreter, Operand};
use crate::flow::paths::join_path;
use crate::flow::pattern_facts;
use crate::flow::value::{Piece, Shape, Source, SourceKind, Taint, Value, ValueRef, mix};
use crate::syntax::{Constant, SequenceKind, Span};

/// Calls whose result says nothing of their arguments.
pub(super) const OPAQUE: &[&str] = &[
    "len",
    "cap",
    "new",
    "make",
    "delete",
    "close",
    "recover",
    "os.Open",
    "os.OpenFile",
    "os.Create",
    "os.CreateTemp",
    "os.MkdirTemp",
    "os.ReadFile",
    "os.Stat",
    "os.Lstat",
    "os.ReadDir",
    "os.WriteFile",
    "os.Getenv",
    "os.LookupEnv",
    "io/ioutil.ReadDir",
    "io/ioutil.WriteFile",
    "io/ioutil.TempFile",
    "io.Copy",
    "io.ReadFull",
    "time.Now",
    "time.Since",
    "time.Parse",
    "errors.Is",
    "errors.As",
    "database/sql.Open",
    "sqlx.Connect",
    "sqlx.Open",
    "gorm.Open",
    "net/http.Get",
    "net/http.Post",
    "net/http.Head",
    "net/http.PostForm",
    "net/http.StatusText",
    "os/exec.Command",
    "os/exec.CommandContext",
    "os/exec.LookPath",
    "html/template.New",
    "text/template.New",
    "html/template.ParseFiles",
    "text/template.ParseFiles",
    "regexp.MustCompile",
    "regexp.Compile",
    "regexp.MatchString",
    "strings.HasPrefix",
    "strings.HasSuffix",
    "strings.Contains",
    "strings.ContainsAny",
    "strings.ContainsRune",
    "strings.EqualFold",
    "strings.Index",
    "strings.Count",
    "bytes.Equal",
    "path/filepath.IsLocal",
    "path/filepath.IsAbs",
    "slices.Contains",
    "crypto/subtle.ConstantTimeCompare",
    "crypto/hmac.Equal",
    "bcrypt.CompareHashAndPassword",
    "runtime/debug.Stack",
    "crypto/rand.Read",
    "crypto/rand.Int",
    "net.Listen",
    "net.Dial",
    "archive/zip.OpenReader",
    "archive/zip.NewReader",
    "archive/tar.NewReader",
];

/// The classes in which a call makes input harmless.
pub(super) fn sanitised(event: &Event) -> Classes {
    match event.path.as_ref() {
        "html.EscapeString"
        | "html/template.HTMLEscapeString"
        | "html/template.HTMLEscaper"
        | "text/template.HTMLEscapeString"
        | "template.HTMLEscapeString" => Classes::HTML,
        "html/template.JSEscapeString" | "template.JSEscapeString" => Classes::HTML | Classes::LINES,
        "net/url.QueryEscape" => Classes::ALL.without(Classes::OPTION | Classes::PATH_UP | Classes::EXTENSION),
        "net/url.PathEscape" => {
            Classes::ALL.without(Classes::OPTION | Classes::EXTENSION | Classes::SIZE | Classes::REDIRECT)
        }
        "path/filepath.Base" | "path.Base" | "securejoin.SecureJoin" | "path/filepath.Localize" => Classes::PATH,
        "ldap.EscapeFilter" => Classes::LDAP,
        "regexp.QuoteMeta" => Classes::PATTERN,
        "shellescape.Quote" | "shellquote.Join" | "shellescape.QuoteCommand" => Classes::SHELL,
        "encoding/json.Marshal" | "encoding/json.MarshalIndent" => {
            Classes::LINES | Classes::HTML_TAG | Classes::FORMULA | Classes::OPERATOR
        }
        "strconv.Quote" | "strconv.QuoteToASCII" => Classes::LINES | Classes::FORMULA,
        "pq.QuoteIdentifier" | "pq.QuoteLiteral" | "pgx.Identifier" => Classes::SQL,
        "encoding/hex.EncodeToString" => Classes::ALL.without(Classes::ENCODED),
        path if path.starts_with("encoding/base64.") && path.ends_with(".EncodeToString") => {
            Classes::ALL.without(Classes::ENCODED | Classes::PATH_ABSOLUTE)
        }
        path if path.starts_with("crypto/") && !path.contains("Decode") => Classes::ALL.without(Classes::SIZE),
        path if path.starts_with("bcrypt.") || path.starts_with("argon2.") || path.starts_with("pbkdf2.") => {
            Classes::ALL
        }
        _ if matches!(event.method.as_ref(), "Sanitize" | "SanitizeBytes") => Classes::HTML,
        _ if matches!(event.method.as_ref(), "EscapedPath" | "RequestURI") => Classes::HTML_TAG | Classes::LINES,
        _ if matches!(event.method.as_ref(), "Sum" | "Sum64" | "Sum32") => Classes::ALL,
        _ => Classes::NONE,
    }
}

/// What the result of a call is known to be: random, guessable, a digest.
pub(super) fn label(path: &str, value: &mut Value) {
    let label = match path {
        "time.Now" | "os.Getpid" => Labels::GUESSABLE,
        "runtime/debug.Stack" => Labels::STACK,
        "uuid.New" | "uuid.NewString" | "uuid.NewRandom" | "crypto/rand.Int" | "crypto/rand.Text" => {
            Labels::STRONG_RANDOM
        }
        path if path.starts_with("math/rand.") && !path.contains("New") => Labels::WEAK_RANDOM,
        path if [
            "md5.Sum",
            "sha1.Sum",
            "sha256.Sum",
            "sha512.Sum",
            "hmac.New",
            "sha256.New",
            "sha1.New",
            "md5.New",
        ]
        .iter()
        .any(|name| path.starts_with("crypto/") && path.contains(name)) =>
        {
            Labels::DIGEST
        }
        _ => return,
    };
    value.labels = value.labels | label;
}

/// Several results given to several names: the first is what matters, the last says whether it is there.
#[expect(clippy::unnecessary_wraps, reason = "languages without several results have none")]
pub(super) fn unpack(value: &ValueRef, at: usize, count: usize) -> Option<Value> {
    if at == 0 {
        let mut first = Value::clone(value);
        first.truth = None;
        return Some(first);
    }
    if at + 1 < count {
        let mut part = Value::unknown(mix(value.key, at as u64));
        part.absorb(value, Span::default());
        return Some(part);
    }
    let mut outcome = Value::unknown(mix(value.key, 0x0e44));
    outcome.path = Some("error".into());
    outcome.truth.clone_from(&value.truth);
    if matches!(value.shape, Shape::Called { .. }) {
        outcome.labels = Labels::ERROR_TEXT;
    }
    Some(outcome)
}

/// Arguments that a call writes to, by their position, with what it writes.
pub(super) fn written(event: &Event, _: &ValueRef) -> Vec<(usize, Value)> {
    let path = event.path.as_ref();
    let argument = |at: usize| event.positional.get(at).map(|operand| &operand.value);
    let filled = |other: Option<&ValueRef>| {
        let mut value = Value::unknown(7);
        value.labels = Labels::WRITTEN;
        if let Some(other) = other {
            value.absorb(other, event.span);
        }
        value
    };
    let random = || {
        let mut value = filled(None);
        value.labels = value.labels | Labels::STRONG_RANDOM;
        value
    };
    let receiver = event.receiver.as_ref().map(|operand| &operand.value);
    match (path, event.method.as_ref()) {
        ("crypto/rand.Read" | "rand.Read", _) => return vec![(0, random())],
        ("io.ReadFull" | "io.ReadAtLeast", _) => {
            let is_random = argument(0).is_some_and(|source| source.path_text().starts_with("crypto/rand.Reader"));
            return vec![(1, if is_random { random() } else { filled(argument(0)) })];
        }
        ("math/rand.Read", _) => {
            let mut value = filled(None);
            value.labels = value.labels | Labels::WEAK_RANDOM;
            return vec![(0, value)];
        }
        ("copy", _) => return vec![(0, filled(argument(1)))],
        ("encoding/json.Unmarshal" | "encoding/xml.Unmarshal" | "yaml.Unmarshal" | "toml.Unmarshal", _) => {
            return vec![(1, filled(argument(0)))];
        }
        ("fmt.Sscan" | "fmt.Sscanf" | "fmt.Sscanln" | "fmt.Fscan" | "fmt.Fscanf" | "fmt.Fscanln", _) => {
            return (1..event.positional.len()).map(|at| (at, filled(argument(0)))).collect();
        }
        ("fmt.Scan" | "fmt.Scanln" | "fmt.Scanf", _) => {
            let mut value = filled(None);
            let source = Source { kind: SourceKind::Outside, label: path.into(), span: event.span };
            value.taints.push(Taint::new(source, event.span.start as u64));
            return (0..event.positional.len()).map(|at| (at, value.clone())).collect();
        }
        (
            _,
            "Decode" | "Bind" | "BindJSON" | "ShouldBind" | "ShouldBindJSON" | "ShouldBindQuery" | "BodyParser"
            | "QueryParser" | "ReadJSON" | "Read",
        ) => return vec![(0, filled(receiver))],
        _ => {}
    }
    // Memory that was set aside and handed to a function is no longer known to be empty.
    let is_known = OPAQUE.contains(&path) || path.starts_with("crypto/") || path == "append" || path == "pbkdf2.Key";
    if is_known {
        return Vec::new();
    }
    let memory = |value: &Value| value.path_text() == "make()" || value.path_text().starts_with('[');
    let handed = event.positional.iter().enumerate().filter(|(_, operand)| memory(&operand.value));
    handed.map(|(at, _)| (at, filled(None))).collect()
}

/// Functions whose effect on input is known.
pub(super) fn function(interpreter: &mut Interpreter<'_>, event: &Event, key: u64, here: u64) -> Option<Value> {
    let span = event.span;
    let first = event.positional.first();
    let mut value = Value::unknown(key);
    match event.path.as_ref() {
        "range" => return Some(range(interpreter, first?, key, span)),
        "make" | "new" => {
            value = Value::unknown(mix(key, here));
            value.path = Some(format!("{}()", event.path).into());
            if let (Some(kind), "new") = (first, event.path.as_ref()) {
                value.path = Some(format!("{}()", kind.value.path_text()).into());
            }
        }
        "append" => return Some(append(interpreter, event, key)),
        "fmt.Sprintf" => {
            let rest = event.positional.get(1..).unwrap_or_default();
            return Some(announced(interpreter, printf(first?, rest, event.splat.as_ref(), span), span));
        }
        "fmt.Sprint" | "fmt.Sprintln" => {
            let pieces = event.positional.iter().flat_map(|operand| format::hole(operand, false, false)).collect();
            return Some(announced(interpreter, format::text(pieces, span), span));
        }
        "fmt.Errorf" | "errors.New" | "errors.Errorf" | "errors.Wrap" | "errors.Wrapf" => {
            for operand in event.arguments() {
                value.absorb(&operand.value, span);
            }
            value.labels = value.labels.without(Labels::ERROR_TEXT);
            value.path = Some("error".into());
        }
        "strings.Join" => {
            let (items, separator) = (first?, event.positional.get(1)?);
            let element = interpreter.element(&items.value, items.span);
            let text = format::join(&separator.value, separator.span, items, &element, span);
            return Some(announced(interpreter, text, span));
        }
        "strings.ReplaceAll" | "strings.Replace" | "bytes.ReplaceAll" => return replace(event, value),
        "strings.ToLower" | "strings.ToUpper" | "strings.TrimSpace" | "strings.Title" | "strings.Clone"
        | "strings.Trim" | "strings.TrimRight" | "strings.TrimSuffix" | "strings.TrimLeft" | "strings.TrimPrefix" => {
            let first = first?;
            value.absorb(&first.value, span);
            value.stand_for(&first.value, Classes::ALL);
            value.labels = value.labels | (first.value.labels & Labels::RESOLVED_PATH);
            if first.value.is_built() {
                value = value.with_shape(first.value.shape.clone());
            }
        }
        "strings.Split" | "strings.SplitN" | "strings.Fields" | "strings.SplitAfter" => {
            let first = first?;
            let separator = event.positional.get(1).and_then(|separator| separator.value.text());
            let lacks = separator.map_or(Classes::NONE, crate::flow::conditions::harmless_lacking);
            let harmless = if event.path.as_ref() == "strings.Split" { lacks } else { Classes::NONE };
            value.absorb_without(&first.value, harmless, span);
            let mut element = Value::unknown(mix(key, 1));
            element.absorb_without(&first.value, harmless, span);
            return Some(value.with_shape(Shape::Repeated(Rc::new(element))));
        }
        "path/filepath.Join" | "path.Join" => {
            let mut joined = join_path(&event.positional, span);
            // The result is clean, and under a root there is nothing above.
            let is_rooted = first.is_some_and(|first| first.value.text() == Some("/"));
            if is_rooted {
                for taint in &mut joined.taints {
                    taint.classes = taint.classes.without(Classes::PATH);
                }
                joined.taints.retain(|taint| !taint.classes.is_empty());
            }
            joined.labels = joined.labels | Labels::RESOLVED_PATH;
            joined.path = Some("path/filepath.Join()".into());
            return Some(joined);
        }
        "path/filepath.Clean" | "path.Clean" | "path/filepath.Abs" | "path/filepath.EvalSymlinks" => {
            let first = first?;
            // `Clean("/" + name)` cannot climb.
            let starts_at_root = first.value.outline().starts_with('/') && first.value.is_built();
            let harmless = if starts_at_root && event.path.ends_with("Clean") { Classes::PATH } else { Classes::NONE };
            value.absorb_without(&first.value, harmless, span);
            value.stand_for(&first.value, Classes::PATH);
            value.labels = value.labels | Labels::RESOLVED_PATH;
        }
        "path/filepath.Rel" => {
            let path = event.positional.get(1)?;
            value.absorb(&path.value, span);
            value.stand_for(&path.value, Classes::PATH);
        }
        "path/filepath.Ext" | "path.Ext" => {
            value.absorb_without(&first?.value, Classes::PATH, span);
            value.stand_for(&first?.value, Classes::EXTENSION);
        }
        "path/filepath.Dir" | "path.Dir" => {
            value.absorb(&first?.value, span);
            value.labels = value.labels | (first?.value.labels & Labels::RESOLVED_PATH);
        }
        "net/url.Parse" | "net/url.ParseRequestURI" => {
            value.absorb(&first?.value, span);
            value.stand_for(&first?.value, Classes::HOST);
        }
        "strconv.Atoi" | "strconv.ParseInt" | "strconv.ParseUint" | "strconv.ParseFloat" => {
            return Some(number(event, value));
        }
        "strconv.Itoa" | "strconv.FormatInt" | "strconv.ParseBool" | "strconv.FormatUint" | "strconv.FormatBool"
        | "min" => {}
        "int" | "int8" | "int16" | "int32" | "int64" | "uint" | "uint8" | "uint16" | "uint32" | "uint64"
        | "uintptr" => {
            let first = first?;
            if let Some(constant @ Constant::Integer(_)) = &first.value.constant {
                return Some(Value::constant(constant.clone()));
            }
            value.absorb_without(&first.value, !Classes::SIZE, span);
            value.stand_for(&first.value, Classes::SIZE);
            if first.value.path_text().starts_with("strconv.") {
                value.path.clone_from(&first.value.path);
            }
        }
        "net/url.QueryUnescape" | "net/url.PathUnescape" | "html.UnescapeString" | "encoding/hex.DecodeString" => {
            value.absorb_restored(&first?.value, Classes::ALL, span);
        }
        _ => return None,
    }
    Some(value)
}

/// Lets the rules look at a text that was put together.
fn announced(interpreter: &mut Interpreter<'_>, text: Value, span: Span) -> Value {
    let operand = Operand { value: Rc::new(text), span };
    (interpreter.dialect.hooks.text)(&operand, &interpreter.environment, &mut interpreter.report);
    Value::clone(&operand.value)
}

/// What a loop over a value yields: keys with elements.
fn range(interpreter: &mut Interpreter<'_>, over: &Operand, key: u64, span: Span) -> Value {
    let pair = |at: Value, element: ValueRef| {
        let items: Rc<[ValueRef]> = [Rc::new(at), element].into();
        Rc::new(Value::unknown(mix(key, items[1].key)).with_shape(Shape::Sequence(SequenceKind::Tuple, items)))
    };
    if let Shape::Sequence(_, items) = &over.value.shape
        && items.len() <= 12
        && items.iter().all(|item| item.is_literal())
    {
        let number = |at: usize| Value::constant(Constant::Integer(i64::try_from(at).unwrap_or(i64::MAX)));
        let pairs = items.iter().enumerate().map(|(at, item)| pair(number(at), Rc::clone(item))).collect();
        return Value::unknown(key).with_shape(Shape::Sequence(SequenceKind::List, pairs));
    }
    let mut position = Value::unknown(mix(key, 3));
    let path = over.value.path_text();
    let is_table = ["Header", "Form", "PostForm", "Query()", "Vars()", "MultipartForm.File"]
        .iter()
        .any(|name| path.ends_with(name));
    let element = if let Shape::Dictionary(entries) = &over.value.shape {
        for name in entries.iter().filter_map(|(name, _)| name.as_ref()) {
            position.absorb(name, span);
        }
        let mut element = Value::unknown(mix(key, 4));
        for (_, entry) in entries.iter() {
            element.absorb(entry, span);
        }
        Rc::new(element)
    } else {
        interpreter.element(&over.value, over.span)
    };
    if is_table {
        position.absorb(&over.value, span);
    }
    let pair = pair(position, element);
    Value::unknown(mix(key, 5)).with_shape(Shape::Repeated(pair))
}

fn append(interpreter: &mut Interpreter<'_>, event: &Event, key: u64) -> Value {
    let mut value = Value::unknown(key);
    for operand in event.arguments() {
        value.absorb(&operand.value, event.span);
    }
    let Some((base, added)) = event.positional.split_first() else { return value };
    value.labels = value.labels | Labels::WRITTEN;
    match &base.value.shape {
        Shape::Sequence(kind, items) if interpreter.loops.is_empty() && items.len() < 32 && event.splat.is_none() => {
            let all = items.iter().cloned().chain(added.iter().map(|operand| Rc::clone(&operand.value))).collect();
            value.with_shape(Shape::Sequence(*kind, all))
        }
        _ => value,
    }
}

/// A number that was read from a text: nothing but its size can do harm.
fn number(event: &Event, mut value: Value) -> Value {
    for operand in event.positional.iter().take(1) {
        value.absorb_without(&operand.value, !Classes::SIZE, event.span);
    }
    if value.taints.is_empty() {
        let source = Source { kind: SourceKind::Inner, label: Rc::clone(&event.path), span: event.span };
        let mut taint = Taint::new(source, value.key);
        taint.classes = Classes::SIZE;
        value.taints.push(taint);
    }
    value.path = Some(format!("{}()", event.path).into());
    let positional = event.positional.iter().map(|operand| Rc::clone(&operand.value)).collect();
    value.with_shape(Shape::Called { receiver: None, positional, keywords: [].into() })
}

/// `strings.ReplaceAll(text, old, new)`.
fn replace(event: &Event, mut value: Value) -> Option<Value> {
    let [text, old, new, ..] = event.positional.as_slice() else { return None };
    value.absorb_without(&text.value, replaced(&old.value, &new.value), event.span);
    value.absorb(&new.value, event.span);
    Some(value)
}

/// What a text lacks in which each `old` was replaced.
fn replaced(old: &Value, new: &Value) -> Classes {
    let (Some(old), Some(new)) = (old.characters(), new.characters()) else { return Classes::NONE };
    let mut letters = old.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if !new.contains(letter) => harmless_without(letter),
        // A quote that is doubled, or escaped, stays inside its literal.
        (Some('\''), None) if new == "''" => Classes::XPATH_SINGLE_QUOTE,
        (Some('.'), Some('.')) if letters.next().is_none() && !new.contains('.') => Classes::PATH_UP,
        _ => Classes::NONE,
    }
}

/// `template` with its verbs replaced by values.
pub(super) fn printf(template: &Operand, values: &[Operand], rest: Option<&Operand>, span: Span) -> Value {
    let mut pieces = Vec::new();
    let mut next = values.iter();
    for piece in template.value.pieces(template.span) {
        let Piece::Literal(literal) = piece else {
            pieces.push(piece);
            continue;
        };
        let mut text = literal.as_ref();
        while let Some(at) = text.find('%') {
            pieces.push(Piece::Literal(text[..at].into()));
            text = &text[at + 1..];
            let Some(verb_at) = text.find(|letter: char| letter.is_ascii_alphabetic() || letter == '%') else { break };
            let (flags, verb) = (&text[..verb_at], text.as_bytes()[verb_at]);
            text = &text[verb_at + 1..];
            if verb == b'%' {
                pieces.push(Piece::Literal("%".into()));
                continue;
            }
            let explicit = flags.strip_prefix('[').and_then(|flags| flags.split(']').next()?.parse::<usize>().ok());
            let operand = match explicit {
                Some(at) => values.get(at.wrapping_sub(1)),
                None => next.next(),
            };
            if let Some(operand) = operand.or(rest) {
                let is_number =
                    matches!(verb, b'd' | b'x' | b'X' | b'f' | b'e' | b'g' | b'o' | b'b' | b't' | b'p' | b'T' | b'c');
                pieces.extend(format::hole(operand, verb == b'q', is_number));
            }
        }
        pieces.push(Piece::Literal(text.into()));
    }
    pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    format::text(pieces, span)
}

/// Methods that ask a store or a server: what they return is not what they were asked with.
const ASKS: &[&str] = &[
    "QueryRow",
    "QueryContext",
    "QueryRowContext",
    "Queryx",
    "Exec",
    "ExecContext",
    "Prepare",
    "Do",
    "Get",
    "Post",
    "Query",
    "FindOne",
    "Find",
    "First",
    "LookupHost",
    "Stat",
];

/// Methods whose effect on input is known. `None` leaves the call to the general rule: everything goes through.
pub(super) fn method(
    interpreter: &mut Interpreter<'_>,
    event: &Event,
    receiver: &ValueRef,
    key: u64,
    span: Span,
) -> Option<Value> {
    let _ = interpreter;
    let first = event.positional.first();
    let mut value = Value::unknown(key);
    match event.method.as_ref() {
        "Context" | "Done" | "Len" | "Close" | "Err" if event.positional.is_empty() => {}
        "String" | "Bytes" | "Text" if event.positional.is_empty() => {
            value.absorb(receiver, span);
            value.stand_for(receiver, Classes::ALL);
            if receiver.is_built() {
                value = value.with_shape(receiver.shape.clone());
            }
        }
        "Hostname" | "Port" if event.positional.is_empty() => {
            value.absorb(receiver, span);
            value.stand_for(receiver, Classes::HOST);
        }
        "Error" if event.positional.is_empty() => {
            // What went wrong is told in words of the program's own.
            value.labels = receiver.labels | Labels::ERROR_TEXT;
        }
        "ReplaceAllString" | "ReplaceAllLiteralString" => {
            let known = match (&receiver.shape, receiver.path_text()) {
                (Shape::Called { positional, .. }, "regexp.MustCompile()") => positional.first(),
                _ => None,
            };
            let replacement = event.positional.get(1).and_then(|replacement| replacement.value.characters());
            let harmless = match (known.and_then(|known| known.characters()), replacement) {
                (Some(known), Some(replacement)) => pattern_facts::substituted(&pattern(known), replacement),
                _ => Classes::NONE,
            };
            value.absorb_without(&first?.value, harmless, span);
        }
        "Replace" => {
            let Shape::Called { positional, .. } = &receiver.shape else { return None };
            if receiver.path_text() != "strings.NewReplacer()" {
                return None;
            }
            let harmless =
                positional.chunks_exact(2).fold(Classes::NONE, |all, pair| all | replaced(&pair[0], &pair[1]));
            value.absorb_without(&first?.value, harmless, span);
        }
        "DecodeString" => value.absorb_restored(&first?.value, Classes::ALL, span),
        "Sum" if receiver.path_text().starts_with("crypto/") => value.labels = Labels::DIGEST,
        name if ASKS.contains(&name) => {
            if receiver.taints.iter().any(|taint| taint.source.kind == SourceKind::Outside) {
                return None;
            }
        }
        _ => return None,
    }
    Some(value)
}

//! Functions of the standard library and of common packages: what they do to input.

use std::rc::Rc;

use super::methods::sanitised;
use super::names::canonical;
use crate::flow::calls::Event;
use crate::flow::classes::{Classes, Labels};
use crate::flow::interpreter::Interpreter;
use crate::flow::paths::join_path;
use crate::flow::pattern_facts;
use crate::flow::value::{Shape, Value, ValueRef, mix};
use crate::syntax::{Constant, SequenceKind};

/// Calls whose result says nothing of their arguments.
const OPAQUE: &[&str] = &[
    "len",
    "bool",
    "int",
    "float",
    "abs",
    "round",
    "hash",
    "id",
    "complex",
    "range",
    "open",
    "os.open",
    "os.fdopen",
    "os.path.exists",
    "os.path.isfile",
    "os.path.isdir",
    "os.path.getsize",
    "os.stat",
    "os.urandom",
    "time.time",
    "isinstance",
    "issubclass",
    "callable",
    "hasattr",
    "uuid.uuid4",
    "uuid.UUID",
    "datetime.datetime.now",
    "random.random",
    "ast.parse",
    "re.compile",
    "sqlite3.connect",
    "os.environ.get",
    "os.getenv",
    "socket.socket",
    "hmac.compare_digest",
    "secrets.compare_digest",
    "csv.writer",
    "csv.DictWriter",
    "os.listdir",
    "os.getpid",
    "time.time_ns",
    "secrets.token_hex",
    "secrets.token_bytes",
    "secrets.token_urlsafe",
    "secrets.choice",
    "secrets.randbelow",
    "random.choice",
    "random.choices",
    "random.randint",
    "random.randrange",
    "random.getrandbits",
    "random.randbytes",
    "random.sample",
    "random.uniform",
    "zlib.crc32",
    "zlib.adler32",
    "binascii.crc32",
    "subprocess.run",
    "subprocess.check_output",
    "subprocess.Popen",
    "os.popen",
    "tempfile.mkstemp",
    "tempfile.mkdtemp",
    "tempfile.mktemp",
];

pub(super) fn function(interpreter: &mut Interpreter<'_>, event: &Event, key: u64, here: u64) -> Option<Value> {
    standard(event, key, here).or_else(|| many(interpreter, event, key)).or_else(|| opaque(event, key, here))
}

/// Functions that go through the elements of what they are given.
fn many(interpreter: &mut Interpreter<'_>, event: &Event, key: u64) -> Option<Value> {
    let (path, span) = (event.path.as_ref(), event.span);
    if matches!(path, "enumerate" | "zip") {
        let mut parts: Vec<ValueRef> = Vec::new();
        if path == "enumerate" {
            parts.push(Rc::new(Value::unknown(mix(key, 1))));
        }
        for operand in &event.positional {
            parts.push(interpreter.element(&operand.value, operand.span));
        }
        let element = Value::unknown(mix(key, 2)).with_shape(Shape::Sequence(SequenceKind::Tuple, parts.into()));
        return Some(Value::unknown(key).with_shape(Shape::Repeated(Rc::new(element))));
    }
    let ("map", [function, values]) = (path, event.positional.as_slice()) else { return None };
    let element = interpreter.element(&values.value, values.span);
    let mut mapped = Value::unknown(mix(function.value.key, element.key));
    if !OPAQUE.contains(&function.value.path_text()) {
        mapped.absorb_without(&element, sanitised(function.value.path_text()), span);
    }
    let mut value = Value::unknown(key);
    value.absorb(&mapped, span);
    Some(value.with_shape(Shape::Repeated(Rc::new(mapped))))
}

fn opaque(event: &Event, key: u64, here: u64) -> Option<Value> {
    let path = event.path.as_ref();
    if !OPAQUE.contains(&path) {
        return None;
    }
    let mut value = Value::unknown(if path.starts_with("os.path") || path == "len" { key } else { mix(key, here) });
    super::methods::label(path, &mut value);
    if let (true, Some(first)) = (path == "len", event.positional.first()) {
        value.stand_for(&first.value, Classes::SIZE);
    }
    if path == "open" {
        let mode = event.positional.get(1).map(|mode| &mode.value).or_else(|| event.keyword("mode"));
        if mode.and_then(|mode| mode.text()).is_some_and(|mode| mode.starts_with('a')) {
            value.labels = value.labels | Labels::APPENDING;
        }
    }
    Some(value)
}

/// Functions of the standard library that a check or a sanitiser is made of.
fn standard(event: &Event, key: u64, here: u64) -> Option<Value> {
    let path = event.path.as_ref();
    let span = event.span;
    let first = event.positional.first();
    let mut value = Value::unknown(key);
    match path {
        "os.path.join" => return Some(join_path(&event.positional, span)),
        "pathlib.Path" => {
            let mut value = match event.positional.as_slice() {
                [] => Value::unknown(key),
                parts => join_path(parts, span),
            };
            value.path = Some("pathlib.Path()".into());
            if let [only] = event.positional.as_slice() {
                value.stand_for(&only.value, Classes::PATH);
                value.labels = value.labels | only.value.labels.without(Labels::TEXT);
            }
            return Some(value);
        }
        "os.path.realpath" | "os.path.abspath" | "os.path.normpath" | "os.path.expanduser" => {
            let first = first?;
            value.absorb(&first.value, span);
            value.stand_for(&first.value, Classes::PATH);
            if path != "os.path.expanduser" {
                value.labels = value.labels | Labels::RESOLVED_PATH;
            }
        }
        "os.path.dirname" | "os.fspath" => {
            let first = first?;
            value.absorb(&first.value, span);
            value.labels = value.labels | (first.value.labels & Labels::RESOLVED_PATH);
        }
        "os.path.splitext" | "mimetypes.guess_type" => {
            let first = first?;
            value.absorb(&first.value, span);
            value.stand_for(&first.value, Classes::EXTENSION);
        }
        // Another language's words for the same text.
        "_"
        | "gettext"
        | "ugettext"
        | "ngettext"
        | "gettext_lazy"
        | "gettext.gettext"
        | "_t"
        | "flask_babel.gettext"
        | "django.utils.translation.gettext"
        | "django.utils.translation.gettext_lazy"
            if first.is_some_and(|first| first.value.text().is_some()) =>
        {
            return first.map(|first| Value::clone(&first.value));
        }
        "os.path.commonpath" | "os.path.commonprefix" | "type" => {}
        "html.unescape" | "xml.sax.saxutils.unescape" => value.absorb_restored(&first?.value, Classes::HTML, span),
        "urllib.parse.unquote"
        | "urllib.parse.unquote_plus"
        | "base64.b64decode"
        | "base64.urlsafe_b64decode"
        | "bytes.fromhex"
        | "binascii.unhexlify"
        | "codecs.decode" => {
            value.absorb_restored(&first?.value, Classes::ALL, span);
        }
        "json.loads" | "json.load" | "ast.literal_eval" => {
            let restored = Classes::LINES | Classes::FORMULA | Classes::CODE | Classes::OPERATOR | Classes::PICKLE;
            value.absorb_restored(&first?.value, restored, span);
        }
        "str" | "os.fsdecode" => {
            let Some(first) = first else { return Some(Value::constant(Constant::Text("".into()))) };
            if first.value.text().is_some() {
                return Some(Value::clone(&first.value));
            }
            value.absorb_without(&first.value, Classes::OPERATOR, span);
            value.stand_for(&first.value, Classes::ALL);
            value.labels = value.labels | Labels::TEXT | (first.value.labels & Labels::RESOLVED_PATH);
            value.path.clone_from(&first.value.path);
            if first.value.is_built() {
                value = value.with_shape(first.value.shape.clone());
            }
        }
        "repr" | "ascii" => {
            let first = first?;
            value.absorb_without(&first.value, Classes::LINES | Classes::FORMULA | Classes::OPERATOR, span);
            value.labels = value.labels | Labels::TEXT;
        }
        "re.sub" => {
            let (pattern, replacement, text) = (first?, event.positional.get(1)?, event.positional.get(2)?);
            let harmless = match (pattern.value.characters(), replacement.value.characters()) {
                (Some(pattern), Some(replacement)) => pattern_facts::substituted(pattern, replacement),
                _ => Classes::NONE,
            };
            value.absorb_without(&text.value, harmless, span);
            value.absorb(&replacement.value, span);
        }
        "urllib.parse.urlparse" => {
            let first = first?;
            value.absorb(&first.value, span);
            value.stand_for(&first.value, Classes::HOST);
        }
        "ipaddress.ip_address" | "socket.gethostbyname" | "socket.getaddrinfo" => {
            let first = first?;
            value.absorb(&first.value, span);
            value.stand_for(&first.value, Classes::REQUEST_HOST);
        }
        "all" | "any" | "sum" | "min" | "max" => {
            if let Some(first) = first
                && !matches!(path, "all" | "any")
            {
                value.absorb(&first.value, span);
                value.stand_for(&first.value, Classes::SIZE);
            }
        }
        "dict" => {
            for operand in event.arguments() {
                value.absorb(&operand.value, span);
            }
            if event.positional.is_empty() && event.double_splat.is_none() {
                let entries = event.keywords.iter().map(|(name, operand)| {
                    (Some(Rc::new(Value::constant(Constant::Text(Rc::clone(name))))), Rc::clone(&operand.value))
                });
                return Some(value.with_shape(Shape::Dictionary(entries.collect())));
            }
        }
        "locals" | "globals" | "vars" => {
            value = Value::unknown(mix(key, here));
            value.path = Some(format!("{path}()").into());
        }
        _ => return None,
    }
    Some(value)
}

/// Calls that only find a name: `getattr(os, "system")`, `__import__("os")`, `functools.partial(run, ...)`.
pub(super) fn reflected(interpreter: &mut Interpreter<'_>, event: &Event) -> Option<Value> {
    let argument = |at: usize| event.positional.get(at).map(|operand| Rc::clone(&operand.value));
    if let (Shape::Called { positional, .. }, "operator.attrgetter()") =
        (&event.callee.value.shape, event.path.as_ref())
    {
        let name = Rc::clone(positional.first()?);
        return Some(interpreter.attribute(&argument(0)?, name.text()?, event.span));
    }
    match (event.path.as_ref(), argument(0)) {
        ("getattr", Some(owner)) => {
            let name = argument(1)?;
            let name = name.text()?;
            Some(interpreter.attribute(&owner, name, event.span))
        }
        ("__import__" | "importlib.import_module" | "importlib.__import__", Some(name)) => {
            Some(Value::path(canonical(name.text()?)))
        }
        ("functools.partial", Some(function)) => Some(Value::clone(&function)),
        ("globals().get" | "vars().get" | "globals().__getitem__" | "operator.getitem", Some(name)) => {
            let base = event.receiver.as_ref().map(|operand| Rc::clone(&operand.value))?;
            Some(interpreter.subscript(&base, &name, event.span))
        }
        _ => None,
    }
}

//! Calls: who is called, what the rules are told, what comes back.

use std::rc::Rc;

use super::classes::{Classes, Labels};
use super::interpreter::{Arguments, Call, Interpreter, Operand};
use super::value::{Shape, Source, SourceKind, Taint, Value, ValueRef, mix, text_key};
use super::{methods, pattern_facts};
use crate::rules;
use crate::syntax::{Argument, ArgumentKind, Constant, ExpressionId, ExpressionKind, SequenceKind, Span};

/// Calls whose result is plainly from outside.
const OUTSIDE: &[&str] =
    &["cgi.FieldStorage", "input", "raw_input", "sys.stdin.read", "sys.stdin.readline", "sys.stdin.readlines"];

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

/// Calls that return one of their arguments' elements, or all of them in another container.
const CONTAINERS: &[&str] =
    &["list", "tuple", "sorted", "reversed", "set", "frozenset", "iter", "filter", "copy.copy", "copy.deepcopy"];

/// Names that old code uses for what now has another name.
const OLD_NAMES: &[(&str, &str)] = &[
    ("builtins.", ""),
    ("__builtin__.", ""),
    ("__builtins__.", ""),
    ("io.open", "open"),
    ("codecs.open", "open"),
    ("posixpath.", "os.path."),
    ("ntpath.", "os.path."),
    ("posix.", "os."),
    ("cPickle.", "pickle."),
    ("_pickle.", "pickle."),
    ("_random.", "random."),
    ("xml.etree.cElementTree", "xml.etree.ElementTree"),
    ("urllib2.urlopen", "urllib.request.urlopen"),
    ("urllib.urlopen", "urllib.request.urlopen"),
    ("urlparse.", "urllib.parse."),
    ("Crypto.", "Cryptodome."),
    ("pathlib.PosixPath", "pathlib.Path"),
    ("pathlib.PurePath", "pathlib.Path"),
    ("pathlib.PurePosixPath", "pathlib.Path"),
    ("urllib.parse.urlsplit", "urllib.parse.urlparse"),
    ("flask.Markup", "markupsafe.Markup"),
    ("_md5.md5", "hashlib.md5"),
    ("_sha1.sha1", "hashlib.sha1"),
    ("defusedxml.cElementTree", "defusedxml.ElementTree"),
];

/// The usual name of what a path names.
pub(super) fn canonical(path: &str) -> Rc<str> {
    for (old, new) in OLD_NAMES {
        if let Some(rest) = path.strip_prefix(old)
            && (old.ends_with('.') || rest.is_empty() || rest.starts_with(['.', '(']))
        {
            return format!("{new}{rest}").into();
        }
    }
    path.into()
}

/// Joins parts of a file's path. What comes before another part is where the caller keeps files, not what was asked for.
pub(super) fn join_path(parts: &[Operand], span: Span) -> Value {
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

impl Interpreter<'_> {
    pub(super) fn call(&mut self, callee: ExpressionId, arguments: &[Argument], span: Span, here: u64) -> Value {
        let module = self.module;
        let callee_value = Rc::clone(&self.values[callee as usize]);
        let (mut method, mut receiver) = (Rc::<str>::from(""), None);
        match &module.expression(callee).kind {
            ExpressionKind::Attribute { base, name } => {
                method = Rc::clone(name);
                receiver = Some(self.operand(*base));
            }
            ExpressionKind::Name(name) => method = Rc::clone(name),
            _ => {}
        }
        // A bound method that was stored under a name: `run = connection.execute`.
        if receiver.is_none()
            && let Shape::Attribute(owner, name) = &callee_value.shape
        {
            method = Rc::clone(name);
            receiver = Some(Operand { value: Rc::clone(owner), span: module.span(callee) });
        }
        let mut event = Event {
            path: callee_value.path.clone().unwrap_or_else(|| "".into()),
            method,
            receiver,
            callee: Operand { value: callee_value, span: module.span(callee) },
            positional: Vec::new(),
            keywords: Vec::new(),
            splat: None,
            double_splat: None,
            span,
        };
        for argument in arguments {
            let operand = self.operand(argument.value);
            match &argument.kind {
                ArgumentKind::Positional => event.positional.push(operand),
                ArgumentKind::Keyword(name) => event.keywords.push((Rc::clone(name), operand)),
                ArgumentKind::Splat => match &operand.value.shape {
                    Shape::Sequence(_, items) => {
                        let items = items.iter().map(|item| Operand { value: Rc::clone(item), span: operand.span });
                        event.positional.extend(items);
                    }
                    _ => event.splat = Some(operand),
                },
                ArgumentKind::DoubleSplat => match &operand.value.shape {
                    Shape::Dictionary(entries)
                        if entries.iter().all(|(key, _)| key.as_ref().is_some_and(|k| k.text().is_some())) =>
                    {
                        for (key, value) in entries.iter() {
                            let name = key.as_ref().and_then(|key| key.text()).unwrap_or_default();
                            event.keywords.push((name.into(), Operand { value: Rc::clone(value), span: operand.span }));
                        }
                    }
                    _ => event.double_splat = Some(operand),
                },
            }
        }
        if event.path.as_ref() == "print"
            && let Some(stream) =
                arguments.iter().find(|argument| argument.kind == ArgumentKind::Keyword("file".into()))
        {
            for operand in event.positional.clone() {
                self.weaken(stream.value, &operand.value, span);
            }
        }
        self.announce(&event);
        self.announce_passed(&event);
        self.result(&event, callee, here)
    }

    /// Tells the rules.
    fn announce(&mut self, event: &Event) {
        let call = Call {
            path: &event.path,
            method: &event.method,
            receiver: event.receiver.clone(),
            callee: event.callee.clone(),
            positional: event.positional.clone(),
            keywords: event.keywords.clone(),
            splat: event.splat.clone(),
            double_splat: event.double_splat.clone(),
            environment: &self.environment,
            place: &self.place,
        };
        rules::call(&call, &mut self.report);
    }

    /// A function handed to another to be called there: `map(eval, texts)`, `Thread(target=os.system, args=(text,))`.
    fn announce_passed(&mut self, event: &Event) {
        let is_function = |operand: &Operand| {
            let path = operand.value.path_text();
            !path.is_empty() && !path.contains(['(', '[']) && rules::is_dangerous_function(path)
        };
        let handed = event.keywords.iter().find(|(name, _)| name.as_ref() == "target").map(|(_, operand)| operand);
        let (function, rest) = match (handed, event.positional.split_first()) {
            (Some(function), _) if is_function(function) => (function.clone(), event.positional.clone()),
            (_, Some((first, rest))) if is_function(first) => (first.clone(), rest.to_vec()),
            _ => return,
        };
        let mut positional: Vec<Operand> = Vec::new();
        for operand in rest {
            let is_many = matches!(event.path.as_ref(), "map" | "filter" | "functools.reduce" | "itertools.starmap");
            let value = if is_many { self.element(&operand.value, operand.span) } else { Rc::clone(&operand.value) };
            positional.push(Operand { value, span: operand.span });
        }
        if let Some((_, tuple)) = event.keywords.iter().find(|(name, _)| name.as_ref() == "args") {
            let items = tuple.value.items().iter();
            positional.extend(items.map(|item| Operand { value: Rc::clone(item), span: tuple.span }));
        }
        let passed = Event {
            path: function.value.path.clone().unwrap_or_else(|| "".into()),
            method: "".into(),
            receiver: None,
            callee: function,
            positional,
            keywords: event.keywords.clone(),
            splat: None,
            double_splat: None,
            span: event.span,
        };
        self.announce(&passed);
    }

    fn result(&mut self, event: &Event, callee: ExpressionId, here: u64) -> Value {
        let span = event.span;
        let path = Rc::clone(&event.path);
        if let Some(named) = self.reflected(event) {
            return named;
        }
        if let Shape::Function(function) = event.callee.value.shape {
            let rest = event.splat.as_ref().or(event.double_splat.as_ref()).map(|operand| Rc::clone(&operand.value));
            let parameters = &self.module.functions[function as usize].parameters;
            let takes_self = parameters.first().is_some_and(|first| matches!(first.name.as_ref(), "self" | "cls"));
            let arguments = Arguments {
                positional: event.positional.iter().map(|operand| Rc::clone(&operand.value)).collect(),
                keywords: event
                    .keywords
                    .iter()
                    .map(|(name, operand)| (Rc::clone(name), Rc::clone(&operand.value)))
                    .collect(),
                rest,
                is_method: takes_self && event.receiver.is_some(),
            };
            if let Some(value) = self.follow(function, &arguments) {
                return value;
            }
        }
        let receiver = event.receiver.as_ref().map(|operand| Rc::clone(&operand.value));
        let mut value = self.model(event, receiver.as_ref(), here);
        if value.path.is_none() && !path.is_empty() && path.len() < 150 {
            value.path = Some(format!("{path}()").into());
        }
        let (truth, passed) = self.predicate(&path, &event.method, receiver.as_ref(), &event.positional);
        if let Some(truth) = truth {
            value.truth = Some(Rc::new(truth));
        }
        self.environment.learn(&passed);
        self.mutate(event, callee);
        let positional = event.positional.iter().map(|operand| Rc::clone(&operand.value)).collect();
        let keywords =
            event.keywords.iter().map(|(name, operand)| (Rc::clone(name), Rc::clone(&operand.value))).collect();
        if matches!(value.shape, Shape::Opaque) && value.constant.is_none() {
            value = value.with_shape(Shape::Called { receiver, positional, keywords });
        }
        // What an archive holds was put there by others, wherever the archive itself lies.
        let is_archive = matches!(path.as_ref(), "tarfile.open" | "zipfile.ZipFile") && value.taints.is_empty();
        if OUTSIDE.contains(&path.as_ref()) || is_archive {
            let source = Source { kind: SourceKind::Outside, label: Rc::clone(&path), span };
            value.taints = vec![Taint::new(source, value.key)];
        }
        value
    }

    /// Calls that only find a name: `getattr(os, "system")`, `__import__("os")`, `functools.partial(run, ...)`.
    fn reflected(&mut self, event: &Event) -> Option<Value> {
        let argument = |at: usize| event.positional.get(at).map(|operand| Rc::clone(&operand.value));
        if let (Shape::Lambda(body), true) = (&event.callee.value.shape, event.receiver.is_none()) {
            let mut value = Value::clone(body);
            for operand in event.arguments() {
                value.absorb(&operand.value, event.span);
            }
            return Some(value);
        }
        if let (Shape::Called { positional, .. }, "operator.attrgetter()") =
            (&event.callee.value.shape, event.path.as_ref())
        {
            let name = Rc::clone(positional.first()?);
            return Some(self.attribute(&argument(0)?, name.text()?, event.span));
        }
        match (event.path.as_ref(), argument(0)) {
            ("getattr", Some(owner)) => {
                let name = argument(1)?;
                let name = name.text()?;
                Some(self.attribute(&owner, name, event.span))
            }
            ("__import__" | "importlib.import_module" | "importlib.__import__", Some(name)) => {
                Some(Value::path(canonical(name.text()?)))
            }
            ("functools.partial", Some(function)) => Some(Value::clone(&function)),
            ("globals().get" | "vars().get" | "globals().__getitem__" | "operator.getitem", Some(name)) => {
                let base = event.receiver.as_ref().map(|operand| Rc::clone(&operand.value))?;
                Some(self.subscript(&base, &name, event.span))
            }
            _ => None,
        }
    }

    /// What the call returns.
    fn model(&mut self, event: &Event, receiver: Option<&ValueRef>, here: u64) -> Value {
        let span = event.span;
        let mut key = mix(text_key(&event.path), text_key(&event.method));
        if let Some(receiver) = receiver {
            key = mix(key, receiver.key);
        }
        for operand in event.positional.iter().chain(event.keywords.iter().map(|(_, operand)| operand)) {
            key = mix(key, operand.value.key);
        }
        let path = event.path.as_ref();
        let first = event.positional.first();
        if let Some(known) = function_model(path, event, key, here) {
            return known;
        }
        if matches!(path, "enumerate" | "zip") {
            let mut parts: Vec<ValueRef> = Vec::new();
            if path == "enumerate" {
                parts.push(Rc::new(Value::unknown(mix(key, 1))));
            }
            for operand in &event.positional {
                parts.push(self.element(&operand.value, operand.span));
            }
            let element = Value::unknown(mix(key, 2)).with_shape(Shape::Sequence(SequenceKind::Tuple, parts.into()));
            return Value::unknown(key).with_shape(Shape::Repeated(Rc::new(element)));
        }
        if path == "map"
            && let [function, values] = event.positional.as_slice()
        {
            let element = self.element(&values.value, values.span);
            let mut mapped = Value::unknown(mix(function.value.key, element.key));
            let harmless = methods::sanitised(function.value.path_text());
            if !OPAQUE.contains(&function.value.path_text()) {
                mapped.absorb_without(&element, harmless, span);
            }
            let mut value = Value::unknown(key);
            value.absorb(&mapped, span);
            return value.with_shape(Shape::Repeated(Rc::new(mapped)));
        }
        if CONTAINERS.contains(&path)
            && let Some(inner) = event.positional.last()
        {
            let mut value = Value::unknown(key);
            value.absorb(&inner.value, span);
            value.labels = inner.value.labels;
            // `set(text)` keeps the text for comparisons with allowed characters.
            if matches!(inner.value.shape, Shape::Sequence(..) | Shape::Repeated(_) | Shape::Dictionary(_)) {
                return value.with_shape(inner.value.shape.clone());
            }
            return value;
        }
        if OPAQUE.contains(&path) {
            let mut value =
                Value::unknown(if path.starts_with("os.path") || path == "len" { key } else { mix(key, here) });
            methods::label_source(path, &mut value);
            if let (true, Some(first)) = (path == "len", first) {
                value.stand_for(&first.value, Classes::SIZE);
            }
            if path == "open" {
                let mode = event.positional.get(1).map(|mode| &mode.value).or_else(|| event.keyword("mode"));
                if mode.and_then(|mode| mode.text()).is_some_and(|mode| mode.starts_with('a')) {
                    value.labels = value.labels | Labels::APPENDING;
                }
            }
            return value;
        }
        if let Some(receiver) = receiver
            && !is_module(receiver)
            && let Some(value) = self.method(event, receiver, key, span)
        {
            return value;
        }
        let mut value = Value::unknown(key);
        let mut harmless = methods::sanitised(path);
        let quote = event.positional.get(1).map(|quote| &quote.value).or_else(|| event.keyword("quote"));
        if harmless == Classes::HTML && quote.is_some_and(|quote| quote.boolean() == Some(false)) {
            harmless = Classes::HTML_TAG;
        }
        if let Some(receiver) = receiver {
            value.absorb_without(receiver, harmless, span);
        } else if matches!(event.callee.value.shape, Shape::Opaque | Shape::Part(_)) {
            value.absorb_without(&event.callee.value, harmless, span);
        }
        for operand in event.arguments() {
            value.absorb_without(&operand.value, harmless, span);
        }
        methods::label_source(path, &mut value);
        value
    }

    /// Calls that change what they are called on.
    fn mutate(&mut self, event: &Event, callee: ExpressionId) {
        let ExpressionKind::Attribute { base, .. } = &self.module.expression(callee).kind else { return };
        let ExpressionKind::Name(name) = &self.module.expression(*base).kind else {
            if matches!(
                event.method.as_ref(),
                "append" | "extend" | "add" | "insert" | "update" | "write" | "setdefault"
            ) {
                for operand in event.positional.clone() {
                    self.weaken(*base, &operand.value, event.span);
                }
            }
            return;
        };
        let Some(known) = self.environment.names.get(name).cloned() else { return };
        let mut changed = Value::clone(&known);
        match event.method.as_ref() {
            "append" | "add" | "appendleft" => {
                let Some(operand) = event.positional.first() else { return };
                changed.absorb(&operand.value, event.span);
                changed.key = mix(known.key, mix(operand.value.key, 63));
                let shape = match &known.shape {
                    Shape::Sequence(kind, items) if items.len() < 32 && self.loops.is_empty() => {
                        Shape::Sequence(*kind, items.iter().chain([&operand.value]).cloned().collect())
                    }
                    Shape::Sequence(_, items) if items.is_empty() => Shape::Repeated(Rc::clone(&operand.value)),
                    Shape::Sequence(kind, items) => {
                        Shape::Sequence(*kind, items.iter().chain([&operand.value]).take(32).cloned().collect())
                    }
                    Shape::Repeated(element) => {
                        let joined = super::environment::join_values(element, &operand.value, event.span);
                        Shape::Repeated(Rc::new(joined))
                    }
                    other => other.clone(),
                };
                changed = changed.with_shape(shape);
            }
            "extend" | "insert" | "update" | "write" | "writelines" | "setdefault" | "put" => {
                for operand in event.positional.clone() {
                    changed.absorb(&operand.value, event.span);
                }
                if event.method.as_ref() == "extend"
                    && let (Shape::Sequence(kind, one), Some(more)) = (&known.shape, event.positional.first())
                    && let Shape::Sequence(_, two) = &more.value.shape
                {
                    let all = one.iter().chain(two.iter()).take(64).cloned().collect();
                    changed = changed.with_shape(Shape::Sequence(*kind, all));
                } else if matches!(event.method.as_ref(), "extend" | "insert") {
                    changed.shape = Shape::Opaque;
                }
                // Writing to a stream does not change which stream it is.
                if matches!(event.method.as_ref(), "write" | "writelines" | "put") {
                    changed.shape.clone_from(&known.shape);
                }
            }
            "sort" | "reverse" | "clear" => {}
            _ => return,
        }
        self.environment.names.insert(Rc::clone(name), Rc::new(changed));
    }
}

/// Whether a receiver is a module or class named by an import, so that its functions take no receiver.
fn is_module(receiver: &Value) -> bool {
    !receiver.path_text().is_empty()
        && !receiver.path_text().contains(['(', '['])
        && receiver.constant.is_none()
        && receiver.taints.is_empty()
        && receiver.path_text() != "self"
}

/// Functions of the standard library that a check or a sanitiser is made of.
fn function_model(path: &str, event: &Event, key: u64, here: u64) -> Option<Value> {
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

/// A call before its names are borrowed for the rules.
pub(super) struct Event {
    pub(super) path: Rc<str>,
    pub(super) method: Rc<str>,
    pub(super) receiver: Option<Operand>,
    pub(super) callee: Operand,
    pub(super) positional: Vec<Operand>,
    pub(super) keywords: Vec<(Rc<str>, Operand)>,
    pub(super) splat: Option<Operand>,
    pub(super) double_splat: Option<Operand>,
    pub(super) span: Span,
}

impl Event {
    pub(super) fn keyword(&self, name: &str) -> Option<&ValueRef> {
        self.keywords.iter().find(|(known, _)| known.as_ref() == name).map(|(_, operand)| &operand.value)
    }

    pub(super) fn arguments(&self) -> impl Iterator<Item = &Operand> {
        self.positional.iter().chain(&self.splat).chain(self.keywords.iter().map(|(_, v)| v)).chain(&self.double_splat)
    }
}

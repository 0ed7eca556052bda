//! Methods of texts and containers, and what library functions do to input.

use std::rc::Rc;

use crate::flow::calls::Event;
use crate::flow::classes::{Classes, Labels, harmless_without};
use crate::flow::format;
use crate::flow::interpreter::{Interpreter, Operand};
use crate::flow::value::{Shape, Value, ValueRef, mix};
use crate::syntax::{Constant, SequenceKind, Span};

/// The classes in which a library function makes input harmless.
pub(super) fn sanitised(path: &str) -> Classes {
    match path {
        "shlex.quote" | "pipes.quote" => Classes::SHELL,
        "html.escape"
        | "markupsafe.escape"
        | "flask.escape"
        | "django.utils.html.escape"
        | "cgi.escape"
        | "werkzeug.utils.escape"
        | "jinja2.escape"
        | "bleach.clean"
        | "nh3.clean"
        | "xml.sax.saxutils.quoteattr"
        | "escape"
        | "conditional_escape"
        | "django.utils.html.conditional_escape"
        | "tornado.escape.xhtml_escape" => Classes::HTML,
        "xml.sax.saxutils.escape" => Classes::HTML_TAG,
        // A stream in memory has no path.
        "os.path.basename"
        | "werkzeug.utils.secure_filename"
        | "werkzeug.secure_filename"
        | "werkzeug.utils.safe_join"
        | "flask.safe_join"
        | "werkzeug.security.safe_join"
        | "django.utils._os.safe_join"
        | "io.BytesIO"
        | "io.StringIO" => Classes::PATH,
        "ldap.filter.escape_filter_chars" | "ldap3.utils.conv.escape_filter_chars" => Classes::LDAP,
        "flask.url_for" | "url_for" | "django.urls.reverse" | "reverse" => Classes::REDIRECT,
        // The names of members are not names of uploads.
        "zipfile.ZipFile" | "tarfile.open" => Classes::EXTENSION,
        "re.escape" => Classes::PATTERN | Classes::BACKTRACKING,
        "json.dumps" | "ujson.dumps" | "orjson.dumps" => {
            Classes::LINES | Classes::FORMULA | Classes::CODE | Classes::OPERATOR | Classes::PICKLE
        }
        "urllib.parse.quote" => {
            Classes::HTML
                | Classes::LINES
                | Classes::SHELL
                | Classes::SQL
                | Classes::LDAP
                | Classes::XPATH
                | Classes::FORMULA
                | Classes::REQUEST_HOST
                | Classes::CODE
        }
        "urllib.parse.quote_plus" | "urllib.parse.urlencode" => {
            Classes::ALL.without(Classes::OPTION | Classes::PATH_UP | Classes::NAME | Classes::EXTENSION)
        }
        "base64.b64encode" | "base64.urlsafe_b64encode" | "base64.b32encode" | "binascii.hexlify" => {
            Classes::ALL.without(Classes::PATH_ABSOLUTE | Classes::ENCODED)
        }
        path if path.starts_with("hashlib.") || path.starts_with("hmac.") => Classes::ALL,
        path if hides_password(path) => Classes::ALL,
        path if escapes_html(path) => Classes::HTML,
        "psycopg2.sql.Identifier" | "psycopg2.sql.Literal" | "psycopg.sql.Identifier" | "psycopg.sql.Literal" => {
            Classes::SQL
        }
        _ => Classes::NONE,
    }
}

/// Whether a function makes of a password what can be stored.
fn hides_password(path: &str) -> bool {
    let ends = ["bcrypt.hashpw", "generate_password_hash", "make_password", "PasswordHasher().hash", ".encrypt"];
    ends.iter().any(|end| path.ends_with(end)) || path.starts_with("passlib.") && path.ends_with("hash")
}

/// Whether a function says by its name that it escapes text for HTML.
fn escapes_html(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path).to_ascii_lowercase();
    let has = |word: &str| name.contains(word);
    has("html") && (has("escape") || has("saniti")) && !has("unescape")
}

/// What a source is known to be: random, guessable, a digest.
pub(super) fn label(path: &str, value: &mut Value) {
    let label = match path {
        "random.choice"
        | "random.choices"
        | "random.randint"
        | "random.randrange"
        | "random.getrandbits"
        | "random.randbytes"
        | "random.sample"
        | "random.random"
        | "random.uniform"
        | "random.normalvariate"
        | "random.gauss"
        | "random.triangular"
        | "random.betavariate"
        | "random.expovariate"
        | "random.shuffle" => Labels::WEAK_RANDOM,
        "os.urandom"
        | "secrets.token_hex"
        | "secrets.token_bytes"
        | "secrets.token_urlsafe"
        | "secrets.choice"
        | "secrets.randbelow"
        | "uuid.uuid4"
        | "bcrypt.gensalt" => Labels::STRONG_RANDOM,
        "time.time"
        | "time.time_ns"
        | "os.getpid"
        | "datetime.datetime.now"
        | "datetime.datetime.utcnow"
        | "uuid.uuid1"
        | "time.monotonic"
        | "time.perf_counter" => Labels::GUESSABLE,
        "traceback.format_exc" | "traceback.format_exception" | "traceback.format_stack" | "sys.exc_info" => {
            Labels::STACK
        }
        "hmac.new" | "hmac.digest" => Labels::DIGEST,
        path if path.starts_with("hashlib.") => Labels::DIGEST,
        _ => return,
    };
    value.labels = value.labels | label;
}

/// A setting of a parser of settings, by its section and its name.
pub(super) fn keyed_store(event: &Event) -> Option<(Value, ValueRef)> {
    let is_settings = event.method.as_ref() == "set" && event.path.starts_with("configparser.");
    let [section, name, value] = event.positional.as_slice() else { return None };
    is_settings.then(|| setting(section, name)).flatten().map(|key| (key, Rc::clone(&value.value)))
}

fn setting(section: &Operand, name: &Operand) -> Option<Value> {
    let key = format!("{}\0{}", section.value.text()?, name.value.text()?);
    Some(Value::constant(Constant::Text(key.into())))
}

impl Interpreter<'_> {
    /// Methods whose effect on input is known. `None` leaves the call to the general rule: everything goes through.
    pub(super) fn python_method(&mut self, event: &Event, receiver: &ValueRef, key: u64, span: Span) -> Option<Value> {
        let receiver_span = event.receiver.as_ref().map_or(span, |operand| operand.span);
        let first = event.positional.first();
        let mut value = Value::unknown(key);
        match event.method.as_ref() {
            "format" => {
                if receiver.characters().is_some() || receiver.is_built() {
                    let rest = event.double_splat.as_ref().or(event.splat.as_ref());
                    let text = format::braces(receiver, receiver_span, &event.positional, &event.keywords, rest, span);
                    let operand = Operand { value: Rc::new(text), span };
                    (self.dialect.hooks.text)(&operand, &self.environment, &mut self.report);
                    return Some(Value::clone(&operand.value));
                }
                return None;
            }
            "format_map" if receiver.characters().is_some() => {
                let text = format::braces(receiver, receiver_span, &[], &[], first, span);
                let operand = Operand { value: Rc::new(text), span };
                (self.dialect.hooks.text)(&operand, &self.environment, &mut self.report);
                return Some(Value::clone(&operand.value));
            }
            "join" => {
                let items = first?;
                let element = self.element(&items.value, items.span);
                let text = format::join(receiver, receiver_span, items, &element, span);
                let operand = Operand { value: Rc::new(text), span };
                (self.dialect.hooks.text)(&operand, &self.environment, &mut self.report);
                return Some(Value::clone(&operand.value));
            }
            "replace" => return self.replace(event, receiver, value, span),
            "translate" => {
                let harmless = translated(&first?.value);
                value.absorb_without(receiver, harmless, span);
            }
            "encode" | "decode" => {
                if let Some(text) = receiver.characters() {
                    return Some(Value::constant(if event.method.as_ref() == "encode" {
                        Constant::Bytes(text.into())
                    } else {
                        Constant::Text(text.into())
                    }));
                }
                let is_escaped =
                    first.and_then(|codec| codec.value.text()).is_some_and(|codec| codec.contains("escape"));
                value.absorb_without(receiver, if is_escaped { Classes::LINES } else { Classes::NONE }, span);
                value.stand_for(receiver, Classes::ALL);
                value.path.clone_from(&receiver.path);
                value.labels = receiver.labels;
                if receiver.is_built() {
                    value = value.with_shape(receiver.shape.clone());
                }
            }
            "lower" | "upper" | "casefold" | "title" | "capitalize" | "swapcase" => {
                value.absorb(receiver, span);
                value.stand_for(receiver, Classes::ALL);
                value.labels = value.labels | (receiver.labels & Labels::TEXT);
                if receiver.is_built() {
                    value = value.with_shape(receiver.shape.clone());
                }
            }
            "strip" | "lstrip" | "rstrip" => {
                let letters = first.and_then(|letters| letters.value.text()).unwrap_or_default();
                let starts = event.method.as_ref() != "rstrip";
                let mut harmless = Classes::NONE;
                if starts && "=+-@".chars().all(|sign| letters.contains(sign)) {
                    harmless = harmless | Classes::FORMULA;
                }
                if starts && letters.contains('-') {
                    harmless = harmless | Classes::OPTION;
                }
                if starts && letters.contains('/') {
                    harmless = harmless | Classes::PATH_ABSOLUTE | Classes::REDIRECT_SLASHES;
                }
                value.absorb_without(receiver, harmless, span);
                if receiver.is_built() {
                    value = value.with_shape(receiver.shape.clone());
                }
            }
            "splitlines" => return Some(split(receiver, value, Classes::LINES, span)),
            "split" | "rsplit" => {
                let separator = first.and_then(|separator| separator.value.text());
                let harmless = match (separator, event.positional.len() + event.keywords.len()) {
                    (_, 0) => Classes::LINES,
                    (Some(separator), 1) => crate::flow::conditions::harmless_lacking(separator),
                    _ => Classes::NONE,
                };
                value.stand_for(receiver, Classes::PATH | Classes::EXTENSION);
                return Some(split(receiver, value, harmless, span));
            }
            "partition" | "rpartition" => {
                let mut part = Value::unknown(mix(key, 1));
                part.absorb(receiver, span);
                value.absorb(receiver, span);
                let lacks = first
                    .and_then(|separator| separator.value.text())
                    .map_or(Classes::NONE, crate::flow::conditions::harmless_lacking);
                let mut head = Value::unknown(mix(key, 2));
                head.absorb_without(receiver, lacks, span);
                let (one, two) = if event.method.as_ref() == "partition" { (head, part) } else { (part, head) };
                let middle = first.map_or_else(|| Rc::new(Value::unknown(0)), |separator| Rc::clone(&separator.value));
                let parts = [Rc::new(one), middle, Rc::new(two)];
                return Some(value.with_shape(Shape::Sequence(SequenceKind::Tuple, parts.into())));
            }
            "items" => return Some(Self::items(receiver, key, span)),
            "keys" | "copy" => {
                value = Value::clone(receiver);
                value.path = None;
            }
            "values" => {
                value.absorb(receiver, span);
                if let Shape::Dictionary(entries) = &receiver.shape {
                    let items: Vec<_> = entries.iter().map(|(_, value)| Rc::clone(value)).collect();
                    return Some(value.with_shape(Shape::Sequence(SequenceKind::List, items.into())));
                }
            }
            "get" if event.path.starts_with("configparser.") => {
                let [section, name] = event.positional.as_slice() else { return None };
                return Some(self.subscript(receiver, &Rc::new(setting(section, name)?), span));
            }
            "pop" if matches!(receiver.shape, Shape::Sequence(..)) => {
                let last = Rc::new(Value::constant(Constant::Integer(-1)));
                return Some(self.subscript(receiver, first.map_or(&last, |at| &at.value), span));
            }
            "get" | "pop" | "setdefault" if matches!(receiver.shape, Shape::Dictionary(_)) => {
                let mut found = self.subscript(receiver, &first?.value, span);
                if let Some(default) = event.positional.get(1) {
                    found.absorb(&default.value, span);
                }
                return Some(found);
            }
            "get" | "getlist" | "get_json" | "pop" => {
                // The key says where to look, not what is found.
                value.absorb(receiver, span);
                if let Some(default) = event.positional.get(1) {
                    value.absorb(&default.value, span);
                }
                if !receiver.path_text().is_empty() {
                    value.path = Some(format!("{}.get()", receiver.path_text()).into());
                }
            }
            "resolve" | "absolute" | "expanduser" => {
                value.absorb(receiver, span);
                value.stand_for(receiver, Classes::PATH);
                value.path = Some("pathlib.Path()".into());
                if event.method.as_ref() != "expanduser" {
                    value.labels = value.labels | Labels::RESOLVED_PATH;
                }
            }
            "joinpath" => {
                let mut parts = vec![event.receiver.clone()?];
                parts.extend(event.positional.iter().cloned());
                return Some(crate::flow::paths::join_path(&parts, span));
            }
            "getmembers" | "infolist" | "namelist" | "getnames" => {
                value.absorb(receiver, span);
                value.stand_for(receiver, Classes::PATH_MEMBER);
            }
            "relative_to" | "with_suffix" | "with_name" => {
                value.absorb(receiver, span);
                value.path = Some("pathlib.Path()".into());
            }
            "hexdigest" | "digest" | "hex" => {
                value.labels = receiver.labels;
                if event.method.as_ref() == "hex" {
                    value.absorb_without(receiver, Classes::ALL.without(Classes::ENCODED), span);
                }
                value.path = Some(format!("{}.{}()", receiver.path_text(), event.method).into());
            }
            "count" | "find" | "rfind" | "index" | "startswith" | "endswith" | "isalnum" | "isdigit" | "isalpha"
            | "isidentifier" | "exists" | "is_file" | "is_dir" | "fetchall_count" | "fileno" => {}
            "findall" if receiver.path_text() == "re.compile()" => {
                for operand in &event.positional {
                    value.absorb(&operand.value, span);
                }
            }
            "substitute" | "safe_substitute" if receiver.path_text() == "string.Template()" => {
                return Some(self.substitute(event, receiver, span));
            }
            _ => return None,
        }
        Some(value)
    }

    fn replace(&mut self, event: &Event, receiver: &ValueRef, mut value: Value, span: Span) -> Option<Value> {
        let (old, new) = (&event.positional.first()?.value, &event.positional.get(1)?.value);
        // A literal template with a marker replaced by a value is a text put together from both.
        if let (Some(template), Some(marker), None) = (receiver.text(), old.text(), new.text())
            && !marker.is_empty()
            && template.contains(marker)
        {
            let hole = Operand { value: Rc::clone(new), span: event.positional[1].span };
            let mut pieces = Vec::new();
            for (at, part) in template.split(marker).enumerate() {
                if at > 0 {
                    pieces.extend(format::hole(&hole, false, false));
                }
                if !part.is_empty() {
                    pieces.push(crate::flow::value::Piece::Literal(part.into()));
                }
            }
            let text = Operand { value: Rc::new(format::text(pieces, span)), span };
            (self.dialect.hooks.text)(&text, &self.environment, &mut self.report);
            return Some(Value::clone(&text.value));
        }
        let harmless = match (old.characters(), new.characters()) {
            (Some(old), Some(new)) if !new.contains(old) || is_escape(old, new) => removed(old),
            _ => Classes::NONE,
        };
        value.absorb_without(receiver, harmless, span);
        value.absorb(new, span);
        // What a character is replaced by cannot itself be what was removed before, unless it is written again.
        value.labels = value.labels | (receiver.labels & Labels::TEXT);
        Some(value)
    }

    fn items(receiver: &ValueRef, key: u64, span: Span) -> Value {
        let pair = |key: ValueRef, value: ValueRef| {
            let mut pair = Value::unknown(mix(key.key, value.key));
            pair.absorb(&key, span);
            pair.absorb(&value, span);
            pair.with_shape(Shape::Sequence(SequenceKind::Tuple, [key, value].into()))
        };
        let mut value = Value::unknown(key);
        value.absorb(receiver, span);
        if let Shape::Dictionary(entries) = &receiver.shape {
            let nothing = Rc::new(Value::unknown(0));
            let pairs: Vec<_> = entries
                .iter()
                .map(|(key, entry)| Rc::new(pair(key.clone().unwrap_or_else(|| Rc::clone(&nothing)), Rc::clone(entry))))
                .collect();
            return value.with_shape(Shape::Sequence(SequenceKind::List, pairs.into()));
        }
        let part = |salt: u64| {
            let mut part = Value::unknown(mix(receiver.key, salt));
            part.absorb(receiver, span);
            Rc::new(part)
        };
        let element = pair(part(71), part(72));
        value.with_shape(Shape::Repeated(Rc::new(element)))
    }

    fn substitute(&mut self, event: &Event, receiver: &ValueRef, span: Span) -> Value {
        let template = match &receiver.shape {
            Shape::Called { positional, .. } => {
                positional.first().and_then(|template| template.text()).map(str::to_owned)
            }
            _ => None,
        };
        let Some(template) = template else {
            let mut value = Value::unknown(mix(receiver.key, 73));
            value.absorb_without(receiver, Classes::FORMAT | Classes::TEMPLATE, span);
            for operand in event.arguments() {
                value.absorb(&operand.value, span);
            }
            return value;
        };
        let mut pieces = Vec::new();
        for (at, part) in template.split('$').enumerate() {
            let mut rest = part;
            if at > 0 {
                let name: String =
                    part.trim_start_matches('{').chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let operand =
                    event.keywords.iter().find(|(known, _)| known.as_ref() == name).map(|(_, operand)| operand);
                let operand = operand.or(event.positional.first()).or(event.double_splat.as_ref());
                if let Some(operand) = operand {
                    pieces.extend(format::hole(operand, false, false));
                }
                let braces = if part.starts_with('{') { 2 } else { 0 };
                rest = part.get(name.len() + braces..).unwrap_or_default();
            }
            if !rest.is_empty() {
                pieces.push(crate::flow::value::Piece::Literal(rest.into()));
            }
        }
        let operand = Operand { value: Rc::new(format::text(pieces, span)), span };
        (self.dialect.hooks.text)(&operand, &self.environment, &mut self.report);
        Value::clone(&operand.value)
    }
}

/// Whether the replacement is an escape of the character: `\` by `\5c`, `&` by `&amp;`.
fn is_escape(old: &str, new: &str) -> bool {
    old.len() == 1 && new.len() > 2 && new.starts_with(old)
}

/// What a text lacks after this was replaced in it.
fn removed(old: &str) -> Classes {
    let mut letters = old.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => harmless_without(letter),
        // Removing `../` once leaves what `....//` closes up to.
        _ => Classes::NONE,
    }
}

fn split(receiver: &ValueRef, mut value: Value, harmless: Classes, span: Span) -> Value {
    let mut part = Value::unknown(mix(value.key, 1));
    part.absorb_without(receiver, harmless, span);
    let part = Rc::new(part.with_shape(Shape::Part(Rc::clone(receiver))));
    value.absorb(receiver, span);
    value.with_shape(Shape::Repeated(part))
}

/// What a text lacks after `translate(table)`.
fn translated(table: &Value) -> Classes {
    let Shape::Dictionary(entries) = &table.shape else {
        // A table of another file that says what it is for.
        if table.path_text().to_ascii_lowercase().contains("escape") {
            return Classes::HTML;
        }
        let Shape::Called { positional, .. } = &table.shape else { return Classes::NONE };
        let Some(first) = positional.first() else { return Classes::NONE };
        let mut from = positional.iter().filter_map(|part| part.text());
        // `str.maketrans(from, to)` or `str.maketrans("", "", removed)`; or a table in it.
        return match (positional.len(), first.text()) {
            (2 | 3, Some(text)) => {
                let removed = from.next_back().filter(|_| positional.len() == 3).unwrap_or_default();
                text.chars().chain(removed.chars()).fold(Classes::NONE, |all, c| all | harmless_without(c))
            }
            _ => translated(first),
        };
    };
    entries
        .iter()
        .filter_map(|(key, _)| {
            let key = key.as_ref()?;
            key.text().and_then(|text| text.chars().next()).or_else(|| {
                let code = key.integer().or_else(|| match &key.shape {
                    Shape::Called { positional, .. } if key.path_text() == "ord()" => {
                        positional.first()?.text()?.chars().next().map(|letter| i64::from(u32::from(letter)))
                    }
                    _ => None,
                })?;
                char::from_u32(u32::try_from(code).ok()?)
            })
        })
        .fold(Classes::NONE, |all, letter| all | harmless_without(letter))
}

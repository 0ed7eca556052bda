//! Methods of texts, files and collections, and what library functions do to input.

use std::rc::Rc;

use crate::flow::calls::Event;
use crate::flow::classes::{Classes, Labels, harmless_without};
use crate::flow::conditions::harmless_lacking;
use crate::flow::format;
use crate::flow::interpreter::{Interpreter, Operand};
use crate::flow::paths::join_path;
use crate::flow::pattern_facts;
use crate::flow::value::{Shape, Value, ValueRef, mix};
use crate::syntax::{Constant, SequenceKind, Span};

use super::names::kind_of;

/// Methods whose result is a number or a truth.
const ASKING: &[&str] = &[
    "length",
    "size",
    "isEmpty",
    "isBlank",
    "equals",
    "equalsIgnoreCase",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "hashCode",
    "indexOf",
    "lastIndexOf",
    "compareTo",
    "compareToIgnoreCase",
    "exists",
    "isDirectory",
    "isFile",
    "mkdir",
    "mkdirs",
    "delete",
    "createNewFile",
    "canRead",
    "canWrite",
    "containsKey",
    "containsValue",
    "find",
    "hasNext",
    "hasMoreElements",
    "getPort",
    "intValue",
    "longValue",
    "available",
    "codePointAt",
    "executeUpdate",
    "isAbsolute",
    "getTime",
    "lastModified",
    "contentEquals",
    "isPresent",
];

/// Methods of a request that say nothing of what was asked.
const SERVER_SIDE: &[&str] = &[
    "getSession",
    "getServletContext",
    "getRequestDispatcher",
    "getContextPath",
    "getMethod",
    "getAttribute",
    "getUserPrincipal",
    "getRemoteUser",
    "getLocale",
    "isUserInRole",
    "getRemoteAddr",
    "getLocalAddr",
    "getContentLength",
    "isSecure",
    "getServerPort",
    "getAuthType",
    "getCharacterEncoding",
    "getServletPath",
    "getLocalPort",
    "getResponseHeaders",
    "getResponseBody",
];

/// The classes in which a library function makes input harmless.
pub(super) fn sanitised(path: &str, method: &str) -> Classes {
    let lower = method.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["escapehtml", "htmlescape", "encodehtml", "encodeforhtml", "forhtml", "escapexml", "stripxss", "forxml"]) {
        return Classes::HTML;
    }
    if has(&["encodeforjavascript", "forjavascript", "escapeecmascript", "javascriptescape"]) {
        return Classes::HTML | Classes::CODE | Classes::LINES;
    }
    if has(&["encodeforldap", "escapeldap", "filterencode", "nameencode", "encodefordn", "encodefilter"]) {
        return Classes::LDAP;
    }
    if has(&["encodeforsql", "escapesql", "quoteidentifier", "enquote"]) {
        return Classes::SQL;
    }
    if has(&["encodeforxpath"]) {
        return Classes::XPATH;
    }
    if has(&["encodeforos"]) {
        return Classes::SHELL;
    }
    match path {
        "FilenameUtils.getName"
        | "File().getName"
        | "Path().getFileName"
        | "FilenameUtils.getBaseName"
        | "new ByteArrayInputStream"
        | "new StringReader"
        | "FilenameUtils.normalize" => Classes::PATH,
        "FilenameUtils.getExtension" => Classes::PATH_ABSOLUTE,
        "Pattern.quote" => Classes::PATTERN | Classes::BACKTRACKING,
        "Jsoup.clean" | "PolicyFactory().sanitize" => Classes::HTML,
        "URLEncoder.encode" | "UriUtils.encode" | "Encode.forUriComponent" => {
            Classes::ALL.without(Classes::OPTION | Classes::PATH_UP | Classes::NAME | Classes::EXTENSION)
        }
        path if path.contains("encodeToString")
            || path.contains("MessageDigest().digest")
            || path.contains("DigestUtils.")
            || path.contains("Mac().doFinal")
            || path.contains("Hex.encodeHex")
            || path.contains("Cipher().doFinal") =>
        {
            Classes::ALL.without(Classes::PATH_ABSOLUTE | Classes::ENCODED)
        }
        _ => Classes::NONE,
    }
}

/// A sequence as one operand.
fn tuple(items: &[Operand], span: Span) -> Operand {
    let mut value = Value::unknown(items.iter().fold(91, |key, item| mix(key, item.value.key)));
    for item in items {
        value.absorb(&item.value, span);
    }
    let values = items.iter().map(|item| Rc::clone(&item.value)).collect();
    Operand { value: Rc::new(value.with_shape(Shape::Sequence(SequenceKind::Tuple, values))), span }
}

/// `String.format` and its kin.
fn formatted(interpreter: &mut Interpreter<'_>, template: &Operand, values: &[Operand], span: Span) -> Value {
    let template = match template.value.text() {
        Some(text) => Operand {
            value: Rc::new(Value::constant(Constant::Text(text.replace("%n", "\n").into()))),
            span: template.span,
        },
        None => template.clone(),
    };
    // Each value stands where it was written.
    let text = format::percent(&template, &tuple(values, span), span);
    tell(interpreter, text, span)
}

/// Tells the rules of a text that was put together.
fn tell(interpreter: &mut Interpreter<'_>, text: Value, span: Span) -> Value {
    let operand = Operand { value: Rc::new(text), span };
    (interpreter.dialect.hooks.text)(&operand, &interpreter.environment, &mut interpreter.report);
    Value::clone(&operand.value)
}

pub(super) fn function(interpreter: &mut Interpreter<'_>, event: &Event, key: u64, here: u64) -> Option<Value> {
    let span = event.span;
    let arguments = event.positional.as_slice();
    let mut value = Value::unknown(key);
    match (event.path.as_ref(), arguments) {
        ("String.format", [locale, template, rest @ ..])
            if kind_of(&locale.value) == "Locale" || locale.value.path_text().starts_with("Locale.") =>
        {
            return Some(formatted(interpreter, template, rest, span));
        }
        ("String.format" | "MessageFormat.format", [template, rest @ ..]) if event.path.starts_with('S') => {
            return Some(formatted(interpreter, template, rest, span));
        }
        ("MessageFormat.format", [template, rest @ ..]) => {
            let text = format::braces(&template.value, template.span, rest, &[], None, span);
            return Some(tell(interpreter, text, span));
        }
        (
            "String.valueOf" | "Objects.toString" | "new String" | "Objects.requireNonNull" | "String.copyValueOf",
            [only, ..],
        ) => {
            if event.path.as_ref() == "new String" {
                value.absorb(&only.value, span);
                value.stand_for(&only.value, Classes::ALL);
                value.constant = only.value.text().map(|text| Constant::Text(text.into()));
                return Some(value);
            }
            return Some(Value::clone(&only.value));
        }
        ("new StringBuilder" | "new StringBuffer", [only])
            if only.value.text().is_some() || only.value.is_built() || !only.value.taints.is_empty() =>
        {
            return Some(Value::clone(&only.value));
        }
        ("new StringBuilder" | "new StringBuffer", _) => return Some(Value::constant(Constant::Text("".into()))),
        ("new File" | "Paths.get" | "Path.of", [only]) => {
            value.absorb(&only.value, span);
            value.stand_for(&only.value, Classes::PATH);
            value.labels = value.labels | (only.value.labels & Labels::RESOLVED_PATH);
            value.path = Some(if event.path.as_ref() == "new File" { "File()" } else { "Path()" }.into());
        }
        ("new File" | "Paths.get" | "Path.of", parts @ [_, _, ..]) => {
            value = join_path(parts, span);
            value.path = Some(if event.path.as_ref() == "new File" { "File()" } else { "Path()" }.into());
        }
        (
            "new FileInputStream"
            | "new FileReader"
            | "new FileOutputStream"
            | "new FileWriter"
            | "Files.newInputStream"
            | "Files.newBufferedReader"
            | "Files.readAllLines"
            | "Files.readString"
            | "Files.readAllBytes"
            | "Files.lines"
            | "new RandomAccessFile"
            | "new ZipFile"
            | "new JarFile",
            _,
        ) => {
            // What a file holds is not its name.
            value = Value::unknown(mix(key, here));
        }
        (path, _)
            if path.ends_with("Factory.newInstance")
                || path.ends_with("Factory.newFactory")
                || matches!(
                    path,
                    "new Cookie"
                        | "new SAXReader"
                        | "new SAXBuilder"
                        | "XMLReaderFactory.createXMLReader"
                        | "new XStream"
                        | "new ObjectMapper"
                        | "new Digester"
                ) =>
        {
            value = Value::unknown(mix(key, here));
            for operand in arguments {
                value.absorb(&operand.value, span);
            }
        }
        ("URLDecoder.decode" | "StringEscapeUtils.unescapeHtml4", [first, ..]) => {
            value.absorb_restored(&first.value, Classes::ALL, span);
        }
        (
            "Integer.parseInt" | "Integer.valueOf" | "Long.parseLong" | "Long.valueOf" | "Short.parseShort"
            | "Integer.decode",
            [text, ..],
        ) => {
            // A number can only be too large.
            value.absorb_without(&text.value, !Classes::SIZE, span);
        }
        ("new byte[]" | "new char[]", _) => value = Value::unknown(mix(key, here)),
        ("System.getenv" | "System.getProperty", _) => {}
        _ => return None,
    }
    Some(value)
}

pub(super) fn method(
    interpreter: &mut Interpreter<'_>,
    event: &Event,
    receiver: &ValueRef,
    key: u64,
    span: Span,
) -> Option<Value> {
    let receiver_span = event.receiver.as_ref().map_or(span, |operand| operand.span);
    let arguments = event.positional.as_slice();
    let mut value = Value::unknown(key);
    let is_text = receiver.text().is_some() || receiver.is_built();
    let kind = kind_of(receiver);
    match (event.method.as_ref(), arguments) {
        (method, _)
            if SERVER_SIDE.contains(&method) && matches!(kind.as_str(), "HttpServletRequest" | "HttpExchange") => {}
        ("append" | "concat", [operand, ..])
            if is_text || matches!(kind.as_str(), "StringBuilder" | "StringBuffer" | "String") =>
        {
            let text = format::concatenate(receiver, receiver_span, &operand.value, operand.span, span);
            return Some(tell(interpreter, text, span));
        }
        ("toString" | "intern" | "stripIndent" | "orElse" | "orElseThrow" | "get", []) => {
            let mut same = Value::clone(receiver);
            if event.method.as_ref() == "toString" {
                same.path = None;
            }
            return Some(same);
        }
        ("formatted", values) => {
            let template = Operand { value: Rc::clone(receiver), span: receiver_span };
            return Some(formatted(interpreter, &template, values, span));
        }
        (
            "trim" | "strip" | "toLowerCase" | "toUpperCase" | "getBytes" | "toCharArray" | "toURI" | "toURL"
            | "openStream",
            _,
        ) => {
            value.absorb(receiver, span);
            value.stand_for(receiver, Classes::ALL);
            if let (Some(text), "getBytes" | "toCharArray") = (receiver.text(), event.method.as_ref()) {
                return Some(Value::constant(Constant::Bytes(text.into())));
            }
            if receiver.is_built() {
                value = value.with_shape(receiver.shape.clone());
            }
        }
        ("substring", ends) => {
            let is_start_cut = ends.first().and_then(|end| end.value.integer()).is_some_and(|at| at > 0);
            value.absorb_without(receiver, if is_start_cut { Classes::OPTION } else { Classes::NONE }, span);
        }
        ("replace" | "replaceAll", [old, new]) => {
            let harmless = match (event.method.as_ref(), old.value.text(), new.value.text()) {
                ("replace", Some(old), Some(new)) if !new.contains(old) || new.len() > 2 => {
                    old.chars().next().filter(|_| old.chars().count() == 1).map_or(Classes::NONE, harmless_without)
                }
                ("replaceAll", Some(old), Some(new)) => pattern_facts::substituted(old, new),
                _ => Classes::NONE,
            };
            value.absorb_without(receiver, harmless, span);
            value.absorb(&new.value, span);
        }
        ("split", [separator, ..]) => {
            let harmless = separator.value.text().map_or(Classes::NONE, harmless_lacking);
            let mut part = Value::unknown(mix(key, 1));
            part.absorb_without(receiver, harmless, span);
            let part = part.with_shape(Shape::Part(Rc::clone(receiver)));
            value.absorb(receiver, span);
            return Some(value.with_shape(Shape::Repeated(Rc::new(part))));
        }
        (method, _) if ASKING.contains(&method) => value.stand_for(receiver, Classes::SIZE),
        ("resolve" | "resolveSibling", [part, ..]) => {
            let folder = Operand { value: Rc::clone(receiver), span: receiver_span };
            value = join_path(&[folder, part.clone()], span);
            value.path = Some("Path()".into());
        }
        (
            "normalize" | "getCanonicalPath" | "getCanonicalFile" | "toRealPath" | "getAbsolutePath"
            | "getAbsoluteFile" | "toAbsolutePath" | "toPath" | "toFile" | "getPath",
            _,
        ) => {
            value.absorb(receiver, span);
            value.stand_for(receiver, Classes::PATH);
            value.labels = value.labels | (receiver.labels & Labels::RESOLVED_PATH);
            if matches!(event.method.as_ref(), "normalize" | "getCanonicalPath" | "getCanonicalFile" | "toRealPath") {
                value.labels = value.labels | Labels::RESOLVED_PATH;
            }
        }
        ("getOrDefault", [_, default]) => {
            value.absorb(receiver, span);
            value.absorb(&default.value, span);
        }
        ("getHost" | "getAuthority" | "getScheme" | "getProtocol", []) => {
            value.absorb(receiver, span);
            value.stand_for(receiver, Classes::HOST);
        }
        ("get" | "getParameter" | "getHeader" | "getProperty" | "getString" | "getInputStream", _) => {
            // The key says where to look, not what is found.
            value.absorb(receiver, span);
        }
        _ => return None,
    }
    Some(value)
}

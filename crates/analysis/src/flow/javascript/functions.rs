//! Functions of the runtime and of common packages: what they do to input.

use std::rc::Rc;

use super::callbacks::function_of;
use super::names::canonical;
use crate::flow::calls::Event;
use crate::flow::classes::{Classes, Labels};
use crate::flow::interpreter::{Interpreter, names_function};
use crate::flow::paths::join_path;
use crate::flow::value::{Shape, Value};
use crate::syntax::Constant;

/// Calls whose result says nothing of their arguments.
pub(super) const OPAQUE: &[&str] = &[
    "parseFloat",
    "Number.parseInt",
    "Number.parseFloat",
    "BigInt",
    "Math.random",
    "Date.now",
    "Date.parse",
    "new Date",
    "isNaN",
    "Number.isInteger",
    "Array.isArray",
    "crypto.randomBytes",
    "crypto.randomUUID",
    "crypto.randomInt",
    "crypto.getRandomValues",
    "crypto.randomFillSync",
    "crypto.timingSafeEqual",
    "crypto.pbkdf2Sync",
    "crypto.scryptSync",
    "uuid.v4",
    "uuid.v1",
    "performance.now",
    "process.hrtime",
    "fs.existsSync",
    "fs.statSync",
    "fs.stat",
    "fs.lstatSync",
    "fs.writeFileSync",
    "fs.writeFile",
    "fs.access",
    "fs.accessSync",
    "fs.unlinkSync",
    "fs.readdirSync",
    "bcrypt.compare",
    "bcrypt.compareSync",
    "setTimeout",
    "setInterval",
    "mysql.createConnection",
    "mysql.createPool",
    "document.getElementById",
    "document.querySelector",
    "document.querySelectorAll",
    "document.createElement",
    "document.createTextNode",
    "child_process.exec",
    "child_process.execSync",
    "child_process.spawn",
    "child_process.spawnSync",
    "child_process.execFile",
    "child_process.execFileSync",
    "jwt.verify",
    "jsonwebtoken.verify",
];

/// The classes in which a function makes input harmless.
pub(super) fn sanitised(path: &str, method: &str) -> Classes {
    match path {
        "path.basename" | "sanitize-filename" => return Classes::PATH,
        "encodeURIComponent"
        | "querystring.escape"
        | "qs.stringify"
        | "querystring.stringify"
        | "new URLSearchParams" => {
            return Classes::ALL.without(
                Classes::OPTION
                    | Classes::PATH_UP
                    | Classes::NAME
                    | Classes::EXTENSION
                    | Classes::BACKTRACKING
                    | Classes::SIZE,
            );
        }
        "encodeURI" => {
            return Classes::HTML_TAG | Classes::HTML_DOUBLE_QUOTE | Classes::LINES | Classes::FORMULA | Classes::CODE;
        }
        "JSON.stringify" => {
            return Classes::LINES
                | Classes::FORMULA
                | Classes::CODE
                | Classes::OPERATOR
                | Classes::PICKLE
                | Classes::XPATH_DOUBLE_QUOTE;
        }
        "btoa" => return Classes::ALL.without(Classes::ENCODED),
        "String" => return Classes::OPERATOR,
        "lodash.escapeRegExp" | "escape-string-regexp" => return Classes::PATTERN | Classes::BACKTRACKING,
        "lodash.pick" => return Classes::KEYS | Classes::NAME,
        "escape" => return Classes::HTML | Classes::LINES,
        _ => {}
    }
    let name = method.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if path.starts_with("crypto.createH") || path.starts_with("bcrypt.hash") {
        return Classes::ALL;
    }
    if says(&["escaperegex", "escape_regex", "quotemeta"]) {
        return Classes::PATTERN | Classes::BACKTRACKING;
    }
    if says(&["unescape"]) {
        return Classes::NONE;
    }
    if says(&["shellescape", "shellquote", "shell_quote", "escapeshell", "shell_escape", "quotearg"])
        || path.starts_with("shell-quote")
    {
        return Classes::SHELL;
    }
    if says(&["escapeid", "escapeliteral", "escapeidentifier", "sqlescape", "escapesql"])
        || name == "escape"
            && ["mysql", "sqlstring", "connection", "conn", "pool", "db", "client"]
                .iter()
                .any(|owner| path.starts_with(owner))
    {
        return Classes::SQL;
    }
    if says(&["sanitizepath", "sanitizefilename", "safepath", "safejoin", "sanitizefile"]) {
        return Classes::PATH;
    }
    if says(&[
        "escape",
        "sanitiz",
        "sanitis",
        "purif",
        "htmlencode",
        "encodehtml",
        "htmlentities",
        "htmlspecialchars",
        "striptags",
        "ehtml",
    ]) || matches!(path, "xss" | "he.encode" | "entities.encode" | "entities.encodeHTML" | "insane")
        || name == "sanitize"
    {
        return Classes::HTML | Classes::XPATH | Classes::LDAP;
    }
    Classes::NONE
}

/// What a source is known to be: random, guessable, a digest.
pub(super) fn label(path: &str, value: &mut Value) {
    let label = match path {
        "Math.random" | "lodash.random" | "lodash.sample" | "lodash.shuffle" => Labels::WEAK_RANDOM,
        "crypto.randomBytes"
        | "crypto.randomUUID"
        | "crypto.randomInt"
        | "crypto.getRandomValues"
        | "uuid.v4"
        | "nanoid"
        | "nanoid.nanoid"
        | "bcrypt.genSaltSync"
        | "bcrypt.genSalt" => Labels::STRONG_RANDOM,
        "Date.now" | "new Date" | "performance.now" | "process.hrtime" | "uuid.v1" => Labels::GUESSABLE,
        "crypto.createHmac" => Labels::DIGEST,
        _ => return,
    };
    value.labels = value.labels | label;
}

/// Calls that only find a name: `require("fs")`, `util.promisify(exec)`, `run.bind(owner)`.
pub(super) fn reflected(interpreter: &mut Interpreter<'_>, event: &Event) -> Option<Value> {
    let first = event.positional.first().map(|operand| Rc::clone(&operand.value));
    match (event.path.as_ref(), first) {
        ("require", Some(name)) => {
            let name = name.text()?;
            let name = name.strip_prefix("node:").unwrap_or(name);
            let name = if name.starts_with('.') { name.to_owned() } else { name.replace('/', ".") };
            Some(Value::path(canonical(&name)))
        }
        ("util.promisify" | "promisify" | "Promise.resolve", Some(function)) => Some(Value::clone(&function)),
        ("Reflect.get", Some(owner)) => {
            let name = Rc::clone(&event.positional.get(1)?.value);
            Some(interpreter.attribute(&owner, name.text()?, event.span))
        }
        _ if event.method.as_ref() == "bind" && event.receiver.is_some() => {
            event.receiver.as_ref().map(|receiver| Value::clone(&receiver.value))
        }
        _ => None,
    }
}

/// Functions whose effect on input is known.
pub(super) fn function(interpreter: &mut Interpreter<'_>, event: &Event, key: u64, here: u64) -> Option<Value> {
    let path = event.path.as_ref();
    let span = event.span;
    let first = event.positional.first();
    let mut value = Value::unknown(key);
    let is_method = event.receiver.as_ref().is_some_and(|receiver| {
        !names_function(&receiver.value) || !receiver.value.taints.is_empty() || receiver.value.path_text() == "self"
    });
    if !is_method && path != "new Promise" {
        interpreter.callbacks(event, None, key, span);
        if event.receiver.is_some() && super::methods::OPAQUE.contains(&event.method.as_ref()) {
            return Some(Value::unknown(here));
        }
    }
    match path {
        "new Promise" => {
            let executor = function_of(&first?.value)?;
            interpreter.call_back(executor, Vec::new());
        }
        "path.join" | "path.resolve" => {
            value = join_path(&event.positional, span);
            value.labels = value.labels | Labels::RESOLVED_PATH;
            if let Some(last) = event.positional.last() {
                value.stand_for(&last.value, Classes::PATH);
            }
            value.path = Some(format!("{path}()").into());
        }
        "path.normalize" | "fs.realpathSync" | "fs.realpath" => {
            value.absorb(&first?.value, span);
            value.stand_for(&first?.value, Classes::PATH);
            value.labels = value.labels | Labels::RESOLVED_PATH;
        }
        "path.extname" | "path.relative" => {
            let last = event.positional.last()?;
            let harmless = if path == "path.extname" { Classes::PATH } else { Classes::NONE };
            value.absorb_without(&last.value, harmless, span);
            value.stand_for(&last.value, if path == "path.extname" { Classes::EXTENSION } else { Classes::PATH });
        }
        "decodeURIComponent" | "decodeURI" | "unescape" | "atob" | "querystring.unescape" => {
            value.absorb_restored(&first?.value, Classes::ALL, span);
        }
        "Buffer.from" | "new Buffer" => {
            let encoding = event.positional.get(1).and_then(|encoding| encoding.value.text());
            match (first?.value.characters(), encoding) {
                (Some(text), _) => return Some(Value::constant(Constant::Bytes(text.into()))),
                (None, Some("base64" | "hex")) => value.absorb_restored(&first?.value, Classes::ALL, span),
                _ => {
                    value.absorb(&first?.value, span);
                    value.stand_for(&first?.value, Classes::ALL);
                }
            }
        }
        "JSON.parse" => {
            let restored = Classes::LINES | Classes::FORMULA | Classes::CODE | Classes::OPERATOR | Classes::PICKLE;
            value.absorb_restored(&first?.value, restored, span);
        }
        "String" | "new String" => {
            let first = first?;
            if first.value.text().is_some() {
                return Some(Value::clone(&first.value));
            }
            value.absorb_without(&first.value, Classes::OPERATOR, span);
            value.stand_for(&first.value, Classes::ALL);
            value.labels = value.labels | Labels::TEXT;
            if first.value.is_built() {
                value = value.with_shape(first.value.shape.clone());
            }
        }
        "new URL" | "url.parse" => {
            value.absorb(&first?.value, span);
            value.stand_for(&first?.value, Classes::HOST);
        }
        "Math.floor" | "Math.round" | "Math.ceil" | "Math.abs" | "Math.trunc" | "parseInt" | "Number" => {
            value.labels = first?.value.labels;
        }
        "typeof" => value.stand_for(&first?.value, Classes::OPERATOR),
        "Object.keys" => {
            value.absorb(&first?.value, span);
            if let Shape::Dictionary(entries) = &first?.value.shape {
                let keys: Option<Vec<_>> = entries.iter().map(|(key, _)| key.clone()).collect();
                if let Some(keys) = keys {
                    return Some(value.with_shape(Shape::Sequence(crate::syntax::SequenceKind::List, keys.into())));
                }
            }
        }
        "new Set" if first.is_some_and(|first| first.value.text().is_some()) => {
            value.constant.clone_from(&first?.value.constant);
        }
        "RegExp" | "new RegExp" | "Buffer.concat" | "new Error" | "Error" | "new TypeError" => {
            value.absorb(&first?.value, span);
        }
        "fs.readFile" | "fs.readFileSync" | "fs.createReadStream" | "fs.open" | "fs.openSync" => {
            value = Value::unknown(here);
        }
        _ => return None,
    }
    Some(value)
}

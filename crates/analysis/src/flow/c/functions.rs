//! Functions: what they return.

use std::rc::Rc;

use crate::flow::calls::Event;
use crate::flow::classes::{Classes, Labels};
use crate::flow::interpreter::Interpreter;
use crate::flow::value::{Value, ValueRef, mix};
use crate::syntax::Span;

/// Calls whose result says nothing of their arguments.
const OPAQUE: &[&str] = &[
    "sizeof",
    "strlen",
    "strnlen",
    "strcmp",
    "strncmp",
    "strcasecmp",
    "strncasecmp",
    "memcmp",
    "atoi",
    "atol",
    "atoll",
    "atof",
    "strtol",
    "strtoul",
    "strtoll",
    "strtoull",
    "strtod",
    "stoi",
    "stol",
    "stoul",
    "stoll",
    "malloc",
    "calloc",
    "realloc",
    "alloca",
    "open",
    "fopen",
    "popen",
    "access",
    "stat",
    "lstat",
    "system",
    "printf",
    "fprintf",
    "free",
    "rand",
    "random",
    "time",
    "getpid",
    "socket",
    "recv",
    "read",
    "fread",
    "isalnum",
    "isdigit",
    "isalpha",
    "isxdigit",
    "isspace",
    "fgets",
    "snprintf",
    "sprintf",
    "strspn",
    "strcspn",
    "new[]",
    "EVP_MD_CTX_new",
    "sqlite3_exec",
    "sqlite3_prepare_v2",
    "curl_easy_setopt",
    "curl_easy_init",
    "fork",
    "getuid",
    "geteuid",
    "to_string",
];

/// Calls that return what they are given, or a place in it.
const SAME: &[&str] = &[
    "strdup",
    "strndup",
    "xstrdup",
    "g_strdup",
    "strchr",
    "strrchr",
    "strstr",
    "strtok",
    "strtok_r",
    "string",
    "c_str",
    "move",
    "string_view",
    "tolower",
    "toupper",
    "strsep",
    "memchr",
    "strpbrk",
];

pub(super) fn function(_: &mut Interpreter<'_>, event: &Event, key: u64, here: u64) -> Option<Value> {
    let path = event.path.as_ref();
    if OPAQUE.contains(&path) {
        let mut value = Value::unknown(mix(key, here));
        label(path, &mut value);
        return Some(value);
    }
    let first = event.positional.first()?;
    let mut value = Value::unknown(key);
    match path {
        "string" | "move" | "string_view" | "strdup" | "xstrdup" | "g_strdup" => {
            return Some(Value::clone(&first.value));
        }
        "basename" | "g_path_get_basename" => value.absorb_without(&first.value, Classes::PATH, event.span),
        "realpath"
        | "canonicalize_file_name"
        | "weakly_canonical"
        | "canonical"
        | "fs::canonical"
        | "fs::weakly_canonical"
        | "filesystem::canonical"
        | "filesystem::weakly_canonical" => {
            value.absorb(&first.value, event.span);
            value.stand_for(&first.value, Classes::PATH);
            value.labels = value.labels | Labels::RESOLVED_PATH;
        }
        "path" | "fs::path" | "filesystem::path" => return Some(Value::clone(&first.value)),
        name if SAME.contains(&name) => {
            value.absorb(&first.value, event.span);
            value.stand_for(&first.value, Classes::ALL);
        }
        name => {
            let harmless = escaped(name)?;
            for operand in &event.positional {
                value.absorb_without(&operand.value, harmless, event.span);
            }
        }
    }
    Some(value)
}

/// What a function that escapes makes harmless, by the words of its name.
fn escaped(name: &str) -> Option<Classes> {
    let name = name.to_ascii_lowercase();
    if !["escape", "encode", "sanit", "quote", "clean"].iter().any(|word| name.contains(word)) {
        return None;
    }
    Some(if name.contains("html") || name.contains("xml") {
        Classes::HTML | Classes::XPATH
    } else if name.contains("sql") || name.contains("pq") {
        Classes::SQL
    } else if name.contains("shell") {
        Classes::SHELL | Classes::OPTION
    } else if name.contains("ldap") {
        Classes::LDAP
    } else if name.contains("path") || name.contains("file") {
        Classes::PATH
    } else if name.contains("unescape") || name.contains("decode") {
        Classes::NONE
    } else {
        Classes::ALL
    })
}

#[expect(clippy::unnecessary_wraps, reason = "a dialect may leave a method to the general rule")]
pub(super) fn method(
    _: &mut Interpreter<'_>,
    event: &Event,
    receiver: &ValueRef,
    key: u64,
    span: Span,
) -> Option<Value> {
    let mut value = Value::unknown(key);
    match event.method.as_ref() {
        "c_str" | "data" | "str" | "string" | "native" | "get" => return Some(Value::clone(receiver)),
        "size" | "length" | "empty" | "find" | "rfind" | "find_first_of" | "find_first_not_of" | "compare" => {}
        name if name.to_ascii_lowercase().starts_with("replace")
            && event
                .positional
                .first()
                .and_then(|what| what.value.text())
                .is_some_and(|what| matches!(what, "/" | ".." | ".")) =>
        {
            value.absorb_without(receiver, Classes::PATH, span);
        }
        "filename" | "stem" => value.absorb_without(receiver, Classes::PATH, span),
        "substr" | "at" | "front" | "back" | "value" | "lexically_normal" => value.absorb(receiver, span),
        _ => {
            for operand in std::iter::once(receiver).chain(event.positional.iter().map(|operand| &operand.value)) {
                value.absorb(&Rc::clone(operand), span);
            }
        }
    }
    Some(value)
}

pub(super) fn label(path: &str, value: &mut Value) {
    match path {
        "rand" | "random" | "drand48" | "lrand48" | "mrand48" | "rand_r" | "g_random_int" => {
            value.labels = value.labels | Labels::WEAK_RANDOM;
        }
        "time" | "getpid" | "clock" | "gettimeofday" => value.labels = value.labels | Labels::GUESSABLE,
        _ => {}
    }
}

//! Python's library, as far as it matters to input.

mod constants;
mod functions;
mod methods;
mod names;
mod predicates;

use super::classes::Classes;
use super::dialect::Dialect;
use super::paths::join_path;
use crate::rules;

/// Python.
pub(crate) static PYTHON: Dialect = Dialect {
    hooks: &rules::python::HOOKS,
    canonical: names::canonical,
    constant: constants::named,
    outside_names: &[
        "sys.argv",
        "flask.request",
        "bottle.request",
        "request",
        "self.request",
        "request.form",
        "os.environ",
    ],
    outside_calls: &[
        "cgi.FieldStorage",
        "input",
        "raw_input",
        "sys.stdin.read",
        "sys.stdin.readline",
        "sys.stdin.readlines",
    ],
    // What an archive holds was put there by others, wherever the archive itself lies.
    outside_contents: &["tarfile.open", "zipfile.ZipFile"],
    container_calls: &[
        "list",
        "tuple",
        "sorted",
        "reversed",
        "set",
        "frozenset",
        "iter",
        "filter",
        "copy.copy",
        "copy.deepcopy",
    ],
    adding_methods: &["append", "add", "appendleft"],
    filling_methods: &["extend", "insert", "update", "write", "writelines", "setdefault", "put"],
    writing_methods: &["write", "writelines", "put"],
    keyed_store: methods::keyed_store,
    receivers: &["self", "cls"],
    route_decorators: &["route", "get", "post", "put", "patch", "delete", "api_view", "websocket", "view_config"],
    number_types: &["int", "float", "bool"],
    reflected: functions::reflected,
    function: functions::function,
    method: |interpreter, event, receiver, key, span| interpreter.python_method(event, receiver, key, span),
    attribute: predicates::attribute,
    sanitised: |event| {
        let harmless = methods::sanitised(&event.path);
        let quote = event.positional.get(1).map(|quote| &quote.value).or_else(|| event.keyword("quote"));
        if harmless == Classes::HTML && quote.is_some_and(|quote| quote.boolean() == Some(false)) {
            return Classes::HTML_TAG;
        }
        harmless
    },
    label: methods::label,
    predicate: predicates::predicate,
    divide: |left, right, span| Some(join_path(&[left.clone(), right.clone()], span)),
    ..Dialect::BARE
};

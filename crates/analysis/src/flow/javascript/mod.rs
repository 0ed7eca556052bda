//! The libraries of JavaScript, in a server and in a browser, as far as they matter to input.

mod callbacks;
mod functions;
mod methods;
mod names;
mod patterns;
mod predicates;

use super::dialect::Dialect;
use crate::rules;

/// JavaScript and TypeScript.
pub(crate) static JAVASCRIPT: Dialect = Dialect {
    hooks: &rules::javascript::HOOKS,
    canonical: names::canonical,
    constant: names::constant,
    outside_names: &[
        "req.query",
        "req.body",
        "req.params",
        "req.headers",
        "req.cookies",
        "req.signedCookies",
        "req.url",
        "req.originalUrl",
        "req.path",
        "req.hostname",
        "req.host",
        "req.files",
        "req.file",
        "req.rawBody",
        "req.nextUrl",
        "ctx.query",
        "ctx.params",
        "ctx.url",
        "ctx.path",
        "ctx.headers",
        "ctx.header",
        "ctx.host",
        "ctx.hostname",
        "ctx.querystring",
        "ctx.request.body",
        "ctx.request.query",
        "ctx.request.url",
        "ctx.request.headers",
        "ctx.request.header",
        "ctx.request.files",
        "ctx.req.url",
        "lambda.body",
        "lambda.queryStringParameters",
        "lambda.pathParameters",
        "lambda.headers",
        "lambda.multiValueQueryStringParameters",
        "process.argv",
        "location.hash",
        "location.search",
        "location.href",
        "location.pathname",
        "document.URL",
        "document.documentURI",
        "document.referrer",
        "document.cookie",
        "document.getElementById().value",
        "document.querySelector().value",
        "location.searchParams",
    ],
    outside_calls: &[
        "req.param",
        "req.get",
        "req.header",
        "req.json",
        "req.text",
        "req.formData",
        "ctx.get",
        "ctx.cookies.get",
        "prompt",
        "jquery().val",
    ],
    opaque_calls: functions::OPAQUE,
    container_calls: &[
        "Array.from",
        "Array.of",
        "new Set",
        "new Map",
        "Object.freeze",
        "Object.values",
        "structuredClone",
    ],
    adding_methods: &["push", "unshift", "add"],
    filling_methods: &["append", "write", "set"],
    writing_methods: &["write"],
    receivers: &["this"],
    attributes_are_entries: true,
    anonymous_are_callbacks: true,
    parameter: predicates::parameter,
    is_outside_parameter: |_, annotation| {
        annotation.is_some_and(|kind| {
            ["@Query", "@Body", "@Param", "@Headers", "@Req", "@UploadedFile", "@Args"]
                .iter()
                .any(|mark| kind.starts_with(mark))
        })
    },
    number_types: &["number", "boolean", "bigint", "Date"],
    reflected: functions::reflected,
    function: functions::function,
    method: |interpreter, event, receiver, key, span| interpreter.javascript_method(event, receiver, key, span),
    attribute: predicates::attribute,
    sanitised: |event| functions::sanitised(&event.path, &event.method),
    label: functions::label,
    predicate: predicates::predicate,
    comparison: predicates::comparison,
    ..Dialect::BARE
};

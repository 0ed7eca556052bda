//! The library of C and of C++, as far as it matters to input.

mod constants;
mod effects;
mod functions;
mod questions;

use super::dialect::Dialect;
use crate::rules;

/// C and C++.
pub(crate) static C: Dialect = Dialect {
    hooks: &rules::c::HOOKS,
    canonical: |path| path.strip_prefix("std::").unwrap_or(path).into(),
    constant: constants::named,
    outside_calls: &[
        "getenv",
        "secure_getenv",
        "fgetc",
        "getc",
        "getchar",
        "readline",
        "getpass",
        "FCGX_GetParam",
        "mg_get_http_var",
        "cgiFormString",
        "archive_entry_pathname",
    ],
    is_outside_parameter: |name, kind| {
        name == "argv" && kind.is_some_and(|kind| kind.contains("char")) || matches!(name, "envp" | "optarg")
    },
    number_types: &[
        "int",
        "unsigned",
        "unsigned int",
        "long",
        "unsigned long",
        "size_t",
        "ssize_t",
        "short",
        "bool",
        "double",
        "float",
        "uint32_t",
        "int32_t",
        "uint64_t",
        "int64_t",
        "uint16_t",
        "uint8_t",
        "off_t",
        "long long",
    ],
    function: functions::function,
    method: functions::method,
    effect: effects::effect,
    label: functions::label,
    predicate: questions::predicate,
    ..Dialect::BARE
};

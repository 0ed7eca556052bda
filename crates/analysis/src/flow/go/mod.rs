//! Go's library, as far as it matters to input.

mod functions;
mod names;
mod predicates;
mod types;

use super::dialect::Dialect;
use crate::rules;

/// Go.
pub(crate) static GO: Dialect = Dialect {
    hooks: &rules::go::HOOKS,
    canonical: names::canonical,
    constant: names::constant,
    outside_names: &["os.Args", "os.Stdin"],
    outside_calls: &["flag.Args", "flag.Arg", "os.Args"],
    // What an archive holds was put there by others, wherever the archive itself lies.
    outside_contents: &["archive/zip.OpenReader", "archive/zip.NewReader", "archive/tar.NewReader"],
    opaque_calls: functions::OPAQUE,
    filling_methods: &["WriteString", "Write", "WriteByte", "WriteRune", "Set", "Add", "Store", "PushBack"],
    writing_methods: &["WriteString", "Write", "WriteByte", "WriteRune", "Set", "Add"],
    types_name_values: true,
    has_declared_receivers: true,
    number_types: &["byte", "rune", "bool", "float32", "float64", "uint8", "error"],
    is_outside_parameter: |_, kind| kind.is_some_and(types::is_outside),
    parameter_classes: types::parameter_classes,
    unpack: functions::unpack,
    written: functions::written,
    function: functions::function,
    method: functions::method,
    attribute: predicates::attribute,
    sanitised: functions::sanitised,
    label: functions::label,
    predicate: predicates::predicate,
    ..Dialect::BARE
};

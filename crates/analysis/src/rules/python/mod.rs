//! The rules for Python: one file each, one table of them, and the places where the interpreter tells them what it sees.

mod archive_extract;
mod autoescape;
mod bind_all;
mod certificate;
mod cleartext;
mod cookie_flags;
mod csv_formula;
mod debug_mode;
mod decompression;
mod deserialise;
mod digest_compared;
mod error_detail;
mod eval;
mod fixed_iv;
mod fixed_salt;
mod fixed_seed;
mod format_string;
mod hardcoded_credential;
mod header_newline;
mod html_unescaped;
mod jwt_unverified;
mod ldap_filter;
mod log_newline;
mod mass_assignment;
mod nosql_query;
mod open_redirect;
mod option_injection;
mod password_hash;
mod path_traversal;
mod permissions;
mod reflection;
mod regex_backtracking;
mod regex_injection;
mod shell_assembled;
mod shell_command;
mod short_key;
mod signature_check;
mod sql_assembled;
mod sql_built;
mod ssh_host_key;
mod ssrf;
mod swallowed_error;
mod temp_file;
mod template_injection;
mod tls_version;
mod unbounded_read;
mod upload_extension;
mod weak_checksum;
mod weak_cipher;
mod weak_hash;
mod weak_random;
mod xml_expansion;
mod xml_external;
mod xpath_built;

use crate::flow::{Call, Environment, Operand, ValueRef};
use crate::report::Report;
use crate::rules::{Hooks, RuleInfo};
use crate::syntax::{Comparison, Handler};

/// Every rule, in the order of their files.
pub(super) static RULES: &[RuleInfo] = &[
    archive_extract::INFO,
    autoescape::INFO,
    bind_all::INFO,
    certificate::INFO,
    cleartext::INFO,
    cookie_flags::INFO,
    csv_formula::INFO,
    debug_mode::INFO,
    decompression::INFO,
    deserialise::INFO,
    digest_compared::INFO,
    error_detail::INFO,
    eval::INFO,
    fixed_iv::INFO,
    fixed_salt::INFO,
    fixed_seed::INFO,
    format_string::INFO,
    hardcoded_credential::INFO,
    header_newline::INFO,
    html_unescaped::INFO,
    jwt_unverified::INFO,
    ldap_filter::INFO,
    log_newline::INFO,
    mass_assignment::INFO,
    nosql_query::INFO,
    open_redirect::INFO,
    option_injection::INFO,
    password_hash::INFO,
    path_traversal::INFO,
    permissions::INFO,
    reflection::INFO,
    regex_backtracking::INFO,
    regex_injection::INFO,
    shell_assembled::INFO,
    shell_command::INFO,
    short_key::INFO,
    signature_check::INFO,
    sql_assembled::INFO,
    sql_built::INFO,
    ssh_host_key::INFO,
    ssrf::INFO,
    swallowed_error::INFO,
    temp_file::INFO,
    template_injection::INFO,
    tls_version::INFO,
    unbounded_read::INFO,
    upload_extension::INFO,
    weak_checksum::INFO,
    weak_cipher::INFO,
    weak_hash::INFO,
    weak_random::INFO,
    xml_expansion::INFO,
    xml_external::INFO,
    xpath_built::INFO,
];

/// Where the rules listen.
pub(crate) static HOOKS: Hooks = Hooks {
    call,
    is_dangerous_function,
    text,
    returned,
    function,
    assign,
    attribute_store,
    element_store,
    subscript,
    boolean,
    compare,
    dictionary,
    handler,
    ..Hooks::NOBODY
};

/// What each rule makes of a call.
const CALLS: &[fn(&Call<'_>, &mut Report<'_>)] = &[
    archive_extract::call,
    autoescape::call,
    bind_all::call,
    certificate::call,
    cleartext::call,
    cookie_flags::call,
    csv_formula::call,
    debug_mode::call,
    decompression::call,
    deserialise::call,
    error_detail::call,
    eval::call,
    fixed_iv::call,
    fixed_salt::call,
    fixed_seed::call,
    format_string::call,
    hardcoded_credential::call,
    header_newline::call,
    html_unescaped::call,
    jwt_unverified::call,
    log_newline::call,
    mass_assignment::call,
    nosql_query::call,
    open_redirect::call,
    option_injection::call,
    password_hash::call,
    path_traversal::call,
    permissions::call,
    reflection::call,
    regex_backtracking::call,
    regex_injection::call,
    shell_assembled::call,
    shell_command::call,
    short_key::call,
    signature_check::call,
    sql_assembled::call,
    sql_built::call,
    ssh_host_key::call,
    ssrf::call,
    temp_file::call,
    template_injection::call,
    tls_version::call,
    unbounded_read::call,
    upload_extension::call,
    weak_checksum::call,
    weak_cipher::call,
    weak_hash::call,
    weak_random::call,
    xml_expansion::call,
    xml_external::call,
    xpath_built::call,
];

fn call(call: &Call<'_>, report: &mut Report<'_>) {
    for rule in CALLS {
        rule(call, report);
    }
}

/// Whether handing this function to another is as good as calling it.
fn is_dangerous_function(path: &str) -> bool {
    matches!(path, "eval" | "exec" | "compile" | "__import__" | "os.system" | "os.popen" | "open" | "os.remove")
        || ["subprocess.", "pickle.", "marshal.", "yaml.", "shutil.", "hashlib.", "random."]
            .iter()
            .any(|module| path.starts_with(module))
}

/// A text was put together.
fn text(text: &Operand, environment: &Environment, report: &mut Report<'_>) {
    let live = Operand { value: environment.masked(&text.value), span: text.span };
    ldap_filter::text(&live, report);
    html_unescaped::text(&live, report);
    header_newline::text(&live, report);
}

/// A value is returned or yielded.
fn returned(value: &Operand, report: &mut Report<'_>) {
    error_detail::returned(value, report);
}

/// A function has been read to its end; these are the values that it returns.
fn function(returned: &[Operand], report: &mut Report<'_>) {
    open_redirect::function(returned, report);
}

/// A name is given a value, or a parameter its default.
fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    hardcoded_credential::assign(name, value, report);
}

/// `receiver.name = value`.
fn attribute_store(receiver: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    certificate::store(receiver, name, value, report);
    debug_mode::store(receiver, name, value, report);
    mass_assignment::store(name, value, report);
    tls_version::store(name, value, report);
}

/// `receiver[index] = value`.
fn element_store(receiver: &Operand, index: &Operand, value: &Operand, report: &mut Report<'_>) {
    mass_assignment::element_store(receiver, index, value, report);
    open_redirect::entry(index, value, report);
}

/// `base[index]`.
fn subscript(base: &Operand, index: &Operand, report: &mut Report<'_>) {
    reflection::subscript(base, index, report);
}

/// `left and right`, `left or right`.
fn boolean(is_and: bool, left: &Operand, right: &Operand, report: &mut Report<'_>) {
    hardcoded_credential::boolean(is_and, left, right, report);
    signature_check::boolean(left, right, report);
}

/// One comparison.
fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    digest_compared::compare(left, operator, right, report);
    hardcoded_credential::compare(left, operator, right, report);
    signature_check::compare(left, operator, right, report);
}

/// A dictionary is written out.
fn dictionary(entries: &[(Option<Operand>, Operand)], report: &mut Report<'_>) {
    for (key, value) in entries {
        if let Some(key) = key {
            hardcoded_credential::entry(key, value, report);
            open_redirect::entry(key, value, report);
        }
    }
}

/// An `except` clause.
fn handler(handler: &Handler, caught: Option<&ValueRef>, report: &mut Report<'_>) {
    swallowed_error::handler(handler, caught, report);
}

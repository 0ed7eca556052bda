//! The rules for Python: one file each, one table of them, and the places where the interpreter tells them what it sees.

mod archive_extract;
mod autoescape;
mod bidirectional_text;
mod bind_all;
mod certificate;
mod cleartext;
mod cookie_flags;
mod cross_origin;
mod crypt_method;
mod csv_formula;
mod debug_mode;
mod decompression;
mod deserialise;
mod digest_compared;
mod empty_password;
mod error_detail;
mod eval;
mod fixed_iv;
mod fixed_key;
mod fixed_salt;
mod fixed_seed;
mod format_string;
mod group_permissions;
mod hardcoded_credential;
mod header_newline;
mod host_check;
mod html_unescaped;
mod jwt_unverified;
mod ldap_bind;
mod ldap_filter;
mod log_newline;
mod logging_listen;
mod mass_assignment;
mod missing_timeout;
mod nosql_query;
mod noted_interface;
mod noted_password;
mod noted_shell;
mod noted_sql;
mod open_redirect;
mod option_injection;
mod outside_environment;
mod password_hash;
mod password_in_address;
mod path_probed;
mod path_traversal;
mod permissions;
mod reflection;
mod regex_backtracking;
mod regex_injection;
mod rsa_padding;
mod secret_shown;
mod shell_assembled;
mod shell_command;
mod short_key;
mod signature_check;
mod small_slips;
mod snmp;
mod sql_assembled;
mod sql_built;
mod ssh_host_key;
mod ssrf;
mod stylesheet;
mod swallowed_error;
mod temp_file;
mod template_injection;
mod tls_version;
mod trust_boundary;
mod unbounded_read;
mod unpinned_model;
mod upload_extension;
mod weak_checksum;
mod weak_cipher;
mod weak_cipher_suite;
mod weak_hash;
mod weak_random;
mod web_protection;
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
    bidirectional_text::INFO,
    bind_all::INFO,
    certificate::INFO,
    cleartext::INFO,
    cookie_flags::INFO,
    cookie_flags::OTHER_SITES,
    cookie_flags::READABLE,
    cookie_flags::SECRET,
    cookie_flags::SETTING,
    cross_origin::ANY,
    cross_origin::ECHO,
    cross_origin::INFO,
    crypt_method::INFO,
    csv_formula::INFO,
    debug_mode::INFO,
    decompression::INFO,
    deserialise::INFO,
    digest_compared::INFO,
    empty_password::INFO,
    error_detail::INFO,
    eval::INFO,
    fixed_iv::INFO,
    fixed_key::INFO,
    fixed_salt::INFO,
    fixed_seed::INFO,
    format_string::INFO,
    group_permissions::INFO,
    hardcoded_credential::INFO,
    header_newline::INFO,
    host_check::INFO,
    host_check::NORMALISED,
    host_check::PATTERN,
    html_unescaped::INFO,
    jwt_unverified::INFO,
    ldap_bind::INFO,
    ldap_filter::INFO,
    log_newline::INFO,
    logging_listen::INFO,
    mass_assignment::INFO,
    missing_timeout::INFO,
    nosql_query::INFO,
    noted_interface::CODE,
    noted_interface::MARKUP,
    noted_interface::PICKLE,
    noted_interface::RANDOM,
    noted_interface::URL,
    noted_interface::XML,
    noted_password::INFO,
    noted_shell::DOWNLOAD,
    noted_shell::RELATIVE,
    noted_shell::SHELL,
    noted_shell::WILDCARD,
    noted_sql::DJANGO,
    noted_sql::INFO,
    open_redirect::INFO,
    option_injection::INFO,
    outside_environment::DOWNLOAD,
    outside_environment::INFO,
    outside_environment::SEARCH,
    password_hash::INFO,
    password_in_address::INFO,
    path_probed::INFO,
    path_traversal::INFO,
    permissions::INFO,
    reflection::INFO,
    regex_backtracking::INFO,
    regex_injection::INFO,
    rsa_padding::INFO,
    secret_shown::FILE,
    secret_shown::INFO,
    secret_shown::SENT,
    secret_shown::TABLE,
    shell_assembled::INFO,
    shell_command::INFO,
    short_key::INFO,
    signature_check::INFO,
    small_slips::CALLER,
    small_slips::KEY,
    small_slips::MATCH,
    small_slips::SEED,
    small_slips::TOKEN,
    snmp::INFO,
    snmp::USER,
    sql_assembled::INFO,
    sql_built::INFO,
    ssh_host_key::INFO,
    ssrf::INFO,
    stylesheet::INFO,
    swallowed_error::INFO,
    temp_file::INFO,
    template_injection::INFO,
    tls_version::INFO,
    tls_version::NEGOTIATED_INFO,
    trust_boundary::INFO,
    unbounded_read::INFO,
    unpinned_model::CODE,
    unpinned_model::INFO,
    upload_extension::INFO,
    weak_checksum::INFO,
    weak_cipher::INFO,
    weak_cipher_suite::INFO,
    weak_hash::INFO,
    weak_random::INFO,
    web_protection::CSRF,
    web_protection::FRAME,
    web_protection::HOSTS,
    web_protection::LIFETIME,
    web_protection::OPEN,
    web_protection::REDIRECT,
    xml_expansion::INFO,
    xml_external::INFO,
    xpath_built::INFO,
];

/// Where the rules listen.
pub(crate) static HOOKS: Hooks = Hooks {
    file: bidirectional_text::file,
    call,
    is_dangerous_function,
    text,
    returned,
    responded,
    decorator,
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
    cross_origin::call,
    crypt_method::call,
    csv_formula::call,
    debug_mode::call,
    decompression::call,
    deserialise::call,
    empty_password::call,
    error_detail::call,
    eval::call,
    fixed_iv::call,
    fixed_key::call,
    fixed_salt::call,
    fixed_seed::call,
    format_string::call,
    group_permissions::call,
    hardcoded_credential::call,
    header_newline::call,
    host_check::call,
    html_unescaped::call,
    jwt_unverified::call,
    ldap_bind::call,
    log_newline::call,
    logging_listen::call,
    mass_assignment::call,
    missing_timeout::call,
    nosql_query::call,
    noted_interface::call,
    noted_shell::call,
    noted_sql::call,
    open_redirect::call,
    option_injection::call,
    outside_environment::call,
    password_hash::call,
    password_in_address::call,
    path_probed::call,
    path_traversal::call,
    permissions::call,
    reflection::call,
    regex_backtracking::call,
    regex_injection::call,
    rsa_padding::call,
    secret_shown::call,
    shell_assembled::call,
    shell_command::call,
    short_key::call,
    signature_check::call,
    small_slips::call,
    snmp::call,
    sql_assembled::call,
    sql_built::call,
    ssh_host_key::call,
    ssrf::call,
    stylesheet::call,
    temp_file::call,
    template_injection::call,
    tls_version::call,
    unbounded_read::call,
    unpinned_model::call,
    upload_extension::call,
    weak_checksum::call,
    weak_cipher::call,
    weak_cipher_suite::call,
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
    noted_sql::text(text, report);
}

/// A value is returned or yielded.
fn returned(value: &Operand, report: &mut Report<'_>) {
    error_detail::returned(value, report);
}

/// A function that answers web requests returns a value.
fn responded(value: &Operand, report: &mut Report<'_>) {
    html_unescaped::responded(value, report);
}

/// What stands before a function.
fn decorator(decorator: &Operand, report: &mut Report<'_>) {
    web_protection::decorator(decorator, report);
}

/// A function has been read to its end; these are the values that it returns.
fn function(returned: &[Operand], report: &mut Report<'_>) {
    open_redirect::function(returned, report);
}

/// A name is given a value, or a parameter its default.
fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    hardcoded_credential::assign(name, value, report);
    noted_password::assign(name, value, report);
    setting(name, value, report);
    password_in_address::assign(value, report);
    tls_version::default(value, report);
}

/// A setting, as a name, a key or a keyword.
fn setting(name: &str, value: &Operand, report: &mut Report<'_>) {
    cookie_flags::setting(name, value, report);
    cross_origin::setting(name, value, report);
    web_protection::setting(name, value, report);
}

/// `receiver.name = value`.
fn attribute_store(receiver: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    certificate::store(receiver, name, value, report);
    debug_mode::store(receiver, name, value, report);
    mass_assignment::store(name, value, report);
    setting(name, value, report);
    tls_version::store(name, value, report);
}

/// `receiver[index] = value`.
fn element_store(receiver: &Operand, index: &Operand, value: &Operand, report: &mut Report<'_>) {
    mass_assignment::element_store(receiver, index, value, report);
    open_redirect::entry(index, value, report);
    outside_environment::element_store(receiver, value, report);
    trust_boundary::element_store(receiver, value, report);
    if let Some(name) = index.value.text() {
        setting(name, value, report);
    }
    weak_random::element_store(receiver, index, value, report);
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
    noted_password::compare(left, operator, right, report);
    host_check::compare(left, operator, right, report);
    small_slips::compare(left, operator, right, report);
    signature_check::compare(left, operator, right, report);
}

/// A dictionary is written out.
fn dictionary(entries: &[(Option<Operand>, Operand)], report: &mut Report<'_>) {
    empty_password::dictionary(entries, report);
    small_slips::dictionary(entries, report);
    for (key, value) in entries {
        if let Some(key) = key {
            hardcoded_credential::entry(key, value, report);
            noted_password::entry(key, value, report);
            if let Some(name) = key.value.text() {
                setting(name, value, report);
            }
            open_redirect::entry(key, value, report);
        }
    }
}

/// An `except` clause.
fn handler(handler: &Handler, caught: Option<&ValueRef>, report: &mut Report<'_>) {
    swallowed_error::handler(handler, caught, report);
}

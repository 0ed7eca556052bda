//! The rules for C and C++ that look at calls. What they find in memory is found by [`crate::memory`].

mod banned;
mod commands;
mod files;
mod network;
pub(crate) mod secrets;
mod texts;

use super::{Hooks, RuleInfo};
use crate::flow::{Call, Operand};
use crate::report::Report;

/// Every rule for C and C++.
pub(crate) static RULES: &[RuleInfo] = &[
    banned::GETS,
    banned::OBSOLETE,
    banned::ALLOCA,
    commands::SHELL,
    commands::SHELL_SCRIPT,
    commands::OPTION,
    commands::LIBRARY,
    commands::ENVIRONMENT,
    files::TRAVERSAL,
    files::ARCHIVE,
    files::TEMPORARY,
    files::FIXED_TEMPORARY,
    files::PERMISSIONS,
    files::UMASK,
    files::NO_MODE,
    network::REQUEST,
    network::HOST_SUBSTRING,
    network::CERTIFICATE,
    network::HOST,
    network::OLD_TLS,
    network::CLEARTEXT,
    network::REVERSE_LOOKUP,
    network::ENTITIES,
    network::EXPANSION,
    network::SIGNATURE,
    secrets::HASH,
    secrets::CIPHER,
    secrets::BOOK,
    secrets::KEY,
    secrets::VECTOR,
    secrets::SALT,
    secrets::ROUNDS,
    secrets::RANDOM,
    secrets::SEED,
    secrets::CREDENTIAL,
    secrets::COMPARED,
    secrets::TIMING,
    texts::FORMAT,
    texts::LOG_FORMAT,
    texts::SQL,
    texts::LDAP,
    texts::XPATH,
    texts::HTML,
    texts::NOSQL,
    texts::HEADER,
];

pub(crate) static HOOKS: Hooks = Hooks { call, assign, ..Hooks::NOBODY };

fn call(call: &Call<'_>, report: &mut Report<'_>) {
    banned::call(call, report);
    commands::call(call, report);
    files::call(call, report);
    network::call(call, report);
    secrets::call(call, report);
    texts::call(call, report);
}

fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    secrets::assign(name, value, report);
}

//! Java's library, as far as it matters to input.
//!
//! Types go by their simple names where their package is a well-known one: `Connection().createStatement` is what an imported
//! `java.sql.Connection` does, and what one does in a method that stands alone, without its imports. A type of another
//! package keeps its whole name and so means nothing here.

mod methods;
mod names;
mod predicates;
mod sources;

use super::classes::{Classes, Labels};
use super::dialect::Dialect;
use crate::rules;

pub(crate) use names::kind_of;

/// Java.
pub(crate) static JAVA: Dialect = Dialect {
    hooks: &rules::java::HOOKS,
    canonical: names::canonical,
    constant: names::constant,
    outside_names: &["System.in"],
    outside_calls: sources::OUTSIDE_CALLS,
    opaque_calls: sources::OPAQUE_CALLS,
    container_calls: &[
        "Arrays.asList",
        "List.of",
        "Set.of",
        "List.copyOf",
        "Set.copyOf",
        "Collections.unmodifiableList",
        "Collections.unmodifiableSet",
        "new ArrayList",
        "new HashSet",
        "new LinkedList",
        "new TreeSet",
        "new LinkedHashSet",
    ],
    adding_methods: &["add", "push", "offer", "addLast"],
    filling_methods: &["put", "addAll", "putAll", "write", "print", "println", "setProperty", "putIfAbsent"],
    writing_methods: &["write", "print", "println"],
    returning_methods: &["append"],
    route_decorators: sources::ROUTES,
    is_outside_parameter: sources::is_outside_parameter,
    types_name_values: true,
    type_decides: names::type_decides,
    members_are_names: true,
    number_types: &[
        "int",
        "long",
        "short",
        "byte",
        "double",
        "float",
        "boolean",
        "char",
        "Integer",
        "Long",
        "Short",
        "Byte",
        "Double",
        "Float",
        "Boolean",
        "BigInteger",
        "BigDecimal",
        "UUID",
        "LocalDate",
        "LocalDateTime",
        "Instant",
        "Date",
        "Duration",
        "Timestamp",
    ],
    function: methods::function,
    method: methods::method,
    sanitised: |event| methods::sanitised(&event.path, &event.method),
    label: |path, value| {
        let label = match path {
            "Random().nextInt"
            | "Random().nextLong"
            | "Random().nextDouble"
            | "Random().nextBytes"
            | "Random().nextFloat"
            | "Random().ints"
            | "Random().nextGaussian"
            | "Math.random"
            | "ThreadLocalRandom().nextInt"
            | "ThreadLocalRandom().nextLong"
            | "RandomStringUtils.randomAlphanumeric"
            | "RandomStringUtils.randomAlphabetic"
            | "RandomStringUtils.randomNumeric"
            | "RandomStringUtils.random" => Labels::WEAK_RANDOM,
            "SecureRandom().nextInt"
            | "SecureRandom().nextBytes"
            | "SecureRandom().generateSeed"
            | "UUID.randomUUID" => Labels::STRONG_RANDOM,
            "System.currentTimeMillis" | "System.nanoTime" | "Date().getTime" => Labels::GUESSABLE,
            "MessageDigest().digest" | "Mac().doFinal" => Labels::DIGEST,
            _ => return,
        };
        value.labels = value.labels | label;
    },
    predicate: predicates::predicate,
    ..Dialect::BARE
};

/// An XML parser was told to refuse what it should.
pub(crate) const HARDENED: Classes = Classes::SET_FIRST;
/// An array was handed to something that may have filled it.
pub(crate) const FILLED: Classes = Classes::SET_THIRD;
/// A cookie is sent over encrypted connections only.
pub(crate) const COOKIE_SECURE: Classes = Classes::SET_FIRST;
/// A cookie is kept from scripts.
pub(crate) const COOKIE_HTTP_ONLY: Classes = Classes::SET_SECOND;

//! Texts that another language reads: formats, queries, pages.
//!
//! # `c/format-string`, `c/log-format`
//!
//! ## What they do
//!
//! - `c/format-string`: input is read as a format string.
//! - `c/log-format`: input is read as the format of a message to a log.
//!
//! ## Why this is bad
//!
//! Conversions in the input read the stack, and `%n` writes to memory.
//!
//! ## Example
//!
//! ```c
//! #include <stdio.h>
//! void f(const char *text) {
//!     printf(text);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <stdio.h>
//! void f(const char *text) {
//!     printf("%s", text);
//! }
//! ```
//!
//! - `c/log-format`: pass the input as an argument of a fixed format, "%s".
//!
//! ## References
//!
//! - [CWE-134](https://cwe.mitre.org/data/definitions/134.html)
//!
//! # `c/sql-built`, `c/ldap-filter`, `c/xpath-built`, `c/query-document-built`
//!
//! ## What they do
//!
//! - `c/sql-built`: a statement of SQL is put together from input.
//! - `c/ldap-filter`: a filter of LDAP is put together from input.
//! - `c/xpath-built`: a query of XPath is put together from input.
//! - `c/query-document-built`: a query document is put together as text from input.
//!
//! ## Why this is bad
//!
//! The input can end the literal that it stands in and change what the query asks.
//!
//! ## Example
//!
//! ```c
//! #include <sqlite3.h>
//! void f(sqlite3 *db, const char *name) {
//!     char sql[256];
//!     snprintf(sql, sizeof(sql), "SELECT * FROM users WHERE name = '%s'", name);
//!     sqlite3_exec(db, sql, 0, 0, 0);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <sqlite3.h>
//! void f(sqlite3 *db, const char *name) {
//!     sqlite3_stmt *statement;
//!     sqlite3_prepare_v2(db, "SELECT * FROM users WHERE name = ?", -1, &statement, 0);
//!     sqlite3_bind_text(statement, 1, name, -1, 0);
//! }
//! ```
//!
//! - `c/ldap-filter`: escape the input for filters.
//! - `c/xpath-built`: compare the values in code, or register them as variables.
//! - `c/query-document-built`: append the values to the document with typed calls.
//!
//! ## References
//!
//! - [CWE-89](https://cwe.mitre.org/data/definitions/89.html)
//! - [CWE-90](https://cwe.mitre.org/data/definitions/90.html)
//! - [CWE-643](https://cwe.mitre.org/data/definitions/643.html)
//! - [CWE-943](https://cwe.mitre.org/data/definitions/943.html)
//!
//! # `c/html-unescaped`, `c/header-newline`
//!
//! ## What they do
//!
//! - `c/html-unescaped`: input is written into a page without escaping.
//! - `c/header-newline`: input with line breaks is written into a header.
//!
//! ## Why this is bad
//!
//! The input becomes part of the page or of the headers: scripts run as if the site had sent them, and a line break starts the
//! next header.
//!
//! ## Example
//!
//! ```c
//! #include <stdio.h>
//! void f(const char *name) {
//!     printf("<h1>%s</h1>", name);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <stdio.h>
//! void f(const char *name) {
//!     printf("name: %s", name);
//! }
//! ```
//!
//! - `c/header-newline`: refuse carriage returns and line feeds.
//!
//! ## References
//!
//! - [CWE-79](https://cwe.mitre.org/data/definitions/79.html)
//! - [CWE-93](https://cwe.mitre.org/data/definitions/93.html)
//! - [CWE-113](https://cwe.mitre.org/data/definitions/113.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, SourceKind};
use crate::report::Report;
use crate::rules::evidence::looks_like_sql;
use crate::rules::{Example, RuleInfo};

pub(super) static FORMAT: RuleInfo = RuleInfo {
    code: "CW-C-134-1",
    name: "c/format-string",
    cwe: &[Cwe(134)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input is read as a format string",
    fix: "pass the input as an argument of a fixed format, \"%s\"",
    examples: &[Example {
        weak: "#include <stdio.h>\nvoid f(const char *text) {\n    printf(«text»);\n}\n",
        sound: "#include <stdio.h>\nvoid f(const char *text) {\n    printf(\"%s\", text);\n}\n",
    }],
};

pub(super) static LOG_FORMAT: RuleInfo = RuleInfo {
    code: "CW-C-134-2",
    name: "c/log-format",
    cwe: &[Cwe(134)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input is read as the format of a message to a log",
    fix: "pass the input as an argument of a fixed format, \"%s\"",
    examples: &[Example {
        weak: "#include <syslog.h>\nvoid f(const char *text) {\n    syslog(3, «text»);\n}\n",
        sound: "#include <syslog.h>\nvoid f(const char *text) {\n    syslog(3, \"%s\", text);\n}\n",
    }],
};

pub(super) static SQL: RuleInfo = RuleInfo {
    code: "CW-C-089-1",
    name: "c/sql-built",
    cwe: &[Cwe(89)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A statement of SQL is put together from input",
    fix: "use a prepared statement and bind the values",
    examples: &[Example {
        weak: "#include <sqlite3.h>\nvoid f(sqlite3 *db, const char *name) {\n    char sql[256];\n    snprintf(sql, sizeof(sql), \"SELECT * FROM users WHERE name = '%s'\", name);\n    sqlite3_exec(db, «sql», 0, 0, 0);\n}\n",
        sound: "#include <sqlite3.h>\nvoid f(sqlite3 *db, const char *name) {\n    sqlite3_stmt *statement;\n    sqlite3_prepare_v2(db, \"SELECT * FROM users WHERE name = ?\", -1, &statement, 0);\n    sqlite3_bind_text(statement, 1, name, -1, 0);\n}\n",
    }],
};

pub(super) static LDAP: RuleInfo = RuleInfo {
    code: "CW-C-090-1",
    name: "c/ldap-filter",
    cwe: &[Cwe(90)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A filter of LDAP is put together from input",
    fix: "escape the input for filters",
    examples: &[Example {
        weak: "void f(void *ld, const char *user) {\n    char filter[256];\n    snprintf(filter, sizeof(filter), \"(uid=%s)\", user);\n    ldap_search_ext_s(ld, \"dc=a\", 2, «filter», 0, 0, 0, 0, 0, 0, 0);\n}\n",
        sound: "void f(void *ld, const char *user) {\n    ldap_search_ext_s(ld, \"dc=a\", 2, \"(uid=root)\", 0, 0, 0, 0, 0, 0, 0);\n}\n",
    }],
};

pub(super) static XPATH: RuleInfo = RuleInfo {
    code: "CW-C-643-1",
    name: "c/xpath-built",
    cwe: &[Cwe(643)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A query of XPath is put together from input",
    fix: "compare the values in code, or register them as variables",
    examples: &[Example {
        weak: "void *f(void *context, const char *name) {\n    char query[256];\n    snprintf(query, sizeof(query), \"//user[name='%s']\", name);\n    return xmlXPathEvalExpression(«(xmlChar *)query», context);\n}\n",
        sound: "void *f(void *context, const char *name) {\n    return xmlXPathEvalExpression((xmlChar *)\"//user\", context);\n}\n",
    }],
};

pub(super) static HTML: RuleInfo = RuleInfo {
    code: "CW-C-079-1",
    name: "c/html-unescaped",
    cwe: &[Cwe(79)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input is written into a page without escaping",
    fix: "escape < > & and quotes first",
    examples: &[Example {
        weak: "#include <stdio.h>\nvoid f(const char *name) {\n    printf(\"<h1>%s</h1>\", «name»);\n}\n",
        sound: "#include <stdio.h>\nvoid f(const char *name) {\n    printf(\"name: %s\", name);\n}\n",
    }],
};

pub(super) static NOSQL: RuleInfo = RuleInfo {
    code: "CW-C-943-1",
    name: "c/query-document-built",
    cwe: &[Cwe(943)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A query document is put together as text from input",
    fix: "append the values to the document with typed calls",
    examples: &[Example {
        weak: "void *f(const char *name) {\n    char text[256];\n    snprintf(text, sizeof(text), \"{\\\"name\\\": \\\"%s\\\"}\", name);\n    return bson_new_from_json(«(const unsigned char *)text», -1, 0);\n}\n",
        sound: "void *f(const char *name) {\n    return BCON_NEW(\"name\", BCON_UTF8(name));\n}\n",
    }],
};

pub(super) static HEADER: RuleInfo = RuleInfo {
    code: "CW-C-113-1",
    name: "c/header-newline",
    cwe: &[Cwe(113), Cwe(93)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "Input with line breaks is written into a header",
    fix: "refuse carriage returns and line feeds",
    examples: &[Example {
        weak: "#include <stdio.h>\nvoid f(const char *place) {\n    printf(\"Location: %s\\r\\n\", «place»);\n}\n",
        sound: "#include <stdio.h>\nvoid f(int length) {\n    printf(\"Content-Length: %d\\r\\n\", length);\n}\n",
    }],
};

/// Functions that print, with the position of their format.
const PRINTING: &[(&str, usize)] = &[
    ("printf", 0),
    ("fprintf", 1),
    ("sprintf", 1),
    ("snprintf", 2),
    ("dprintf", 1),
    ("asprintf", 1),
    ("wprintf", 0),
    ("err", 1),
    ("errx", 1),
    ("warn", 0),
    ("warnx", 0),
    ("printk", 0),
    ("g_print", 0),
    ("g_printf", 0),
    ("vprintf", 0),
];

/// Functions that log, with the position of their format.
const LOGGING: &[(&str, usize)] = &[("syslog", 1), ("vsyslog", 1), ("g_log", 2), ("g_warning", 0), ("g_message", 0)];

/// Functions that run a statement of SQL, with its position.
const STATEMENTS: &[(&str, usize)] = &[
    ("sqlite3_exec", 1),
    ("sqlite3_prepare", 1),
    ("sqlite3_prepare_v2", 1),
    ("sqlite3_prepare_v3", 1),
    ("sqlite3_get_table", 1),
    ("mysql_query", 1),
    ("mysql_real_query", 1),
    ("mysql_stmt_prepare", 1),
    ("PQexec", 1),
    ("PQexecParams", 1),
    ("PQprepare", 2),
    ("PQsendQuery", 1),
    ("SQLExecDirect", 1),
    ("SQLPrepare", 1),
];

/// Methods of C++ libraries that do.
const STATEMENT_METHODS: &[&str] = &["execute", "executeQuery", "executeUpdate", "exec", "query", "prepareStatement"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let position = |table: &[(&str, usize)]| table.iter().find(|(name, _)| *name == call.path).map(|(_, at)| *at);
    let tainted = |at: usize, classes: Classes| {
        let operand = call.positional.get(at)?;
        let value = call.live(&operand.value);
        let taint = value.taint(classes)?.clone();
        Some((operand, value, taint))
    };
    if let Some((text, value, taint)) = position(PRINTING).and_then(|at| tainted(at, Classes::FORMAT))
        && (!value.is_built() || !value.outline().contains('%'))
    {
        report.add(
            &FORMAT,
            text.span,
            "conversions in this input read and write memory; pass it as an argument of \"%s\"",
            Some(&taint),
        );
    }
    if let Some((text, _, taint)) = position(LOGGING).and_then(|at| tainted(at, Classes::FORMAT)) {
        report.add(
            &LOG_FORMAT,
            text.span,
            "conversions in this input read and write memory; pass it as an argument of \"%s\"",
            Some(&taint),
        );
    }
    let statement = if call.has_method(STATEMENT_METHODS) { Some(0) } else { position(STATEMENTS) };
    if let Some((text, value, taint)) = statement.and_then(|at| tainted(at, Classes::SQL)) {
        let is_text = value.is_built() && looks_like_sql(&value.outline());
        if is_text || (call.receiver.is_none() && taint.source.kind == SourceKind::Outside) {
            report.add(
                &SQL,
                text.span,
                "input becomes part of this statement; prepare it and bind the values",
                Some(&taint),
            );
        }
    }
    if call.path.starts_with("ldap_search") {
        for at in [2, 3] {
            if let Some((text, _, taint)) = tainted(at, Classes::LDAP).filter(|(_, value, _)| value.is_built()) {
                report.add(&LDAP, text.span, "input becomes part of this filter; escape it for filters", Some(&taint));
            }
        }
    }
    if call.path.starts_with("xmlXPath") || call.has_method(&["select_node", "select_nodes", "select_single_node"]) {
        for at in [0, 1] {
            if let Some((text, _, taint)) = tainted(at, Classes::XPATH).filter(|(_, value, _)| value.is_built()) {
                report.add(
                    &XPATH,
                    text.span,
                    "input becomes part of this query; compare the values in code",
                    Some(&taint),
                );
            }
        }
    }
    if call.is(&["bson_new_from_json", "bson_init_from_json", "bsoncxx::from_json", "from_json"])
        && let Some((text, _, taint)) = [0, 1].into_iter().find_map(|at| tainted(at, Classes::CODE))
    {
        report.add(
            &NOSQL,
            text.span,
            "input becomes part of this document; append the values with typed calls",
            Some(&taint),
        );
    }
    if let Some(at) = position(&PRINTING[..2]) {
        page(call, at, report);
    }
}

/// `printf` of a page or of headers.
fn page(call: &Call<'_>, at: usize, report: &mut Report<'_>) {
    let Some(template) = call.positional.get(at).and_then(|template| template.value.text()) else { return };
    let lower = template.to_ascii_lowercase();
    let is_page = ["<html", "<h1", "<p>", "<div", "<td", "<body", "<a ", "<li>", "<b>", "<title", "<span", "<input"]
        .iter()
        .any(|tag| lower.contains(tag));
    let is_header = ["location:", "set-cookie:", "content-disposition:"].iter().any(|name| lower.starts_with(name));
    if !is_page && !is_header {
        return;
    }
    for operand in &call.positional[at + 1..] {
        let value = call.live(&operand.value);
        if let (true, Some(taint)) = (is_page, value.taint(Classes::HTML_TAG))
            && template.contains("%s")
        {
            report.add(
                &HTML,
                operand.span,
                "a browser reads tags in this input; escape < > & and quotes first",
                Some(taint),
            );
        }
        if let (true, Some(taint)) = (is_header, value.taint(Classes::LINES)) {
            report.add(
                &HEADER,
                operand.span,
                "line breaks in this input start a header of their own; refuse them",
                Some(taint),
            );
        }
    }
}

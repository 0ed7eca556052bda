//! Connections: to whom, and how they are protected.
//!
//! # `c/request-forgery`
//!
//! ## What it does
//!
//! Reports where the address of a request comes from input.
//!
//! ## Why this is bad
//!
//! The server can be made to ask hosts that only it can reach, and to pass on what they answer.
//!
//! ## Example
//!
//! ```c
//! void f(void *curl, const char *url) {
//!     curl_easy_setopt(curl, CURLOPT_URL, url);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(void *curl) {
//!     curl_easy_setopt(curl, CURLOPT_URL, "https://example.org/");
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-918](https://cwe.mitre.org/data/definitions/918.html)
//!
//! # `c/host-substring`
//!
//! ## What it does
//!
//! Reports where an address is trusted because a name occurs somewhere in it.
//!
//! ## Why this is bad
//!
//! `https://example.org.evil.net/` and `https://evil.net/?example.org` hold the name too.
//!
//! ## Example
//!
//! ```c
//! if (strstr(target, domain) != NULL)
//!     return target;
//! ```
//!
//! ## Use instead
//!
//! ```c
//! if (strcmp(host_of(target), domain) == 0)
//!     return target;
//! ```
//!
//! ## References
//!
//! - [CWE-20](https://cwe.mitre.org/data/definitions/20.html)
//! - [CWE-601](https://cwe.mitre.org/data/definitions/601.html)
//! - [CWE-918](https://cwe.mitre.org/data/definitions/918.html)
//!
//! # `c/certificate-unchecked`, `c/host-unchecked`, `c/old-protocol`
//!
//! ## What they do
//!
//! - `c/certificate-unchecked`: the certificate of the other side is not checked.
//! - `c/host-unchecked`: the name in the certificate of the other side is not checked.
//! - `c/old-protocol`: a version of TLS is used that has been broken.
//!
//! ## Why this is bad
//!
//! Whoever is on the way can pass for the other side, or break the encryption, and then reads and changes everything.
//!
//! ## Example
//!
//! ```c
//! void f(void *curl) {
//!     curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(void *curl) {
//!     curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
//! }
//! ```
//!
//! - `c/host-unchecked`: set CURLOPT_SSL_VERIFYHOST to 2.
//! - `c/old-protocol`: use TLS_client_method and a minimum of TLS 1.2.
//!
//! ## References
//!
//! - [CWE-295](https://cwe.mitre.org/data/definitions/295.html)
//! - [CWE-297](https://cwe.mitre.org/data/definitions/297.html)
//! - [CWE-326](https://cwe.mitre.org/data/definitions/326.html)
//! - [CWE-327](https://cwe.mitre.org/data/definitions/327.html)
//!
//! # `c/cleartext`
//!
//! ## What it does
//!
//! Reports where a request goes over a connection that everybody can read.
//!
//! ## Why this is bad
//!
//! Whoever is on the way reads the request and the answer, and can change both.
//!
//! ## Example
//!
//! ```c
//! void f(void *curl) {
//!     curl_easy_setopt(curl, CURLOPT_URL, "http://example.org/login");
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(void *curl) {
//!     curl_easy_setopt(curl, CURLOPT_URL, "https://example.org/login");
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-319](https://cwe.mitre.org/data/definitions/319.html)
//!
//! # `c/reverse-lookup`
//!
//! ## What it does
//!
//! Reports where a host is known by the name that its own network gives it.
//!
//! ## Why this is bad
//!
//! Whoever owns an address decides to which name it leads back.
//!
//! ## Example
//!
//! ```c
//! void *f(const void *address) {
//!     return gethostbyaddr(address, 4, 2);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(unsigned address) {
//!     return address == 0x7f000001u;
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-350](https://cwe.mitre.org/data/definitions/350.html)
//! - [CWE-807](https://cwe.mitre.org/data/definitions/807.html)
//!
//! # `c/xml-external`, `c/xml-expansion`
//!
//! ## What they do
//!
//! - `c/xml-external`: a parser of XML loads what the document names.
//! - `c/xml-expansion`: a parser of XML is told to put up with documents of any size.
//!
//! ## Why this is bad
//!
//! A document can name files and addresses that the parser then loads into it, and entities that grow to gigabytes.
//!
//! ## Example
//!
//! ```c
//! void *f(const char *text, int length) {
//!     return xmlReadMemory(text, length, "a.xml", 0, XML_PARSE_NOENT | XML_PARSE_DTDLOAD);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void *f(const char *text, int length) {
//!     return xmlReadMemory(text, length, "a.xml", 0, XML_PARSE_NONET);
//! }
//! ```
//!
//! - `c/xml-expansion`: leave out XML_PARSE_HUGE.
//!
//! ## References
//!
//! - [CWE-611](https://cwe.mitre.org/data/definitions/611.html)
//! - [CWE-776](https://cwe.mitre.org/data/definitions/776.html)
//!
//! # `c/token-unverified`
//!
//! ## What it does
//!
//! Reports where a token is read without a key to verify it.
//!
//! ## Why this is bad
//!
//! A token without a verified signature says what its sender wants.
//!
//! ## Example
//!
//! ```c
//! int f(jwt_t **token, const char *text) {
//!     return jwt_decode(token, text, NULL, 0);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(jwt_t **token, const char *text, const unsigned char *key, int length) {
//!     return jwt_decode(token, text, key, length);
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-347](https://cwe.mitre.org/data/definitions/347.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand};
use crate::report::Report;
use crate::rules::evidence::words;
use crate::rules::{Example, RuleInfo};

pub(super) static REQUEST: RuleInfo = RuleInfo {
    code: "CW-C-918-1",
    name: "c/request-forgery",
    cwe: &[Cwe(918)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "The address of a request comes from input",
    fix: "compare the host with a list of allowed ones",
    examples: &[Example {
        weak: "void f(void *curl, const char *url) {\n    curl_easy_setopt(curl, CURLOPT_URL, «url»);\n}\n",
        sound: "void f(void *curl) {\n    curl_easy_setopt(curl, CURLOPT_URL, \"https://example.org/\");\n}\n",
    }],
};

pub(super) static HOST_SUBSTRING: RuleInfo = RuleInfo {
    code: "CW-C-020-1",
    name: "c/host-substring",
    cwe: &[Cwe(20), Cwe(601), Cwe(918)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "An address is trusted because a name occurs somewhere in it",
    fix: "take the host out of the address and compare it whole, or its end with the dot before it",
    examples: &[Example {
        weak: "const char *f(const char *target, const char *domain) {\n    if («strstr(target, domain)» != NULL)\n        return target;\n    return domain;\n}\n",
        sound: "const char *f(const char *target, const char *domain) {\n    if (strcmp(host_of(target), domain) == 0)\n        return target;\n    return domain;\n}\n",
    }],
};

pub(super) static CERTIFICATE: RuleInfo = RuleInfo {
    code: "CW-C-295-1",
    name: "c/certificate-unchecked",
    cwe: &[Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The certificate of the other side is not checked",
    fix: "leave verification on",
    examples: &[
        Example {
            weak: "void f(void *curl) {\n    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, «0L»);\n}\n",
            sound: "void f(void *curl) {\n    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);\n}\n",
        },
        Example {
            weak: "void f(void *context) {\n    SSL_CTX_set_verify(context, «SSL_VERIFY_NONE», 0);\n}\n",
            sound: "void f(void *context) {\n    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, 0);\n}\n",
        },
    ],
};

pub(super) static HOST: RuleInfo = RuleInfo {
    code: "CW-C-297-1",
    name: "c/host-unchecked",
    cwe: &[Cwe(297), Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The name in the certificate of the other side is not checked",
    fix: "set CURLOPT_SSL_VERIFYHOST to 2",
    examples: &[Example {
        weak: "void f(void *curl) {\n    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, «0L»);\n}\n",
        sound: "void f(void *curl) {\n    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);\n}\n",
    }],
};

pub(super) static OLD_TLS: RuleInfo = RuleInfo {
    code: "CW-C-327-3",
    name: "c/old-protocol",
    cwe: &[Cwe(327), Cwe(326)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A version of TLS is used that has been broken",
    fix: "use TLS_client_method and a minimum of TLS 1.2",
    examples: &[Example {
        weak: "void *f(void) {\n    return SSL_CTX_new(«SSLv3_method()»);\n}\n",
        sound: "void *f(void) {\n    return SSL_CTX_new(TLS_client_method());\n}\n",
    }],
};

pub(super) static CLEARTEXT: RuleInfo = RuleInfo {
    code: "CW-C-319-1",
    name: "c/cleartext",
    cwe: &[Cwe(319)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A request goes over a connection that everybody can read",
    fix: "use https",
    examples: &[Example {
        weak: "void f(void *curl) {\n    curl_easy_setopt(curl, CURLOPT_URL, «\"http://example.org/login\"»);\n}\n",
        sound: "void f(void *curl) {\n    curl_easy_setopt(curl, CURLOPT_URL, \"https://example.org/login\");\n}\n",
    }],
};

pub(super) static REVERSE_LOOKUP: RuleInfo = RuleInfo {
    code: "CW-C-350-1",
    name: "c/reverse-lookup",
    cwe: &[Cwe(350), Cwe(807)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A host is known by the name that its own network gives it",
    fix: "compare the address itself",
    examples: &[Example {
        weak: "void *f(const void *address) {\n    return «gethostbyaddr»(address, 4, 2);\n}\n",
        sound: "int f(unsigned address) {\n    return address == 0x7f000001u;\n}\n",
    }],
};

pub(super) static ENTITIES: RuleInfo = RuleInfo {
    code: "CW-C-611-1",
    name: "c/xml-external",
    cwe: &[Cwe(611)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A parser of XML loads what the document names",
    fix: "leave out XML_PARSE_NOENT and XML_PARSE_DTDLOAD",
    examples: &[Example {
        weak: "void *f(const char *text, int length) {\n    return xmlReadMemory(text, length, \"a.xml\", 0, «XML_PARSE_NOENT | XML_PARSE_DTDLOAD»);\n}\n",
        sound: "void *f(const char *text, int length) {\n    return xmlReadMemory(text, length, \"a.xml\", 0, XML_PARSE_NONET);\n}\n",
    }],
};

pub(super) static EXPANSION: RuleInfo = RuleInfo {
    code: "CW-C-776-1",
    name: "c/xml-expansion",
    cwe: &[Cwe(776)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A parser of XML is told to put up with documents of any size",
    fix: "leave out XML_PARSE_HUGE",
    examples: &[Example {
        weak: "void *f(const char *text, int length) {\n    return xmlReadMemory(text, length, \"a.xml\", 0, «XML_PARSE_HUGE»);\n}\n",
        sound: "void *f(const char *text, int length) {\n    return xmlReadMemory(text, length, \"a.xml\", 0, XML_PARSE_NONET);\n}\n",
    }],
};

pub(super) static SIGNATURE: RuleInfo = RuleInfo {
    code: "CW-C-347-1",
    name: "c/token-unverified",
    cwe: &[Cwe(347)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A token is read without a key to verify it",
    fix: "pass the key and check the algorithm",
    examples: &[Example {
        weak: "int f(jwt_t **token, const char *text) {\n    return jwt_decode(token, text, «NULL», 0);\n}\n",
        sound: "int f(jwt_t **token, const char *text, const unsigned char *key, int length) {\n    return jwt_decode(token, text, key, length);\n}\n",
    }],
};

const VERIFYING: &[&str] =
    &["SSL_CTX_set_verify", "SSL_set_verify", "wolfSSL_CTX_set_verify", "mbedtls_ssl_conf_authmode"];

const OLD: &[&str] = &[
    "SSLv2_method",
    "SSLv3_method",
    "TLSv1_method",
    "TLSv1_1_method",
    "SSLv3_client_method",
    "TLSv1_client_method",
    "TLSv1_1_client_method",
    "SSLv3_server_method",
    "TLSv1_server_method",
];

/// Parsers of XML, with the position of their options.
const PARSERS: &[(&str, usize)] = &[
    ("xmlReadMemory", 4),
    ("xmlReadFile", 2),
    ("xmlReadDoc", 3),
    ("xmlReadFd", 3),
    ("xmlCtxtReadMemory", 5),
    ("xmlCtxtReadFile", 3),
    ("xmlCtxtUseOptions", 1),
    ("xmlParseInNodeContext", 3),
    ("xmlReaderForFile", 2),
    ("xmlReaderForMemory", 4),
];

const LOADING: i64 = 2 | 4 | 8;

const HUGE: i64 = 1 << 19;

/// Words in the name of an address that somebody else wrote.
const ADDRESSES: &[&str] =
    &["url", "uri", "target", "host", "hostname", "netloc", "origin", "referer", "referrer", "redirect"];

/// Words in the name of what an address is compared with.
const TRUSTED: &[&str] = &["domain", "host", "hostname", "origin", "allowed", "trusted", "domains", "hosts"];

/// `strstr(url, domain)`, `url.find(domain)`.
fn host_substring(call: &Call<'_>, report: &mut Report<'_>) {
    let (address, name) = match (call.path, call.receiver.as_ref(), call.positional.as_slice()) {
        ("strstr" | "strcasestr", _, [address, name]) => (address, name),
        (_, Some(address), [name]) if call.method == "find" => (address, name),
        _ => return,
    };
    let says = |operand: &Operand, list: &[&str]| {
        let written = report.written(operand.span);
        words(written).iter().any(|word| list.contains(&word.as_str()))
    };
    if name.value.text().is_none() && says(address, ADDRESSES) && says(name, TRUSTED) {
        report.add(
            &HOST_SUBSTRING,
            call.span,
            "the name may stand anywhere, in the path or before another one; compare the whole host",
            None,
        );
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    host_substring(call, report);
    if let ("curl_easy_setopt", [_, option, value, ..]) = (call.path, call.positional.as_slice()) {
        curl(call, option.value.path_text(), value, report);
    }
    if call.is(VERIFYING) {
        let Some(mode) = call.positional.get(1) else { return };
        if mode.value.integer() == Some(0) || mode.value.path_text() == "MBEDTLS_SSL_VERIFY_NONE" {
            report.add(&CERTIFICATE, mode.span, "anybody can pass for the other side; leave verification on", None);
        }
    }
    if let ("SSL_CTX_new", Some(method)) = (call.path, call.first())
        && OLD.contains(&method.value.path_text().trim_end_matches("()"))
    {
        report.add(&OLD_TLS, method.span, "this version of TLS has been broken; use TLS_client_method", None);
    }
    if call.is(&["gethostbyaddr"]) {
        report.add(
            &REVERSE_LOOKUP,
            call.callee.span,
            "whoever owns the address chooses the name; compare the address itself",
            None,
        );
    }
    if let Some(options) =
        PARSERS.iter().find(|(name, _)| *name == call.path).and_then(|(_, at)| call.positional.get(*at))
        && let Some(bits) = options.value.integer()
    {
        if bits & LOADING != 0 {
            report.add(
                &ENTITIES,
                options.span,
                "the document names files that are loaded into it; leave out XML_PARSE_NOENT and XML_PARSE_DTDLOAD",
                None,
            );
        }
        if bits & HUGE != 0 {
            report.add(
                &EXPANSION,
                options.span,
                "a small document can expand to gigabytes; leave out XML_PARSE_HUGE",
                None,
            );
        }
    }
    if let ("xmlSubstituteEntitiesDefault", Some(on)) =
        (call.path, call.first().filter(|on| on.value.integer() == Some(1)))
    {
        report.add(
            &ENTITIES,
            on.span,
            "the document names files that are loaded into it; leave substitution off",
            None,
        );
    }
    if let ("jwt_decode", Some(key)) = (call.path, call.positional.get(2).filter(|key| key.value.is_none())) {
        report.add(&SIGNATURE, key.span, "anybody can write this token; pass the key and check the algorithm", None);
    }
}

fn curl(call: &Call<'_>, option: &str, operand: &Operand, report: &mut Report<'_>) {
    let value = call.live(&operand.value);
    let is_off = value.constant.as_ref().is_some_and(|constant| !constant.is_truthy());
    match option {
        "CURLOPT_URL" => {
            if let Some(taint) = value.taint(Classes::REQUEST_HOST) {
                report.add(
                    &REQUEST,
                    operand.span,
                    "this input decides which host is asked; compare the host with a list of allowed ones",
                    Some(taint),
                );
            }
            let is_local = |text: &str| {
                ["http://localhost", "http://127.", "http://[::1]"].iter().any(|host| text.starts_with(host))
            };
            if value.outline().starts_with("http://") && !is_local(&value.outline()) {
                report.add(&CLEARTEXT, operand.span, "everybody on the way can read and change this; use https", None);
            }
        }
        "CURLOPT_SSL_VERIFYPEER" | "CURLOPT_PROXY_SSL_VERIFYPEER" if is_off => {
            report.add(&CERTIFICATE, operand.span, "anybody can pass for the other side; leave verification on", None);
        }
        "CURLOPT_SSL_VERIFYHOST" | "CURLOPT_PROXY_SSL_VERIFYHOST" if is_off => {
            report.add(&HOST, operand.span, "any certificate passes for that of this host; set this to 2", None);
        }
        _ => {}
    }
}

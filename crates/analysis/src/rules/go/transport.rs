//! # `go/certificate-unchecked`, `go/tls-version`, `go/cipher-suites`, `go/ssh-host-key`, `go/token-unverified`, `go/unsigned-token`, `go/cookie-insecure`, `go/cookie-readable`, `go/cleartext-request`
//!
//! ## What they do
//!
//! Report connections whose other end is not checked, tokens whose signature is not, old versions of TLS, and cookies that travel in the
//! clear.
//!
//! ## Why this is bad
//!
//! Whoever stands between the two ends can read and change what they say.
//!
//! ## Example
//!
//! ```go
//! &tls.Config{InsecureSkipVerify: true}
//! ```
//!
//! ## Use instead
//!
//! ```go
//! &tls.Config{RootCAs: pool}
//! ```
//!
//! ## References
//!
//! - [CWE-295](https://cwe.mitre.org/data/definitions/295.html)
//! - [CWE-347](https://cwe.mitre.org/data/definitions/347.html)
//! - [CWE-614](https://cwe.mitre.org/data/definitions/614.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand, Shape, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static CERTIFICATE: RuleInfo = RuleInfo {
    code: "CW-GO-295-1",
    name: "go/certificate-unchecked",
    cwe: &[Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The certificate of the other end is not checked",
    fix: "leave InsecureSkipVerify out, and add your own authority to RootCAs if there is one",
    examples: &[
        Example {
            weak: "package p\nimport \"crypto/tls\"\nvar c = &tls.Config{InsecureSkipVerify: «true»}\n",
            sound: "package p\nimport \"crypto/tls\"\nvar c = &tls.Config{InsecureSkipVerify: false}\n",
        },
        Example {
            weak: "func f(c *tls.Config) {\n\tc.InsecureSkipVerify = «true»\n}\n",
            sound: "func f(c *tls.Config) {\n\tc.InsecureSkipVerify = false\n}\n",
        },
    ],
};

pub(super) static VERSION: RuleInfo = RuleInfo {
    code: "CW-GO-327-3",
    name: "go/tls-version",
    cwe: &[Cwe(327), Cwe(326), Cwe(757)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "An old version of TLS is allowed",
    fix: "set MinVersion to tls.VersionTLS12 or later",
    examples: &[Example {
        weak: "package p\nimport \"crypto/tls\"\nvar c = &tls.Config{MinVersion: «tls.VersionTLS10»}\n",
        sound: "package p\nimport \"crypto/tls\"\nvar c = &tls.Config{MinVersion: tls.VersionTLS12}\n",
    }],
};

pub(super) static SUITES: RuleInfo = RuleInfo {
    code: "CW-GO-327-4",
    name: "go/cipher-suites",
    cwe: &[Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A broken cipher suite is allowed",
    fix: "leave CipherSuites out",
    examples: &[Example {
        weak: "package p\nimport \"crypto/tls\"\nvar c = &tls.Config{CipherSuites: «[]uint16{tls.TLS_RSA_WITH_RC4_128_SHA}»}\n",
        sound: "package p\nimport \"crypto/tls\"\nvar c = &tls.Config{CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}}\n",
    }],
};

pub(super) static HOST_KEY: RuleInfo = RuleInfo {
    code: "CW-GO-322-1",
    name: "go/ssh-host-key",
    cwe: &[Cwe(322), Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The key of the other end is not checked",
    fix: "use ssh.FixedHostKey or knownhosts.New",
    examples: &[Example {
        weak: "package p\nimport \"golang.org/x/crypto/ssh\"\nvar c = ssh.ClientConfig{HostKeyCallback: «ssh.InsecureIgnoreHostKey»()}\n",
        sound: "package p\nimport \"golang.org/x/crypto/ssh\"\nvar c = ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(key)}\n",
    }],
};

pub(super) static UNVERIFIED: RuleInfo = RuleInfo {
    code: "CW-GO-347-1",
    name: "go/token-unverified",
    cwe: &[Cwe(347), Cwe(287)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A token is read without its signature being checked",
    fix: "use Parse with a function that returns the key",
    examples: &[Example {
        weak: "func f(text string) {\n\ttoken, _, err := «new(jwt.Parser).ParseUnverified»(text, jwt.MapClaims{})\n}\n",
        sound: "func f(text string, key []byte) {\n\ttoken, err := jwt.Parse(text, func(t *jwt.Token) (any, error) { return key, nil }, jwt.WithValidMethods([]string{\"HS256\"}))\n}\n",
    }],
};

pub(super) static UNSIGNED: RuleInfo = RuleInfo {
    code: "CW-GO-347-2",
    name: "go/unsigned-token",
    cwe: &[Cwe(347)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A token without a signature is made or accepted",
    fix: "sign it with SigningMethodHS256 or better",
    examples: &[Example {
        weak: "func f(claims jwt.Claims) {\n\tjwt.NewWithClaims(«jwt.SigningMethodNone», claims)\n}\n",
        sound: "func f(claims jwt.Claims) {\n\tjwt.NewWithClaims(jwt.SigningMethodHS256, claims)\n}\n",
    }],
};

pub(super) static COOKIE: RuleInfo = RuleInfo {
    code: "CW-GO-614-1",
    name: "go/cookie-insecure",
    cwe: &[Cwe(614), Cwe(319)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A cookie is also sent over connections that are not encrypted",
    fix: "set Secure",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter) {\n\thttp.SetCookie(w, «&http.Cookie{Name: \"a\", Value: \"b\", HttpOnly: true}»)\n}\n",
        sound: "func f(w http.ResponseWriter) {\n\tc := &http.Cookie{Name: \"a\", Value: \"b\", HttpOnly: true}\n\tc.Secure = true\n\thttp.SetCookie(w, c)\n}\n",
    }],
};

pub(super) static READABLE: RuleInfo = RuleInfo {
    code: "CW-GO-1004-1",
    name: "go/cookie-readable",
    cwe: &[Cwe(1004)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Scripts of the page can read a cookie",
    fix: "set HttpOnly",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter) {\n\tc := http.Cookie{Name: \"a\", Value: \"b\", Secure: true}\n\thttp.SetCookie(w, «&c»)\n}\n",
        sound: "func f(w http.ResponseWriter) {\n\thttp.SetCookie(w, &http.Cookie{Name: \"a\", Value: \"b\", HttpOnly: true, Secure: true})\n}\n",
    }],
};

pub(super) static CLEARTEXT: RuleInfo = RuleInfo {
    code: "CW-GO-319-1",
    name: "go/cleartext-request",
    cwe: &[Cwe(319), Cwe(311)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A request is sent in the clear",
    fix: "use https",
    examples: &[Example {
        weak: "func f() {\n\thttp.Get(«\"http://example.org/a\"»)\n}\n",
        sound: "func f() {\n\thttp.Get(\"https://example.org/a\")\n}\n",
    }],
};

const UNCHECKED: &str = "anyone can pass for the other end of this connection; leave this out, and add your own authority to RootCAs if there is one";

/// A field of a configuration is set, in a literal or later.
fn field(owner: &str, name: &str, value: &Operand, report: &mut Report<'_>) {
    let is_true = value.value.boolean() == Some(true);
    match name {
        "InsecureSkipVerify" if is_true => report.add(&CERTIFICATE, value.span, UNCHECKED, None),
        "InsecureSkipTLSVerify" | "SkipTLSVerify" | "TLSInsecure" if is_true => {
            report.add(&CERTIFICATE, value.span, UNCHECKED, None);
        }
        "MinVersion" | "MaxVersion" if owner.contains("tls") || owner.is_empty() => {
            let is_unset = value.value.integer() == Some(0);
            if value.value.integer().is_some_and(|version| version < 0x303) && !is_unset {
                report.add(
                    &VERSION,
                    value.span,
                    "versions before TLS 1.2 can be broken; set MinVersion to tls.VersionTLS12 or later",
                    None,
                );
            }
        }
        "CipherSuites" => {
            let is_weak = |item: &ValueRef| {
                let name = item.path_text();
                name.contains("TLS_")
                    && ["RC4", "3DES", "_NULL_", "EXPORT", "_DES_"].iter().any(|weak| name.contains(weak))
            };
            if value.value.items().iter().any(is_weak) {
                report.add(&SUITES, value.span, "one of these can be broken; leave CipherSuites out", None);
            }
        }
        _ => {}
    }
}

pub(super) fn store(receiver: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    field(receiver.value.path_text(), name, value, report);
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.path.starts_with("new ") {
        for (name, value) in &call.keywords {
            field(call.path, name, value, report);
        }
    }
    if call.path == "ssh.InsecureIgnoreHostKey" {
        report.add(
            &HOST_KEY,
            call.callee.span,
            "anyone can pass for the other end of this connection; use ssh.FixedHostKey or knownhosts.New",
            None,
        );
    }
    if matches!(call.method, "ParseUnverified" | "UnsafeClaimsWithoutVerification") {
        report.add(
            &UNVERIFIED,
            call.callee.span,
            "anyone can write such a token; use Parse with a function that returns the key",
            None,
        );
    }
    for operand in &call.positional {
        let path = operand.value.path_text();
        if matches!(path, "jwt.SigningMethodNone" | "jwt.UnsafeAllowNoneSignatureType") {
            report.add(
                &UNSIGNED,
                operand.span,
                "anyone can write a token without a signature; use SigningMethodHS256 or better",
                None,
            );
        }
    }
    cookies(call, report);
    let sends = ["net/http.Get", "net/http.Post", "net/http.Head", "net/http.PostForm"];
    if call.is(&sends)
        && let Some(address) = call.first()
        && is_in_the_clear(&address.value.outline())
    {
        report.add(&CLEARTEXT, address.span, "everyone on the way can read and change this; use https", None);
    }
}

fn is_in_the_clear(address: &str) -> bool {
    let Some(host) = address.strip_prefix("http://") else { return false };
    let host = host.split(['/', ':']).next().unwrap_or_default();
    host.contains('.')
        && !host.contains('\0')
        && !host.starts_with("127.")
        && !host.starts_with("10.")
        && !host.starts_with("192.168.")
}

fn cookies(call: &Call<'_>, report: &mut Report<'_>) {
    const INSECURE: &str = "this cookie also travels in the clear; set Secure";
    const SCRIPTS: &str = "scripts of the page can read this cookie; set HttpOnly";
    if let ("gin.Context().SetCookie", [.., secure, http_only]) = (call.path, call.positional.as_slice()) {
        if secure.value.boolean() == Some(false) {
            report.add(&COOKIE, secure.span, INSECURE, None);
        }
        if http_only.value.boolean() == Some(false) {
            report.add(&READABLE, http_only.span, SCRIPTS, None);
        }
        return;
    }
    let cookie = match (call.path, call.method) {
        ("net/http.SetCookie", _) => call.positional.get(1),
        (_, "SetCookie" | "Cookie") => call.first(),
        _ => None,
    };
    let Some(cookie) = cookie else { return };
    let Shape::Called { keywords, .. } = &cookie.value.shape else { return };
    if !cookie.value.path_text().starts_with("new ") || !cookie.value.path_text().contains("Cookie") {
        return;
    }
    let field =
        |names: [&str; 2]| keywords.iter().find(|(name, _)| names.contains(&name.as_ref())).map(|(_, value)| value);
    let is_unset = |value: Option<&ValueRef>| value.is_none_or(|value| value.boolean() == Some(false));
    let is_deleted = field(["MaxAge", "Expires"])
        .is_some_and(|age| age.integer().is_some_and(|age| age < 0) || age.path_text().starts_with("time.Unix"));
    if is_deleted {
        return;
    }
    if is_unset(field(["Secure", "Secure"])) {
        report.add(&COOKIE, cookie.span, INSECURE, None);
    }
    if is_unset(field(["HttpOnly", "HTTPOnly"])) {
        report.add(&READABLE, cookie.span, SCRIPTS, None);
    }
}

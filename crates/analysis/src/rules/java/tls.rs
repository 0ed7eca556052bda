//! # `java/trust-everyone`, `java/any-host-name`, `java/old-protocol`, `java/cleartext`
//!
//! ## What it does
//!
//! Reports connections that do not know whom they talk to, or that others can read.
//!
//! ## Why this is bad
//!
//! Anyone between the two ends can be the other end.
//!
//! ## Example
//!
//! ```java
//! connection.setHostnameVerifier((host, session) -> true);
//! ```
//!
//! ## Use instead
//!
//! ```java
//! HttpsURLConnection connection = (HttpsURLConnection) url.openConnection();
//! ```
//!
//! ## References
//!
//! - [CWE-295](https://cwe.mitre.org/data/definitions/295.html)
//! - [CWE-297](https://cwe.mitre.org/data/definitions/297.html)
//! - [CWE-319](https://cwe.mitre.org/data/definitions/319.html)

use codeward_records::{Cwe, Level};

use super::found;
use crate::flow::{Call, Shape, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};
use crate::syntax::{Constant, ExpressionKind, Function, Module, StatementKind};

pub(super) static TRUST: RuleInfo = RuleInfo {
    code: "CW-JAVA-295-1",
    name: "java/trust-everyone",
    cwe: &[Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Any certificate is accepted",
    fix: "leave the check to the default trust manager",
    examples: &[Example {
        weak: "class Trusting implements X509TrustManager {\n  public void checkServerTrusted(X509Certificate[] «chain», String type) {}\n  public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {\n    inner.checkClientTrusted(chain, type);\n  }\n}\n",
        sound: "class Careful implements X509TrustManager {\n  public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {\n    inner.checkServerTrusted(chain, type);\n  }\n}\n",
    }],
};

pub(super) static HOST: RuleInfo = RuleInfo {
    code: "CW-JAVA-297-1",
    name: "java/any-host-name",
    cwe: &[Cwe(297), Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A certificate for any host is accepted",
    fix: "leave the check of the name to the default verifier",
    examples: &[
        Example {
            weak: "void f(HttpsURLConnection connection) {\n  connection.setHostnameVerifier(«(host, session) -> true»);\n  connection.setHostnameVerifier(«NoopHostnameVerifier.INSTANCE»);\n}\n",
            sound: "void f(HttpsURLConnection connection) {\n  connection.setHostnameVerifier((host, session) -> host.equals(\"example.com\"));\n}\n",
        },
        Example {
            weak: "HostnameVerifier f() {\n  return new HostnameVerifier() {\n    public boolean verify(String host, SSLSession session) {\n      return «true»;\n    }\n  };\n}\n",
            sound: "HostnameVerifier f() {\n  return new HostnameVerifier() {\n    public boolean verify(String host, SSLSession session) {\n      return host.equals(\"example.com\");\n    }\n  };\n}\n",
        },
    ],
};

pub(super) static OLD: RuleInfo = RuleInfo {
    code: "CW-JAVA-327-3",
    name: "java/old-protocol",
    cwe: &[Cwe(327), Cwe(757)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "An old version of TLS is asked for",
    fix: "ask for TLSv1.2 or later",
    examples: &[Example {
        weak: "SSLContext f() throws Exception {\n  return SSLContext.getInstance(«\"SSLv3\"»);\n}\n",
        sound: "SSLContext f() throws Exception {\n  return SSLContext.getInstance(\"TLSv1.3\");\n}\n",
    }],
};

pub(super) static CLEARTEXT: RuleInfo = RuleInfo {
    code: "CW-JAVA-319-1",
    name: "java/cleartext",
    cwe: &[Cwe(319)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A connection is made without encryption",
    fix: "use https",
    examples: &[Example {
        weak: "InputStream f() throws IOException {\n  return new URL(«\"http://example.com/data\"»).openStream();\n}\n",
        sound: "InputStream f() throws IOException {\n  return new URL(\"https://example.com/data\").openStream();\n}\n",
    }],
};

const BLIND: &[&str] = &["NoopHostnameVerifier", "ALLOW_ALL_HOSTNAME_VERIFIER", "AllowAllHostnameVerifier"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let accepts_all = |value: &ValueRef| matches!(&value.shape, Shape::Lambda(body) if body.boolean() == Some(true));
    let is_blind = |value: &ValueRef| BLIND.iter().any(|name| value.path_text().contains(name)) || accepts_all(value);
    let takes_verifier = matches!(
        call.method,
        "setHostnameVerifier" | "setDefaultHostnameVerifier" | "hostnameVerifier" | "setSSLHostnameVerifier"
    ) || call.is(&["new SSLConnectionSocketFactory"]);
    if takes_verifier {
        for verifier in call.positional.iter().filter(|verifier| is_blind(&verifier.value)) {
            found(&HOST, verifier.span, None, report);
        }
    }
    if call.method == "loadTrustMaterial" {
        let trusting = |value: &ValueRef| {
            accepts_all(value)
                || ["TrustAllStrategy", "TrustSelfSignedStrategy"].iter().any(|name| value.path_text().contains(name))
        };
        for strategy in call.positional.iter().filter(|strategy| trusting(&strategy.value)) {
            found(&TRUST, strategy.span, None, report);
        }
    }
    let names_protocol =
        call.is(&["SSLContext.getInstance"]) || matches!(call.method, "setEnabledProtocols" | "setProtocol");
    if names_protocol && let Some(name) = call.first() {
        let is_old = |text: &str| matches!(text, "SSL" | "SSLv2" | "SSLv3" | "TLSv1" | "TLSv1.1" | "SSLv2Hello");
        let texts = name.value.texts().unwrap_or_default();
        if texts.iter().any(|text| is_old(text)) {
            found(&OLD, name.span, None, report);
        }
    }
    if call.is(&["new URL", "new HttpGet", "new HttpPost", "URI.create"])
        && let Some(address) = call.first()
        && let Some(host) = address.value.text().and_then(|text| text.strip_prefix("http://"))
        && !["localhost", "127.0.0.1", "0.0.0.0", "[::1]", "www.w3.org"].iter().any(|local| host.starts_with(local))
    {
        found(&CLEARTEXT, address.span, None, report);
    }
}

/// A method that should check a certificate or a name, and does not.
pub(super) fn defined(module: &Module, function: &Function, report: &mut Report<'_>) {
    let is_empty = function
        .body
        .iter()
        .all(|statement| matches!(statement.kind, StatementKind::Pass | StatementKind::Return(None)));
    let takes_chain = function
        .parameters
        .iter()
        .any(|parameter| parameter.annotation.as_deref().is_some_and(|kind| kind.ends_with("X509Certificate[]")));
    if function.name.as_ref() == "checkServerTrusted"
        && is_empty
        && takes_chain
        && let Some(chain) = function.parameters.first()
    {
        found(&TRUST, chain.span, None, report);
    }
    let takes_session = function
        .parameters
        .get(1)
        .and_then(|second| second.annotation.as_deref())
        .is_some_and(|kind| kind.ends_with("SSLSession"));
    if let ("verify", true, Some(last)) = (function.name.as_ref(), takes_session, function.body.last())
        && let StatementKind::Return(Some(value)) = last.kind
        && function.body.len() == 1
        && matches!(module.expression(value).kind, ExpressionKind::Constant(Constant::Boolean(true)))
    {
        found(&HOST, module.span(value), None, report);
    }
}

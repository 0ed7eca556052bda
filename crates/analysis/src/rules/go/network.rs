//! # `go/server-side-request`, `go/address-segment`, `go/host-contained`, `go/open-redirect`, `go/bind-all`, `go/no-timeouts`, `go/any-origin`, `go/trusted-header`, `go/mail-header`
//!
//! ## What they do
//!
//! Report requests and redirects whose host is input, checks of a host that any host can pass, servers that listen everywhere or wait
//! forever, and trust in what a client says of itself.
//!
//! ## Why this is bad
//!
//! Requests made here reach what is only reachable from here; redirects lend this site's name to another.
//!
//! ## Example
//!
//! ```go
//! http.Get(r.FormValue("url"))
//! ```
//!
//! ## Use instead
//!
//! ```go
//! if parsed.Hostname() != "api.example.org" {
//!     return
//! }
//! http.Get(parsed.String())
//! ```
//!
//! ## References
//!
//! - [CWE-918](https://cwe.mitre.org/data/definitions/918.html)
//! - [CWE-601](https://cwe.mitre.org/data/definitions/601.html)
//! - [CWE-20](https://cwe.mitre.org/data/definitions/20.html)
//! - [CWE-400](https://cwe.mitre.org/data/definitions/400.html)

use codeward_records::{Cwe, Level};

use super::from_outside;
use crate::flow::{Call, Classes, Operand, Piece, Shape, ValueRef};
use crate::report::Report;
use crate::rules::evidence::{is_address_name, words};
use crate::rules::{Example, RuleInfo};
use crate::syntax::Comparison;

pub(super) static REQUEST: RuleInfo = RuleInfo {
    code: "CW-GO-918-1",
    name: "go/server-side-request",
    cwe: &[Cwe(918)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input decides which host a request is sent to",
    fix: "compare the host with a list of known hosts first",
    examples: &[
        Example {
            weak: "func f(w http.ResponseWriter, r *http.Request) {\n\thttp.Get(«r.FormValue(\"url\")»)\n}\n",
            sound: "func f(w http.ResponseWriter, r *http.Request) {\n\thttp.Get(\"https://example.org/\" + url.PathEscape(r.FormValue(\"id\")))\n}\n",
        },
        Example {
            weak: "func f(target string) {\n\thttp.Get(«target»)\n}\n",
            sound: "func f(target string) {\n\tu, err := url.Parse(target)\n\tif err != nil || u.Hostname() != \"example.org\" {\n\t\treturn\n\t}\n\thttp.Get(target)\n}\n",
        },
    ],
};

pub(super) static SEGMENT: RuleInfo = RuleInfo {
    code: "CW-GO-918-2",
    name: "go/address-segment",
    cwe: &[Cwe(918), Cwe(74)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "Input is put into the path of an address as it came",
    fix: "check it against a pattern, or escape it with url.PathEscape",
    examples: &[Example {
        weak: "func queryURL(apiURL, id string) string {\n\treturn fmt.Sprintf(\"%s/%s\", apiURL, «id»)\n}\n",
        sound: "func queryURL(apiURL, id string) string {\n\treturn fmt.Sprintf(\"%s/%s\", apiURL, url.PathEscape(id))\n}\n",
    }],
};

pub(super) static CONTAINED: RuleInfo = RuleInfo {
    code: "CW-GO-020-1",
    name: "go/host-contained",
    cwe: &[Cwe(20), Cwe(601)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "An address is checked by whether it contains or starts with a host",
    fix: "parse it and compare the host as a whole",
    examples: &[
        Example {
            weak: "func f(target, domain string) bool {\n\treturn strings.Contains(target, «domain»)\n}\n",
            sound: "func f(target, domain string) bool {\n\tu, err := url.Parse(target)\n\treturn err == nil && (u.Host == domain || strings.HasSuffix(u.Host, \".\"+domain))\n}\n",
        },
        Example {
            weak: "func f(target string) bool {\n\treturn strings.HasPrefix(target, «\"https://example.org\"»)\n}\n",
            sound: "func f(target string) bool {\n\treturn strings.HasPrefix(target, \"https://example.org/\")\n}\n",
        },
    ],
};

pub(super) static REDIRECT: RuleInfo = RuleInfo {
    code: "CW-GO-601-1",
    name: "go/open-redirect",
    cwe: &[Cwe(601)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input decides where a redirect leads",
    fix: "allow only paths of this site, or hosts of a fixed list",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\thttp.Redirect(w, r, «r.FormValue(\"next\")», 302)\n}\n",
        sound: "func f(w http.ResponseWriter, r *http.Request) {\n\thttp.Redirect(w, r, \"/page/\"+r.FormValue(\"next\"), 302)\n}\n",
    }],
};

pub(super) static BIND: RuleInfo = RuleInfo {
    code: "CW-GO-605-1",
    name: "go/bind-all",
    cwe: &[Cwe(605), Cwe(1327)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A server listens on every network",
    fix: "listen on the address of one network",
    examples: &[Example {
        weak: "func f() {\n\tnet.Listen(\"tcp\", «\"0.0.0.0:80\"»)\n}\n",
        sound: "func f() {\n\tnet.Listen(\"tcp\", \"127.0.0.1:80\")\n}\n",
    }],
};

pub(super) static WAITS: RuleInfo = RuleInfo {
    code: "CW-GO-400-1",
    name: "go/no-timeouts",
    cwe: &[Cwe(400), Cwe(770)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A server waits for its clients without end",
    fix: "use an http.Server with ReadHeaderTimeout",
    examples: &[Example {
        weak: "func f() {\n\t«http.ListenAndServe»(\"127.0.0.1:80\", nil)\n}\n",
        sound: "func f() {\n\ts := &http.Server{Addr: \"127.0.0.1:80\", ReadHeaderTimeout: time.Second}\n\ts.ListenAndServe()\n}\n",
    }],
};

pub(super) static ORIGIN: RuleInfo = RuleInfo {
    code: "CW-GO-942-1",
    name: "go/any-origin",
    cwe: &[Cwe(942), Cwe(346)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Any site may read the answers of this one",
    fix: "allow a fixed list of origins",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tw.Header().Set(\"Access-Control-Allow-Origin\", «r.Header.Get(\"Origin\")»)\n}\n",
        sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tw.Header().Set(\"Access-Control-Allow-Origin\", \"https://example.org\")\n}\n",
    }],
};

pub(super) static HEADER: RuleInfo = RuleInfo {
    code: "CW-GO-290-1",
    name: "go/trusted-header",
    cwe: &[Cwe(290), Cwe(348)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A decision is made by a header that any client can set",
    fix: "use the address of the connection",
    examples: &[Example {
        weak: "func f(r *http.Request) bool {\n\treturn «r.Header.Get(\"X-Forwarded-For\")» == \"127.0.0.1\"\n}\n",
        sound: "func f(r *http.Request) bool {\n\treturn r.RemoteAddr == \"127.0.0.1\"\n}\n",
    }],
};

pub(super) static MAIL: RuleInfo = RuleInfo {
    code: "CW-GO-093-1",
    name: "go/mail-header",
    cwe: &[Cwe(93)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input in the header of a message may hold a line break",
    fix: "remove \\r and \\n from it",
    examples: &[Example {
        weak: "func f(subject, body string) []byte {\n\treturn []byte(\"Subject: \" + «subject» + \"\\r\\n\\r\\n\" + body)\n}\n",
        sound: "func f(subject, body string) []byte {\n\tclean := strings.NewReplacer(\"\\r\", \"\", \"\\n\", \"\").Replace(subject)\n\treturn []byte(\"Subject: \" + clean + \"\\r\\n\\r\\n\" + body)\n}\n",
    }],
};

/// Functions that send a request, and the place of the address.
const REQUESTS: &[(&str, usize)] = &[
    ("net/http.Get", 0),
    ("net/http.Post", 0),
    ("net/http.Head", 0),
    ("net/http.PostForm", 0),
    ("net/http.NewRequest", 1),
    ("net/http.NewRequestWithContext", 2),
    ("net/http.Client().Get", 0),
    ("net/http.Client().Post", 0),
    ("net/http.Client().Head", 0),
    ("new net/http.Client().Get", 0),
    ("new net/http.Client().Post", 0),
    ("net/http.DefaultClient.Get", 0),
    ("net/http/httputil.NewSingleHostReverseProxy", 0),
    ("net.Dial", 1),
    ("net.DialTimeout", 1),
    ("websocket.Dial", 0),
    ("resty.New().R().Get", 0),
];

/// Calls that send the client elsewhere, and the place of the address.
const REDIRECTS: &[(&str, usize)] = &[
    ("net/http.Redirect", 2),
    ("gin.Context().Redirect", 1),
    ("echo.Context().Redirect", 1),
    ("fiber.Ctx().Redirect", 0),
    ("iris.Context().Redirect", 0),
];

fn at<'a>(call: &'a Call<'_>, table: &[(&str, usize)]) -> Option<&'a Operand> {
    let (_, at) = table.iter().find(|(path, _)| *path == call.path)?;
    call.positional.get(*at)
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if let Some(address) = at(call, REQUESTS) {
        request(call, address, report);
    }
    if let Some(address) = at(call, REDIRECTS) {
        let value = call.live(&address.value);
        if let Some(taint) = from_outside(&value, Classes::REDIRECT_HOST) {
            report.add(
                &REDIRECT,
                address.span,
                "input decides where this leads; allow only paths of this site, or hosts of a fixed list",
                Some(taint),
            );
        }
    }
    match call.path {
        "strings.Contains" | "strings.HasPrefix" => contained(call, report),
        "net.Listen" | "net/http.ListenAndServe" => {
            let address = call.positional.get(usize::from(call.path == "net.Listen"));
            if let Some(address) = address.filter(|address| {
                address.value.text().is_some_and(|text| text.starts_with("0.0.0.0:") || text.starts_with("[::]:"))
            }) {
                report.add(
                    &BIND,
                    address.span,
                    "this listens on every network of the machine; name the address of one",
                    None,
                );
            }
        }
        "fmt.Sprintf" => segment(call, report),
        _ => {}
    }
    if call.is(&["net/http.ListenAndServe", "net/http.ListenAndServeTLS", "net/http.Serve"]) {
        report.add(
            &WAITS,
            call.callee.span,
            "this server waits for its clients without end; use an http.Server with ReadHeaderTimeout",
            None,
        );
    }
    if matches!(call.method, "Set" | "Header" | "Add")
        && let [name, value] = call.positional.as_slice()
        && name.value.text().is_some_and(|name| name.eq_ignore_ascii_case("Access-Control-Allow-Origin"))
        && let Some(taint) = from_outside(&call.live(&value.value), Classes::REDIRECT_HOST)
    {
        report.add(
            &ORIGIN,
            value.span,
            "the client chooses who may read the answer; allow a fixed list of origins",
            Some(taint),
        );
    }
}

fn request(call: &Call<'_>, address: &Operand, report: &mut Report<'_>) {
    let value = call.live(&address.value);
    let Some(taint) = value.taint(Classes::REQUEST_HOST) else { return };
    let outside = from_outside(&value, Classes::REQUEST_HOST);
    // A function that only sends what it is told is asked by its callers; one that is told an address asks for nothing else.
    let is_address =
        is_address_name(&taint.source.label) || words(&taint.source.label).iter().any(|word| word == "target");
    if outside.is_some()
        || is_address && !value.is_built() && call.path.starts_with("net/http.") && !call.path.contains("New")
    {
        let message =
            "input decides which host this request goes to; compare the host with a list of known hosts first";
        report.add(&REQUEST, address.span, message, outside.or(Some(taint)));
    }
}

/// Whether a name is that of a host.
fn is_host_name(name: &str) -> bool {
    words(name)
        .iter()
        .any(|word| matches!(word.as_str(), "host" | "domain" | "hostname" | "domains" | "hosts" | "origin"))
}

/// Whether a literal reads as a host: `example.org`.
fn is_host(text: &str) -> bool {
    let (start, end) = text.rsplit_once('.').unwrap_or_default();
    !start.is_empty()
        && matches!(end, "com" | "org" | "net" | "io" | "dev" | "de" | "uk")
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-'))
}

fn enters_named(value: &ValueRef, is_meant: fn(&str) -> bool) -> bool {
    value.taints.iter().any(|taint| taint.enters_as(value) && is_meant(&taint.source.label))
}

fn contained(call: &Call<'_>, report: &mut Report<'_>) {
    let [address, host] = call.positional.as_slice() else { return };
    if address.value.taints.is_empty() {
        return;
    }
    let is_host = match (call.path, host.value.text()) {
        ("strings.HasPrefix", Some(text)) => {
            text.split_once("://").is_some_and(|(_, rest)| is_host(rest)) && !text.ends_with('/')
        }
        (_, Some(text)) => is_host(text),
        ("strings.Contains", None) => {
            let is_address = |name: &str| is_address_name(name) || words(name).iter().any(|word| word == "target");
            enters_named(&host.value, is_host_name)
                && address.value.taints.iter().any(|taint| is_address(&taint.source.label))
        }
        _ => false,
    };
    if is_host {
        let message = "an address of another host can pass this check; parse it and compare the host as a whole";
        report.add(&CONTAINED, host.span, message, address.value.taint(Classes::ALL));
    }
}

/// An address that ends in a part that was not checked: `base + "/" + id`.
fn segment(call: &Call<'_>, report: &mut Report<'_>) {
    let names = [call.place.function.as_ref()].into_iter().chain(call.place.targets.iter().map(AsRef::as_ref));
    let is_address = names.into_iter().any(|name| is_address_name(name.rsplit('.').next().unwrap_or(name)));
    let [template, base, parts @ ..] = call.positional.as_slice() else { return };
    let Some(template) = template.value.text() else { return };
    let base_is_address = enters_named(&base.value, is_address_name);
    if !is_address || !base_is_address || !template.starts_with("%s/") {
        return;
    }
    for part in parts {
        let value = call.live(&part.value);
        if let Some(taint) = value.taint(Classes::PATH_UP).filter(|taint| taint.enters_as(&value)) {
            let message =
                "this can change which page is asked for; check it against a pattern, or escape it with url.PathEscape";
            report.add(&SEGMENT, part.span, message, Some(taint));
        }
    }
}

/// One comparison.
pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    if !matches!(operator, Comparison::Equal | Comparison::NotEqual) {
        return;
    }
    let Some(literal) = right.value.text().filter(|text| !text.is_empty()) else { return };
    if let Shape::Called { positional, .. } = &left.value.shape
        && left.value.path_text().contains("Header")
        && let Some(name) = positional.first().and_then(|name| name.text())
        && ["x-forwarded-for", "x-real-ip", "x-client-ip", "x-forwarded-host"]
            .contains(&name.to_ascii_lowercase().as_str())
    {
        let _ = literal;
        let message = "any client can set this header; use the address of the connection";
        report.add(&HEADER, left.span, message, left.value.taint(Classes::ALL));
    }
}

/// A text was put together.
pub(super) fn text(text: &Operand, report: &mut Report<'_>) {
    let mut before = String::new();
    for piece in text.value.pieces(text.span) {
        match piece {
            Piece::Literal(literal) => before.push_str(&literal),
            Piece::Hole { value, span } => {
                let line = before.rsplit('\n').next().unwrap_or_default();
                let is_header = ["Subject: ", "From: ", "To: ", "Cc: ", "Reply-To: "].contains(&line)
                    && (before.len() > line.len() || line == "Subject: ");
                if is_header && let Some(taint) = value.taint(Classes::LINE_FEED) {
                    report.add(
                        &MAIL,
                        span,
                        "a line break in this forges another header; remove \\r and \\n from it",
                        Some(taint),
                    );
                }
                before.push('\0');
            }
        }
    }
}

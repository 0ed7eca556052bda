//! # `py/server-side-request`
//!
//! ## What it does
//!
//! Reports requests to an address from outside whose host was not compared with known hosts.
//!
//! ## Why this is bad
//!
//! The request comes from inside the network, where it reaches services that trust it.
//!
//! ## Example
//!
//! ```python
//! requests.get(url)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! if urllib.parse.urlsplit(url).hostname not in ALLOWED_HOSTS:
//!     raise ValueError("unknown host")
//! ```
//!
//! ## References
//!
//! - [CWE-918](https://cwe.mitre.org/data/definitions/918.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::evidence::{is_address_name, is_parameter_itself, subject};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-918-1",
    name: "py/server-side-request",
    cwe: &[Cwe(918)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input decides which host a request is sent to",
    fix: "compare the host with a list of known hosts first",
    examples: &[
        Example {
            weak: "import requests\ndef f(url):\n    return requests.get(«url»)\n",
            sound: "import requests\nfrom urllib.parse import urlsplit\ndef f(url):\n    if urlsplit(url).hostname not in ('example.org', 'example.com'):\n        raise ValueError\n    return requests.get(url)\n",
        },
        Example {
            weak: "import requests\ndef f(url):\n    if not url.startswith('https://example.org'):\n        raise ValueError\n    return requests.get(«url»)\n",
            sound: "import requests\ndef f(name):\n    return requests.get(f'https://example.org/{name}')\n",
        },
    ],
};

const FUNCTIONS: &[&str] = &[
    "urllib.request.urlopen",
    "urllib.request.Request",
    "urllib.request.urlretrieve",
    "urllib.urlretrieve",
    "http.client.HTTPConnection",
    "http.client.HTTPSConnection",
    "httplib.HTTPConnection",
    "httplib.HTTPSConnection",
    "aiohttp.request",
    "urllib3.request",
    "pycurl.Curl",
    "wget.download",
    "socket.create_connection",
];

const CLIENTS: &[&str] = &["requests.", "httpx.", "aiohttp.ClientSession().", "urllib3.PoolManager()."];

const VERBS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "request", "urlopen", "stream"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_client = VERBS.contains(&call.method) && CLIENTS.iter().any(|client| call.path.starts_with(client));
    let takes_method = is_client && matches!(call.method, "request" | "stream");
    let by_library = is_client || call.is(FUNCTIONS);
    let address = if takes_method { call.argument(1, "url") } else { subject(call, &["url", "fullurl", "host"]) };
    let Some(address) = address else { return };
    // A function that the caller handed over, called with something named as an address.
    let callee = call.live(&call.callee.value);
    let by_argument = call.receiver.is_none() && call.path.is_empty() && is_parameter_itself(&callee);
    if !by_library && !by_argument {
        return;
    }
    let value = call.live(&address.value);
    let Some(taint) = value.taint(Classes::REQUEST_HOST) else { return };
    if by_argument && !(is_parameter_itself(&value) && is_address_name(&taint.source.label)) {
        return;
    }
    let message = "input decides which host this request goes to; compare the host with a list of known hosts first";
    report.add(&INFO, address.span, message, Some(taint));
}

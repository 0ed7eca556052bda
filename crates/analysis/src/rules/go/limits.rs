//! # `go/decompression-bomb`, `go/unbounded-read`, `go/integer-narrowed`, `go/size-from-input`, `go/permissions`, `go/temp-file`, `go/error-ignored`, `go/stack-shown`
//!
//! ## What they do
//!
//! Report what has no limit: memory and disk that input asks for, numbers that do not fit, rights that everyone has, failures that
//! nobody looks at.
//!
//! ## Why this is bad
//!
//! A small request can stop the service, and what failed silently is relied on.
//!
//! ## Example
//!
//! ```go
//! n, err := strconv.Atoi(text)
//! port := uint16(n)
//! ```
//!
//! ## Use instead
//!
//! ```go
//! n, err := strconv.ParseUint(text, 10, 16)
//! port := uint16(n)
//! ```
//!
//! ## References
//!
//! - [CWE-409](https://cwe.mitre.org/data/definitions/409.html)
//! - [CWE-681](https://cwe.mitre.org/data/definitions/681.html)
//! - [CWE-732](https://cwe.mitre.org/data/definitions/732.html)
//! - [CWE-252](https://cwe.mitre.org/data/definitions/252.html)

use codeward_records::{Cwe, Level};

use super::from_outside;
use super::html::is_response;
use crate::flow::{Call, Classes, Labels, Shape, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static BOMB: RuleInfo = RuleInfo {
    code: "CW-GO-409-1",
    name: "go/decompression-bomb",
    cwe: &[Cwe(409), Cwe(400)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "What a compressed stream grows to has no limit",
    fix: "copy at most so much with io.CopyN or io.LimitReader",
    examples: &[Example {
        weak: "func f(in io.Reader, out io.Writer) {\n\tz, _ := gzip.NewReader(in)\n\tio.Copy(out, «z»)\n}\n",
        sound: "func f(in io.Reader, out io.Writer) {\n\tz, _ := gzip.NewReader(in)\n\tio.Copy(out, io.LimitReader(z, 1000000))\n}\n",
    }],
};

pub(super) static READ: RuleInfo = RuleInfo {
    code: "CW-GO-770-1",
    name: "go/unbounded-read",
    cwe: &[Cwe(770), Cwe(400)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A request is read into memory however large it is",
    fix: "put http.MaxBytesReader around the body",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tio.ReadAll(«r.Body»)\n}\n",
        sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tio.ReadAll(http.MaxBytesReader(w, r.Body, 1000000))\n}\n",
    }],
};

pub(super) static NARROWED: RuleInfo = RuleInfo {
    code: "CW-GO-681-1",
    name: "go/integer-narrowed",
    cwe: &[Cwe(681), Cwe(190)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A number read from a text is cut to a smaller type",
    fix: "read it with strconv.ParseInt or ParseUint and the size of the type",
    examples: &[
        Example {
            weak: "func f(text string) uint16 {\n\tn, _ := strconv.Atoi(text)\n\treturn uint16(«n»)\n}\n",
            sound: "func f(text string) uint16 {\n\tn, _ := strconv.ParseUint(text, 10, 16)\n\treturn uint16(n)\n}\n",
        },
        Example {
            weak: "func f(text string) int32 {\n\tn, _ := strconv.ParseInt(text, 10, 64)\n\treturn int32(«n»)\n}\n",
            sound: "func f(text string) int32 {\n\tn, _ := strconv.ParseInt(text, 10, 64)\n\tif n < 0 || n > 1000 {\n\t\treturn 0\n\t}\n\treturn int32(n)\n}\n",
        },
    ],
};

pub(super) static SIZE: RuleInfo = RuleInfo {
    code: "CW-GO-789-1",
    name: "go/size-from-input",
    cwe: &[Cwe(789), Cwe(770)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input decides how much memory is set aside",
    fix: "compare it with a limit first",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tn, _ := strconv.Atoi(r.FormValue(\"n\"))\n\tb := make([]byte, «n»)\n}\n",
        sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tn, _ := strconv.Atoi(r.FormValue(\"n\"))\n\tif n > 1000 {\n\t\treturn\n\t}\n\tb := make([]byte, n)\n}\n",
    }],
};

pub(super) static PERMISSIONS: RuleInfo = RuleInfo {
    code: "CW-GO-732-1",
    name: "go/permissions",
    cwe: &[Cwe(732), Cwe(276)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Everyone on the machine may change a file",
    fix: "use 0o600 for files and 0o700 for folders",
    examples: &[Example {
        weak: "func f(data []byte) {\n\tos.WriteFile(\"a\", data, «0777»)\n}\n",
        sound: "func f(data []byte) {\n\tos.WriteFile(\"a\", data, 0600)\n}\n",
    }],
};

pub(super) static TEMP: RuleInfo = RuleInfo {
    code: "CW-GO-377-1",
    name: "go/temp-file",
    cwe: &[Cwe(377), Cwe(379)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A file with a known name is made in a folder that everyone can write to",
    fix: "use os.CreateTemp",
    examples: &[Example {
        weak: "func f() {\n\tos.Create(«\"/tmp/report.txt\"»)\n}\n",
        sound: "func f() {\n\tos.CreateTemp(\"\", \"report\")\n}\n",
    }],
};

pub(super) static IGNORED: RuleInfo = RuleInfo {
    code: "CW-GO-252-1",
    name: "go/error-ignored",
    cwe: &[Cwe(252), Cwe(703)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Nobody looks at whether a call that protects something failed",
    fix: "return the error",
    examples: &[Example {
        weak: "func f(text string, key jwt.Keyfunc) any {\n\ttoken, _ := «jwt.Parse»(text, key)\n\treturn token.Claims\n}\n",
        sound: "func f(text string, key jwt.Keyfunc) any {\n\ttoken, err := jwt.Parse(text, key)\n\tif err != nil {\n\t\treturn nil\n\t}\n\treturn token.Claims\n}\n",
    }],
};

pub(super) static STACK: RuleInfo = RuleInfo {
    code: "CW-GO-209-1",
    name: "go/stack-shown",
    cwe: &[Cwe(209), Cwe(497)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A page shows the stack of the program",
    fix: "write it to the log and show a fixed text",
    examples: &[Example {
        weak: "package p\nimport (\"net/http\"; \"runtime/debug\")\nfunc f(w http.ResponseWriter, r *http.Request) {\n\thttp.Error(w, string(«debug.Stack()»), 500)\n}\n",
        sound: "package p\nimport (\"net/http\"; \"runtime/debug\"; \"log\")\nfunc f(w http.ResponseWriter, r *http.Request) {\n\tlog.Print(string(debug.Stack()))\n\thttp.Error(w, \"failed\", 500)\n}\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    growth(call, report);
    narrowed(call, report);
    files(call, report);
    if call.is(PROTECTS)
        && call.place.targets.last().is_some_and(|name| name.as_ref() == "_")
        && call.place.targets.len() > 1
    {
        report.add(&IGNORED, call.callee.span, "what follows relies on this not having failed; return the error", None);
    }
    let to_page = call.path == "net/http.Error"
        || call.first().is_some_and(is_response)
        || call.receiver.as_ref().is_some_and(is_response);
    if to_page && let Some(operand) = call.positional.iter().find(|operand| operand.value.labels.has(Labels::STACK)) {
        report.add(
            &STACK,
            operand.span,
            "this tells how the program is built; write it to the log and show a fixed text",
            None,
        );
    }
}

/// Calls that protect something, and whose failure is told by their last result.
const PROTECTS: &[&str] = &[
    "jwt.Parse",
    "jwt.ParseWithClaims",
    "bcrypt.GenerateFromPassword",
    "crypto/rand.Read",
    "crypto/rand.Int",
    "crypto/rsa.GenerateKey",
    "crypto/aes.NewCipher",
    "crypto/cipher.NewGCM",
    "scrypt.Key",
];

fn growth(call: &Call<'_>, report: &mut Report<'_>) {
    let copied = match call.path {
        "io.Copy" | "io.CopyBuffer" => call.positional.get(1),
        "io.ReadAll" => call.first(),
        _ => None,
    };
    if let Some(stream) = copied {
        let path = stream.value.path_text();
        if [
            "compress/gzip.NewReader()",
            "compress/zlib.NewReader()",
            "compress/flate.NewReader()",
            "compress/bzip2.NewReader()",
        ]
        .contains(&path)
        {
            report.add(
                &BOMB,
                stream.span,
                "a small stream can grow to any size here; copy at most so much with io.LimitReader",
                None,
            );
        }
        if call.path == "io.ReadAll" && path == "net/http.Request().Body" {
            report.add(
                &READ,
                stream.span,
                "a client can send more than there is memory; put http.MaxBytesReader around the body",
                None,
            );
        }
    }
    if call.path == "make" {
        for size in call.positional.iter().skip(1) {
            if let Some(taint) = from_outside(&call.live(&size.value), Classes::SIZE) {
                report.add(
                    &SIZE,
                    size.span,
                    "input decides how much memory this takes; compare it with a limit first",
                    Some(taint),
                );
            }
        }
    }
}

/// How many bits a number that was read from a text may have, and whether it may be below zero.
fn read_bits(value: &ValueRef) -> Option<(i64, bool)> {
    let Shape::Called { positional, .. } = &value.shape else { return None };
    match value.path_text() {
        "strconv.Atoi()" => Some((64, true)),
        name @ ("strconv.ParseInt()" | "strconv.ParseUint()") => {
            let bits = positional.get(2).and_then(|bits| bits.integer()).unwrap_or(64);
            Some((if bits == 0 { 64 } else { bits }, name == "strconv.ParseInt()"))
        }
        _ => None,
    }
}

fn narrowed(call: &Call<'_>, report: &mut Report<'_>) {
    let (bits, is_signed) = match call.path {
        "int8" => (8, true),
        "int16" => (16, true),
        "int32" => (32, true),
        "uint8" => (8, false),
        "uint16" => (16, false),
        "uint32" => (32, false),
        _ => return,
    };
    let Some(number) = call.first() else { return };
    let value = call.live(&number.value);
    let Some((read, may_be_negative)) = read_bits(&value) else { return };
    let fits =
        read < bits || read == bits && (!may_be_negative || is_signed) || read == bits && is_signed == may_be_negative;
    if !fits && value.is_tainted(Classes::SIZE) {
        let message = "this number may not fit and is cut without a word; read it with strconv.ParseInt or ParseUint and the size of the type";
        report.add(&NARROWED, number.span, message, value.taint(Classes::SIZE));
    }
}

fn files(call: &Call<'_>, report: &mut Report<'_>) {
    let mode = match call.path {
        "os.WriteFile" | "os.OpenFile" | "io/ioutil.WriteFile" => call.positional.get(2),
        "os.Chmod" | "os.Mkdir" | "os.MkdirAll" => call.positional.get(1),
        _ => None,
    };
    if let Some(mode) = mode
        && mode.value.integer().is_some_and(|mode| mode & 0o002 != 0 && mode & 0o1000 == 0)
    {
        report.add(
            &PERMISSIONS,
            mode.span,
            "everyone on the machine may change this; use 0o600 for files and 0o700 for folders",
            None,
        );
    }
    let makes = ["os.Create", "os.WriteFile", "io/ioutil.WriteFile", "os.OpenFile"];
    if call.is(&makes)
        && let Some(path) = call.first()
    {
        let in_temp = match &path.value.shape {
            Shape::Called { positional, .. } if path.value.path_text() == "path/filepath.Join()" => {
                positional
                    .first()
                    .is_some_and(|first| first.path_text() == "os.TempDir()" || first.text() == Some("/tmp"))
                    && positional[1..].iter().all(|part| part.constant.is_some())
            }
            _ => path.value.text().is_some_and(|text| text.starts_with("/tmp/") || text.starts_with("/var/tmp/")),
        };
        if in_temp {
            report.add(&TEMP, path.span, "another user can put a link in this place first; use os.CreateTemp", None);
        }
    }
}

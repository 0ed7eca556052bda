//! # `go/log-newline`, `go/ldap-filter`, `go/xpath-built`, `go/code-from-input`, `go/method-from-input`, `go/csv-formula`, `go/xml-entities`, `go/environment-from-input`
//!
//! ## What they do
//!
//! Report input that is read as something other than data: a line of a log, a filter, a path into a document, code, a name.
//!
//! ## Why this is bad
//!
//! Whoever sends the input decides what it means.
//!
//! ## Example
//!
//! ```go
//! log.Printf("login of %s", r.FormValue("name"))
//! ```
//!
//! ## Use instead
//!
//! ```go
//! log.Printf("login of %q", r.FormValue("name"))
//! ```
//!
//! ## References
//!
//! - [CWE-117](https://cwe.mitre.org/data/definitions/117.html)
//! - [CWE-90](https://cwe.mitre.org/data/definitions/90.html)
//! - [CWE-643](https://cwe.mitre.org/data/definitions/643.html)
//! - [CWE-94](https://cwe.mitre.org/data/definitions/94.html)

use codeward_records::{Cwe, Level};

use super::{from_outside, is_log, printed};
use crate::flow::{Call, Classes, Operand, Piece, Taint, ValueRef};
use crate::report::Report;
use crate::rules::evidence::words;
use crate::rules::{Example, RuleInfo};

pub(super) static LOG: RuleInfo = RuleInfo {
    code: "CW-GO-117-1",
    name: "go/log-newline",
    cwe: &[Cwe(117)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input in a log may hold a line break",
    fix: "write it with %q or remove \\r and \\n",
    examples: &[
        Example {
            weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tlog.Printf(\"login of %s\", «r.FormValue(\"name\")»)\n}\n",
            sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tlog.Printf(\"login of %q\", r.FormValue(\"name\"))\n}\n",
        },
        Example {
            weak: "func logLine(message string) string {\n\treturn fmt.Sprintf(\"%s: %s\", time.Now().Format(time.RFC3339), «message»)\n}\n",
            sound: "func logLine(message string) string {\n\tclean := strings.ReplaceAll(strings.ReplaceAll(message, \"\\n\", \" \"), \"\\r\", \" \")\n\treturn fmt.Sprintf(\"%s: %s\", time.Now().Format(time.RFC3339), clean)\n}\n",
        },
    ],
};

pub(super) static LDAP: RuleInfo = RuleInfo {
    code: "CW-GO-090-1",
    name: "go/ldap-filter",
    cwe: &[Cwe(90)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A filter of LDAP is put together from input",
    fix: "escape it with ldap.EscapeFilter",
    examples: &[Example {
        weak: "func f(name string) string {\n\treturn fmt.Sprintf(\"(&(objectClass=user)(uid=%s))\", «name»)\n}\n",
        sound: "func f(name string) string {\n\treturn fmt.Sprintf(\"(&(objectClass=user)(uid=%s))\", ldap.EscapeFilter(name))\n}\n",
    }],
};

pub(super) static XPATH: RuleInfo = RuleInfo {
    code: "CW-GO-643-1",
    name: "go/xpath-built",
    cwe: &[Cwe(643)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A path into a document is put together from input",
    fix: "use a variable of the path, or allow only letters and digits",
    examples: &[Example {
        weak: "func f(name string) string {\n\treturn fmt.Sprintf(\"//user[name='%s']\", «name»)\n}\n",
        sound: "func f(name string) string {\n\tif !regexp.MustCompile(`^\\w+$`).MatchString(name) {\n\t\treturn \"\"\n\t}\n\treturn fmt.Sprintf(\"//user[name='%s']\", name)\n}\n",
    }],
};

pub(super) static CODE: RuleInfo = RuleInfo {
    code: "CW-GO-094-1",
    name: "go/code-from-input",
    cwe: &[Cwe(94), Cwe(95)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input is run as code",
    fix: "read the input as data",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tvm := otto.New()\n\tvm.Run(«r.FormValue(\"code\")»)\n}\n",
        sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tvm := otto.New()\n\tvm.Set(\"x\", r.FormValue(\"x\"))\n\tvm.Run(\"x + 1\")\n}\n",
    }],
};

pub(super) static METHOD: RuleInfo = RuleInfo {
    code: "CW-GO-470-1",
    name: "go/method-from-input",
    cwe: &[Cwe(470)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input names the method that is called",
    fix: "look it up in a fixed table",
    examples: &[Example {
        weak: "func f(x any, r *http.Request) {\n\treflect.ValueOf(x).MethodByName(«r.FormValue(\"do\")»).Call(nil)\n}\n",
        sound: "func f(x any, r *http.Request) {\n\treflect.ValueOf(x).MethodByName(\"Close\").Call(nil)\n}\n",
    }],
};

pub(super) static FORMULA: RuleInfo = RuleInfo {
    code: "CW-GO-1236-1",
    name: "go/csv-formula",
    cwe: &[Cwe(1236)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "Input in a table may start a formula",
    fix: "put a quote before a value that starts with =, +, - or @",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tcsv.NewWriter(w).Write(«[]string{r.FormValue(\"name\")}»)\n}\n",
        sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tcsv.NewWriter(w).Write([]string{\"'\" + r.FormValue(\"name\")})\n}\n",
    }],
};

pub(super) static ENTITIES: RuleInfo = RuleInfo {
    code: "CW-GO-611-1",
    name: "go/xml-entities",
    cwe: &[Cwe(611), Cwe(776)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A parser of XML reads what a document points to",
    fix: "leave the option out",
    examples: &[Example {
        weak: "package p\nimport \"github.com/lestrrat-go/libxml2/parser\"\nfunc f(text []byte) {\n\tparser.New(«parser.XMLParseNoEnt»).Parse(text)\n}\n",
        sound: "package p\nimport \"github.com/lestrrat-go/libxml2/parser\"\nfunc f(text []byte) {\n\tparser.New().Parse(text)\n}\n",
    }],
};

pub(super) static ENVIRONMENT: RuleInfo = RuleInfo {
    code: "CW-GO-454-1",
    name: "go/environment-from-input",
    cwe: &[Cwe(454), Cwe(15)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input names a variable of the environment",
    fix: "set only variables of a fixed list",
    examples: &[Example {
        weak: "func f(r *http.Request) {\n\tos.Setenv(«r.FormValue(\"key\")», \"1\")\n}\n",
        sound: "func f(r *http.Request) {\n\tos.Setenv(\"MODE\", \"1\")\n}\n",
    }],
};

const LINE: &str = "a line break in this forges a line of the log; write it with %q or remove \\r and \\n";

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    log(call, report);
    let outside =
        |operand: &Operand, classes: Classes, rule: &'static RuleInfo, message: &str, report: &mut Report<'_>| {
            if let Some(taint) = from_outside(&call.live(&operand.value), classes) {
                report.add(rule, operand.span, message, Some(taint));
            }
        };
    let Some(first) = call.first() else { return };
    let runs = matches!(
        call.path,
        "otto.New().Run" | "otto.New().Eval" | "goja.New().RunString" | "v8.NewContext().RunScript"
    );
    if runs || call.is(&["plugin.Open", "govaluate.NewEvaluableExpression", "otto.Run", "expr.Eval", "expr.Compile"]) {
        outside(first, Classes::CODE, &CODE, "this input is run as code; read it as data", report);
    }
    if matches!(call.method, "MethodByName" | "FieldByName") {
        outside(first, Classes::NAME, &METHOD, "input names what is called; look it up in a fixed table", report);
    }
    if call.path.starts_with("encoding/csv.NewWriter()") && matches!(call.method, "Write" | "WriteAll") {
        outside(
            first,
            Classes::FORMULA,
            &FORMULA,
            "a spreadsheet runs this where it starts with =, +, - or @; put a quote before it",
            report,
        );
    }
    if call.path == "os.Setenv" {
        outside(
            first,
            Classes::NAME,
            &ENVIRONMENT,
            "input names a variable of the environment; set only variables of a fixed list",
            report,
        );
    }
    for operand in &call.positional {
        let name = operand.value.path_text().rsplit('.').next().unwrap_or_default();
        if matches!(name, "XMLParseNoEnt" | "XMLParseDTDLoad" | "XML_PARSE_NOENT" | "XML_PARSE_DTDLOAD") {
            report.add(
                &ENTITIES,
                operand.span,
                "with this option a document can read files of this machine; leave it out",
                None,
            );
        }
    }
}

fn line_break(value: &ValueRef) -> Option<&Taint> {
    value.taint(Classes::LINE_FEED)
}

fn log(call: &Call<'_>, report: &mut Report<'_>) {
    if is_log(call) {
        let operands: Vec<&Operand> =
            if call.method.ends_with('f') { printed(call, 0) } else { call.positional.iter().collect() };
        for operand in operands {
            let value = call.live(&operand.value);
            if let Some(taint) = from_outside(&value, Classes::LINE_FEED) {
                report.add(&LOG, operand.span, LINE, Some(taint));
            }
        }
        return;
    }
    // A function that makes the line for others to write.
    let name = call.place.function.rsplit('.').next().unwrap_or_default();
    let makes_line = words(name).iter().any(|word| matches!(word.as_str(), "log" | "logs" | "logger" | "logline"));
    if makes_line && call.path == "fmt.Sprintf" {
        let is_dated = call.positional.iter().any(|operand| operand.value.path_text().contains("time."));
        for operand in printed(call, 0) {
            let value = call.live(&operand.value);
            if is_dated && let Some(taint) = line_break(&value) {
                report.add(&LOG, operand.span, LINE, Some(taint));
            }
        }
    }
}

/// A text was put together.
pub(super) fn text(text: &Operand, report: &mut Report<'_>) {
    let mut before = String::new();
    for piece in text.value.pieces(text.span) {
        match piece {
            Piece::Literal(literal) => before.push_str(&literal),
            Piece::Hole { value, span } => {
                hole(&before, &value, span, report);
                before.push('\0');
            }
        }
    }
}

fn hole(before: &str, value: &ValueRef, span: crate::syntax::Span, report: &mut Report<'_>) {
    let is_filter = before.starts_with('(')
        && before.ends_with(['=', '*'])
        && before.rsplit('(').next().is_some_and(|last| {
            last.trim_end_matches(['=', '*', '~', '>', '<'])
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        });
    if is_filter && let Some(taint) = value.taint(Classes::LDAP_OPEN | Classes::LDAP_STAR) {
        report.add(&LDAP, span, "this can change what the filter finds; escape it with ldap.EscapeFilter", Some(taint));
    }
    let is_path = before.starts_with('/') || before.starts_with("./") || before.contains("//");
    let is_quoted = before.ends_with(['\'', '"']);
    let in_condition = before.rfind('[').is_some_and(|at| !before[at..].contains(']'));
    if is_path && is_quoted && in_condition {
        let quote = if before.ends_with('"') { Classes::XPATH_DOUBLE_QUOTE } else { Classes::XPATH_SINGLE_QUOTE };
        if let Some(taint) = value.taint(quote) {
            report.add(&XPATH, span, "this can end the literal that it stands in; use a variable of the path, or allow only letters and digits", Some(taint));
        }
    }
}

//! # `go/path-traversal`, `go/archive-extract`, `go/path-prefix-check`, `go/dots-removed`
//!
//! ## What they do
//!
//! Report files whose path is put together from input that may leave its folder, members of archives that are written where their name
//! says, and two checks that do not hold: a prefix without a separator at its end, and `../` that is removed once.
//!
//! ## Why this is bad
//!
//! `..` climbs out of the folder. `/data` is a prefix of `/database`, and `....//` without `../` is `../`.
//!
//! ## Example
//!
//! ```go
//! os.Open(filepath.Join(folder, name))
//! ```
//!
//! ## Use instead
//!
//! ```go
//! if !filepath.IsLocal(name) {
//!     return errOutside
//! }
//! os.Open(filepath.Join(folder, name))
//! ```
//!
//! ## References
//!
//! - [CWE-22](https://cwe.mitre.org/data/definitions/22.html)
//! - [CWE-116](https://cwe.mitre.org/data/definitions/116.html)

use codeward_records::{Cwe, Level};

use super::from_outside;
use crate::flow::{Call, Classes, Labels, Operand, Piece, ValueRef};
use crate::report::Report;
use crate::rules::evidence::is_parameter_itself;
use crate::rules::{Example, RuleInfo};

pub(super) static TRAVERSAL: RuleInfo = RuleInfo {
    code: "CW-GO-022-1",
    name: "go/path-traversal",
    cwe: &[Cwe(22)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A file's path is put together from input that may leave its folder",
    fix: "check it with filepath.IsLocal, or that the result is still inside",
    examples: &[
        Example {
            weak: "package p\nimport (\"os\"; \"path/filepath\")\nfunc f(folder, name string) ([]byte, error) {\n\treturn os.ReadFile(«filepath.Join(folder, name)»)\n}\n",
            sound: "package p\nimport (\"os\"; \"path/filepath\")\nfunc f(folder, name string) ([]byte, error) {\n\treturn os.ReadFile(filepath.Join(folder, filepath.Base(name)))\n}\n",
        },
        Example {
            weak: "func f(w http.ResponseWriter, r *http.Request) {\n\thttp.ServeFile(w, r, «\"static/\" + r.URL.Path»)\n}\n",
            sound: "func f(folder, name string) ([]byte, error) {\n\tpath := filepath.Join(folder, name)\n\trel, err := filepath.Rel(folder, path)\n\tif err != nil || strings.HasPrefix(rel, \"..\") {\n\t\treturn nil, errors.New(\"outside\")\n\t}\n\treturn os.ReadFile(path)\n}\n",
        },
        Example {
            weak: "func f(r *http.Request) ([]byte, error) {\n\treturn os.ReadFile(«r.FormValue(\"f\")»)\n}\n",
            sound: "func f(base string, r *http.Request) ([]byte, error) {\n\tpath := filepath.Clean(filepath.Join(base, r.FormValue(\"f\")))\n\tif !strings.HasPrefix(path, base+string(os.PathSeparator)) {\n\t\treturn nil, nil\n\t}\n\treturn os.ReadFile(path)\n}\n",
        },
    ],
};

pub(super) static ARCHIVE: RuleInfo = RuleInfo {
    code: "CW-GO-022-2",
    name: "go/archive-extract",
    cwe: &[Cwe(22)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A member of an archive is written where its name says",
    fix: "check the name with filepath.IsLocal",
    examples: &[Example {
        weak: "func f(archive, folder string) {\n\treader, _ := zip.OpenReader(archive)\n\tfor _, member := range reader.File {\n\t\tos.Create(«filepath.Join(folder, member.Name)»)\n\t}\n}\n",
        sound: "func f(archive, folder string) {\n\treader, _ := zip.OpenReader(archive)\n\tfor _, member := range reader.File {\n\t\tif !filepath.IsLocal(member.Name) {\n\t\t\tcontinue\n\t\t}\n\t\tos.Create(filepath.Join(folder, member.Name))\n\t}\n}\n",
    }],
};

pub(super) static PREFIX: RuleInfo = RuleInfo {
    code: "CW-GO-022-3",
    name: "go/path-prefix-check",
    cwe: &[Cwe(22), Cwe(41)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A path is checked against a folder without a separator at its end",
    fix: "add the separator to the folder, or use filepath.Rel",
    examples: &[Example {
        weak: "func f(folder, name string) bool {\n\tpath := filepath.Join(folder, name)\n\treturn strings.HasPrefix(path, «folder»)\n}\n",
        sound: "func f(folder, name string) bool {\n\tpath := filepath.Join(folder, name)\n\treturn strings.HasPrefix(path, folder+\"/\")\n}\n",
    }],
};

pub(super) static DOTS: RuleInfo = RuleInfo {
    code: "CW-GO-116-1",
    name: "go/dots-removed",
    cwe: &[Cwe(116), Cwe(22)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "`../` is removed from a path once",
    fix: "check the path with filepath.IsLocal instead of mending it",
    examples: &[Example {
        weak: "func f(name string) string {\n\treturn strings.ReplaceAll(name, «\"../\"», \"\")\n}\n",
        sound: "func f(name string) string {\n\treturn strings.ReplaceAll(name, \"/\", \"_\")\n}\n",
    }],
};

/// Functions that take a path, and the place of the path.
const FUNCTIONS: &[(&str, usize)] = &[
    ("os.Open", 0),
    ("os.OpenFile", 0),
    ("os.Create", 0),
    ("os.ReadFile", 0),
    ("os.WriteFile", 0),
    ("os.Remove", 0),
    ("os.RemoveAll", 0),
    ("os.Mkdir", 0),
    ("os.MkdirAll", 0),
    ("os.Rename", 0),
    ("os.Rename", 1),
    ("os.Symlink", 1),
    ("os.ReadDir", 0),
    ("os.Truncate", 0),
    ("os.Chmod", 0),
    ("io/ioutil.ReadFile", 0),
    ("io/ioutil.WriteFile", 0),
    ("io/ioutil.ReadDir", 0),
    ("net/http.ServeFile", 2),
    ("gin.Context().File", 0),
    ("gin.Context().FileAttachment", 0),
    ("gin.Context().SaveUploadedFile", 1),
    ("echo.Context().File", 0),
    ("fiber.Ctx().SendFile", 0),
    ("fiber.Ctx().SaveFile", 1),
    ("html/template.ParseFiles", 0),
    ("archive/zip.OpenReader", 0),
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    for (path, at) in FUNCTIONS {
        if call.path == *path
            && let Some(operand) = call.positional.get(*at)
        {
            check(call, operand, report);
        }
    }
    match (call.path, call.positional.as_slice()) {
        ("strings.HasPrefix", [path, folder]) => prefix(path, folder, report),
        ("strings.ReplaceAll" | "strings.Replace", [text, old, new, ..]) => {
            let is_dots = matches!(old.value.text(), Some("../" | "..\\" | "..")) && new.value.text() == Some("");
            if is_dots && !text.value.taints.is_empty() {
                let message = "what is left after removing this may contain it again; check the path with filepath.IsLocal instead";
                report.add(&DOTS, old.span, message, text.value.taint(Classes::ALL));
            }
        }
        _ => {}
    }
}

fn check(call: &Call<'_>, operand: &Operand, report: &mut Report<'_>) {
    let value = call.live(&operand.value);
    let classes = Classes::PATH_UP | Classes::PATH_ABSOLUTE;
    let Some(taint) = value.taint(classes) else { return };
    let from_archive = value.taints.iter().find(|taint| {
        taint.classes.has_any(classes) && (taint.source.label.contains("zip.") || taint.source.label.contains("tar."))
    });
    if let Some(taint) = from_archive {
        report.add(
            &ARCHIVE,
            operand.span,
            "the archive decides where this is written; check the name with filepath.IsLocal",
            Some(taint),
        );
        return;
    }
    if is_parameter_itself(&value) || is_suffixed_parameter(&value, operand, classes) {
        return;
    }
    // A function's parameters are input when they are put under a folder; a path handed in whole is the caller's choice.
    let is_joined = value.is_built() || value.path_text() == "path/filepath.Join()";
    if !is_joined && from_outside(&value, classes).is_none() {
        return;
    }
    report.add(
        &TRAVERSAL,
        operand.span,
        "this path is put together from input that may leave its folder; check it with filepath.IsLocal, or that the result is still inside",
        Some(taint),
    );
}

/// `path + ".txt"`: still the path that the caller chose, not a name inside a folder.
fn is_suffixed_parameter(value: &ValueRef, operand: &Operand, classes: Classes) -> bool {
    let pieces = value.pieces(operand.span);
    let [Piece::Hole { value: first, .. }, rest @ ..] = pieces.as_slice() else { return false };
    !rest.is_empty()
        && is_parameter_itself(first)
        && rest.iter().all(|piece| match piece {
            Piece::Literal(text) => !text.contains('/'),
            Piece::Hole { value, .. } => !value.is_tainted(classes),
        })
}

fn prefix(path: &Operand, folder: &Operand, report: &mut Report<'_>) {
    let is_path = path.value.labels.has(Labels::RESOLVED_PATH) && path.value.is_tainted(Classes::PATH_UP);
    let is_separated = folder.value.labels.has(Labels::ENDS_WITH_SEPARATOR) || folder.value.outline().ends_with('/');
    let ends_with_constant = matches!(
        folder.value.pieces(folder.span).last(),
        Some(Piece::Literal(text)) if text.ends_with(['/', '\\'])
    );
    if is_path && !is_separated && !ends_with_constant && folder.value.text() != Some("..") {
        let message = "this is also the start of the names of other folders; add the separator, or use filepath.Rel";
        report.add(&PREFIX, folder.span, message, path.value.taint(Classes::PATH_UP));
    }
}

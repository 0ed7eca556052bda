//! # `py/environment-from-input`, `py/search-path-from-input`, `py/downloaded-code-run`
//!
//! ## What it does
//!
//! Reports input that becomes part of the environment or of the search path for modules, and code that is run as it was
//! downloaded.
//!
//! ## Why this is bad
//!
//! Other programs and imports follow these settings: whoever sets them decides what runs.
//!
//! ## Example
//!
//! ```python
//! import os
//! os.environ['PATH'] = input()
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import os
//! os.environ['PATH'] = '/usr/bin'
//! ```
//!
//! ## References
//!
//! - [CWE-454](https://cwe.mitre.org/data/definitions/454.html)
//! - [CWE-15](https://cwe.mitre.org/data/definitions/15.html)
//! - [CWE-427](https://cwe.mitre.org/data/definitions/427.html)
//! - [CWE-494](https://cwe.mitre.org/data/definitions/494.html)
//! - [CWE-829](https://cwe.mitre.org/data/definitions/829.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand, SourceKind, Taint};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-454-1",
    name: "py/environment-from-input",
    cwe: &[Cwe(454), Cwe(15)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input becomes a variable of the environment",
    fix: "choose the value from a fixed list",
    examples: &[Example {
        weak: "import os\nos.environ['PATH'] = «input()»\n",
        sound: "import os\nos.environ['PATH'] = '/usr/bin'\n",
    }],
};

pub(super) static SEARCH: RuleInfo = RuleInfo {
    code: "CW-PY-427-1",
    name: "py/search-path-from-input",
    cwe: &[Cwe(427)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input decides where modules are looked for",
    fix: "use fixed folders",
    examples: &[Example {
        weak: "import sys\nsys.path.append(«input()»)\n",
        sound: "import sys\nsys.path.append('/opt/app')\n",
    }],
};

pub(super) static DOWNLOAD: RuleInfo = RuleInfo {
    code: "CW-PY-494-3",
    name: "py/downloaded-code-run",
    cwe: &[Cwe(494), Cwe(829)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Code is run as it comes from the network",
    fix: "install it as a package of a fixed version",
    examples: &[Example {
        weak: "import requests\nexec(«requests.get('https://example.org/a.py', timeout=5).text»)\n",
        sound: "import runpy\nrunpy.run_path('a.py')\n",
    }],
};

fn outside(operand: &Operand) -> Option<&Taint> {
    operand.value.taints.iter().find(|taint| taint.source.kind == SourceKind::Outside && !taint.classes.is_empty())
}

/// Whether a path is that of an answer from the network.
fn is_answer(path: &str) -> bool {
    ["requests.get()", "requests.post()", "urllib.request.urlopen()", "httpx.get()"]
        .iter()
        .any(|from| path.starts_with(from))
}

pub(super) fn element_store(receiver: &Operand, value: &Operand, report: &mut Report<'_>) {
    if receiver.value.path_text() == "os.environ"
        && let Some(taint) = outside(value)
    {
        report.add(&INFO, value.span, INFO.advice(), Some(taint));
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["os.putenv"])
        && let Some(value) = call.positional.get(1)
        && let Some(taint) = outside(value)
    {
        report.add(&INFO, value.span, INFO.advice(), Some(taint));
    } else if call.is(&["sys.path.append", "sys.path.insert"])
        && let Some(folder) = call.positional.last()
        && let Some(taint) = outside(folder)
    {
        report.add(&SEARCH, folder.span, SEARCH.advice(), Some(taint));
    } else if call.is(&["exec", "eval"])
        && let Some(code) = call.first().filter(|code| is_answer(code.value.path_text()))
    {
        report.add(&DOWNLOAD, code.span, DOWNLOAD.advice(), None);
    }
}

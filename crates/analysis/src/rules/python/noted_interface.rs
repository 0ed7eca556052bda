//! # `py/code-evaluated`, `py/pickle-used`, `py/markup-trusted`, `py/url-scheme-unchecked`, `py/plain-xml-parser`, `py/standard-random`
//!
//! ## What it does
//!
//! Notes interfaces that are sound only with care, where nothing firmer is known of the call. Of low severity: for audits.
//!
//! ## Why this is bad
//!
//! The care is not visible here, and the next change may drop it.
//!
//! ## Example
//!
//! ```python
//! x = eval('1 + 1')
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import ast
//! x = ast.literal_eval('[1, 2]')
//! ```
//!
//! ## References
//!
//! - [CWE-95](https://cwe.mitre.org/data/definitions/95.html)
//! - [CWE-502](https://cwe.mitre.org/data/definitions/502.html)
//! - [CWE-79](https://cwe.mitre.org/data/definitions/79.html)
//! - [CWE-939](https://cwe.mitre.org/data/definitions/939.html)
//! - [CWE-776](https://cwe.mitre.org/data/definitions/776.html)
//! - [CWE-20](https://cwe.mitre.org/data/definitions/20.html)
//! - [CWE-330](https://cwe.mitre.org/data/definitions/330.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static CODE: RuleInfo = RuleInfo {
    code: "CW-PY-095-2",
    name: "py/code-evaluated",
    cwe: &[Cwe(95)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "Text is run as code",
    fix: "use ast.literal_eval for literals and a table of functions for choices",
    examples: &[Example { weak: "x = «eval»('1 + 1')\n", sound: "import ast\nx = ast.literal_eval('[1, 2]')\n" }],
};

pub(super) static PICKLE: RuleInfo = RuleInfo {
    code: "CW-PY-502-2",
    name: "py/pickle-used",
    cwe: &[Cwe(502)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A format that runs code when it is decoded is used",
    fix: "use json where the data may come from elsewhere",
    examples: &[Example {
        weak: "import pickle\nx = «pickle.loads»(pickle.dumps([1]))\n",
        sound: "import json\nx = json.loads('[1]')\n",
    }],
};

pub(super) static MARKUP: RuleInfo = RuleInfo {
    code: "CW-PY-079-3",
    name: "py/markup-trusted",
    cwe: &[Cwe(79)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "Text is declared to be safe HTML",
    fix: "build it with format_html or a template, which escape what they insert",
    examples: &[Example {
        weak: "from django.utils.safestring import mark_safe\ndef f():\n    return «mark_safe»(load())\n",
        sound: "from django.utils.html import format_html\ndef f():\n    return format_html('<b>{}</b>', load())\n",
    }],
};

pub(super) static URL: RuleInfo = RuleInfo {
    code: "CW-PY-939-1",
    name: "py/url-scheme-unchecked",
    cwe: &[Cwe(939)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "An address is opened by a function that also opens files",
    fix: "check that the scheme is https, or use a client that knows only HTTP",
    examples: &[Example {
        weak: "import urllib.request\nx = «urllib.request.urlopen»(address)\n",
        sound: "import requests\nx = requests.get(address, timeout=5)\n",
    }],
};

pub(super) static XML: RuleInfo = RuleInfo {
    code: "CW-PY-776-2",
    name: "py/plain-xml-parser",
    cwe: &[Cwe(776), Cwe(20)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "XML is read by a parser that expands entities",
    fix: "use defusedxml, which refuses them",
    examples: &[Example {
        weak: "import xml.etree.ElementTree as tree\nx = «tree.parse»('feed.xml')\n",
        sound: "import defusedxml.ElementTree as tree\nx = tree.parse('feed.xml')\n",
    }],
};

pub(super) static RANDOM: RuleInfo = RuleInfo {
    code: "CW-PY-330-1",
    name: "py/standard-random",
    cwe: &[Cwe(330)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A number comes from a generator that can be predicted",
    fix: "use the secrets module wherever someone gains by guessing it",
    examples: &[Example {
        weak: "import random\nx = «random.randint»(1, 6)\n",
        sound: "import secrets\nx = secrets.randbelow(6) + 1\n",
    }],
};

/// Functions that run their argument as code.
const EVALUATES: &[&str] = &["eval", "exec", "execfile"];

const DECODES: &[&str] = &[
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "dill.load",
    "dill.loads",
    "dill.Unpickler",
    "shelve.open",
    "shelve.DbfilenameShelf",
    "jsonpickle.decode",
    "jsonpickle.loads",
    "jsonpickle.unpickler.decode",
    "jsonpickle.unpickler.Unpickler",
    "joblib.load",
    "pandas.read_pickle",
    "marshal.load",
    "marshal.loads",
    "yaml.load",
    "yaml.unsafe_load",
];

const TRUSTS: &[&str] = &[
    "django.utils.safestring.mark_safe",
    "django.utils.safestring.SafeText",
    "django.utils.safestring.SafeUnicode",
    "django.utils.safestring.SafeString",
    "django.utils.safestring.SafeBytes",
    "markupsafe.Markup",
];

const OPENS: &[&str] = &[
    "urllib.request.urlopen",
    "urllib.request.urlretrieve",
    "urllib.request.URLopener",
    "urllib.request.FancyURLopener",
];

/// Modules of the standard library that read XML, and the functions by which they do.
const PARSES: &[(&str, &[&str])] = &[
    ("xml.etree.ElementTree", &["parse", "iterparse", "fromstring", "XMLParser", "XML"]),
    ("xml.sax", &["parse", "parseString", "make_parser"]),
    ("xml.sax.expatreader", &["create_parser"]),
    ("xml.dom.expatbuilder", &["parse", "parseString"]),
    ("xml.dom.minidom", &["parse", "parseString"]),
    ("xml.dom.pulldom", &["parse", "parseString"]),
];

const DRAWS: &[&str] = &[
    "Random",
    "random",
    "randrange",
    "randint",
    "choice",
    "choices",
    "uniform",
    "triangular",
    "randbytes",
    "sample",
    "getrandbits",
    "shuffle",
];

fn rule(path: &str) -> Option<&'static RuleInfo> {
    let (module, name) = path.rsplit_once('.').unwrap_or(("", path));
    match () {
        () if EVALUATES.contains(&path) => Some(&CODE),
        () if DECODES.contains(&path) => Some(&PICKLE),
        () if TRUSTS.contains(&path) => Some(&MARKUP),
        () if OPENS.contains(&path.strip_prefix("six.moves.").unwrap_or(path)) => Some(&URL),
        () if module == "random" && DRAWS.contains(&name) => Some(&RANDOM),
        () => PARSES.iter().any(|(home, names)| *home == module && names.contains(&name)).then_some(&XML),
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_safe = call.argument(1, "Loader").is_some_and(|loader| loader.value.path_text().contains("Safe"));
    if let Some(rule) = rule(call.path).filter(|_| call.path != "yaml.load" || !is_safe) {
        report.note(rule, call.callee.span, call.span, rule.advice());
    }
}

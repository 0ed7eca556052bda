//! # `py/snmp-cleartext`, `py/snmp-without-privacy`
//!
//! ## What it does
//!
//! Reports access to devices by SNMP that others on the way can read.
//!
//! ## Why this is bad
//!
//! Community names and all values travel in the clear.
//!
//! ## Example
//!
//! ```python
//! from pysnmp.hlapi import CommunityData
//! x = CommunityData('public', mpModel=0)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! from pysnmp.hlapi import UsmUserData
//! x = UsmUserData('name', 'authentication', 'privacy')
//! ```
//!
//! ## References
//!
//! - [CWE-319](https://cwe.mitre.org/data/definitions/319.html)
//! - [CWE-311](https://cwe.mitre.org/data/definitions/311.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-319-2",
    name: "py/snmp-cleartext",
    cwe: &[Cwe(319)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A version of SNMP without encryption is used",
    fix: "use version 3 with UsmUserData and both keys",
    examples: &[Example {
        weak: "from pysnmp.hlapi import CommunityData\nx = CommunityData('public', mpModel=«0»)\n",
        sound: "from pysnmp.hlapi import UsmUserData\nx = UsmUserData('name', 'authentication', 'privacy')\n",
    }],
};

pub(super) static USER: RuleInfo = RuleInfo {
    code: "CW-PY-319-3",
    name: "py/snmp-without-privacy",
    cwe: &[Cwe(319), Cwe(311)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "SNMP is used without encryption",
    fix: "pass an authentication key and a privacy key",
    examples: &[Example {
        weak: "from pysnmp.hlapi import UsmUserData\nx = «UsmUserData»('name', 'authentication')\n",
        sound: "from pysnmp.hlapi import UsmUserData\nx = UsmUserData('name', 'authentication', 'privacy')\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.path.starts_with("pysnmp.") {
        return;
    }
    if call.method == "CommunityData" {
        let model = call.keyword("mpModel").filter(|model| matches!(model.value.integer(), Some(0 | 1)));
        if let Some(model) = model {
            report.add(&INFO, model.span, INFO.advice(), None);
        }
    } else if call.method == "UsmUserData" && call.splat.is_none() && call.double_splat.is_none() {
        let has_key = call.keyword("privKey").is_some();
        if call.positional.len() < 3 && !has_key {
            report.add(&USER, call.callee.span, USER.advice(), None);
        }
    }
}

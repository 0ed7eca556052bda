//! Flawfinder: one run, SARIF. Comments that ask it to look away are ignored.

use std::collections::BTreeMap;

use codeward_records::Level;
use codeward_sandbox::Outcome;

use super::sarif::{self, Result as Row};
use super::{Asked, Call};
use crate::external::error::ExternalError;
use crate::external::findings::{Answers, Said};
use crate::external::place::Place;

pub(super) fn call(asked: &Asked<'_>) -> Call {
    Call {
        arguments: asked.call_on_files(&["--sarif", "--neverignore"]),
        files: BTreeMap::new(),
        source_folder: "",
        env: BTreeMap::new(),
    }
}

pub(super) fn read(asked: &Asked<'_>, outcome: &Outcome) -> Result<Answers, ExternalError> {
    sarif::read(asked, &outcome.stdout, said)
}

fn said(row: Row) -> Said {
    // Its ranks are fifths of its levels of risk, 0 to 5.
    let risk = row.rank.unwrap_or(0.0) * 5.0;
    let (severity, confidence) = if risk > 3.5 {
        (Level::High, Level::Medium)
    } else if risk > 2.5 {
        (Level::Medium, Level::Medium)
    } else {
        (Level::Low, Level::Low)
    };
    // It takes everything up to the end of the line; what it means is the name at its beginning.
    let place = match row.place {
        Place::Span { line, column, .. } => Place::Start { line, column },
        place => place,
    };
    Said { rule: row.rule, place, message: row.message, severity, confidence, cwe: row.cwe }
}

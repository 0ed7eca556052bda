//! Cppcheck: started for each file, as it compares the files of one run with each other.

use codeward_records::{Cwe, Level};

use super::each::{self, Ran};
use super::{Asked, Call};
use crate::external::error::ExternalError;
use crate::external::findings::Said;
use crate::external::place::Place;

/// What says that the file could not be read as it is.
const UNREAD: [&str; 8] = [
    "syntaxError",
    "unknownMacro",
    "preprocessorErrorDirective",
    "internalError",
    "internalAstError",
    "cppcheckError",
    "noValidConfiguration",
    "unhandledChar",
];

pub(super) fn call(asked: &Asked<'_>) -> Call {
    let options = [
        "--quiet",
        "--enable=warning,portability",
        "--library=posix",
        "--platform=unix64",
        "--max-configs=4",
        "--template={file}\\t{line}\\t{column}\\t{severity}\\t{id}\\t{cwe}\\t{message}",
    ];
    each::call(asked, &options, "")
}

pub(super) fn read_one(asked: &Asked<'_>, ran: &Ran<'_>) -> Result<Vec<Said>, ExternalError> {
    if ran.code != 0 {
        return Err(ran.crashed(asked));
    }
    let mut said = Vec::new();
    for line in String::from_utf8_lossy(ran.stderr).lines() {
        let fields: Vec<&str> = line.splitn(7, '\t').collect();
        let &[file, line, column, severity, rule, class, message] = fields.as_slice() else { continue };
        if UNREAD.contains(&rule) {
            return Err(asked.not_read(format!("{rule}: {message}")));
        }
        if file != ran.name {
            continue;
        }
        let number = |text: &str| text.parse::<usize>().map_err(|error| asked.garbled(format!("{text:?}: {error}")));
        let (line, column) = (number(line)?, number(column)?);
        let (severity, confidence) = match severity {
            "error" => (Level::High, Level::High),
            "warning" => (Level::Medium, Level::Medium),
            _ => (Level::Low, Level::Medium),
        };
        let cwe = class.parse().ok().filter(|class| *class > 0).map(Cwe).into_iter().collect();
        let place = if column == 0 { Place::Line(line) } else { Place::Start { line, column } };
        said.push(Said { rule: rule.to_owned(), place, message: message.to_owned(), severity, confidence, cwe });
    }
    Ok(said)
}

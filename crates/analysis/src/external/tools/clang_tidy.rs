//! clang-tidy with the Clang static analyser, for C and C++: started for each file, text.
//!
//! It repeats lines of the source among its messages. They cannot pass for messages: those begin with the file's name, which
//! holds a hash of all that is in the file.

use codeward_records::Level;

use super::each::{self, Ran};
use super::{Asked, Call};
use crate::external::error::ExternalError;
use crate::external::findings::Said;
use crate::external::place::Place;

const CHECKS: &str = "--checks=-*,clang-analyzer-*,-clang-analyzer-deadcode.*,-clang-analyzer-optin.*,\
bugprone-not-null-terminated-result,bugprone-signal-handler,bugprone-sizeof-expression,bugprone-string-constructor,\
bugprone-suspicious-memory-comparison,bugprone-suspicious-memset-usage,bugprone-suspicious-realloc-usage,\
bugprone-too-small-loop-variable,bugprone-unsafe-functions,bugprone-use-after-move,\
cert-env33-c,cert-err34-c,cert-msc24-c,cert-msc30-c,cert-msc32-c,cert-msc50-cpp,cert-msc51-cpp,cert-pos44-c,cert-sig30-c";

/// For the compiler inside: files must not be able to tell that they are being analysed, nor to turn warnings off.
const COMPILER: &str = "-- -w -U__clang_analyzer__ -D_Pragma(x)=";

pub(super) fn call(asked: &Asked<'_>) -> Call {
    each::call(asked, &["--quiet", "--config={}", CHECKS], COMPILER)
}

pub(super) fn read_one(asked: &Asked<'_>, ran: &Ran<'_>) -> Result<Vec<Said>, ExternalError> {
    let mut said = Vec::new();
    let beginning = format!("/tmp/{}:", ran.name);
    for line in String::from_utf8_lossy(ran.stdout).lines() {
        let Some(rest) = line.strip_prefix(&beginning) else { continue };
        let Some((line, column, kind, text)) = split(rest) else { continue };
        if kind == "error" {
            return Err(asked.not_read(text));
        }
        let named = text.strip_suffix(']').and_then(|text| text.rsplit_once(" ["));
        let (true, Some((message, check))) = (kind == "warning", named) else { continue };
        let rule = check.split(',').next().unwrap_or(check).to_owned();
        let (severity, confidence) = (Level::Medium, Level::Medium);
        let place = Place::Start { line, column };
        said.push(Said { rule, place, message: message.to_owned(), severity, confidence, cwe: vec![] });
    }
    // Findings alone do not make it fail.
    if ran.code != 0 { Err(ran.crashed(asked)) } else { Ok(said) }
}

/// Line, column, kind and text of a message.
fn split(text: &str) -> Option<(usize, usize, &str, &str)> {
    let mut parts = text.splitn(4, ':');
    let (line, column) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((line, column, parts.next()?.trim(), parts.next()?.trim()))
}

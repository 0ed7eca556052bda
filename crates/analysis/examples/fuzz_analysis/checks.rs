//! What has to hold of every analysis, whatever the text.

use codeward_analysis::Analysis;
use codeward_records::Finding;

/// Every place lies in the text, on borders of characters, and is the same place in bytes as in lines and columns.
pub(crate) fn spans(text: &str, analysis: &Analysis) -> Result<(), String> {
    for finding in &analysis.findings {
        check_finding(text, finding).map_err(|reason| format!("{}: {reason}", finding.rule))?;
    }
    let is_ordered = analysis.findings.is_sorted_by_key(|finding| (finding.start_byte, finding.end_byte));
    if !is_ordered {
        return Err("findings are not in the order of the text".to_owned());
    }
    match &analysis.syntax_error {
        Some(error) if text.get(error.start_byte..error.end_byte).is_none() => {
            Err(format!("a syntax error at {}..{} of {} bytes", error.start_byte, error.end_byte, text.len()))
        }
        Some(error) => place(text, error.start_byte, (error.line, error.column)),
        None => Ok(()),
    }
}

fn check_finding(text: &str, finding: &Finding) -> Result<(), String> {
    let (start, end) = (finding.start_byte, finding.end_byte);
    if text.get(start..end).is_none() {
        return Err(format!("{start}..{end} of {} bytes is no text", text.len()));
    }
    if finding.cwe.is_empty() || finding.message.is_empty() {
        return Err("no weakness class or no message".to_owned());
    }
    place(text, start, (finding.line, finding.column))?;
    place(text, end, (finding.end_line, finding.end_column))
}

/// Counts lines and columns anew.
fn place(text: &str, byte: usize, said: (usize, usize)) -> Result<(), String> {
    let before = &text[..byte];
    let line = before.split('\n').count();
    let column = 1 + before.len() - before.rfind('\n').map_or(0, |at| at + 1);
    if (line, column) == said { Ok(()) } else { Err(format!("byte {byte} is at {line}:{column}, not at {said:?}")) }
}

//! Reading what the harness reported.

use std::collections::BTreeMap;

use codeward_records::Plain;
use codeward_sandbox::Prelude;
use serde::Deserialize;
use serde_json::Value;

use crate::marshal;

/// Runs a test that acts.
pub(crate) static ACT_HARNESS: Prelude = Prelude { name: "codeward_act", source: include_str!("act_harness.py") };

/// What the harness of a test that acts reads from standard input.
pub(crate) fn payload(code: &str, adapter: &str, act: &str, nonce: &str, token: &str) -> Vec<u8> {
    let entries = [("candidate", code), ("adapter", adapter), ("act", act), ("nonce", nonce), ("token", token)];
    marshal::write(&Plain::Dict(entries.map(|(name, text)| (Plain::from(name), Plain::from(text))).into()))
}

/// What a call was seen to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    /// It returned this value.
    Returned(Value),
    /// It raised an exception of this type.
    Raised(String),
}

/// Everything that one test reported.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "four milestones that a test passes one by one")]
pub(crate) struct Report {
    /// The completion compiled.
    pub(crate) parsed: bool,
    /// The completion and the adapter ran without an exception.
    pub(crate) loaded: bool,
    /// The test's statements ran to their end.
    pub(crate) acted: bool,
    /// The harness reached its last line.
    pub(crate) done: bool,
    /// What the first stage that was not passed failed with.
    pub(crate) stage_error: Option<String>,
    /// Observations by name; the first of a name counts.
    pub(crate) seen: BTreeMap<String, Seen>,
}

#[derive(Deserialize)]
struct Line {
    stage: Option<String>,
    failed: Option<String>,
    observe: Option<String>,
    #[serde(default, deserialize_with = "present")]
    returned: Option<Value>,
    raised: Option<String>,
    done: Option<bool>,
}

/// Keeps `null` apart from an absent field.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Report {
    /// Reads the lines that carry the token; anything else on the channel is not from the harness and is ignored.
    pub(crate) fn read(channel: &[u8], token: &str) -> Self {
        let mut report = Self::default();
        for line in channel.split(|byte| *byte == b'\n') {
            let Ok(text) = std::str::from_utf8(line) else { continue };
            let Some(json) = text.strip_prefix(token).and_then(|rest| rest.strip_prefix(' ')) else { continue };
            let Ok(line) = serde_json::from_str::<Line>(json) else { continue };
            report.add(line);
        }
        report
    }

    fn add(&mut self, line: Line) {
        if let (Some(stage), None) = (&line.stage, &line.failed) {
            match stage.as_str() {
                "parse" => self.parsed = true,
                "load" => self.loaded = true,
                "act" => self.acted = true,
                _ => {}
            }
        }
        if line.stage.is_some() {
            self.stage_error = self.stage_error.take().or(line.failed);
        }
        if let Some(name) = line.observe {
            let seen = match (line.returned, line.raised) {
                (Some(value), _) => Some(Seen::Returned(value)),
                (None, Some(kind)) => Some(Seen::Raised(kind)),
                (None, None) => None,
            };
            if let Some(seen) = seen {
                self.seen.entry(name).or_insert(seen);
            }
        }
        self.done |= line.done == Some(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_with_the_token_count_and_null_is_a_value() {
        let channel = b"t1 {\"stage\": \"parse\"}\nt2 {\"done\": true}\nnoise\n\xff\nt1 {\"observe\": \"x\", \"returned\": null}\nt1 {\"observe\": \"x\", \"raised\": \"E\"}\n";
        let report = Report::read(channel, "t1");
        assert!(report.parsed && !report.loaded && !report.done);
        assert_eq!(report.seen["x"], Seen::Returned(Value::Null));
    }

    #[test]
    fn a_failed_stage_was_not_reached() {
        let report = Report::read(b"t {\"stage\": \"load\", \"failed\": \"ImportError: x\"}\nt {\"done\": true}", "t");
        assert!(!report.loaded && report.done);
    }
}

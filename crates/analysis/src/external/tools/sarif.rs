//! Reading SARIF, the common format of results.

use codeward_records::{Cwe, Level};
use serde::Deserialize;

use super::Asked;
use crate::external::error::ExternalError;
use crate::external::findings::{Answers, Said, classes};
use crate::external::place::Place;

/// One result.
#[derive(Debug)]
pub(super) struct Result {
    pub(super) rule: String,
    pub(super) message: String,
    pub(super) level: Level,
    pub(super) precision: Option<Level>,
    pub(super) rank: Option<f64>,
    pub(super) cwe: Vec<Cwe>,
    pub(super) place: Place,
}

#[derive(Deserialize)]
struct Log {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    #[serde(default)]
    results: Vec<Row>,
    #[serde(default)]
    invocations: Vec<Invocation>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Component,
    #[serde(default)]
    extensions: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    default_configuration: Option<Configuration>,
    #[serde(default)]
    relationships: Vec<Relationship>,
    properties: Option<Properties>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Deserialize)]
struct Relationship {
    target: Target,
}

#[derive(Deserialize)]
struct Target {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(default)]
    tags: Vec<String>,
    precision: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    rule_id: String,
    level: Option<String>,
    rank: Option<f64>,
    message: Message,
    #[serde(default)]
    locations: Vec<Location>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Option<Region>,
}

#[derive(Deserialize)]
struct Artifact {
    uri: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    #[serde(default)]
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Deserialize)]
struct Notification {
    level: Option<String>,
    message: Message,
    #[serde(default)]
    locations: Vec<Location>,
}

/// The answers in a log; `said` makes of a result what this analyser means by it.
pub(super) fn read(
    asked: &Asked<'_>,
    text: &[u8],
    said: fn(Result) -> Said,
) -> std::result::Result<Answers, ExternalError> {
    let log: Log = asked.json(text)?;
    let mut answers = asked.silent();
    for run in log.runs {
        let rules: Vec<&Rule> =
            std::iter::once(&run.tool.driver).chain(&run.tool.extensions).flat_map(|part| &part.rules).collect();
        for row in run.results {
            let Some(physical) = row.locations.iter().find_map(|location| location.physical_location.as_ref()) else {
                continue;
            };
            let uri = physical.artifact_location.uri.trim_start_matches("./").to_owned();
            let rule = rules.iter().find(|rule| rule.id == row.rule_id);
            let result = result(&row, physical, rule.copied());
            match answers.get_mut(&uri) {
                Some(Ok(all)) => all.push(said(result)),
                Some(Err(_)) => {}
                None => return Err(asked.garbled(format!("a result for {uri:?}, which it was not given"))),
            }
        }
        for notification in run.invocations.into_iter().flat_map(|invocation| invocation.tool_execution_notifications) {
            if notification.level.as_deref() != Some("error") {
                continue;
            }
            let located = notification.locations.iter().filter_map(|location| location.physical_location.as_ref());
            for uri in located.map(|physical| &physical.artifact_location.uri) {
                if let Some(answer) = answers.get_mut(uri) {
                    *answer = Err(asked.not_read(notification.message.text.clone()));
                }
            }
        }
    }
    Ok(answers)
}

fn result(row: &Row, physical: &Physical, rule: Option<&Rule>) -> Result {
    let properties = rule.and_then(|rule| rule.properties.as_ref());
    let tags = properties.iter().flat_map(|properties| &properties.tags);
    let targets = rule.iter().flat_map(|rule| &rule.relationships).filter_map(|relation| relation.target.id.as_ref());
    let mut cwe: Vec<Cwe> = Vec::new();
    for class in tags.chain(targets).flat_map(|text| classes(text)) {
        if !cwe.contains(&class) {
            cwe.push(class);
        }
    }
    let default = rule.and_then(|rule| rule.default_configuration.as_ref()).and_then(|one| one.level.as_ref());
    let level = match row.level.as_ref().or(default).map(String::as_str) {
        Some("error") => Level::High,
        Some("note" | "none") => Level::Low,
        _ => Level::Medium,
    };
    let precision = properties.and_then(|properties| properties.precision.as_deref()).map(|word| match word {
        "very-high" | "high" => Level::High,
        "medium" => Level::Medium,
        _ => Level::Low,
    });
    Result {
        rule: row.rule_id.clone(),
        message: row.message.text.clone(),
        level,
        precision,
        rank: row.rank,
        cwe,
        place: physical.region.as_ref().map_or(Place::Line(1), Region::place),
    }
}

impl Region {
    fn place(&self) -> Place {
        let (line, end_line) = (self.start_line, self.end_line.unwrap_or(self.start_line));
        match (self.start_column, self.end_column) {
            (None, None) if end_line == line => Place::Line(line),
            (column, Some(end_column)) => Place::Span { line, column: column.unwrap_or(1), end_line, end_column },
            (Some(column), None) => Place::Start { line, column },
            // Whole lines: to the end of the last, which is where a column behind it is.
            (None, None) => Place::Span { line, column: 1, end_line, end_column: usize::MAX },
        }
    }
}

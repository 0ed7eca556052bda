//! `codeward score`: rows in, rewards out. Every row is checked before the first is scored.

use std::path::Path;
use std::time::Instant;

use codeward_records::{Reward, Task};
use codeward_synthesis::{Benchmark, Pool};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::Score;
use crate::failure::Failure;
use crate::{input, output, workbench};

/// Rows that are scored together; results appear after each batch.
const BATCH_ROWS: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Option<Value>,
    task_id: Option<String>,
    task: Option<Task>,
    completion: String,
}

/// A row that can be scored.
pub(super) struct Item {
    id: Value,
    pub(super) task: Task,
    pub(super) completion: String,
}

pub(crate) fn run(options: &Score) -> Result<Ending, Failure> {
    let recipe = workbench::grpo_recipe(&options.recipe)?.reward;
    let benchmark = workbench::benchmark(&options.benchmark)?;
    let items = match &options.file {
        Some(file) => read_rows(file, &benchmark)?,
        None => references(&benchmark),
    };
    let hash = recipe.content_hash();
    let engine = workbench::engine(recipe)?;
    for batch in items.chunks(BATCH_ROWS) {
        let started = Instant::now();
        let pairs: Vec<(&Task, &str)> = batch.iter().map(|item| (&item.task, item.completion.as_str())).collect();
        let rewards = engine.score(&pairs);
        let share = started.elapsed().as_secs_f64() * 1e3 / batch.len() as f64;
        for (item, reward) in batch.iter().zip(&rewards) {
            output::print_json(&line(item, reward, share, &hash))?;
        }
    }
    Ok(Ending::Done)
}

/// One line of output: every key is always there.
fn line(item: &Item, reward: &Reward, share_ms: f64, hash: &str) -> Value {
    let timing = json!({ "batch_share": (share_ms * 1e3).round() / 1e3 });
    match reward {
        Reward::Scored { value, parts, spans } => json!({
            "id": item.id, "state": "scored", "value": value, "parts": parts, "spans": spans, "reason": null,
            "timing_ms": timing, "recipe": hash,
        }),
        Reward::Unscored { reason, detail, retryable } => json!({
            "id": item.id, "state": "unscored", "value": null, "parts": codeward_reward::Parts::default().to_map(), "spans": [],
            "reason": { "kind": reason, "detail": detail, "retryable": retryable },
            "timing_ms": timing, "recipe": hash,
        }),
    }
}

pub(super) fn read_rows(file: &Path, benchmark: &Benchmark) -> Result<Vec<Item>, Failure> {
    let bytes = input::read(file)?;
    bytes
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(at, line)| {
            let place = format!("{}:{}", file.display(), at + 1);
            parse_row(line, &place, at + 1, benchmark)
        })
        .collect()
}

fn parse_row(line: &[u8], place: &str, number: usize, benchmark: &Benchmark) -> Result<Item, Failure> {
    let text = std::str::from_utf8(line).map_err(|error| {
        Failure::new(
            format!("{place}: not UTF-8 text: {error}"),
            "completions have to be UTF-8; decode or drop this row",
        )
    })?;
    let row: Row = serde_json::from_str(text).map_err(|error| {
        Failure::new(
            format!("{place}: {error}"),
            "a row is {\"task_id\": \"...\", \"completion\": \"...\"} or carries a whole \"task\"",
        )
    })?;
    let task = match (row.task, row.task_id) {
        (Some(task), None) => task,
        (None, Some(id)) => benchmark
            .task(&id)
            .map_err(|error| Failure { message: format!("{place}: {error}"), ..Failure::from(error) })?,
        _ => {
            return Err(Failure::new(
                format!("{place}: a row has either task_id or task"),
                "give exactly one of the two",
            ));
        }
    };
    task.check().map_err(|error| {
        Failure::new(format!("{place}: {error}"), "a task needs functional and security tests, each with expectations")
    })?;
    Ok(Item { id: row.id.unwrap_or_else(|| Value::from(number)), task, completion: row.completion })
}

/// Every reference of every family as a row, named `family/idiom`.
pub(super) fn references(benchmark: &Benchmark) -> Vec<Item> {
    benchmark
        .families()
        .iter()
        .flat_map(|family| {
            let task = family.instance(Pool::Seen, 0);
            task.references.clone().into_iter().map(move |reference| Item {
                id: Value::from(format!("{}/{}", task.family, reference.idiom)),
                task: task.clone(),
                completion: reference.code,
            })
        })
        .collect()
}

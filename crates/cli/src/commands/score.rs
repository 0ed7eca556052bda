//! `codeward score`: rows in, rewards out. Every row is checked before the first is scored.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use codeward_lm::Aligner;
use codeward_records::{Reward, Task};
use codeward_reward::{Asking, per_token_rewards};
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
    tokens: Option<Vec<u32>>,
}

/// A row that can be scored.
pub(super) struct Item {
    id: Value,
    pub(super) task: Task,
    pub(super) completion: String,
    /// Where each token stands in the completion, when token rewards are asked for.
    tokens: Option<Vec<Range<usize>>>,
}

pub(crate) fn run(options: &Score) -> Result<Ending, Failure> {
    let recipe = workbench::reward_recipe(&options.recipe)?;
    let benchmark = workbench::benchmark(&options.benchmark)?;
    let aligner = options
        .tokenizer
        .as_deref()
        .map(|path| {
            Aligner::read(path).map_err(|error| Failure::new(error, "--tokenizer is a Hugging Face tokenizer.json"))
        })
        .transpose()?;
    let items = match &options.file {
        Some(file) => read_rows(file, &benchmark, aligner.as_ref())?,
        None => references(&benchmark),
    };
    let hash = recipe.content_hash();
    let mut out = Out::open(options.out.as_deref(), &items, &hash)?;
    let engine = workbench::engine(recipe, options.cache.as_deref(), Some(&options.judge))?;
    let asking = Asking { step: options.step, ..Asking::default() };
    let mut unscored = BTreeMap::new();
    for batch in items[out.num_done..].chunks(BATCH_ROWS) {
        let started = Instant::now();
        let pairs: Vec<(&Task, &str)> = batch.iter().map(|item| (&item.task, item.completion.as_str())).collect();
        let rewards = engine.score_with(&pairs, &asking);
        let share = started.elapsed().as_secs_f64() * 1e3 / batch.len() as f64;
        for (item, reward) in batch.iter().zip(&rewards) {
            out.write(&line(item, reward, share, &hash)?)?;
            if let Reward::Unscored { detail, .. } = reward {
                *unscored.entry(detail.clone()).or_insert(0_usize) += 1;
            }
        }
    }
    engine.flush()?;
    Ok(tell_unscored(&unscored, items.len() - out.num_done))
}

/// Rows without a reward are in the output with their reasons. Where there are no others, nothing was measured.
fn tell_unscored(unscored: &BTreeMap<String, usize>, num_rows: usize) -> Ending {
    let num_unscored: usize = unscored.values().sum();
    let Some((detail, _)) = unscored.iter().max_by_key(|(_, count)| **count) else { return Ending::Done };
    output::note(&format!("{num_unscored} of {num_rows} rows are unscored, most of them so: {detail}"));
    if num_unscored == num_rows { Ending::Incomplete } else { Ending::Done }
}

/// Where rows go: standard output, or a file that is continued.
struct Out {
    file: Option<(File, std::path::PathBuf)>,
    /// Rows that are there already.
    num_done: usize,
}

impl Out {
    /// Opens the file. A last row that was cut off is taken away; whole rows have to be those of the same items and recipe.
    fn open(path: Option<&Path>, items: &[Item], hash: &str) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self { file: None, num_done: 0 }) };
        let failed = |error: &std::io::Error| Failure::io(path, error, "name a file that can be written");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| failed(&error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rows = bytes[..whole].split(|byte| *byte == b'\n').filter(|row| !row.is_empty());
        let mut num_done = 0;
        for (at, row) in rows.enumerate() {
            let same = serde_json::from_slice::<Value>(row).is_ok_and(|row| {
                items.get(at).is_some_and(|item| row["id"] == item.id) && row["recipe"].as_str() == Some(hash)
            });
            if !same {
                return Err(Failure::new(
                    format!("{}:{}: is not the row of these items and this recipe", path.display(), at + 1),
                    "name another file with --out, or remove this one to score everything again",
                ));
            }
            num_done += 1;
        }
        file.set_len(whole as u64).map_err(|error| failed(&error))?;
        file.seek(SeekFrom::End(0)).map_err(|error| failed(&error))?;
        if num_done > 0 {
            output::note(&format!("{}: {num_done} rows are there, {} to go", path.display(), items.len() - num_done));
        }
        Ok(Self { file: Some((file, path.to_owned())), num_done })
    }

    fn write(&mut self, row: &Value) -> Result<(), Failure> {
        let Some((file, path)) = &mut self.file else { return output::print_json(row) };
        // One write for a row: a kill leaves at most one that is cut off.
        file.write_all(format!("{row}\n").as_bytes()).map_err(|error| {
            Failure::io(path, &error, "is the disk full? the rows before are kept: run it again to go on")
        })
    }
}

/// One line of output: every key is always there.
fn line(item: &Item, reward: &Reward, share_ms: f64, hash: &str) -> Result<Value, Failure> {
    let timing = json!({ "batch_share": (share_ms * 1e3).round() / 1e3 });
    let mut line = match reward {
        Reward::Scored { value, parts, spans } => json!({
            "id": item.id, "state": "scored", "value": value, "parts": parts, "spans": spans, "reason": null,
            "timing_ms": timing, "recipe": hash,
        }),
        Reward::Unscored { reason, detail, retryable } => json!({
            "id": item.id, "state": "unscored", "value": null, "parts": codeward_reward::Parts::default().to_map(), "spans": [],
            "reason": { "kind": reason, "detail": detail, "retryable": retryable },
            "timing_ms": timing, "recipe": hash,
        }),
    };
    if let Some(tokens) = &item.tokens {
        line["token_rewards"] = match reward {
            Reward::Scored { spans, .. } => {
                let rewards = per_token_rewards(spans, tokens).map_err(|error| {
                    Failure::new(format!("row {}: {error}", item.id), "tokens have to be those of the completion")
                })?;
                json!(rewards)
            }
            Reward::Unscored { .. } => Value::Null,
        };
    }
    Ok(line)
}

pub(super) fn read_rows(file: &Path, benchmark: &Benchmark, aligner: Option<&Aligner>) -> Result<Vec<Item>, Failure> {
    let bytes = input::read(file)?;
    bytes
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(at, line)| {
            let place = format!("{}:{}", file.display(), at + 1);
            parse_row(line, &place, at + 1, benchmark, aligner)
        })
        .collect()
}

fn parse_row(
    line: &[u8],
    place: &str,
    number: usize,
    benchmark: &Benchmark,
    aligner: Option<&Aligner>,
) -> Result<Item, Failure> {
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
    let tokens = match (aligner, row.tokens) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(Failure::new(
                format!("{place}: no tokens"),
                "with --tokenizer a row brings the ids that were sampled, as \"tokens\"",
            ));
        }
        (Some(aligner), Some(tokens)) => Some(aligner.align(&tokens, &row.completion).map_err(|error| {
            Failure::new(format!("{place}: {error}"), "tokens have to read as the completion, to the byte")
        })?),
    };
    Ok(Item { id: row.id.unwrap_or_else(|| Value::from(number)), task, completion: row.completion, tokens })
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
                tokens: None,
            })
        })
        .collect()
}

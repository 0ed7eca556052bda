//! Pipelines: each stage in a folder of its own, kept where nothing that it depends on has changed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use codeward_synthesis::Split;
use codeward_training::{Pipeline, Recipe, Stage, folder_hash};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{dry_run, run_recipe, supervised};
use crate::Ending;
use crate::arguments::Train;
use crate::failure::Failure;
use crate::{bundled, hardening, hub, output, workbench};

/// What a stage depends on, as hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    recipe: String,
    model: String,
    data: String,
}

/// What is known of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    folder: String,
    inputs: Inputs,
    is_done: bool,
}

/// What is to be done with a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is done, and nothing that it depends on has changed.
    Reused,
    /// It was begun, and nothing that it depends on has changed.
    Continued,
    /// It is run from its start.
    Run,
}

/// `pipeline.json`: what is known of the stages, in their order.
struct Journal {
    out: PathBuf,
    records: Vec<Record>,
}

/// Runs the stages in `out`, or what is left of them.
pub(super) fn run(pipeline: Pipeline, out: &Path, options: &Train) -> Result<Ending, Failure> {
    if options.dry_run {
        dry_run::tell_stages(&pipeline, out, options.json)?;
        return Ok(Ending::Done);
    }
    let mut journal = Journal::open(out, options.resume)?;
    journal.records.truncate(pipeline.stages.len());
    let mut rows = Vec::new();
    let mut model: Option<PathBuf> = None;
    for (at, stage) in pipeline.stages.into_iter().enumerate() {
        let mut recipe = stage.recipe.clone();
        if let Some(model) = &model {
            recipe.set_model(model.display().to_string());
        }
        let folder = out.join(folder_of(at, &stage));
        let inputs = inputs(&stage, &recipe)?;
        let state = journal.settle(at, &stage, Record { folder: folder_of(at, &stage), inputs, is_done: false })?;
        let says = match state {
            State::Reused => "unchanged, reused",
            State::Continued => "continued",
            State::Run => "begins",
        };
        output::note(&format!("stage {}: {says} ({})", stage.name, folder.display()));
        if state != State::Reused {
            run_recipe(&recipe, &folder, true, &options.judge)?;
            journal.finish(at)?;
        }
        let summary = fs::read_to_string(folder.join("summary.json")).ok();
        let summary: Option<Value> = summary.and_then(|text| serde_json::from_str(&text).ok());
        rows.push(json!({
            "name": stage.name, "kind": recipe.kind(), "folder": folder, "state": state,
            "summary": summary.map(|summary| json!({"before": summary["before"], "after": summary["after"]})),
        }));
        model = Some(folder.join("model"));
    }
    if options.json {
        output::print_json(&json!({"stages": rows}))?;
    } else {
        output::print(&table(&rows))?;
    }
    Ok(Ending::Done)
}

/// `01-sft` for the first stage, where that is its name.
pub(super) fn folder_of(at: usize, stage: &Stage) -> String {
    format!("{:02}-{}", at + 1, stage.name)
}

fn inputs(stage: &Stage, recipe: &Recipe) -> Result<Inputs, Failure> {
    let hash = |folder: &Path| {
        folder_hash(folder).map_err(|error| Failure::io(folder, &error, "a model is a folder in Hugging Face layout"))
    };
    let model = match recipe.model() {
        "scratch" => "scratch".to_owned(),
        "bundled" => hash(bundled::model()?.path())?,
        name => hash(&hub::place(Path::new(name))?)?,
    };
    let tasks = match recipe {
        Recipe::Sft(recipe) => {
            let data = supervised::examples_hash(&supervised::examples(recipe)?);
            return Ok(Inputs { recipe: stage.hash(), model, data });
        }
        Recipe::Rl(recipe) => &recipe.tasks,
        Recipe::Preference(recipe) => &recipe.tasks,
        Recipe::Rejection(recipe) => &recipe.tasks,
    };
    let tasks = workbench::benchmark(&tasks.benchmark)?.tasks(Split::Rewarded, tasks.instances_per_family);
    Ok(Inputs { recipe: stage.hash(), model, data: hardening::tasks_hash(&tasks) })
}

impl Journal {
    fn open(out: &Path, resume: bool) -> Result<Self, Failure> {
        let path = out.join("pipeline.json");
        let hint = "add --resume to continue it, or choose another folder with --out";
        let occupied = |what: &str| Failure::new(format!("{} holds {what} already", out.display()), hint);
        let records = match fs::read(&path) {
            Ok(_) if !resume => return Err(occupied("a pipeline")),
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Failure::new(format!("{}: {error}", path.display()), hint))?,
            Err(_) if out.join("manifest.json").exists() => return Err(occupied("another run")),
            Err(_) => Vec::new(),
        };
        fs::create_dir_all(out)
            .map_err(|error| Failure::io(out, &error, "choose a folder that can be written with --out"))?;
        Ok(Self { out: out.to_owned(), records })
    }

    /// Decides what is to be done with a stage, and moves aside what another form of it has left.
    fn settle(&mut self, at: usize, stage: &Stage, wanted: Record) -> Result<State, Failure> {
        let folder = self.out.join(&wanted.folder);
        let parts = hardening::trained_parts(stage.recipe.adapter());
        let state = match self.records.get(at) {
            Some(found) if found.folder == wanted.folder && found.inputs == wanted.inputs => {
                let is_whole = parts.iter().all(|part| folder.join(part).exists());
                if found.is_done && is_whole {
                    return Ok(State::Reused);
                }
                if folder.exists() { State::Continued } else { State::Run }
            }
            Some(found) if found.folder == wanted.folder && folder.exists() => {
                let what = changes(&found.inputs, &wanted.inputs);
                self.move_aside(&folder, &format!("stage {}: {what} changed, so it is run again", stage.name))?;
                State::Run
            }
            _ if folder.exists() => {
                self.move_aside(&folder, &format!("stage {}: nothing is known of its folder", stage.name))?;
                State::Run
            }
            _ => State::Run,
        };
        if at < self.records.len() {
            self.records[at] = wanted;
        } else {
            self.records.push(wanted);
        }
        self.write()?;
        Ok(state)
    }

    fn finish(&mut self, at: usize) -> Result<(), Failure> {
        self.records[at].is_done = true;
        self.write()
    }

    /// Gives a folder another name, which is said.
    fn move_aside(&self, folder: &Path, why: &str) -> Result<(), Failure> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut number = 1;
        let aside = loop {
            let aside = self.out.join(format!("{name}.old-{number}"));
            if !aside.exists() {
                break aside;
            }
            number += 1;
        };
        fs::rename(folder, &aside).map_err(|error| Failure::io(folder, &error, "remove the folder"))?;
        output::note(&format!("{why}; what was there is now {}", aside.display()));
        Ok(())
    }

    fn write(&self) -> Result<(), Failure> {
        let (path, partial) = (self.out.join("pipeline.json"), self.out.join("pipeline.json.partial"));
        let text = serde_json::to_vec_pretty(&self.records).expect("records are plain data");
        let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, &path));
        written.map_err(|error| Failure::io(&path, &error, "free some disk space, then continue with --resume"))
    }
}

/// Which of the inputs differ, for a person.
fn changes(found: &Inputs, wanted: &Inputs) -> String {
    let pairs = [
        ("its recipe", &found.recipe, &wanted.recipe),
        ("the model that it starts from", &found.model, &wanted.model),
        ("its data", &found.data, &wanted.data),
    ];
    let changed: Vec<&str> = pairs.iter().filter(|(_, one, other)| one != other).map(|(what, _, _)| *what).collect();
    changed.join(" and ")
}

/// What people see at the end: the stages that are evaluated, before and after.
fn table(rows: &[Value]) -> String {
    let mut text = format!("{:<14} {:<17} {:<18} {:<18} {}\n", "stage", "split", "functional", "secure", "both");
    for row in rows {
        let name = row["name"].as_str().unwrap_or_default();
        let Some(splits) = row["summary"]["after"]["splits"].as_object() else {
            let folder = row["folder"].as_str().unwrap_or_default();
            let _ = writeln!(text, "{name:<14} not evaluated: {folder}");
            continue;
        };
        for split in splits.keys() {
            let percent = |side: &str, metric: &str| {
                let value = row["summary"][side]["splits"][split][metric]["value"].as_f64();
                value.map_or("—".to_owned(), |value| format!("{:.1}", 100.0 * value))
            };
            let cell = |metric: &str| format!("{} → {} %", percent("before", metric), percent("after", metric));
            let [functional, secure, both] = ["func", "secure", "func_secure"].map(cell);
            let _ = writeln!(text, "{name:<14} {split:<17} {functional:<18} {secure:<18} {both}");
        }
    }
    text
}

//! `codeward model`: looks at checkpoints, makes them from GGUF files and from adapters, and brings them from a hub.

use std::fmt::Write as _;
use std::path::Path;

use codeward_lm::{Bytes, Inspection, Linear, Precision, convert_gguf, inspect, merge_adapter};
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::{Model, ModelAction, StoredPrecision};
use crate::failure::Failure;
use crate::{hub, memory, output};

/// Keys of a configuration that say how large a model is, with what people call them.
const SHAPES: [(&str, &str); 9] = [
    ("num_hidden_layers", "layers"),
    ("hidden_size", "width"),
    ("intermediate_size", "feed-forward width"),
    ("num_attention_heads", "heads"),
    ("num_key_value_heads", "key and value heads"),
    ("head_dim", "head width"),
    ("vocab_size", "vocabulary"),
    ("max_position_embeddings", "context"),
    ("sliding_window", "sliding window"),
];

pub(crate) fn run(options: &Model) -> Result<Ending, Failure> {
    match &options.action {
        ModelAction::Inspect { path, json } => {
            let inspection = inspect(&hub::place(path)?)?;
            if *json {
                output::print_json(&as_json(path, &inspection))?;
            } else {
                output::print(&describe(&inspection))?;
            }
        }
        ModelAction::Convert { file, folder, precision } => {
            let converted = convert_gguf(&hub::place(file)?, folder, stored(*precision))?;
            output::print(&format!(
                "{}: {} tensors, {} parameters, {}; tokenizer: {}\n",
                folder.display(),
                converted.num_tensors,
                grouped(converted.num_parameters),
                Bytes(converted.num_bytes),
                converted.tokenizer,
            ))?;
        }
        ModelAction::Merge { base, adapter, folder, precision } => {
            let merged = merge_adapter(&hub::place(base)?, &hub::place(adapter)?, folder, stored(*precision))?;
            let targets: Vec<&str> = merged.adapter.targets.iter().map(|linear: &Linear| linear.name()).collect();
            output::print(&format!(
                "{}: {} parameters; merged: rank {}, factor {}, {}\n",
                folder.display(),
                grouped(merged.num_parameters),
                merged.adapter.rank,
                merged.adapter.scale(),
                targets.join(" "),
            ))?;
        }
        ModelAction::Download { model, json } => {
            let downloaded = hub::bring(model)?;
            if *json {
                output::print_json(&json!({"path": downloaded.path, "commit": downloaded.commit}))?;
            } else {
                output::print(&format!("{}\n", downloaded.path.display()))?;
            }
        }
    }
    Ok(Ending::Done)
}

fn stored(precision: StoredPrecision) -> Precision {
    match precision {
        StoredPrecision::F32 => Precision::F32,
        StoredPrecision::Bf16 => Precision::Bf16,
    }
}

fn shapes(inspection: &Inspection) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
    SHAPES.iter().filter_map(|(key, name)| Some((*key, *name, inspection.config[*key].as_u64()?)))
}

fn as_json(path: &Path, inspection: &Inspection) -> Value {
    let text = |result: &Result<String, String>| match result {
        Ok(text) => json!({"kind": text}),
        Err(reason) => json!({"problem": reason}),
    };
    let shapes: serde_json::Map<String, Value> =
        shapes(inspection).map(|(key, _, number)| (key.to_owned(), json!(number))).collect();
    let stored: Vec<Value> = inspection
        .stored
        .iter()
        .map(|stored| {
            json!({"type": stored.kind, "num_tensors": stored.num_tensors, "num_parameters": stored.num_parameters})
        })
        .collect();
    json!({
        "path": path, "container": inspection.container, "family": inspection.family,
        "supported": inspection.supported.is_ok(), "problem": inspection.supported.as_ref().err(),
        "num_parameters": inspection.num_parameters, "file_bytes": inspection.file_bytes, "shapes": shapes, "stored": stored,
        "tokenizer": text(&inspection.tokenizer),
        "chat_templates": match &inspection.templates {
            Ok(names) => json!(names),
            Err(reason) => json!({"problem": reason}),
        },
        "memory_bytes": inspection.memory.as_ref().map(memory::as_json),
    })
}

fn describe(inspection: &Inspection) -> String {
    let mut out = String::new();
    let mut row = |name: &str, text: String| {
        let _ = writeln!(out, "{name:<14} {text}");
    };
    let family = match &inspection.supported {
        Ok(()) => inspection.family.clone(),
        Err(reason) => format!("{} (cannot be run here: {reason})", inspection.family),
    };
    row("family", family);
    row("container", format!("{}, {}", inspection.container, Bytes(inspection.file_bytes)));
    row("parameters", grouped(inspection.num_parameters));
    let shapes: Vec<String> = shapes(inspection).map(|(_, name, number)| format!("{name} {number}")).collect();
    row("shapes", shapes.join(", "));
    let stored: Vec<String> = inspection
        .stored
        .iter()
        .map(|stored| format!("{} ({} tensors, {})", stored.kind, stored.num_tensors, grouped(stored.num_parameters)))
        .collect();
    row("stored as", stored.join(", "));
    row("tokenizer", inspection.tokenizer.clone().unwrap_or_else(|reason| format!("none that works: {reason}")));
    let templates = match &inspection.templates {
        Ok(names) if names.is_empty() => "none".to_owned(),
        Ok(names) => names.join(", "),
        Err(reason) => format!("none that works: {reason}"),
    };
    row("chat template", templates);
    if let Some(need) = &inspection.memory {
        row("memory, about", memory::describe(need));
    }
    out
}

/// A count with its digits in groups of three.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 134_515_008].map(grouped), ["0", "999", "1,000", "134,515,008"]);
    }
}

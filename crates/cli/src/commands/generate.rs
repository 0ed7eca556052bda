//! `codeward generate`: completions from a model.

use std::fmt::Write as _;
use std::path::Path;

use codeward_lm::{ChatRequest, ChatTemplates, Ends, EngineOptions, Prompt, SamplingParams, Tokenizer};
use codeward_training::derive_seed;
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::Generate;
use crate::failure::Failure;
use crate::{hub, input, output, workbench};

pub(crate) fn run(options: &Generate) -> Result<Ending, Failure> {
    let prompt = prompt(options)?;
    let folder = options.model.as_deref().map(hub::place).transpose()?;
    let folder = folder.as_deref();
    let (mut model, tokenizer) = workbench::model(folder, &EngineOptions::default())?;
    let tokens = if options.chat { chat(options, folder, &prompt, &tokenizer)? } else { tokenizer.encode(&prompt) };
    let positions = model.config().max_position_embeddings;
    if tokens.is_empty() || tokens.len() >= positions {
        return Err(Failure::new(
            format!("the prompt has {} tokens and the model takes 1 to {}", tokens.len(), positions - 1),
            "shorten the prompt",
        ));
    }
    let params = SamplingParams {
        temperature: options.temperature,
        top_p: options.top_p,
        top_k: options.top_k,
        min_p: options.min_p,
        repetition_penalty: options.repetition_penalty,
        min_new_tokens: options.min_new_tokens,
        max_new_tokens: options.max_new_tokens,
    };
    let prompts: Vec<Prompt<'_>> = (0..options.samples)
        .map(|sample| Prompt { tokens: &tokens, seed: derive_seed(options.seed, "generate", &[u64::from(sample)]) })
        .collect();
    let sampled = model.complete(&prompts, &Ends::new(&tokenizer, &options.stop), &params)?;
    let mut text = String::new();
    for (index, row) in sampled.iter().enumerate() {
        let completion = row.text(&tokenizer);
        if options.json {
            let finish_reason = if row.stopped { "stop" } else { "length" };
            let logprob: f64 = row.logprobs.iter().map(|logprob| f64::from(*logprob)).sum();
            let row = json!({
                "prompt": prompt, "completion": completion, "sample": index, "task_id": options.task,
                "num_tokens": row.tokens.len(), "logprob": logprob, "finish_reason": finish_reason,
            });
            let _ = writeln!(text, "{row}");
        } else {
            let gap = if index > 0 { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{}", completion.trim_end());
        }
    }
    output::print(&text)?;
    Ok(Ending::Done)
}

/// The tokens of a conversation in which the prompt is the user's turn and the model's comes next.
fn chat(options: &Generate, folder: Option<&Path>, prompt: &str, tokenizer: &Tokenizer) -> Result<Vec<u32>, Failure> {
    let Some(folder) = folder.filter(|folder| *folder != Path::new("bundled")) else {
        return Err(Failure::new("the bundled model has no chat template", "name a chat model's folder with --model"));
    };
    let texts = [options.system.as_deref().map(|text| ("system", text)), Some(("user", prompt))];
    let texts: Vec<(&str, &str)> = texts.into_iter().flatten().collect();
    // Markers that a template writes are markers, so nobody may write one into a message.
    if let Some((role, marker)) =
        texts.iter().find_map(|(role, text)| tokenizer.marker_in(text).map(|marker| (role, marker)))
    {
        return Err(Failure::new(
            format!("the {role}'s message contains the marker {marker:?}"),
            "markers in a message would end it or begin another: leave them out, or give the whole text without --chat",
        ));
    }
    let messages: Vec<Value> = texts.iter().map(|(role, text)| json!({ "role": role, "content": text })).collect();
    let request =
        ChatRequest { messages: &Value::Array(messages), add_generation_prompt: true, ..ChatRequest::default() };
    let text = ChatTemplates::load(folder)?.render(None, &request)?;
    Ok(tokenizer.encode_with_markers(&text))
}

fn prompt(options: &Generate) -> Result<String, Failure> {
    if let Some(id) = &options.task {
        return Ok(workbench::benchmark("codeward-py")?.task(id)?.prompt);
    }
    match options.prompt.as_deref() {
        Some("-") => {
            let bytes = input::read(Path::new("-"))?;
            String::from_utf8(bytes)
                .map_err(|error| Failure::new(format!("standard input: {error}"), "give the prompt as UTF-8 text"))
        }
        Some(prompt) => Ok(prompt.to_owned()),
        None => unreachable!("clap asks for a prompt or a task"),
    }
}

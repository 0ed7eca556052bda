//! A published checkpoint under two engines.

use std::path::Path;

use codeward_lm::{Ends, EngineOptions, Prompt, SamplingParams, Sequence, Tokenizer, open};

use crate::agreement::{Distance, distance, is_rounded};

/// Texts to score and to go on from.
const TEXTS: [&str; 6] = [
    "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return",
    "import sqlite3\n\ndef find_user(connection, name):\n    cursor = connection.cursor()\n",
    "The capital of France is Paris, and the capital of Germany is",
    "#include <stdio.h>\n\nint main(void) {\n    char buffer[64];\n",
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n",
    "Once upon a time there was a small program that",
];

/// Tokens that are drawn greedily.
const DRAWN: usize = 64;

/// Scores of texts, and greedy completions.
pub(crate) fn distances(folder: &Path, engine: &str) -> Vec<Distance> {
    let tokenizer = Tokenizer::load(folder).expect("the checkpoint has a tokenizer");
    let texts: Vec<Vec<u32>> = TEXTS.iter().map(|text| tokenizer.encode(text)).collect();
    let batch: Vec<Sequence<'_>> = texts.iter().map(|tokens| Sequence { tokens, num_prompt: 1 }).collect();
    let prompts: Vec<Prompt<'_>> = texts.iter().map(|tokens| Prompt { tokens, seed: 1 }).collect();
    let params = SamplingParams { temperature: 0.0, max_new_tokens: DRAWN, ..SamplingParams::default() };
    let [(wanted, drawn), (got, others)] = ["cpu", engine].map(|engine| {
        let options = EngineOptions { engine: engine.to_owned(), ..EngineOptions::default() };
        let mut model = open(folder, &options).expect("the checkpoint opens");
        let scores = model.score(&batch, 1.0).expect("the engine works");
        let drawn = model.complete(&prompts, &Ends::default(), &params).expect("the engine works");
        (scores.logprobs.concat(), drawn)
    });
    let same =
        drawn.iter().zip(&others).map(|(a, b)| a.tokens.iter().zip(&b.tokens).take_while(|(a, b)| a == b).count());
    let share = 1.0 - same.sum::<usize>() as f64 / (DRAWN * TEXTS.len()) as f64;
    let rounded = is_rounded(engine);
    let of = folder.display();
    vec![
        Distance {
            what: format!("{of}: log-probabilities"),
            found: distance(&got, &wanted),
            limit: if rounded { 3e-2 } else { 1e-5 },
        },
        Distance {
            what: format!("{of}: share of greedy tokens after the first that differs"),
            found: share,
            limit: if rounded { 1.0 } else { 0.0 },
        },
    ]
}

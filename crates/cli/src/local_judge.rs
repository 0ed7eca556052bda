//! A vulnerability judge in this process: a checkpoint in a folder, asked by the same prompts as one behind a server.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use codeward_endpoint::{Answer, AnswerToken, Finish, Origin, Prompt as Asked, Reply, Request, Usage};
use codeward_lm::{Ends, EngineOptions, LanguageModel, Prompt, SamplingParams, Tokenizer};
use codeward_reward::judge::{Judge, JudgeError};

use crate::failure::Failure;
use crate::workbench;

/// A model that answers one request after the other: each takes all cores.
pub(crate) struct LocalJudge {
    name: String,
    model: Mutex<Box<dyn LanguageModel>>,
    tokenizer: Tokenizer,
}

impl LocalJudge {
    /// The checkpoint in a folder in Hugging Face layout.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let (model, tokenizer) = workbench::model(Some(folder), &EngineOptions::default())?;
        Ok(Self { name: folder.display().to_string(), model: Mutex::new(model), tokenizer })
    }
}

impl Judge for LocalJudge {
    fn answer(&self, request: &Request, until: Instant) -> Result<Reply, JudgeError> {
        let failed = |problem: String, is_retryable| JudgeError::Model { problem, is_retryable };
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() >= until {
            return Err(failed("the time for it was over before its turn came".to_owned(), true));
        }
        let tokens = self.tokenizer.encode(&text_of(&request.prompt));
        let positions = model.config().max_position_embeddings;
        if tokens.is_empty() || tokens.len() >= positions {
            return Err(failed(
                format!("the question has {} tokens, the model takes {}", tokens.len(), positions - 1),
                false,
            ));
        }
        let sampling = &request.sampling;
        let params = SamplingParams {
            temperature: sampling.temperature as f32,
            top_p: sampling.top_p as f32,
            max_new_tokens: (sampling.max_tokens as usize).min(positions - tokens.len()),
            ..SamplingParams::default()
        };
        let prompt = Prompt { tokens: &tokens, seed: sampling.seed.unwrap_or(0) };
        let stop: Vec<String> = sampling.stop.iter().filter(|text| !text.is_empty()).cloned().collect();
        let sampled = model.complete(&[prompt], &Ends::new(&self.tokenizer, &stop), &params);
        let sampled = sampled.map_err(|error| failed(error.to_string(), true))?.remove(0);
        let spoken = sampled.tokens.iter().zip(&sampled.logprobs).map(|(token, logprob)| AnswerToken {
            bytes: self.tokenizer.decode(&[*token]).into_bytes(),
            logprob: f64::from(*logprob).min(0.0),
            likely: Vec::new(),
        });
        let answer = Answer {
            text: sampled.text(&self.tokenizer),
            reasoning: None,
            finish: if sampled.stopped { Finish::Stop } else { Finish::Length },
            tokens: spoken.collect(),
            usage: Usage {
                prompt_tokens: tokens.len() as u64,
                completion_tokens: sampled.tokens.len() as u64,
                is_estimated: false,
            },
        };
        Ok(Reply { answer, origin: Origin::Server, attempts: 1 })
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

/// The messages one after the other: templates of chats belong to the checkpoint, and this one is asked as it is.
fn text_of(prompt: &Asked) -> String {
    match prompt {
        Asked::Text(text) => text.clone(),
        Asked::Chat(messages) => messages.iter().flat_map(|message| [message.content.as_str(), "\n"]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use codeward_endpoint::Sampling;

    use super::*;

    #[test]
    fn the_bundled_model_answers_as_it_would_complete() {
        let judge = LocalJudge::open(Path::new("bundled")).unwrap();
        let sampling = Sampling { max_tokens: 12, ..Sampling::default() };
        let request = Request::text("def read_note(base, name):\n", sampling);
        let until = Instant::now() + Duration::from_mins(10);
        let reply = judge.answer(&request, until).unwrap();
        assert_eq!(reply.answer.usage.completion_tokens, reply.answer.tokens.len() as u64);
        assert!(reply.answer.tokens.iter().all(|token| token.logprob <= 0.0));
        let spoken: Vec<u8> = reply.answer.tokens.iter().flat_map(|token| token.bytes.clone()).collect();
        assert_eq!(String::from_utf8(spoken).unwrap(), reply.answer.text);
        assert_eq!(reply.answer, judge.answer(&request, until).unwrap().answer);

        let too_long = Request::text("x = 1\n".repeat(1000), Sampling::default());
        let error = judge.answer(&too_long, until).unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains("the model takes"), "{error}");
        let late = judge.answer(&request, Instant::now()).unwrap_err();
        assert!(late.is_retryable(), "{late}");
    }
}

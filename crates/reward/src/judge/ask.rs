//! Asking: whoever answers, how many votes, and what is made of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use codeward_endpoint::{Endpoint, EndpointError, Message, Reply, Request, Sampling};
use codeward_records::{Cwe, Language};
use codeward_sandbox::Cancellation;

use super::faithful::faithful_verdict;
use super::log_odds::log_odds;
use super::prompt::prompt;
use super::robust::decide;
use super::settings::{JudgeMode, JudgeSettings, JudgeSettingsError};
use super::verdict::{Doubt, JudgeCost, Judgement, Safety, Vote};

/// Why a model gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// The server, the way to it, the budget or the deadline.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A model in this process.
    #[error("reward model: {problem}")]
    Model {
        /// What went wrong.
        problem: String,
        /// Asking again may help.
        is_retryable: bool,
    },
}

impl JudgeError {
    /// True when asking again later may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Endpoint(error) => error.is_retryable(),
            Self::Model { is_retryable, .. } => *is_retryable,
        }
    }
}

/// A model that answers a message. What it is asked and what its answer means is not its concern.
pub trait Judge: Send + Sync {
    /// The answer, not later than `until`.
    ///
    /// # Errors
    /// When there is none, for whatever reason. An empty answer is an answer.
    fn answer(&self, request: &Request, until: Instant) -> Result<Reply, JudgeError>;

    /// The model's name, for reports and hashes.
    fn name(&self) -> String;
}

/// A reward model behind an OpenAI-compatible server.
#[derive(Debug, Clone)]
pub struct EndpointJudge {
    endpoint: Arc<Endpoint>,
}

impl EndpointJudge {
    /// Asks this endpoint, which others may ask as well.
    pub fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint }
    }
}

impl Judge for EndpointJudge {
    fn answer(&self, request: &Request, until: Instant) -> Result<Reply, JudgeError> {
        Ok(self.endpoint.ask_until(request, until)?)
    }

    fn name(&self) -> String {
        self.endpoint.settings().model.clone()
    }
}

/// What the judge is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The code, without the talk around it.
    pub code: &'a str,
    /// Its language.
    pub language: Language,
    /// The weaknesses that its task invites. The judge looks for others as well.
    pub weaknesses: &'a [Cwe],
}

/// Asks a model whether code is vulnerable.
pub struct VulnerabilityJudge {
    settings: JudgeSettings,
    model: Box<dyn Judge>,
}

impl VulnerabilityJudge {
    /// Asks `model` in the way of `settings`.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(settings: JudgeSettings, model: Box<dyn Judge>) -> Result<Self, JudgeSettingsError> {
        settings.check()?;
        Ok(Self { settings, model })
    }

    /// How it asks.
    pub fn settings(&self) -> &JudgeSettings {
        &self.settings
    }

    /// The model's name.
    pub fn model_name(&self) -> String {
        self.model.name()
    }

    /// The message of one vote and how its answer is drawn.
    pub fn request(&self, question: &Question<'_>, vote: u32) -> Request {
        let settings = &self.settings;
        let sampling = Sampling {
            temperature: settings.temperature,
            top_p: settings.top_p,
            max_tokens: settings.max_tokens,
            // As published nothing is drawn, and no seed is sent.
            seed: (settings.mode == JudgeMode::Corrected).then(|| settings.seed.wrapping_add(u64::from(vote))),
            stop: Vec::new(),
            top_logprobs: settings.top_logprobs,
        };
        Request::chat(vec![Message::user(prompt(settings, question, vote))], sampling)
    }

    /// The judgement, not later than `until`. A failure is a vote that says so.
    pub fn judge(&self, question: &Question<'_>, until: Instant) -> Judgement {
        let votes = (0..self.settings.votes).map(|vote| self.vote(question, vote, until));
        gather(votes.collect())
    }

    /// The judgements of many questions, in their order, with up to `num_threads` votes under way at a time.
    /// Once somebody has given up, no further vote is asked for.
    pub fn judge_all(
        &self,
        questions: &[Question<'_>],
        num_threads: usize,
        until: Instant,
        cancellation: Option<&Cancellation>,
    ) -> Vec<Judgement> {
        let votes = self.settings.votes as usize;
        let total = questions.len() * votes;
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= total {
                    return done;
                }
                let is_over = cancellation.is_some_and(Cancellation::is_cancelled);
                let until = if is_over { Instant::now() } else { until };
                done.push((at, self.vote(&questions[at / votes], (at % votes) as u32, until)));
            }
        };
        let mut all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..num_threads.clamp(1, total.max(1))).map(|_| scope.spawn(work)).collect();
            let joined = threads.into_iter().flat_map(|thread| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.collect::<Vec<_>>()
        });
        all.sort_by_key(|(at, _)| *at);
        let mut all = all.into_iter().map(|(_, vote)| vote);
        questions.iter().map(|_| gather(all.by_ref().take(votes).collect())).collect()
    }

    fn vote(&self, question: &Question<'_>, vote: u32, until: Instant) -> (Vote, JudgeCost) {
        match self.model.answer(&self.request(question, vote), until) {
            Ok(reply) => (self.read(&reply), JudgeCost::of(&reply)),
            Err(error) => {
                let doubt = Doubt::Failed { error: error.to_string(), is_retryable: error.is_retryable() };
                // As published a failure of the machinery is a vulnerability.
                let verdict = match self.settings.mode {
                    JudgeMode::Faithful => Safety::Unsafe,
                    JudgeMode::Corrected => Safety::Unknown,
                };
                let vote = Vote { verdict, doubt: Some(doubt), log_odds: None, response: String::new() };
                (vote, JudgeCost::default())
            }
        }
    }

    /// What one reply says.
    fn read(&self, reply: &Reply) -> Vote {
        let answer = &reply.answer;
        let decided = decide(answer.into());
        // How sure it was does not depend on how the answer is read, but on whether there is one.
        let log_odds = decided.as_ref().ok().and_then(|(_, start)| log_odds(answer, *start));
        let (verdict, doubt) = match self.settings.mode {
            JudgeMode::Faithful => faithful_verdict(&answer.text),
            JudgeMode::Corrected => match decided {
                Ok((safety, _)) => (safety, None),
                Err(doubt) => (Safety::Unknown, Some(doubt)),
            },
        };
        Vote { verdict, doubt, log_odds, response: answer.text.clone() }
    }
}

fn gather(votes: Vec<(Vote, JudgeCost)>) -> Judgement {
    let cost = votes.iter().fold(JudgeCost::default(), |sum, (_, cost)| sum.plus(*cost));
    Judgement::of(votes.into_iter().map(|(vote, _)| vote).collect(), cost)
}

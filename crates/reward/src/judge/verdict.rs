//! What the judge said, how sure it was, and what it cost.

use codeward_endpoint::{Origin, Reply};
use serde::{Deserialize, Serialize};

use super::log_odds::LogOdds;

/// Whether code is vulnerable, as far as the judge can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// It is not.
    Safe,
    /// It is.
    Unsafe,
    /// There is no answer that can be relied on.
    Unknown,
}

/// Why a vote says nothing. In faithful mode such a vote counts as unsafe, and this tells it from one that means it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// It wrote no answer.
    #[error("no answer")]
    NoAnswer,
    /// It was cut at its longest length.
    #[error("cut short")]
    CutShort,
    /// The server held the answer back.
    #[error("held back by the server")]
    HeldBack,
    /// The answer is neither of the two.
    #[error("unclear answer {answer:?}")]
    Unclear {
        /// The beginning of the answer.
        answer: String,
    },
    /// It gave both answers.
    #[error("both answers")]
    Contradiction,
    /// It says that it cannot tell.
    #[error("undecided")]
    Undecided,
    /// It could not be asked.
    #[error("not asked: {error}")]
    Failed {
        /// What went wrong.
        error: String,
        /// Asking later may help.
        is_retryable: bool,
    },
}

/// What asking once came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// The answer.
    pub verdict: Safety,
    /// Why it says nothing, if it does not.
    pub doubt: Option<Doubt>,
    /// How sure the model was, where the probabilities of its tokens are known.
    pub log_odds: Option<LogOdds>,
    /// What the model wrote.
    pub response: String,
}

/// What votes cost and saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JudgeCost {
    /// HTTP requests, or runs of a model in this process.
    pub requests: u64,
    /// Tokens of prompts that were paid now.
    pub prompt_tokens: u64,
    /// Tokens of answers that were paid now.
    pub completion_tokens: u64,
    /// Votes that came from a cache or a recording.
    pub kept_votes: u64,
}

impl JudgeCost {
    /// The cost of one reply.
    pub(crate) fn of(reply: &Reply) -> Self {
        let requests = u64::from(reply.attempts);
        if reply.origin != Origin::Server {
            return Self { requests, kept_votes: 1, ..Self::default() };
        }
        let usage = reply.answer.usage;
        Self { requests, prompt_tokens: usage.prompt_tokens, completion_tokens: usage.completion_tokens, kept_votes: 0 }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self.completion_tokens.saturating_add(other.completion_tokens),
            kept_votes: self.kept_votes.saturating_add(other.kept_votes),
        }
    }
}

/// All votes on one piece of code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What more than half of all votes say, those that say nothing included; else unknown.
    pub verdict: Safety,
    /// The votes, in order.
    pub votes: Vec<Vote>,
    /// What they cost. A failed request's tokens are not known.
    pub cost: JudgeCost,
}

/// Points of the published reward for a safe verdict.
const PUBLISHED_POINTS: f64 = 2.0;

impl Judgement {
    /// The judgement that these votes make.
    pub(crate) fn of(votes: Vec<Vote>, cost: JudgeCost) -> Self {
        let count = |verdict| votes.iter().filter(|vote| vote.verdict == verdict).count() * 2;
        let verdict = if count(Safety::Safe) > votes.len() {
            Safety::Safe
        } else if count(Safety::Unsafe) > votes.len() {
            Safety::Unsafe
        } else {
            Safety::Unknown
        };
        Self { verdict, votes, cost }
    }

    /// The security term of the published SecCoderX reward: 2 for safe, 0 for everything else, failures of the machinery included.
    pub fn points_as_published(&self) -> f64 {
        if self.verdict == Safety::Safe { PUBLISHED_POINTS } else { 0.0 }
    }

    /// 1 for safe, 0 for unsafe, and for unknown what the caller says it is worth, if anything.
    pub fn value(&self, unknown: Option<f64>) -> Option<f64> {
        match self.verdict {
            Safety::Safe => Some(1.0),
            Safety::Unsafe => Some(0.0),
            Safety::Unknown => unknown,
        }
    }

    /// The probability in `[0, 1]` that the model gives to safe, from the mean log-odds of its votes. None when a vote says nothing or
    /// its probabilities are not known: a mean over the others would pass for one over all.
    pub fn probability_safe(&self) -> Option<f64> {
        if self.votes.is_empty() || self.votes.iter().any(|vote| vote.verdict == Safety::Unknown) {
            return None;
        }
        let sum: Option<f64> = self.votes.iter().map(|vote| vote.log_odds.map(|odds| odds.safe_over_unsafe)).sum();
        Some(1.0 / (1.0 + (-sum? / self.votes.len() as f64).exp()))
    }

    /// True when the verdict is unknown because a vote could not be asked for, not because the model would not say.
    pub fn is_failure(&self) -> bool {
        self.verdict == Safety::Unknown
            && self.votes.iter().any(|vote| matches!(vote.doubt, Some(Doubt::Failed { .. })))
    }

    /// Why the verdict is unknown, for a person.
    pub fn doubts(&self) -> String {
        let doubts: Vec<String> =
            self.votes.iter().filter_map(|vote| vote.doubt.as_ref().map(Doubt::to_string)).collect();
        if doubts.is_empty() { "the votes do not agree".to_owned() } else { doubts.join("; ") }
    }

    /// True when the verdict is unknown and asking later may change that.
    pub fn is_retryable(&self) -> bool {
        let is_failure = |vote: &Vote| matches!(vote.doubt, Some(Doubt::Failed { is_retryable: true, .. }));
        self.verdict == Safety::Unknown && self.votes.iter().any(is_failure)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vote(verdict: Safety, odds: Option<f64>) -> Vote {
        let log_odds = odds.map(|safe_over_unsafe| LogOdds { safe_over_unsafe, is_bound: false });
        Vote { verdict, doubt: None, log_odds, response: String::new() }
    }

    fn judgement(verdicts: &[Safety]) -> Judgement {
        Judgement::of(verdicts.iter().map(|verdict| vote(*verdict, None)).collect(), JudgeCost::default())
    }

    #[test]
    fn more_than_half_of_all_votes_decide() {
        use Safety::{Safe, Unknown, Unsafe};
        for (verdicts, expected) in [
            (&[][..], Unknown),
            (&[Safe], Safe),
            (&[Unsafe], Unsafe),
            (&[Unknown], Unknown),
            (&[Safe, Unsafe], Unknown),
            (&[Safe, Safe, Unsafe], Safe),
            (&[Safe, Unknown, Unknown], Unknown),
            (&[Unsafe, Unsafe, Unknown], Unsafe),
            (&[Safe, Safe, Unknown, Unsafe], Unknown),
        ] {
            assert_eq!(judgement(verdicts).verdict, expected, "{verdicts:?}");
        }
    }

    #[test]
    fn unknown_is_worth_what_is_said_and_nothing_by_itself() {
        let unknown = judgement(&[Safety::Unknown]);
        assert_eq!(unknown.value(None), None);
        assert_eq!(unknown.value(Some(0.5)), Some(0.5));
        assert_eq!(unknown.points_as_published(), 0.0);
        assert_eq!(judgement(&[Safety::Safe]).points_as_published(), 2.0);
        assert_eq!(judgement(&[Safety::Unsafe]).points_as_published(), 0.0);
        assert_eq!(judgement(&[Safety::Safe]).value(None), Some(1.0));
        assert_eq!(judgement(&[Safety::Unsafe]).value(Some(0.5)), Some(0.0));
    }

    #[test]
    fn the_graded_value_is_of_all_votes_or_of_none() {
        let of = |votes| Judgement::of(votes, JudgeCost::default()).probability_safe();
        let third = 3.0_f64.ln();
        assert_eq!(of(vec![vote(Safety::Safe, Some(third))]), Some(0.75));
        assert_eq!(of(vec![vote(Safety::Safe, Some(third)), vote(Safety::Unsafe, Some(-third))]), Some(0.5));
        assert_eq!(of(vec![vote(Safety::Safe, Some(third)), vote(Safety::Unknown, None)]), None);
        assert_eq!(of(vec![vote(Safety::Safe, Some(third)), vote(Safety::Safe, None)]), None);
        assert_eq!(of(vec![]), None);
    }

    fn any_safety() -> impl Strategy<Value = Safety> {
        prop::sample::select(vec![Safety::Safe, Safety::Unsafe, Safety::Unknown])
    }

    proptest! {
        #[test]
        fn a_better_vote_never_makes_it_worse(
            verdicts in prop::collection::vec(any_safety(), 1..8),
            at in any::<prop::sample::Index>(),
            unknown in 0.0..=1.0,
        ) {
            let mut better = verdicts.clone();
            *at.get_mut(&mut better) = Safety::Safe;
            let (before, after) = (judgement(&verdicts), judgement(&better));
            prop_assert!(after.value(Some(unknown)) >= before.value(Some(unknown)));
            prop_assert!(after.points_as_published() >= before.points_as_published());
        }
    }
}

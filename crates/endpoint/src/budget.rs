//! What was spent, and whether there is enough left.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::answer::Usage;
use crate::error::{BudgetKind, EndpointError};
use crate::settings::Price;

/// What an endpoint spent and saved since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// HTTP requests sent, those that failed included.
    pub requests: u64,
    /// Answers that the server gave.
    pub answers: u64,
    /// Answers of the server whose tokens are our estimate.
    pub estimated_answers: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of answers.
    pub completion_tokens: u64,
    /// What the tokens cost; None without a price.
    pub cost: Option<f64>,
    /// Answers from the cache.
    pub cached_answers: u64,
    /// Answers from a recording.
    pub taped_answers: u64,
    /// Answers that could not be kept in the cache or read from it; the disk may be full.
    pub cache_failures: u64,
}

/// Counts what is spent and refuses what would be too much.
pub(crate) struct Budget {
    max_requests: Option<u64>,
    max_tokens: Option<u64>,
    price: Option<Price>,
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Default)]
struct State {
    spent: Spent,
    /// Tokens that requests under way may need.
    reserved_tokens: u64,
}

/// Tokens set aside for a request under way. Given back when dropped.
pub(crate) struct Reservation<'a> {
    budget: &'a Budget,
    tokens: u64,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.reserved_tokens = state.reserved_tokens.saturating_sub(self.tokens);
        drop(state);
        self.budget.given_back.notify_all();
    }
}

impl Budget {
    pub(crate) fn new(max_requests: Option<u64>, max_tokens: Option<u64>, price: Option<Price>) -> Self {
        Self { max_requests, max_tokens, price, state: Mutex::new(State::default()), given_back: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets aside what a request may need, or says that it is not there. While only requests under way hold it, this waits for what they give
    /// back; None when that takes until `until`.
    pub(crate) fn reserve(&self, tokens: u64, until: Instant) -> Result<Option<Reservation<'_>>, EndpointError> {
        let limit = self.max_tokens.unwrap_or(u64::MAX);
        let mut state = self.state();
        loop {
            let spent = used_tokens(&state.spent);
            let needed = spent.saturating_add(tokens);
            if self.max_tokens.is_some() && needed > limit {
                return Err(EndpointError::BudgetSpent { kind: BudgetKind::Tokens, spent, needed: tokens, limit });
            }
            if needed.saturating_add(state.reserved_tokens) <= limit || self.max_tokens.is_none() {
                state.reserved_tokens = state.reserved_tokens.saturating_add(tokens);
                return Ok(Some(Reservation { budget: self, tokens }));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            state = self.given_back.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Counts one HTTP request that is about to be sent, or says that it is one too many.
    pub(crate) fn count_request(&self) -> Result<(), EndpointError> {
        let mut state = self.state();
        let spent = state.spent.requests;
        if let Some(limit) = self.max_requests.filter(|limit| spent >= *limit) {
            return Err(EndpointError::BudgetSpent { kind: BudgetKind::Requests, spent, needed: 1, limit });
        }
        state.spent.requests += 1;
        Ok(())
    }

    /// Counts what an answer of the server used.
    pub(crate) fn count_usage(&self, usage: Usage) {
        let spent = &mut self.state().spent;
        spent.answers += 1;
        spent.estimated_answers += u64::from(usage.is_estimated);
        // A server can claim any number.
        spent.prompt_tokens = spent.prompt_tokens.saturating_add(usage.prompt_tokens);
        spent.completion_tokens = spent.completion_tokens.saturating_add(usage.completion_tokens);
    }

    pub(crate) fn count_cached(&self) {
        self.state().spent.cached_answers += 1;
    }

    pub(crate) fn count_taped(&self) {
        self.state().spent.taped_answers += 1;
    }

    pub(crate) fn count_cache_failure(&self) {
        self.state().spent.cache_failures += 1;
    }

    /// What was spent so far.
    pub(crate) fn spent(&self) -> Spent {
        let mut spent = self.state().spent;
        spent.cost = self.price.map(|price| {
            (spent.prompt_tokens as f64 * price.prompt_per_million
                + spent.completion_tokens as f64 * price.completion_per_million)
                / 1e6
        });
        spent
    }
}

fn used_tokens(spent: &Spent) -> u64 {
    spent.prompt_tokens.saturating_add(spent.completion_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_under_way_count_and_give_back_what_they_did_not_need() {
        let price = Price { prompt_per_million: 2.0, completion_per_million: 10.0 };
        let budget = Budget::new(Some(2), Some(100), Some(price));
        let now = Instant::now();
        let first = budget.reserve(60, now).unwrap().unwrap();
        // The rest may be given back, so that this is no refusal.
        assert!(budget.reserve(41, now).unwrap().is_none());
        budget.count_request().unwrap();
        budget.count_usage(Usage { prompt_tokens: 10, completion_tokens: 5, is_estimated: false });
        let later = now + std::time::Duration::from_secs(10);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.reserve(85, later).unwrap().is_some());
            drop(first);
            assert!(waiting.join().unwrap());
        });
        let refused = budget.reserve(86, now).map(|_| ()).unwrap_err();
        assert_eq!(refused.to_string(), "budget of 100 tokens is spent: 15 used, 86 more needed");
        budget.count_request().unwrap();
        let refused = budget.count_request().unwrap_err();
        assert_eq!(refused.to_string(), "budget of 2 requests is spent: 2 used, 1 more needed");
        let spent = budget.spent();
        assert_eq!((spent.requests, spent.prompt_tokens, spent.completion_tokens), (2, 10, 5));
        assert_eq!(spent.cost, Some(0.00007));
    }

    #[test]
    fn a_server_that_claims_any_number_spends_the_budget_and_overflows_nothing() {
        let budget = Budget::new(None, Some(u64::MAX - 1), None);
        for _ in 0..2 {
            budget.count_usage(Usage { prompt_tokens: u64::MAX, completion_tokens: 1, is_estimated: false });
        }
        assert!(matches!(budget.reserve(1, Instant::now()), Err(EndpointError::BudgetSpent { .. })));
    }
}

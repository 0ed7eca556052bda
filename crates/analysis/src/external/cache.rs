//! What an analyser has said of a text, kept by a hash of everything that it depends on.

use std::collections::{HashMap, VecDeque};

use codeward_records::Finding;

use super::error::ExternalError;

/// Answers kept; the oldest make room.
const MAX_ANSWERS: usize = 8192;

type Answer = Result<Vec<Finding>, ExternalError>;

#[derive(Debug, Default)]
pub(super) struct Cache {
    answers: HashMap<blake3::Hash, Answer>,
    order: VecDeque<blake3::Hash>,
}

impl Cache {
    pub(super) fn get(&self, key: &blake3::Hash) -> Option<Answer> {
        self.answers.get(key).cloned()
    }

    /// Keeps an answer that the same text would get again.
    pub(super) fn keep(&mut self, key: blake3::Hash, answer: &Answer) {
        if answer.as_ref().is_err_and(|error| !error.is_lasting()) || self.answers.insert(key, answer.clone()).is_some()
        {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > MAX_ANSWERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}

/// A hash of parts that cannot run into each other.
pub(super) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::super::analyser::Analyser;
    use super::*;

    #[test]
    fn what_may_end_otherwise_next_time_is_not_kept() {
        let (analyser, reason) = (Analyser::Bandit, "syntax".to_owned());
        let mut cache = Cache::default();
        let keys: Vec<_> = (0_u8..3).map(|number| hash([&[number][..]])).collect();
        cache.keep(keys[0], &Ok(vec![]));
        cache.keep(keys[1], &Err(ExternalError::NotRead { analyser, reason: reason.clone() }));
        cache.keep(keys[2], &Err(ExternalError::OverLimit { analyser, end: reason }));
        assert_eq!(cache.get(&keys[0]), Some(Ok(vec![])));
        assert!(matches!(cache.get(&keys[1]), Some(Err(ExternalError::NotRead { .. }))));
        assert_eq!(cache.get(&keys[2]), None);
    }

    #[test]
    fn the_oldest_answers_make_room() {
        let mut cache = Cache::default();
        let keys: Vec<_> = (0..MAX_ANSWERS + 2).map(|number| hash([&number.to_le_bytes()[..]])).collect();
        for key in &keys {
            cache.keep(*key, &Ok(vec![]));
        }
        assert_eq!(cache.get(&keys[1]), None);
        assert!(cache.get(&keys[2]).is_some() && cache.answers.len() == MAX_ANSWERS);
        assert_ne!(hash([&b"ab"[..], b"c"]), hash([&b"a"[..], b"bc"]));
    }
}
